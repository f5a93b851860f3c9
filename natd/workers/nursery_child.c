/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * The nursery waits for two things: what natd says, and the end of a worker. It makes a
 * worker by fork() alone, so that nothing has to be executed. Each dies with who made it
 * (PR_SET_PDEATHSIG): workers with the nursery, the nursery with natd. Descriptor 3 is
 * the socket to natd in the nursery, and in a worker its own.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "natd/common/memory.h"
#include "natd/workers/confine_private.h"
#include "natd/workers/nursery_private.h"
#include "natd/workers/worker.h"

#define OWN_FD 3
/* a worker that could not be made what it has to be: it has done nothing */
#define EXIT_NOT_CONFINED 126

static const struct role {
	const char *name;
	int (*main)(int fd);
	enum confinement confinement;
	int (*prepare)(void); /* with what the nursery may; NULL: nothing */
} roles[WORKER_ROLES] = {
	[WORKER_DATAGRAM] = { "natd-datagram", worker_datagram, CONFINE_DATAGRAM, NULL },
	[WORKER_IGD] = { "natd-igd", worker_igd, CONFINE_IGD, NULL },
	[WORKER_RESOLVER] = { "natd-resolver", worker_resolver, CONFINE_RESOLVER,
			      worker_resolver_prepare },
};

/* Where /etc/resolv.conf is, and may lead to: what is below /run comes later than we do.
 */
static const struct confine_path name_servers[] = {
	{ "/etc", false },
	{ "/run", false },
	{ "/usr/lib/systemd", false },
};

/** struct nest - the nursery
 * @workers: pid of the worker of each role, 0 = none */
struct nest {
	pid_t self;
	int signals;
	pid_t workers[WORKER_ROLES];
};

/* ------------------------------------------------------------ any of its processes */

/* Who asks after the parent has died would never be told. */
static int die_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

/* Return: 0, and @fd is descriptor 3 and nothing is open beyond it. */
static int keep_only(int fd)
{
	if (fd != OWN_FD && dup2(fd, OWN_FD) < 0)
		return -errno;
	closefrom(OWN_FD + 1);
	return 0;
}

/*
 * natd's stderr may be a socket, which whoever has it can shut down for natd as well, or
 * the journal: no process of ours that a router could take over is to write there.
 */
static int be_quiet(void)
{
	const int last = SANITIZED ? STDOUT_FILENO : STDERR_FILENO;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	for (int i = STDIN_FILENO; i <= last && r == 0; i++)
		r = dup2(fd, i) < 0 ? -errno : 0;
	if (fd > last)
		close(fd);
	return r;
}

/* ------------------------------------------------------------ a worker */

static _Noreturn void worker(const struct nest *nest, enum worker_role number, int fd)
{
	const struct role *role = &roles[number];
	struct confine_fault why;
	struct confined confined;
	sigset_t none;

	sigemptyset(&none);
	if (die_with(nest->self) < 0 || keep_only(fd) < 0 ||
	    prctl(PR_SET_NAME, role->name) < 0 ||
	    (role->prepare && role->prepare() < 0) ||
	    confine(role->confinement, NULL, 0, &confined, &why) < 0)
		_exit(EXIT_NOT_CONFINED);
	sigprocmask(SIG_SETMASK, &none, NULL);
	_exit(role->main(OWN_FD));
}

/* ------------------------------------------------------------ the nursery */

