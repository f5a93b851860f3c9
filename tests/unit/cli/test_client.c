/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The client against peers that send what a test wants, each in a process of its own. */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/client.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

static const struct request get = { .method = "GET", .path = "/v1/status" };
static const struct request post = { .method = "POST", .path = "/v1/flush" };

static char dir[] = "/tmp/test-client-XXXXXX";
static char path[64];
static struct flaw why;

static void set_up(void)
{
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/api.sock", dir);
}

static void tear_down(void)
{
	unlink(path);
	rmdir(dir);
}

TestSuite(client, .init = set_up, .fini = tear_down, .timeout = 60);

static int listening(int type)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	cr_assert(type != SOCK_STREAM || listen(fd, 8) == 0);
	return fd;
}

/* A peer that for each connection reads a request, sends @answer @times, and closes. */
static pid_t answer_with(const char *answer, size_t times)
{
	int fd = listening(SOCK_STREAM);
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	while (pid == 0) {
		int client = accept(fd, NULL, NULL);
		char buf[4096];

		if (client < 0 || recv(client, buf, sizeof(buf), 0) < 0)
			_exit(1);
		for (size_t i = 0; i < times; i++) {
			if (send(client, answer, strlen(answer), MSG_NOSIGNAL) < 0)
				break;
		}
		close(client);
	}
	close(fd);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(path);
}

static int ask(const struct request *request, http_sink sink, struct answer *answer)
{
	struct client *client;
	int r;

	why.text[0] = '\0';
	cr_assert_eq(client_new(path, 1, &client), 0);
	r = client_ask(client, request, sink, NULL, answer, &why);
	client_free(client);
	return r;
}

static void expect_fault(int error, const char *words)
{
	struct answer answer;

	cr_expect_eq(ask(&get, NULL, &answer), error);
	cr_expect_not_null(strstr(why.text, words), "%s", why.text);
}

Test(client, says_why_there_is_no_connection)
{
	int fd;

	expect_fault(-ENOENT, "no socket at");
	cr_assert_eq(mkdir(path, 0700), 0);
	expect_fault(-ENOTSOCK, "is not a socket");
	rmdir(path);
	fd = listening(SOCK_DGRAM);
	expect_fault(-EPROTOTYPE, "another program's socket");
	close(fd);
	unlink(path);
	close(listening(SOCK_STREAM));
	expect_fault(-ECONNREFUSED, "nobody listens at");
}

Test(client, says_that_it_may_not_connect)
{
	int fd = listening(SOCK_STREAM);

	cr_assert_eq(chmod(path, 0), 0);
	cr_assert_eq(chmod(dir, 0755), 0);
	/* root may open all; the test itself runs in a process of its own */
	if (geteuid() == 0 && seteuid(65534) < 0)
		cr_skip_test("no other user to be");
	expect_fault(-EACCES, "no permission to open");
	cr_assert(getuid() != 0 || seteuid(0) == 0);
	close(fd);
}

