/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nursery_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "box.h"
#include "core/cleanup.h"
#include "natd/workers/worker.h"

#define PATIENCE_MSEC 10000

static unsigned int fork_at;
static int fork_error;

void fork_fail(unsigned int nth, int error)
{
	fork_at = nth;
	fork_error = error;
}

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
	if (fork_at == 0 || --fork_at > 0)
		return __real_fork();
	errno = fork_error;
	return -1;
}

struct identity own_identity(void)
{
	return (struct identity){ .uid = geteuid(), .gid = getegid() };
}

/* ------------------------------------------------------------ the workers */

static void say(int fd, const void *packet, size_t len)
{
	if (send(fd, packet, len, MSG_NOSIGNAL) < 0)
		_exit(9);
}

static void use(int fd, enum worker_role role)
{
	static const struct {
		int type, protocol;
	} own[] = {
		[WORKER_DATAGRAM] = { SOCK_DGRAM, IPPROTO_UDP },
		[WORKER_IGD] = { SOCK_STREAM, IPPROTO_TCP },
		[WORKER_RESOLVER] = { SOCK_DGRAM, 0 },
	};
	char byte = 0;

	if (socket(AF_INET, own[role].type, own[role].protocol) < 0)
		byte = (char)errno;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		if (i != role && socket(AF_INET, own[i].type, own[i].protocol) >= 0)
			byte = -1;
	}
	if (open("/etc/passwd", O_RDONLY) >= 0)
		byte = -2;
	say(fd, &byte, 1);
}

static _Noreturn void flood(int fd, enum worker_answer_kind kind)
{
	struct worker_answer answer = {
		.kind = kind,
		.serial = kind == ANSWER_JOB,
		.job = JOB_LISTEN,
		.ifindex = 1,
		.epoch = (uint32_t)getpid(),
	};

	answer.router =
		(struct in6_addr){ .s6_addr = { [10] = 0xff, 0xff, 192, 0, 2, 1 } };
	for (;;)
		say(fd, &answer, sizeof(answer));
}

static void obey(int fd, enum worker_role role, char letter)
{
	if (letter == 'e')
		_exit(7);
	if (letter == 'a')
		abort();
	if (letter == 'g')
		say(fd, "nonsense", 8);
	if (letter == 'p')
		say(fd, &letter, 1);
	if (letter == 'f')
		flood(fd, ANSWER_NATPMP_ANNOUNCE);
	if (letter == 'F')
		flood(fd, ANSWER_JOB);
	if (letter == 'u')
		use(fd, role);
}

static void answer(int fd, const struct worker_job *job)
{
	struct worker_answer answer = {
		.serial = job->serial,
		.kind = ANSWER_JOB,
		.job = job->kind,
		.router = job->router,
		.epoch = (uint32_t)getpid(),
	};

	if (job->kind == JOB_RESOLVE)
		answer.addresses[0] = (struct in6_addr){
			.s6_addr = { [10] = 0xff, 0xff, 192, 0, 2, 1 }
		};
	say(fd, &answer, sizeof(answer));
}

static int work(int fd, enum worker_role role)
{
	struct worker_job job;
	char packet[sizeof(job)];
	ssize_t n;

	while ((n = recv(fd, packet, sizeof(packet), 0)) > 0) {
		if (n == 1)
			obey(fd, role, packet[0]);
		if (n != sizeof(job))
			continue;
		memcpy(&job, packet, sizeof(job));
		answer(fd, &job);
		obey(fd, role, (char)job.lifetime);
	}
	return 0;
}

int worker_datagram(int fd)
{
	return work(fd, WORKER_DATAGRAM);
}

int worker_igd(int fd)
{
	return work(fd, WORKER_IGD);
}

int worker_resolver(int fd)
{
	return work(fd, WORKER_RESOLVER);
}

/* What the nursery may read, the worker may not any more. */
int worker_resolver_prepare(void)
{
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* ------------------------------------------------------------ natd's side */

int order(int fd, char letter)
{
	return send(fd, &letter, 1, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static bool comes(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	return poll(&wait, 1, PATIENCE_MSEC) == 1;
}

ssize_t heard(int fd, void *packet, size_t size)
{
	ssize_t n;

	if (!comes(fd))
		return -ETIMEDOUT;
	n = recv(fd, packet, size, MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

int report(const struct nursery *nursery, struct nursery_report *ret, int *ret_fd)
{
	if (!comes(nursery->fd))
		return -ETIMEDOUT;
	return nursery_hear(nursery, ret, ret_fd);
}

pid_t started(const struct nursery *nursery, enum worker_role role, int *ret_fd)
{
	struct nursery_report said;

	if (nursery_ask(nursery, NURSERY_START, role) < 0 ||
	    report(nursery, &said, ret_fd) < 0 || said.kind != NURSERY_STARTED ||
	    said.role != role)
		return -1;
	return said.pid;
}

const char *status_of(pid_t pid, const char *name, char ret[static 128])
{
	const size_t len = strlen(name);
	char path[64], line[256];
	FILE *file;

	ret[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, len) && line[len] == ':')
			sscanf(line + len + 1, " %127[^\n]", ret);
	if (file)
		fclose(file);
	return ret;
}

static bool has_ended(pid_t pid)
{
	char state[128];

	status_of(pid, "State", state);
	return state[0] == '\0' || state[0] == 'Z' || state[0] == 'X';
}

bool is_gone(pid_t pid)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	for (int i = 0; i < 1000 && !has_ended(pid); i++)
		nanosleep(&moment, NULL);
	return has_ended(pid);
}

int failed_with(const struct nursery *nursery)
{
	struct nursery_report said = { 0 };
	int none = 0;

	if (nursery_ask(nursery, NURSERY_START, WORKER_IGD) < 0 ||
	    report(nursery, &said, &none) < 0 || said.kind != NURSERY_FAILED ||
	    said.role != WORKER_IGD || none != -1)
		return 0;
	return said.status;
}

int descriptors_beyond(pid_t pid, int n)
{
	char path[64];
	struct dirent *entry;
	int count = 0;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	fds = opendir(path);
	if (!fds)
		return -1;
	while ((entry = readdir(fds)))
		count += entry->d_name[0] != '.' && atoi(entry->d_name) >= n;
	closedir(fds);
	return count;
}

int begin(struct nursery *ret)
{
	const struct identity id = own_identity();
	struct nursery_fault why = { "" };

	BOX_CHECK(nursery_start(&id, ret, &why) == 0, "%s", why.text);
	return 0;
}
