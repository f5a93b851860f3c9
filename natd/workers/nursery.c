/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "natd/workers/nursery_private.h"
#include "natd/workers/worker.h"

#define STOP_MSEC 1000
/* more than anybody sends: so that all of them are seen, and closed */
#define FDS_MAX	  8
#define ERRNO_MAX 4095

/* ------------------------------------------------------------ what is said */

bool nursery_request_valid(const void *packet, size_t len, struct nursery_request *ret)
{
	struct nursery_request request;

	if (len != sizeof(request))
		return false;
	memcpy(&request, packet, sizeof(request));
	if (request.kind > NURSERY_STOP || request.role >= WORKER_ROLES)
		return false;
	*ret = request;
	return true;
}

static bool fields_fit(const struct nursery_report *report, size_t n_fds)
{
	switch ((enum nursery_report_kind)report->kind) {
	case NURSERY_STARTED:
		return report->pid > 0 && n_fds == 1;
	case NURSERY_FAILED:
		return report->status < 0 && report->status >= -ERRNO_MAX && n_fds == 0;
	case NURSERY_ENDED:
		return report->pid > 0 && n_fds == 0;
	}
	return false;
}

bool nursery_report_valid(const void *packet, size_t len, size_t n_fds,
			  struct nursery_report *ret)
{
	struct nursery_report report;

	if (len != sizeof(report))
		return false;
	memcpy(&report, packet, sizeof(report));
	if (report.role >= WORKER_ROLES || !fields_fit(&report, n_fds))
		return false;
	*ret = report;
	return true;
}

/* ------------------------------------------------------------ start and end */

static int fail(struct nursery_fault *why, int r, const char *what)
{
	snprintf(why->text, sizeof(why->text), "The nursery cannot be started: %s%s%s",
		 what, r ? ": " : "", r ? strerror(-r) : "");
	return r;
}

/* Return: 0: it is ready. */
static int await(int fd, struct nursery_fault *why)
{
	struct nursery_hello hello;
	ssize_t n;

	do
		n = recv(fd, &hello, sizeof(hello), 0);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(hello))
		return fail(why, -EPERM, "it ended at once");
	if (hello.error == 0)
		return 0;
	hello.text[sizeof(hello.text) - 1] = '\0';
	snprintf(why->text, sizeof(why->text), "The nursery cannot be started: %.200s",
		 hello.text);
	return hello.error;
}

/* Takes @ends over. */
static int bear(int ends[2], const struct identity *id, struct nursery *ret,
		struct nursery_fault *why)
{
	const pid_t parent = getpid();
	pid_t pid;
	int r;

	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		nursery_child(ends[1], parent, id);
	}
	r = pid < 0 ? fail(why, -errno, "fork") : 0;
	close(ends[1]);
	if (r == 0)
		r = await(ends[0], why);
	if (r == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
		r = fail(why, -errno, "its socket");
	if (r == 0) {
		*ret = (struct nursery){ .fd = ends[0], .pid = pid };
		return 0;
	}
	close(ends[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return r;
}

int nursery_start(const struct identity *id, struct nursery *ret,
		  struct nursery_fault *why)
{
	int ends[2];

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(why, -errno, "no_new_privs");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return fail(why, -errno, "a pair of sockets");
	return bear(ends, id, ret, why);
}

static int64_t now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Return: it is. */
static bool is_gone(pid_t pid)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	const int64_t until = now_msec() + STOP_MSEC;
	pid_t r;

	while ((r = waitpid(pid, NULL, WNOHANG)) == 0 && now_msec() < until)
		nanosleep(&moment, NULL);
	return r != 0;
}

/*
 * A confined natd may signal nobody: then a nursery that does not end is killed by natd's
 * own end, which nobody has to wait for.
 */
void nursery_stop(struct nursery *nursery)
{
	if (nursery->fd < 0)
		return;
	close(nursery->fd);
	if (!is_gone(nursery->pid) && kill(nursery->pid, SIGKILL) == 0)
		waitpid(nursery->pid, NULL, 0);
	*nursery = (struct nursery){ .fd = -1 };
}

/* ------------------------------------------------------------ talk */

static int send_error(int error)
{
	switch (error) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
	case EINTR:
		return -EAGAIN;
	default:
		return -EPIPE;
	}
}

int nursery_ask(const struct nursery *nursery, enum nursery_request_kind kind,
		enum worker_role role)
{
	const struct nursery_request request = { .kind = kind, .role = role };

	if (send(nursery->fd, &request, sizeof(request), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return send_error(errno);
	return 0;
}

static size_t take_fds(struct msghdr *message, int ret[static FDS_MAX])
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		const size_t len = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
		    n + len / sizeof(int) > FDS_MAX)
			continue;
		memcpy(&ret[n], CMSG_DATA(c), len);
		n += len / sizeof(int);
	}
	return n;
}

/* Return: as nursery_hear(), but that what came may be no report. */
static int receive(const struct nursery *nursery, struct iovec packet, size_t *ret_len,
		   int ret_fds[static FDS_MAX], size_t *ret_n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct msghdr message = {
		.msg_iov = &packet,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	n = recvmsg(nursery->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return send_error(errno);
	*ret_n_fds = take_fds(&message, ret_fds);
	*ret_len = (size_t)n;
	return n == 0 && *ret_n_fds == 0 ? -EPIPE : 0;
}

int nursery_hear(const struct nursery *nursery, struct nursery_report *ret, int *ret_fd)
{
	/* one byte more than a report has: what is longer is seen to be */
	char packet[sizeof(struct nursery_report) + 1];
	int fds[FDS_MAX];
	size_t len, n_fds;
	int r;

	r = receive(nursery, (struct iovec){ packet, sizeof(packet) }, &len, fds, &n_fds);
	if (r < 0)
		return r;
	if (nursery_report_valid(packet, len, n_fds, ret) &&
	    (n_fds == 0 || fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0)) {
		*ret_fd = n_fds ? fds[0] : -1;
		return 0;
	}
	for (size_t i = 0; i < n_fds; i++)
		close(fds[i]);
	return -EPROTO;
}

void nursery_describe_end(int status, char *ret, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(ret, size, "killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(ret, size, "exit status %d%s", WEXITSTATUS(status),
			 WEXITSTATUS(status) == WORKER_UNREADABLE
				 ? " (natd sent it what is no job)"
				 : "");
}
