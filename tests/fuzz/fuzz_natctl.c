/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz_natctl - whatever answers natctl, its commands end, and print nothing that acts
 *
 * The first byte says which command is run, and whether its output is a terminal; the
 * rest is what comes out of the socket. On a terminal, and wherever natctl puts answers
 * into words, no control character may come out, and nothing but UTF-8.
 */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/connect.h"
#include "cli/text.h"
#include "cli/verb.h"
#include "core/cleanup.h"
#include "tests/fuzz/fuzz.h"

#define WORDS_MAX   8
#define IS_TERMINAL 0x20

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
};

/* what comes out of the socket, and what of it is left for a further connection */
static const uint8_t *answer;
static size_t answer_len;
static bool is_terminal;

int __wrap_isatty(int fd);

int __wrap_isatty(int fd)
{
	return is_terminal;
}

/* In place of cli/connect.c: one who says all he has to say, and closes. */
int connect_socket(const char *path, unsigned int timeout, struct flaw *why)
{
	int room = 1 << 20, fds[2];

	hold(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	(void)setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	while (answer_len) {
		ssize_t n = send(fds[1], answer, answer_len, MSG_DONTWAIT);

		if (n < 0)
			break;
		answer += n;
		answer_len -= (size_t)n;
	}
	close(fds[1]);
	return fds[0];
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
	struct args args;
	struct flaw why;
	size_t n = 0;
	int status;

	while (n < WORDS_MAX && words[n])
		n++;
	hold(args_parse(words, n, &args, &why) == 0);
	status = command_run(session, &args);
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
	words = commands[data[0] % ARRAY_SIZE(commands)];
	is_terminal = data[0] & IS_TERMINAL;
	answer = data + 1;
	answer_len = size - 1;
	hold(client_new("natd", 1, &session.client) == 0);
	capture(&out, &stdout);
	capture(&err, &stderr);
	run(words, &session);
	give_back(&err, &stderr);
	give_back(&out, &stdout);
	client_free(session.client);
	for (size_t i = 0; i < WORDS_MAX && words[i]; i++)
		as_it_is |= !strcmp(words[i], "--json") && !is_terminal;
	if (!as_it_is)
		hold_harmless(&out);
	hold_harmless(&err);
	free(out.text);
	free(err.text);
	return 0;
}
