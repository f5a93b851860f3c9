/* SPDX-License-Identifier: GPL-2.0-or-later */

/* worker_alone - one worker, built without sanitizers, for what they do not allow to be
 * measured: "worker_alone datagram", "igd" or "resolver", its socket is descriptor 3. As
 * the nursery makes them: natd/workers/nursery_child.c. */

#include <string.h>

#include "core/cleanup.h"
#include "natd/workers/confine.h"
#include "natd/workers/worker.h"

static const struct role {
	const char *name;
	enum confinement confinement;
	int (*main)(int fd);
	int (*prepare)(void);
} roles[] = {
	{ "datagram", CONFINE_DATAGRAM, worker_datagram, NULL },
	{ "igd", CONFINE_IGD, worker_igd, NULL },
	{ "resolver", CONFINE_RESOLVER, worker_resolver, worker_resolver_prepare },
};

static int work(const struct role *role)
{
	static const struct confine_path paths[] = { { "/etc", false },
						     { "/run", false } };
	struct confine_fault why;
	struct confined confined;

	if (confine(CONFINE_NURSERY, paths, ARRAY_SIZE(paths), &confined, &why) < 0 ||
	    (role->prepare && role->prepare() < 0) ||
	    confine(role->confinement, NULL, 0, &confined, &why) < 0)
		return 126;
	return role->main(3);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(roles); i++) {
		if (!strcmp(argv[1], roles[i].name))
			return work(&roles[i]);
	}
	return 2;
}