/* natd's end of the worker's socket goes with the report; @fd -1: none. */
static int tell(const struct nursery_report *report, int fd)
{
	struct iovec packet = { (void *)report, sizeof(*report) };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(fd))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(fd)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	struct msghdr message = { .msg_iov = &packet, .msg_iovlen = 1 };

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	return sendmsg(OWN_FD, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void tell_failed(enum worker_role role, int error)
{
	const struct nursery_report report = {
		.kind = NURSERY_FAILED,
		.role = role,
		.status = error,
	};

	(void)tell(&report, -1); /* natd is gone, and we will be */
}

static int start(struct nest *nest, enum worker_role role)
{
	struct nursery_report report = { .kind = NURSERY_STARTED, .role = role };
	int ends[2], r;
	pid_t pid;

	if (nest->workers[role])
		return -EBUSY;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		worker(nest, role, ends[1]);
	r = pid < 0 ? -errno : 0;
	if (r == 0) {
		nest->workers[role] = pid;
		report.pid = pid;
		r = tell(&report, ends[0]);
		if (r < 0)
			kill(pid, SIGKILL);
	}
	close(ends[0]);
	close(ends[1]);
	return r;
}

/* Return: natd is there. */
static bool obey(struct nest *nest)
{
	char packet[sizeof(struct nursery_request) + 1];
	struct nursery_request request;
	ssize_t n;
	int r;

	n = recv(OWN_FD, packet, sizeof(packet), MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (!nursery_request_valid(packet, (size_t)n, &request))
		return n > 0;
	switch ((enum nursery_request_kind)request.kind) {
	case NURSERY_START:
		r = start(nest, request.role);
		if (r < 0)
			tell_failed(request.role, r);
		break;
	case NURSERY_STOP:
		if (nest->workers[request.role])
			kill(nest->workers[request.role], SIGKILL);
		break;
	}
	return true;
}

static void bury(struct nest *nest, pid_t pid, int status)
{
	struct nursery_report report = {
		.kind = NURSERY_ENDED,
		.pid = pid,
		.status = status,
	};

	for (uint32_t role = 0; role < WORKER_ROLES; role++) {
		if (nest->workers[role] != pid)
			continue;
		nest->workers[role] = 0;
		report.role = role;
		(void)tell(&report, -1);
	}
}

static void reap(struct nest *nest)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(nest->signals, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		bury(nest, pid, status);
}

static void serve(struct nest *nest)
{
	struct pollfd waits[] = {
		{ .fd = OWN_FD, .events = POLLIN },
		{ .fd = nest->signals, .events = POLLIN },
	};

	for (;;) {
		if (poll(waits, ARRAY_SIZE(waits), -1) < 0) {
			if (errno == EINTR)
				continue;
			return;
		}
		if (waits[1].revents)
			reap(nest);
		if (waits[0].revents && !obey(nest))
			return;
	}
}

/* ------------------------------------------------------------ its beginning */

/* A service manager, and a terminal, signal the whole group: natd decides. */
static int settle_signals(struct nest *nest)
{
	static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGXFSZ };
	sigset_t ends;

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&ends);
	sigaddset(&ends, SIGCHLD);
	sigprocmask(SIG_SETMASK, &ends, NULL);
	nest->signals = signalfd(-1, &ends, SFD_NONBLOCK | SFD_CLOEXEC);
	return nest->signals < 0 ? -errno : 0;
}

/* A change of user clears what PR_SET_PDEATHSIG and PR_SET_DUMPABLE have set: before. */
static int settle(struct nest *nest, int control, pid_t parent, const struct identity *id,
		  struct nursery_hello *hello)
{
	struct privileges_fault privileges = { "" };
	struct confine_fault confining = { "" };
	struct confined confined;
	int r;

	r = keep_only(control);
	if (r == 0)
		r = be_quiet();
	if (r == 0)
		r = settle_signals(nest);
	if (r == 0)
		r = privileges_drop_all(id, &privileges);
	if (r == 0)
		r = die_with(parent);
	if (r == 0 &&
	    (prctl(PR_SET_NAME, "natd-nursery") < 0 || prctl(PR_SET_DUMPABLE, 0) < 0))
		r = -errno;
	if (r == 0)
		r = confine(CONFINE_NURSERY, name_servers, ARRAY_SIZE(name_servers),
			    &confined, &confining);
	if (r < 0)
		snprintf(hello->text, sizeof(hello->text), "%.250s",
			 privileges.text[0]  ? privileges.text
			 : confining.text[0] ? confining.text
					     : strerror(-r));
	return r;
}

_Noreturn void nursery_child(int control, pid_t parent, const struct identity *id)
{
	struct nest nest = { .self = getpid() };
	struct nursery_hello hello = { 0 };

	hello.error = settle(&nest, control, parent, id, &hello);
	if (send(OWN_FD, &hello, sizeof(hello), MSG_NOSIGNAL) == sizeof(hello) &&
	    hello.error == 0) {
		memory_started();
		serve(&nest);
	}
	_exit(hello.error == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}
