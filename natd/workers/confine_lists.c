/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * A list of system calls is made of parts; the nursery's are its own and all those of its
 * workers, whose filters are put on top of it. The sanitizers need more than we do: that
 * is a part of its own, which a release does not have, and the others are the same in all
 * builds. Names that a machine does not have (those of 32 bits, above all) cost nothing.
 */

#include <asm/socket.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "core/cleanup.h"
#include "natd/workers/confine_private.h"
#include "natd/workers/landlock.h"

#define WITH(argument, value) { SCMP_A##argument(SCMP_CMP_EQ, value, 0) }
#define WITH_BITS(argument, mask, bits)                                                  \
	{ SCMP_A##argument(SCMP_CMP_MASKED_EQ, mask, bits) }
/* Flags that say nothing of the kind are in the argument of the type. Of each type there
 * is more than one protocol, and who asks for one has its module loaded. */
#define SOCKET(family, type, protocol)                                                   \
	{                                                                                \
		"socket", 3,                                                             \
		{                                                                        \
			SCMP_A0(SCMP_CMP_EQ, family, 0),                                 \
				SCMP_A1(SCMP_CMP_MASKED_EQ,                              \
					~(uint64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK),       \
					type),                                           \
				SCMP_A2(SCMP_CMP_EQ, protocol, 0)                        \
		}                                                                        \
	}
#define OPTION(level, option)                                                            \
	{                                                                                \
		"setsockopt", 2,                                                         \
		{                                                                        \
			SCMP_A1(SCMP_CMP_EQ, level, 0), SCMP_A2(SCMP_CMP_EQ, option, 0)  \
		}                                                                        \
	}

/* ------------------------------------------------------------ all */

/* memory, time, signals, and descriptors that are there */
static const struct guarded common_guarded[] = {
	/* nothing becomes executable that was not */
	{ "mprotect", 1, WITH_BITS(2, PROT_EXEC, 0) },
	{ "mmap", 1, WITH_BITS(2, PROT_EXEC, 0) },
	{ "mmap2", 1, WITH_BITS(2, PROT_EXEC, 0) },
};
static const struct calls common = {
	"brk clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
	"clock_nanosleep clock_nanosleep_time64 close exit exit_group fstat fstat64 "
	"futex futex_time64 getegid getegid32 geteuid geteuid32 getgid getgid32 getpid "
	"getppid getrandom getsockname getsockopt gettid gettimeofday getuid getuid32 "
	"madvise mremap munmap nanosleep poll ppoll ppoll_time64 read readv recv "
	"recvfrom recvmsg restart_syscall rt_sigaction rt_sigprocmask rt_sigreturn "
	"rt_sigtimedwait sched_yield send sendmsg sendto shutdown sigaltstack sigreturn "
	"time uname write writev",
	common_guarded, ARRAY_SIZE(common_guarded)
};

/* LeakSanitizer looks at a process from a thread of its own, by ptrace(2). */
static const struct calls sanitizer = {
#if SANITIZED
	"arch_prctl clone fcntl getdents64 getrlimit getrusage kill mmap mprotect "
	"newfstatat open openat personality pipe2 prctl process_vm_readv ptrace "
	"readlink sched_getaffinity set_robust_list stat tgkill wait4",
#else
	"",
#endif
	NULL, 0
};

/* ------------------------------------------------------------ natd */

/* SQLite, the configuration, name services, the API, netlink, the journal (memfd_create:
 * a long line for it) */
static const struct guarded natd_guarded[] = {
	{ "socket", 1, WITH(0, AF_UNIX) },
	{ "socket", 1, WITH(0, AF_NETLINK) },
	{ "socketpair", 1, WITH(0, AF_UNIX) },
	{ "ioctl", 1, WITH(1, TCGETS) },       /* isatty(3) */
	{ "ioctl", 1, WITH(1, SIOCGIFNAME) },  /* if_indextoname(3) */
	{ "ioctl", 1, WITH(1, SIOCGIFINDEX) }, /* if_nametoindex(3) */
	/* limits are looked at, and not set */
	{ "prlimit64", 1, WITH(2, 0) },
	/* the libraries of name services are loaded when a name is asked for */
	{ "mmap", 1, WITH_BITS(2, PROT_EXEC | PROT_WRITE, PROT_EXEC) },
	{ "mmap2", 1, WITH_BITS(2, PROT_EXEC | PROT_WRITE, PROT_EXEC) },
};
static const struct calls natd = {
	"accept accept4 access bind chmod connect copy_file_range dup dup3 "
	"epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd2 faccessat "
	"faccessat2 fadvise64 fadvise64_64 fallocate fcntl fcntl64 fchmod fchmodat "
	"fchown fchown32 fdatasync flock fstatat64 fstatfs fstatfs64 fsync ftruncate "
	"ftruncate64 getcwd getdents getdents64 getgroups getgroups32 getpeername "
	"getresgid getresgid32 getresuid getresuid32 getrlimit getrusage lseek _llseek "
	"lstat lstat64 membarrier memfd_create newfstatat open openat pipe2 pread64 "
	"preadv pwrite64 pwritev readlink readlinkat rename renameat renameat2 "
	"sched_getaffinity sendfile sendfile64 setsockopt signalfd4 stat stat64 statfs "
	"statfs64 statx sysinfo timerfd_create timerfd_gettime timerfd_gettime64 "
	"timerfd_settime timerfd_settime64 ugetrlimit umask unlink unlinkat wait4 "
	"waitid",
	natd_guarded, ARRAY_SIZE(natd_guarded)
};

/* ------------------------------------------------------------ the nursery, its workers
 */

/* F_SETOWN and F_SETSIG are another way to kill(2) natd. */
static const struct guarded quiet_guarded[] = {
	{ "fcntl", 1, WITH(1, F_GETFL) },
	{ "fcntl", 1, WITH(1, F_SETFL) },
	{ "fcntl64", 1, WITH(1, F_GETFL) },
	{ "fcntl64", 1, WITH(1, F_SETFL) },
};
static const struct calls quiet = { "", quiet_guarded, ARRAY_SIZE(quiet_guarded) };

/* making a worker, and what that confines itself with */
#define NEW_NAMESPACES                                                                   \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |   \
	 CLONE_NEWPID | CLONE_NEWNET)
