/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz_natctl - whatever answers natctl, its commands end, and print nothing that acts
 *
 * The first byte says which command is run, and whether its output is a terminal; the
 * rest is what comes out of the socket. A byte FS (0x1c) ends a connection, and what is
 * behind it comes out of the next one. On a terminal, and wherever natctl puts answers
 * into words, no control character may come out, and nothing but UTF-8.
 *
 * Nobody waits here: the clock is ours, and a wait for nothing puts it forward. Nor does
 * a hook of "watch" run, but an end of it is told.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/connect.h"
#include "cli/text.h"
#include "cli/verb.h"
#include "core/cleanup.h"
#include "tests/fuzz/fuzz.h"

#define WORDS_MAX   8
#define COMMAND	    0x1f
#define IS_TERMINAL 0x20

#define END_OF_CONNECTION '\x1c'
/* connections, when there is nothing left to come out of them */
#define IDLE_MAX 2

/* files of commands */
#define BATCH	     "/proc/self/fd/100"
#define ATOMIC_BATCH "/proc/self/fd/101"

static const char *const commands[][WORDS_MAX] = {
	{ "list" },
	{ "status" },
	{ "add", "tcp,udp", "8080", "192.168.1.10:80", "--name", "web" },
	{ "remove", "web" },
	{ "flush", "--all" },
	{ "resync" },
	{ "reload" },
	{ "version" },
	{ "list", "--quiet", "--to", "192.168.1.10" },
	{ "list", "--json" },
	{ "status", "--json" },
	{ "add", "udp", "53", "fd00::5", "--quiet" },
	{ "remove", "7", "8" },
	{ "remove", "tcp", "8080", "--json" },
	{ "status", "--quiet" },
	{ "flush", "--quiet" },
	{ "watch" },
	{ "watch", "--once" },
	{ "watch", "--json", "--number", "2" },
	{ "watch", "--since", "5", "--quiet" },
	{ "watch", "--exec", "true", "--timeout-exec", "1" },
	{ "watch", "--exec", "true", "--since", "0", "--number", "3" },
	{ "--file", BATCH },
	{ "--file", BATCH, "--json" },
	{ "--file", ATOMIC_BATCH, "--atomic" },
	{ "add", "tcp", "443", "[2001:db8::10]:443", "--json" },
	{ "resync", "--json" },
	{ "version", "--json" },
	{ "help" },
	{ "help", "watch" },
	{ "lookup", "web", "--wait=9" },
	{ "connections", "web" },
};

/* what comes out of the socket, and what of it is left for a further connection */
static const uint8_t *answer;
static size_t answer_len, n_idle;
static bool is_terminal;

static void use_up(size_t n)
{
	answer += n;
	answer_len -= n;
}

/* In place of cli/connect.c: one who says all he has to say, and closes. */
int connect_socket(const char *path, unsigned int timeout, struct flaw *why)
{
	const uint8_t *end = memchr(answer, END_OF_CONNECTION, answer_len);
	size_t len = end ? (size_t)(end - answer) : answer_len;
	int room = 1 << 20, fds[2];

	if (end && !len) {
		use_up(1);
		flaw_set(why, "nobody is there");
		return -ECONNREFUSED;
	}
	if (!len && n_idle++ == IDLE_MAX) {
		flaw_set(why, "nobody may");
		return -EACCES;
	}
	hold(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	(void)setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	while (len) {
		ssize_t n = send(fds[1], answer, len, MSG_DONTWAIT);

		if (n < 0)
			break;
		use_up((size_t)n);
		len -= (size_t)n;
	}
	if (end && !len)
		use_up(1);
	close(fds[1]);
	return fds[0];
}

/* ------------------------------------------------------------ in place of the system */

/* 0: the true time */
static uint64_t clock_ms;
static pid_t last_hook, last_hit;
static int last_signal;

int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);
int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_isatty(int fd);
pid_t __wrap_fork(void);
int __wrap_kill(pid_t pid, int number);
int __wrap_setpgid(pid_t pid, pid_t group);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *ret, int options);
pid_t __wrap_waitpid(pid_t pid, int *ret, int options);

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	int r = __real_poll(fds, n, 0);

	hold(r != 0 || timeout >= 0);
	if (r == 0)
		clock_ms += (uint64_t)timeout;
	return r;
}

/* The sanitizer's own looks at the clock come by here too, before and between. */
__attribute__((no_sanitize("address"))) int __wrap_clock_gettime(clockid_t id,
								 struct timespec *ret)
{
	if (!clock_ms)
		return __real_clock_gettime(id, ret);
	*ret = (struct timespec){ (time_t)(clock_ms / 1000),
				  (long)(clock_ms % 1000 * 1000000) };
	return 0;
}

