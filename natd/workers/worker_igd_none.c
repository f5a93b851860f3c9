/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The igd worker of a natd that was built without miniupnpc. */

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "natd/workers/worker.h"
#include "natd/workers/worker_private.h"

int worker_igd(int fd)
{
	struct worker_answer answer;
	struct worker_job job;
	uint8_t packet[sizeof(job) + 1];
	ssize_t n;

	while ((n = recv(fd, packet, sizeof(packet), 0)) > 0) {
		if (!worker_job_valid(packet, (size_t)n, &job))
			return WORKER_UNREADABLE;
		worker_answer_of(&job, -EOPNOTSUPP, &answer);
		if (worker_answer_send(fd, &answer, 0) < 0)
			break;
	}
	return n < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
