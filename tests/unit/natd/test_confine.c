/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What a confined process can still do, asked of the kernel: each question by a child
 * that confines itself and tries. Built without sanitizers: what they need is not on the
 * lists that are looked at here.
 */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "box.h"
#include "core/cleanup.h"
#include "natd/workers/confine.h"
#include "natd/workers/landlock.h"

#define KINDS (CONFINE_RESOLVER + 1)

/* ------------------------------------------------------------ system calls */

static int made(long r)
{
	return r < 0 ? errno : 0;
}

static int may_execute(void)
{
	static char *const nothing[] = { NULL };

	return made(execve("/bin/true", nothing, nothing));
}

static int may_execute_open(void)
{
	static char *const nothing[] = { NULL };

	return made(syscall(SYS_execveat, AT_FDCWD, "/bin/true", nothing, nothing, 0));
}

static int protocol_of(int domain, int type, int protocol)
{
	return made(socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
}

static int socket_of(int domain, int type)
{
	const bool internet = domain == AF_INET || domain == AF_INET6;
	const int protocol = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;

	return protocol_of(domain, type, internet && type != SOCK_RAW ? protocol : 0);
}

static int may_udp(void)
{
	return socket_of(AF_INET, SOCK_DGRAM);
}

static int may_udp6(void)
{
	return socket_of(AF_INET6, SOCK_DGRAM);
}

static int may_tcp(void)
{
	return socket_of(AF_INET, SOCK_STREAM);
}

static int may_tcp6(void)
{
	return socket_of(AF_INET6, SOCK_STREAM);
}

/* As libresolv asks for them. */
static int may_udp_unnamed(void)
{
	return made(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
}

static int may_tcp_unnamed(void)
{
	return made(socket(AF_INET6, SOCK_STREAM, 0));
}

static int may_bind(void)
{
	return bind(-1, NULL, 0) < 0 && errno == EPERM ? EPERM : 0;
}

/* What else the kernel has of these types, or would load a module for. */
static int may_other_datagrams(void)
{
	static const int others[] = { IPPROTO_UDPLITE, IPPROTO_ICMP };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (protocol_of(AF_INET, SOCK_DGRAM, others[i]) != EPERM)
			return 0;
	}
	return EPERM;
}

static int may_other_streams(void)
{
	static const int others[] = { IPPROTO_MPTCP, IPPROTO_SCTP };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (protocol_of(AF_INET6, SOCK_STREAM, others[i]) != EPERM)
			return 0;
	}
	return EPERM;
}

static int may_raw(void)
{
	return socket_of(AF_INET, SOCK_RAW);
}

static int may_packet(void)
{
	return socket_of(AF_PACKET, SOCK_DGRAM);
}

static int may_netlink(void)
{
	return socket_of(AF_NETLINK, SOCK_RAW);
}

static int may_unix(void)
{
	return socket_of(AF_UNIX, SOCK_STREAM);
}

static int may_pair(void)
{
	int ends[2];

	return made(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
}

static int may_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return made(pid);
}

static int may_new_namespace(void)
{
	return made(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL));
}

static int may_unshare(void)
{
	return made(unshare(CLONE_NEWUSER));
}

static int may_signal(void)
{
	return made(kill(getppid(), 0));
}

static int may_signal_thread(void)
{
	return made(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

/* A descriptor with an owner sends it what signal one likes: kill(2) by another name. */
static int may_signal_by_descriptor(void)
{
	if (fcntl(STDIN_FILENO, F_SETSIG, 0) == 0)
		return 0;
	return made(fcntl(STDIN_FILENO, F_SETOWN, 0));
}

static int may_block(void)
{
	return made(fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL)));
}

/* EBADF: the kernel has looked at it. */
static int option_of(int level, int option)
{
	const int value = 0;
	const int error = made(setsockopt(-1, level, option, &value, sizeof(value)));

	return error == EBADF ? 0 : error;
}

static int may_filter_socket(void)
{
	return option_of(SOL_SOCKET, SO_ATTACH_FILTER);
}

static int may_change_transport(void)
{
	return option_of(IPPROTO_TCP, TCP_ULP);
}

static int may_bind_to_interface(void)
{
	return option_of(SOL_SOCKET, SO_BINDTOIFINDEX);
}

static int may_join_group(void)
{
	return option_of(IPPROTO_IP, IP_ADD_MEMBERSHIP);
}

static int may_wait_for_stream(void)
{
	return option_of(SOL_SOCKET, SO_RCVTIMEO);
}

