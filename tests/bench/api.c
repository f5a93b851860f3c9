/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * api SOCKET one N PORT | api SOCKET bulk FILE
 *
 * Adds a forward and removes it again, N times, over one open connection, and prints the
 * median of each; or sends a list of changes, line by line, and prints how long its
 * answer took. Nanoseconds. What natd says must be what a client wants to hear.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/timing.h"

#define ANSWER_ROOM 8192

static size_t length_of_body(const char *head)
{
	const char *field = strcasestr(head, "\r\ncontent-length:");

	if (!field)
		die("no length in: %s", head);
	return strtoul(field + strlen("\r\ncontent-length:"), NULL, 10);
}

/* Return: the HTTP status; the answer is in @answer. */
static int ask(int fd, const char *question, char answer[static ANSWER_ROOM])
{
	const char *end = NULL;
	size_t len = 0;

	write_all(fd, question, strlen(question));
	while (!end || len < (size_t)(end + 4 - answer) + length_of_body(answer)) {
		len += read_some(fd, answer + len, ANSWER_ROOM - 1 - len);
		answer[len] = '\0';
		end = strstr(answer, "\r\n\r\n");
	}
	return atoi(answer + strlen("HTTP/1.1 "));
}

static uint64_t timed(int fd, const char *body, int wanted)
{
	char question[512], answer[ANSWER_ROOM];
	uint64_t begun;
	int status;

	snprintf(question, sizeof(question),
		 "POST /v1/mappings HTTP/1.1\r\nHost: natd\r\n"
		 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		 strlen(body), body);
	begun = now();
	status = ask(fd, question, answer);
	begun = now() - begun;
	if (status != wanted)
		die("natd said: %s", answer);
	return begun;
}

static void one(int fd, int n, const char *port)
{
	struct times adds = { 0 }, removes = { 0 };
	char add[256], remove[256];

	snprintf(add, sizeof(add),
		 "{\"protocol\":\"tcp\",\"external\":{\"port\":%s},"
		 "\"internal\":{\"address\":\"192.168.1.10\",\"port\":9}}",
		 port);
	snprintf(
		remove, sizeof(remove),
		"{\"action\":\"remove\",\"protocol\":\"tcp\",\"external\":{\"port\":%s}}",
		port);
	for (int i = 0; i < n; i++) {
		times_add(&adds, timed(fd, add, 201));
		times_add(&removes, timed(fd, remove, 200));
	}
	putchar('{');
	times_print(&adds, "add");
	putchar(',');
	times_print(&removes, "remove");
	puts("}");
	times_done(&adds);
	times_done(&removes);
}

static char *read_file(const char *path, size_t *ret_len)
{
	FILE *file = fopen(path, "re");
	char *bytes;
	long len;

	if (!file || fseek(file, 0, SEEK_END) < 0 || (len = ftell(file)) < 0)
		die("%s", path);
	rewind(file);
	bytes = malloc((size_t)len + 1);
	if (!bytes || fread(bytes, 1, (size_t)len, file) != (size_t)len)
		die("%s", path);
	fclose(file);
	*ret_len = (size_t)len;
	return bytes;
}

/* The connection is closed behind the answer. */
static void read_to_end(int fd)
{
	static const char good[] = "HTTP/1.1 20";
	char answer[65536];
	bool first = true;
	ssize_t n;

	while ((n = read(fd, answer, sizeof(answer) - 1)) > 0) {
		answer[n] = '\0';
		if (first && strncmp(answer, good, strlen(good)))
			die("natd said: %.200s", answer);
		first = false;
	}
	if (n < 0 || first)
		die("no answer");
}

static void bulk(int fd, const char *path)
{
	char *body, head[256];
	uint64_t begun;
	size_t len;

	body = read_file(path, &len);
	snprintf(head, sizeof(head),
		 "POST /v1/mappings HTTP/1.1\r\nHost: natd\r\nConnection: close\r\n"
		 "Content-Type: application/x-ndjson\r\nContent-Length: %zu\r\n\r\n",
		 len);
	begun = now();
	write_all(fd, head, strlen(head));
	write_all(fd, body, len);
	read_to_end(fd);
	printf("{\"bulk\":%lu}\n", now() - begun);
	free(body);
}

int main(int argc, char *argv[])
{
	int fd;

	if (argc < 4)
		die("api SOCKET one N PORT | api SOCKET bulk FILE");
	fd = connect_to(argv[1]);
	if (argc == 5 && !strcmp(argv[2], "one"))
		one(fd, atoi(argv[3]), argv[4]);
	else if (argc == 4 && !strcmp(argv[2], "bulk"))
		bulk(fd, argv[3]);
	else
		die("not understood: %s", argv[2]);
	return EXIT_SUCCESS;
}
