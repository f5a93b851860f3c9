/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "natd/workers/worker_igd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "natd/workers/worker.h"
#include "natd/workers/worker_private.h"

/* A device that could not be talked to may have come back as another one. */
static int do_job(struct igds *igds, const struct worker_job *job,
		  struct worker_answer *answer)
{
	struct igd *igd;
	int r;

	if (job_role(job->kind) != WORKER_IGD)
		return -EOPNOTSUPP;
	if (job->kind == JOB_IGD_OPEN)
		igd_forget(igds, job);
	r = igd_find(igds, job, &igd);
	if (r != 0)
		return r;
	r = igd_do(igd, job, answer);
	if (r < 0)
		igd_forget(igds, job);
	return r;
}

/* Of a failure nothing counts but why. */
static int serve(int fd, struct igds *igds, const struct worker_job *job)
{
	struct worker_answer answer;
	int r;

	worker_answer_of(job, 0, &answer);
	alarm(WORKER_IGD_SECONDS);
	r = do_job(igds, job, &answer);
	alarm(0);
	if (r != 0)
		worker_answer_of(job, r, &answer);
	return worker_answer_send(fd, &answer, 0);
}

static int serve_all(int fd, struct igds *igds)
{
	struct worker_job job;
	uint8_t packet[sizeof(job) + 1];
	int r = 0;

	while (r == 0 || r == -EINTR) {
		ssize_t n = recv(fd, packet, sizeof(packet), 0);

		if (n == 0)
			return 0;
		r = n < 0 ? -errno : -EBADMSG;
		if (n > 0 && worker_job_valid(packet, (size_t)n, &job))
			r = serve(fd, igds, &job);
	}
	return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

/* miniupnpc tells stderr what it thinks of routers, and sends where nobody listens any
 * more. */
static void quieten(void)
{
	FILE *nowhere = fopencookie(NULL, "w", (cookie_io_functions_t){ 0 });

	if (nowhere)
		stderr = nowhere;
	signal(SIGPIPE, SIG_IGN);
}

int worker_igd(int fd)
{
	static struct igds igds;
	int r;

	quieten();
	worker_let_alarm_end();
	r = serve_all(fd, &igds);
	if (r == -EBADMSG)
		return WORKER_UNREADABLE;
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
