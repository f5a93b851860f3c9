/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * probe - try what a service should not be able to do
 *
 * Started in natd's place it says, a line each, what came of it: "NAME ok", the name of
 * an errno, or "killed by N". Each is tried in a child, so that none hinders the next,
 * and changes nothing where it succeeds: what is the machine's stays as it is.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"

/* KEY_SPEC_THREAD_KEYRING of keyctl(2) */
#define OF_THIS_THREAD (-1)

/* 0, or -errno of what a libc call returned */
static int said(long r)
{
	return r < 0 ? -errno : 0;
}

/* ------------------------------------------------------------ files */

static int make_file(const char *directory)
{
	return said(open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
}

static int open_file(const char *path)
{
	return said(open(path, O_RDONLY | O_CLOEXEC));
}

static int write_setting(const char *path)
{
	return said(open(path, O_WRONLY | O_CLOEXEC));
}

static int run_program(const char *path)
{
	char *const words[] = { (char *)path, NULL }, *const none[] = { NULL };

	execve(path, words, none);
	return -errno;
}

static int make_setuid(const char *directory)
{
	int fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0700);

	return fd < 0 ? -errno : said(fchmod(fd, S_ISUID | 0700));
}

/* ------------------------------------------------------------ sockets */

static int open_socket(int family, int type)
{
	return said(socket(family, type | SOCK_CLOEXEC, 0));
}

static int packet_socket(const char *unused)
{
	return open_socket(AF_PACKET, SOCK_RAW);
}

static int can_socket(const char *unused)
{
	return open_socket(AF_CAN, SOCK_RAW);
}

static int vsock_socket(const char *unused)
{
	return open_socket(AF_VSOCK, SOCK_STREAM);
}

static int unix_socket(const char *unused)
{
	return open_socket(AF_UNIX, SOCK_STREAM);
}

static int netlink_socket(const char *unused)
{
	return open_socket(AF_NETLINK, SOCK_RAW);
}

static int inet_socket(const char *unused)
{
	return open_socket(AF_INET, SOCK_DGRAM);
}

static int inet6_socket(const char *unused)
{
	return open_socket(AF_INET6, SOCK_STREAM);
}

static int raw_socket(const char *unused)
{
	return said(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
}

/* ------------------------------------------------------------ memory */

static int map_with(int protection)
{
	void *page = mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? -errno : 0;
}

static int write_and_execute(const char *unused)
{
	return map_with(PROT_READ | PROT_WRITE | PROT_EXEC);
}

static int execute_later(const char *unused)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	return page == MAP_FAILED ? -errno : said(mprotect(page, 4096, PROT_EXEC));
}

static int lock_memory(const char *unused)
{
	return said(mlockall(MCL_CURRENT));
}

/* ------------------------------------------------------------ the rest */

static int mount_something(const char *path)
{
	if (mount("tmpfs", path, "tmpfs", 0, NULL) < 0)
		return -errno;
	return said(umount(path));
}

static int leave_namespace(const char *unused)
{
	return said(unshare(CLONE_NEWNS));
}

static int new_user_namespace(const char *unused)
{
	return said(unshare(CLONE_NEWUSER));
}

static int clone_namespace(const char *unused)
{
	long pid = syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	return said(pid);
}

static int trace(const char *unused)
{
	return said(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int change_personality(const char *unused)
{
	return said(personality(ADDR_NO_RANDOMIZE));
}

static int change_hostname(const char *unused)
{
	char name[HOST_NAME_MAX + 1] = "";

	return gethostname(name, HOST_NAME_MAX) < 0
		       ? -errno
		       : said(sethostname(name, strlen(name)));
}

static int read_clock_state(const char *unused)
{
	struct timex state = { 0 };

	return said(adjtimex(&state));
}

static int load_bpf(const char *unused)
{
	union bpf_attr map = { 0 };

	map.map_type = BPF_MAP_TYPE_ARRAY;
	map.key_size = map.value_size = 4;
	map.max_entries = 1;
	return said(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map)));
}

static int add_key(const char *unused)
{
	return said(syscall(SYS_add_key, "user", "probe", "x", 1, OF_THIS_THREAD));
}

