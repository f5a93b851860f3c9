/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The igd worker of a natd without miniupnpc. */

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/endpoint.h"
#include "natd/workers/worker.h"

static pid_t start(int *ret_fd)
{
	int ends[2];
	pid_t pid;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		_exit(worker_igd(ends[1]));
	}
	cr_assert_gt(pid, 0);
	close(ends[1]);
	*ret_fd = ends[0];
	return pid;
}

Test(worker_igd_none, every_job_is_refused_and_nothing_ends, .timeout = 20)
{
	struct worker_job job = {
		.serial = 7,
		.kind = JOB_IGD_OPEN,
		.ifindex = 1,
		.url = "http://192.168.1.1/",
	};
	struct worker_answer answer;
	int fd, status = -1;
	pid_t pid = start(&fd);

	cr_assert_eq(address_parse("192.168.1.1", &job.router), 0);
	for (int i = 0; i < 3; i++, job.serial++) {
		cr_assert_eq(send(fd, &job, sizeof(job), MSG_NOSIGNAL),
			     (ssize_t)sizeof(job));
		cr_assert_eq(recv(fd, &answer, sizeof(answer), 0),
			     (ssize_t)sizeof(answer));
		cr_assert_eq(answer.serial, job.serial);
		cr_assert_eq(answer.result, -EOPNOTSUPP);
	}
	close(fd);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
}

Test(worker_igd_none, what_is_no_job_ends_it, .timeout = 20)
{
	int fd, status = -1;
	pid_t pid = start(&fd);

	cr_assert_eq(send(fd, "hello", 5, MSG_NOSIGNAL), 5);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == WORKER_UNREADABLE);
	close(fd);
}
