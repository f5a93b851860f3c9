/* SPDX-License-Identifier: GPL-2.0-or-later */

/* worker_alone - one worker, built without sanitizers, for what they do not allow to be
 * measured: "worker_alone datagram" or "igd", its socket is descriptor 3. */

#include <string.h>

#include "natd/workers/confine.h"
#include "natd/workers/worker.h"

int main(int argc, char **argv)
{
	struct confine_fault why;
	struct confined confined;

	if (argc == 2 && !strcmp(argv[1], "datagram"))
		return confine(CONFINE_DATAGRAM, NULL, 0, &confined, &why) < 0
			       ? 126
			       : worker_datagram(3);
	if (argc == 2 && !strcmp(argv[1], "igd"))
		return confine(CONFINE_IGD, NULL, 0, &confined, &why) < 0 ? 126
									  : worker_igd(3);
	return 2;
}