int __wrap_isatty(int fd)
{
	return is_terminal;
}

/* A number that no process has. */
pid_t __wrap_fork(void)
{
	last_hook = last_hook ? last_hook + 1 : 1 << 30;
	return last_hook;
}

int __wrap_kill(pid_t pid, int number)
{
	hold(pid <= -(1 << 30) && (number == SIGTERM || number == SIGKILL));
	last_hit = -pid;
	last_signal = number;
	return 0;
}

int __wrap_setpgid(pid_t pid, pid_t group)
{
	return 0;
}

/* Three of four end at once; the fourth when it is told to, or only when it is killed. */
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *ret, int options)
{
	const bool hit = (id_t)last_hit == id;

	if (id % 4 != 0 || (hit && (id % 8 != 0 || last_signal == SIGKILL)))
		ret->si_pid = (pid_t)id;
	return 0;
}

pid_t __wrap_waitpid(pid_t pid, int *ret, int options)
{
	static const int ends[] = { SIGKILL, 0, 3 << 8, SIGSEGV };

	if (ret)
		*ret = ends[pid % 4];
	return pid;
}

static void put_file(int fd, const char *text)
{
	int file = memfd_create("commands", MFD_CLOEXEC);

	hold(write(file, text, strlen(text)) == (ssize_t)strlen(text));
	hold(dup2(file, fd) == fd);
	close(file);
}

static void put_files(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	put_file(100, "list\n"
		      "add tcp 8080 192.168.1.10:80 --name web\n"
		      "remove web\n"
		      "status\n"
		      "add udp auto 10.0.0.1:7 --at 203.0.113.7 --lease 1h\n"
		      "renew web --lease 1h\n"
		      "lookup web\n"
		      "connections web --kill\n"
		      "upstream web required\n");
	put_file(101, "add tcp 8080 192.168.1.10:80\n"
		      "remove 7\n"
		      "add udp 53 fd00::5 --name dns\n");
}

/* ------------------------------------------------------------ what was printed */

struct printed {
	char *text;
	size_t len;
	FILE *stream, *before;
};

static void capture(struct printed *p, FILE **stream)
{
	p->before = *stream;
	p->stream = open_memstream(&p->text, &p->len);
	hold(p->stream);
	*stream = p->stream;
}

static void give_back(struct printed *p, FILE **stream)
{
	*stream = p->before;
	fclose(p->stream);
}

/* text_clean() leaves harmless text alone. */
static void hold_harmless(const struct printed *p)
{
	char *copy = malloc(p->len + 1), *line = copy, *end;

	hold(copy);
	memcpy(copy, p->text, p->len + 1);
	hold(strlen(copy) == p->len);
	while ((end = strchr(line, '\n'))) {
		*end = '\0';
		text_clean(line);
		line = end + 1;
		*end = '\n';
	}
	text_clean(line);
	if (memcmp(copy, p->text, p->len) != 0)
		dprintf(2, "printed: %s\n", p->text);
	hold(memcmp(copy, p->text, p->len) == 0);
	free(copy);
}

static void run(const char *const *words, struct session *session)
{
	const char *file;
	struct args args;
	struct flaw why;
	size_t n = 0;
	int status;

	while (n < WORDS_MAX && words[n])
		n++;
	hold(args_parse(words, n, &args, &why) == 0);
	file = args_option(&args, "--file");
	session->json = file && args_has(&args, "--json");
	status = file ? batch_run(session, file, args_has(&args, "--atomic"))
		      : command_run(session, &args);
	hold(status >= EXIT_DONE && status <= EXIT_NATD && status != EXIT_USAGE);
	args_done(&args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct printed out = { 0 }, err = { 0 };
	struct session session = { 0 };
	const char *const *words;
	bool as_it_is = false;

	if (!size)
		return 0;
	words = commands[(data[0] & COMMAND) % ARRAY_SIZE(commands)];
	is_terminal = data[0] & IS_TERMINAL;
	answer = data + 1;
	answer_len = size - 1;
	n_idle = 0;
	clock_ms = 1;
	last_hook = last_hit = 0;
	put_files();
	hold(client_new("natd", 1, &session.client) == 0);
	capture(&out, &stdout);
	capture(&err, &stderr);
	run(words, &session);
	give_back(&err, &stderr);
	give_back(&out, &stdout);
	client_free(session.client);
	clock_ms = 0;
	for (size_t i = 0; i < WORDS_MAX && words[i]; i++)
		as_it_is |= !strcmp(words[i], "--json") && !is_terminal;
	if (!as_it_is)
		hold_harmless(&out);
	hold_harmless(&err);
	free(out.text);
	free(err.text);
	return 0;
}