Test(client, gives_up_when_nobody_accepts)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = listening(SOCK_STREAM), first = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	cr_assert_eq(listen(fd, 0), 0);
	cr_assert_eq(connect(first, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	expect_fault(-EAGAIN, "took no connection");
	close(first);
	close(fd);
}

Test(client, gives_up_when_nobody_answers)
{
	int fd = listening(SOCK_STREAM);

	expect_fault(-ETIMEDOUT, "has not answered for 1 second");
	close(fd);
}

Test(client, says_what_is_wrong_with_an_answer)
{
	static const struct {
		const char *answer;
		int error;
		const char *words;
	} answers[] = {
		{ "220 mail.example.com\r\n", -EBADMSG, "is not natd" },
		{ "", -ECONNRESET, "before its answer was whole" },
		{ "HTTP/1.1 200", -ECONNRESET, "before its answer was whole" },
		{ OK "Content-Length: 9\r\n\r\n{}", -ECONNRESET,
		  "before its answer was whole" },
		{ OK "Transfer-Encoding: chunked\r\n\r\nx", -EBADMSG, "is not natd" },
		{ "HTTP/1.1 100 Continue\r\n\r\n", -ECONNRESET, "before its answer was" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		pid_t pid = answer_with(answers[i].answer, 1);

		expect_fault(answers[i].error, answers[i].words);
		end(pid);
	}
}

Test(client, interim_answers_have_an_end)
{
	pid_t pid = answer_with("HTTP/1.1 102 Processing\r\n\r\n", 1000);

	expect_fault(-EBADMSG, "is not natd");
	end(pid);
}

Test(client, an_answer_in_memory_has_an_end)
{
	static char piece[1024 * 1024 + 1];
	pid_t pid;

	memset(piece, ' ', sizeof(piece) - 1);
	memcpy(piece, OK "\r\n", strlen(OK "\r\n"));
	pid = answer_with(piece, CLIENT_ANSWER_MAX / (sizeof(piece) - 1) + 1);
	expect_fault(-EMSGSIZE, "longer than natctl takes");
	end(pid);
}

Test(client, doubt_is_said_of_what_may_have_been_done)
{
	pid_t pid = answer_with("", 1);
	struct answer answer;

	cr_expect_eq(ask(&post, NULL, &answer), -ECONNRESET);
	cr_expect_not_null(strstr(why.text, "Whether it was done is not known"));
	cr_expect_eq(ask(&get, NULL, &answer), -ECONNRESET);
	cr_expect_null(strstr(why.text, "Whether it was done is not known"));
	end(pid);
}

static char sunk[64];

static int sink(void *userdata, const char *bytes, size_t len)
{
	cr_assert_lt(strlen(sunk) + len, sizeof(sunk));
	strncat(sunk, bytes, len);
	return 0;
}

static int stop(void *userdata, const char *bytes, size_t len)
{
	return -ECANCELED;
}

Test(client, a_good_answer_goes_to_the_sink_and_a_bad_one_to_memory)
{
	pid_t pid = answer_with(
		OK "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", 1);
	struct answer answer;

	cr_assert_eq(ask(&get, sink, &answer), 0, "%s", why.text);
	cr_expect(answer_is_good(&answer));
	cr_expect_null(answer.body);
	cr_expect_str_eq(sunk, "{}");
	answer_done(&answer);
	cr_expect_eq(ask(&get, stop, &answer), -ECANCELED);
	cr_expect_str_eq(why.text, "");
	end(pid);

	pid = answer_with("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", 1);
	cr_assert_eq(ask(&get, sink, &answer), 0, "%s", why.text);
	cr_expect_not(answer_is_good(&answer));
	cr_expect_eq(answer.status, 404);
	cr_expect_str_eq(answer.body, "no");
	cr_expect_str_eq(sunk, "{}");
	answer_done(&answer);
	end(pid);
}

Test(client, only_json_is_good)
{
	static const struct {
		const char *type;
		bool good;
	} types[] = {
		{ "application/json", true },
		{ "application/x-ndjson", true },
		{ "text/html", false },
		{ "", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct answer answer = { .status = 201 };

		strcpy(answer.type, types[i].type);
		cr_expect_eq(answer_is_good(&answer), types[i].good, "%s", types[i].type);
		answer.status = 301;
		cr_expect_not(answer_is_good(&answer));
	}
}

Test(client, paths_are_as_long_as_sockets_take)
{
	char longest[109];
	struct client *client;

	memset(longest, 'x', sizeof(longest));
	longest[108] = '\0';
	cr_expect_eq(client_new(longest, 1, &client), -ENAMETOOLONG);
	longest[107] = '\0';
	cr_assert_eq(client_new(longest, 1, &client), 0);
	cr_expect_str_eq(client_path(client), longest);
	client_free(client);
	client_free(NULL);
}