static const struct guarded nursery_guarded[] = {
#ifdef __s390x__
	{ "clone", 1, WITH_BITS(1, NEW_NAMESPACES, 0) },
#else
	{ "clone", 1, WITH_BITS(0, NEW_NAMESPACES, 0) },
#endif
	{ "socketpair", 1, WITH(0, AF_UNIX) },
};
static const struct calls nursery = {
	"close_range dup2 dup3 fork getrlimit kill landlock_add_rule "
	"landlock_create_ruleset landlock_restrict_self prctl prlimit64 rseq seccomp "
	"set_robust_list setrlimit signalfd4 tgkill ugetrlimit wait4 waitid",
	nursery_guarded, ARRAY_SIZE(nursery_guarded)
};

static const struct guarded datagram_guarded[] = {
	SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_UDP),
	SOCKET(AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
	OPTION(SOL_SOCKET, SO_BINDTOIFINDEX),
	OPTION(SOL_SOCKET, SO_REUSEADDR),
	OPTION(IPPROTO_IP, IP_PKTINFO),
	OPTION(IPPROTO_IP, IP_MULTICAST_TTL),
	OPTION(IPPROTO_IP, IP_MULTICAST_LOOP),
	OPTION(IPPROTO_IP, IP_ADD_MEMBERSHIP),
	OPTION(IPPROTO_IPV6, IPV6_V6ONLY),
	OPTION(IPPROTO_IPV6, IPV6_RECVPKTINFO),
	OPTION(IPPROTO_IPV6, IPV6_MULTICAST_HOPS),
	OPTION(IPPROTO_IPV6, IPV6_MULTICAST_LOOP),
	OPTION(IPPROTO_IPV6, IPV6_JOIN_GROUP),
};
static const struct calls datagram = { "bind connect getpeername", datagram_guarded,
				       ARRAY_SIZE(datagram_guarded) };