static int become_nobody(const char *unused)
{
	return said(setuid(getuid()));
}

static int be_nicer(const char *unused)
{
	return said(setpriority(PRIO_PROCESS, 0, 10));
}

/* Only seen whether the call is let through: an empty program is a mistake. */
static int confine_further(const char *unused)
{
	int r = said(syscall(SYS_seccomp, 1, 0, NULL));

	return r == -EFAULT ? 0 : r;
}

static int bound_memory(const char *unused)
{
	struct rlimit limit = { 1UL << 30, 1UL << 30 };

	return said(setrlimit(RLIMIT_AS, &limit));
}

static const struct {
	const char *name;
	int (*act)(const char *);
	const char *argument;
} attempts[] = {
	{ "write-usr", make_file, "/usr" },
	{ "write-etc", make_file, "/etc" },
	{ "write-run", make_file, "/run" },
	{ "write-tmp", make_file, "/tmp" },
	{ "write-state", make_file, "/var/lib/natd" },
	{ "write-runtime", make_file, "/run/natd" },
	{ "set-kernel", write_setting, "/proc/sys/kernel/printk_ratelimit" },
	{ "set-net", write_setting, "/proc/sys/net/ipv4/ip_forward" },
	{ "see-root", open_file, "/root" },
	{ "see-process-1", open_file, "/proc/1/stat" },
	{ "see-itself", open_file, "/proc/self/stat" },
	{ "see-modules", open_file, "/usr/lib/modules" },
	{ "see-log", open_file, "/dev/kmsg" },
	{ "see-null", open_file, "/dev/null" },
	{ "run-true", run_program, "/usr/bin/true" },
	{ "make-setuid", make_setuid, "/tmp" },
	{ "packet", packet_socket, NULL },
	{ "can", can_socket, NULL },
	{ "vsock", vsock_socket, NULL },
	{ "raw", raw_socket, NULL },
	{ "unix", unix_socket, NULL },
	{ "netlink", netlink_socket, NULL },
	{ "inet", inet_socket, NULL },
	{ "inet6", inet6_socket, NULL },
	{ "write-and-execute", write_and_execute, NULL },
	{ "execute-later", execute_later, NULL },
	{ "lock-memory", lock_memory, NULL },
	{ "mount", mount_something, "/tmp" },
	{ "unshare", leave_namespace, NULL },
	{ "user-namespace", new_user_namespace, NULL },
	{ "clone-namespace", clone_namespace, NULL },
	{ "trace", trace, NULL },
	{ "personality", change_personality, NULL },
	{ "hostname", change_hostname, NULL },
	{ "clock", read_clock_state, NULL },
	{ "bpf", load_bpf, NULL },
	{ "keyring", add_key, NULL },
	{ "setuid", become_nobody, NULL },
	{ "priority", be_nicer, NULL },
	{ "seccomp", confine_further, NULL },
	{ "limit", bound_memory, NULL },
};

/* The exit status of a child is too small for nothing but an errno. */
static void tell(const char *name, int (*act)(const char *), const char *argument)
{
	int status = 0;
	pid_t pid;

	pid = fork();
	if (pid == 0)
		_exit(-act(argument));
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		printf("%s not tried: %s\n", name, strerror(errno));
	else if (WIFSIGNALED(status))
		printf("%s killed by %d\n", name, WTERMSIG(status));
	else if (WEXITSTATUS(status))
		printf("%s %s\n", name, strerrorname_np(WEXITSTATUS(status)));
	else
		printf("%s ok\n", name);
	fflush(stdout);
}

/* How many there are of what a process is given before natd starts. */
static void tell_filters(void)
{
	char line[256];
	FILE *status = fopen("/proc/self/status", "re");

	while (status && fgets(line, sizeof(line), status))
		if (strncmp(line, "Seccomp_filters:", 16) == 0)
			printf("filters %d\n", atoi(line + 16));
	if (status)
		fclose(status);
}

int main(void)
{
	printf("umask %04o\n", umask(0));
	tell_filters();
	fflush(stdout);
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
		tell(attempts[i].name, attempts[i].act, attempts[i].argument);
	return EXIT_SUCCESS;
}
