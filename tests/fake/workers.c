/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workers.h"

#include <errno.h>
#include <stdlib.h>

struct workers {
	bool wanted[WORKER_ROLES];
};

struct fake_workers fake_workers;

int workers_new(const struct workers_parts *parts, struct workers **ret)
{
	struct workers *workers = calloc(1, sizeof(*workers));

	if (!workers)
		return -ENOMEM;
	fake_workers.parts = *parts;
	*ret = workers;
	return 0;
}

void workers_free(struct workers *workers)
{
	free(workers);
}

void workers_want(struct workers *workers, enum worker_role role, bool wanted)
{
	workers->wanted[role] = wanted;
}

int workers_send(struct workers *workers, enum worker_role role,
		 const struct worker_job *job)
{
	return workers->wanted[role] ? fake_workers.take(role, job) : -ENOTCONN;
}

void workers_status(const struct workers *workers, enum worker_role role,
		    struct worker_status *ret)
{
	*ret = (struct worker_status){ .up = workers->wanted[role] };
}

bool workers_nursery_lives(const struct workers *workers)
{
	return true;
}