static const struct guarded igd_guarded[] = {
	SOCKET(AF_INET, SOCK_STREAM, IPPROTO_TCP),
	SOCKET(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
	OPTION(SOL_SOCKET, SO_BINDTOIFINDEX),
	/* miniupnpc's, with times of 32 bits and of 64 */
	OPTION(SOL_SOCKET, SO_RCVTIMEO_OLD),
	OPTION(SOL_SOCKET, SO_SNDTIMEO_OLD),
	OPTION(SOL_SOCKET, SO_RCVTIMEO_NEW),
	OPTION(SOL_SOCKET, SO_SNDTIMEO_NEW),
};
static const struct calls igd = {
	"alarm bind connect getpeername pselect6 pselect6_time64 select _newselect "
	"setitimer",
	igd_guarded, ARRAY_SIZE(igd_guarded)
};

/* libresolv's: it names no protocol, so of each type there is the common one */
static const struct guarded resolver_guarded[] = {
	SOCKET(AF_INET, SOCK_DGRAM, 0),	 SOCKET(AF_INET6, SOCK_DGRAM, 0),
	SOCKET(AF_INET, SOCK_STREAM, 0), SOCKET(AF_INET6, SOCK_STREAM, 0),
	OPTION(IPPROTO_IP, IP_RECVERR),	 OPTION(IPPROTO_IPV6, IPV6_RECVERR),
};
static const struct calls resolver = { "alarm connect getpeername setitimer",
				       resolver_guarded, ARRAY_SIZE(resolver_guarded) };

/* res_ninit(3), in the worker before that is confined; interfaces in name servers'
 * addresses */
static const struct guarded reading_guarded[] = {
	{ "open", 1, WITH_BITS(1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY) },
	{ "openat", 1, WITH_BITS(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY) },
	SOCKET(AF_UNIX, SOCK_DGRAM, 0),
	{ "ioctl", 1, WITH(1, SIOCGIFINDEX) },
};
static const struct calls reading = { "fstatat64 lseek _llseek newfstatat stat stat64 "
				      "statx",
				      reading_guarded, ARRAY_SIZE(reading_guarded) };

/* Shadow memory is larger than any limit, and reports may go to a file. */
#if SANITIZED
#define WORKER_MEMORY	 RLIM_INFINITY
#define WORKER_FILE_SIZE RLIM_INFINITY
#else
#define WORKER_MEMORY	 (64 * 1024 * 1024)
#define WORKER_FILE_SIZE 0
#endif
#define WORKER_DESCRIPTORS 32

static const struct limit nursery_limits[] = {
	{ RLIMIT_CORE, 0 },
	{ RLIMIT_FSIZE, WORKER_FILE_SIZE },
	{ RLIMIT_NOFILE, WORKER_DESCRIPTORS },
};
static const struct limit worker_limits[] = {
	{ RLIMIT_AS, WORKER_MEMORY },
	{ RLIMIT_CORE, 0 },
	{ RLIMIT_FSIZE, WORKER_FILE_SIZE },
	{ RLIMIT_NOFILE, WORKER_DESCRIPTORS },
};

/* ------------------------------------------------------------ who has what */

#define OUTSIDE (LANDLOCK_NO_FOREIGN_SIGNAL | LANDLOCK_NO_ABSTRACT_UNIX)

static const struct manner manners[] = {
	/* The service manager may listen on an abstract socket; and the signal that the
	 * nursery gets of natd's death is natd's. */
	[CONFINE_NATD] = {
		.parts = { &common, &sanitizer, &natd },
		.refused = LANDLOCK_NO_TCP_BIND | LANDLOCK_NO_TCP_CONNECT,
	},
	/* Of TCP the igd worker binds the address that it connects from; nobody has
	 * listen(2). */
	[CONFINE_NURSERY] = {
		.parts = { &common, &sanitizer, &quiet, &nursery, &datagram, &igd,
			   &resolver, &reading },
		.limits = nursery_limits,
		.n_limits = ARRAY_SIZE(nursery_limits),
		.refused = OUTSIDE,
	},
	[CONFINE_DATAGRAM] = {
		.parts = { &common, &sanitizer, &quiet, &datagram },
		.limits = worker_limits,
		.n_limits = ARRAY_SIZE(worker_limits),
		.refused = OUTSIDE | LANDLOCK_NO_TCP_BIND | LANDLOCK_NO_TCP_CONNECT,
	},
	[CONFINE_IGD] = {
		.parts = { &common, &sanitizer, &quiet, &igd },
		.limits = worker_limits,
		.n_limits = ARRAY_SIZE(worker_limits),
		.refused = OUTSIDE,
	},
	[CONFINE_RESOLVER] = {
		.parts = { &common, &sanitizer, &quiet, &resolver },
		.limits = worker_limits,
		.n_limits = ARRAY_SIZE(worker_limits),
		.refused = OUTSIDE | LANDLOCK_NO_TCP_BIND,
	},
};

const struct manner *confine_manner(enum confinement who)
{
	return &manners[who];
}