static int may_trace(void)
{
	return made(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int may_mount(void)
{
	return made(mount(NULL, "/", NULL, MS_REMOUNT, NULL));
}

static int may_bpf(void)
{
	return made(syscall(SYS_bpf, 0, NULL, 0));
}

static int may_keys(void)
{
	return made(
		syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1));
}

static int may_uring(void)
{
	return made(syscall(SYS_io_uring_setup, 0, NULL));
}

static int may_raise_limit(void)
{
	const struct rlimit limit = { 8, 8 };

	return made(setrlimit(RLIMIT_NOFILE, &limit));
}

static int may_read_limit(void)
{
	struct rlimit limit;

	return made(getrlimit(RLIMIT_NOFILE, &limit));
}

static int may_make_code(void)
{
	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return code == MAP_FAILED ? errno : 0;
}

static int may_turn_into_code(void)
{
	void *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	return made(mprotect(data, 4096, PROT_READ | PROT_EXEC));
}

static int may_take_memory(void)
{
	void *data = mmap(NULL, 100 << 20, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return data == MAP_FAILED ? errno : 0;
}

static int may_open(void)
{
	return made(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int may_write(void)
{
	return made(open("/dev/null", O_WRONLY | O_CLOEXEC));
}

static int may_set_alarm(void)
{
	alarm(100);
	return alarm(0) == 100 ? 0 : EPERM;
}

/* Nothing that everybody does: time, memory, random numbers, waiting. */
static int may_live(void)
{
	struct timespec now;
	char byte;

	if (clock_gettime(CLOCK_MONOTONIC, &now) < 0 ||
	    syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &now) < 0 ||
	    syscall(SYS_getrandom, &byte, 1, 0) != 1)
		return errno;
	for (size_t i = 0; i < 100; i++) {
		void *block = malloc(i * 4096);

		if (!block)
			return errno;
		free(block);
	}
	return 0;
}

/* A natd has no parent that it may signal; a nursery's are its workers. */
#define NO EPERM
static const struct question {
	const char *name;
	int (*may)(void);
	int answer[KINDS]; /* natd, nursery, datagram, igd, resolver: 0 or errno */
} questions[] = {
	{ "live", may_live, { 0, 0, 0, 0, 0 } },
	{ "execve", may_execute, { NO, NO, NO, NO, NO } },
	{ "execveat", may_execute_open, { NO, NO, NO, NO, NO } },
	{ "UDP", may_udp, { NO, 0, 0, NO, NO } },
	{ "UDP over IPv6", may_udp6, { NO, 0, 0, NO, NO } },
	{ "TCP", may_tcp, { NO, 0, NO, 0, NO } },
	{ "TCP over IPv6", may_tcp6, { NO, 0, NO, 0, NO } },
	{ "UDP by no name", may_udp_unnamed, { NO, 0, NO, NO, 0 } },
	{ "TCP by no name", may_tcp_unnamed, { NO, 0, NO, NO, 0 } },
	{ "bind", may_bind, { 0, 0, 0, 0, NO } },
	{ "write a file", may_write, { EACCES, NO, NO, NO, NO } },
	{ "other datagrams", may_other_datagrams, { NO, NO, NO, NO, NO } },
	{ "other streams", may_other_streams, { NO, NO, NO, NO, NO } },
	{ "raw IP", may_raw, { NO, NO, NO, NO, NO } },
	{ "packets", may_packet, { NO, NO, NO, NO, NO } },
	{ "netlink", may_netlink, { 0, NO, NO, NO, NO } },
	{ "UNIX", may_unix, { 0, NO, NO, NO, NO } },
	{ "a pair", may_pair, { 0, 0, NO, NO, NO } },
	{ "fork", may_fork, { NO, 0, NO, NO, NO } },
	{ "a namespace", may_new_namespace, { NO, NO, NO, NO, NO } },
	{ "unshare", may_unshare, { NO, NO, NO, NO, NO } },
	{ "kill natd", may_signal, { NO, NO, NO, NO, NO } },
	{ "tgkill natd", may_signal_thread, { NO, NO, NO, NO, NO } },
	{ "a signal by F_SETOWN", may_signal_by_descriptor, { 0, NO, NO, NO, NO } },
	{ "F_SETFL", may_block, { 0, 0, 0, 0, 0 } },
	{ "SO_ATTACH_FILTER", may_filter_socket, { 0, NO, NO, NO, NO } },
	{ "TCP_ULP", may_change_transport, { 0, NO, NO, NO, NO } },
	{ "SO_BINDTOIFINDEX", may_bind_to_interface, { 0, 0, 0, 0, NO } },
	{ "IP_ADD_MEMBERSHIP", may_join_group, { 0, 0, 0, NO, NO } },
	{ "SO_RCVTIMEO", may_wait_for_stream, { 0, 0, NO, 0, NO } },
	{ "ptrace", may_trace, { NO, NO, NO, NO, NO } },
	{ "mount", may_mount, { NO, NO, NO, NO, NO } },
	{ "bpf", may_bpf, { NO, NO, NO, NO, NO } },
	{ "keyctl", may_keys, { NO, NO, NO, NO, NO } },
	{ "io_uring", may_uring, { NO, NO, NO, NO, NO } },
	{ "setrlimit", may_raise_limit, { NO, 0, NO, NO, NO } },
	{ "getrlimit", may_read_limit, { 0, 0, NO, NO, NO } },
	{ "code", may_make_code, { NO, NO, NO, NO, NO } },
	{ "code of data", may_turn_into_code, { NO, NO, NO, NO, NO } },
	{ "100 MiB", may_take_memory, { 0, 0, ENOMEM, ENOMEM, ENOMEM } },
	{ "open", may_open, { EACCES, EACCES, NO, NO, NO } },
	{ "alarm", may_set_alarm, { NO, 0, NO, 0, 0 } },
};

static int confine_as(enum confinement who, const struct confine_path *paths, size_t n)
{
	struct confine_fault why = { "" };
	struct confined confined;

	BOX_CHECK(confine(who, paths, n, &confined, &why) == 0, "%s", why.text);
	BOX_CHECK(confined.landlock == (confined.landlock_abi > 0));
	return 0;
}

/* What Landlock alone refuses is not refused by a kernel without it, or an old one. */
static bool is_told_by_landlock(const struct question *q, size_t who)
{
	return ((q->may == may_open || q->may == may_write) && who == CONFINE_NATD) ||
	       (q->may == may_open && who == CONFINE_NURSERY) ||
	       ((q->may == may_signal || q->may == may_signal_thread) &&
		who == CONFINE_NURSERY);
}

static int ask(void *userdata)
{
	const struct question *q = ((void **)userdata)[0];
	const size_t who = *(size_t *)((void **)userdata)[1];
	const int needs = q->may == may_open || q->may == may_write ? 1 : 6;
	int got;

	if (confine_as(who, NULL, 0))
		return 1;
	got = q->may();
	if (is_told_by_landlock(q, who) && landlock_abi() < needs)
		return 0;
	BOX_CHECK(got == q->answer[who], "%s, as %zu: %s", q->name, who, strerror(got));
	return 0;
}

Test(confine, each_has_the_system_calls_of_its_work_and_no_others)
{
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		for (size_t who = 0; who < KINDS; who++) {
			void *userdata[] = { (void *)&questions[i], &who };

			box_run(ask, userdata);
		}
	}
}

/* A worker confines itself within the nursery. */
static int ask_within(void *userdata)
{
	const size_t who = *(size_t *)userdata;

	if (confine_as(CONFINE_NURSERY, NULL, 0) || confine_as(who, NULL, 0))
		return 1;
	BOX_CHECK(may_udp() == (who == CONFINE_DATAGRAM ? 0 : EPERM));
	BOX_CHECK(may_tcp() == (who == CONFINE_IGD ? 0 : EPERM));
	BOX_CHECK(may_udp_unnamed() == (who == CONFINE_RESOLVER ? 0 : EPERM));
	BOX_CHECK(may_fork() == EPERM && may_execute() == EPERM && may_open() == EPERM);
	return may_live();
}

Test(confine, a_worker_is_confined_within_the_nursery)
{
	box_run(ask_within, &(size_t){ CONFINE_DATAGRAM });
	box_run(ask_within, &(size_t){ CONFINE_IGD });
	box_run(ask_within, &(size_t){ CONFINE_RESOLVER });
}

static int abort_confined(void *userdata)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (confine_as(CONFINE_NURSERY, NULL, 0) == 0 &&
		    confine_as(CONFINE_DATAGRAM, NULL, 0) == 0)
			abort();
		_exit(0);
	}
	BOX_CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	BOX_CHECK(WTERMSIG(status) == SIGABRT, "%d", WTERMSIG(status));
	return 0;
}

Test(confine, abort_ends_by_its_own_signal)
{
	box_run(abort_confined, NULL);
}
