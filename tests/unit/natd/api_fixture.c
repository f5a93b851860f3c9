/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/natd/api_fixture.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#define PATIENCE_MS 20000

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

void api_start(struct api *api)
{
	struct server_fault why;
	int fd;

	*api = (struct api){ 0 };
	snprintf(api->dir, sizeof(api->dir), "/tmp/natd-test-XXXXXX");
	cr_assert_not_null(mkdtemp(api->dir));
	snprintf(api->path, sizeof(api->path), "%s/api.sock", api->dir);
	cr_assert_geq(sd_event_new(&api->event), 0);
	api->gw = fake_gateway_new(api->event, 65535);
	cr_assert_eq(server_listen(api->path, geteuid(), getegid(), 0600, &fd, &why), 0,
		     "%s", why.text);
	cr_assert_eq(server_new(api->event, api->gw, fd, (gid_t)-1, &api->server), 0);
}

void api_stop(struct api *api)
{
	server_free(api->server);
	fake_gateway_free(api->gw);
	sd_event_unref(api->event);
	cr_expect_neq(access(api->path, F_OK), 0, "the socket file is left behind");
	cr_assert_eq(rmdir(api->dir), 0);
}

void api_turn(struct api *api, unsigned int milliseconds)
{
	cr_assert_geq(sd_event_run(api->event, milliseconds * 1000ULL), 0);
}

void api_settle(struct api *api)
{
	int r;

	do
		r = sd_event_run(api->event, 20000);
	while (r > 0);
	cr_assert_geq(r, 0);
}

/* ------------------------------------------------------------ the client */

void conn_open(struct api *api, struct conn *ret)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", api->path);
	*ret = (struct conn){ .api = api };
	ret->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	cr_assert_geq(ret->fd, 0);
	/* the queue is full: let the server take somebody in */
	while (connect(ret->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		cr_assert_eq(errno, EAGAIN, "%s", strerror(errno));
		api_turn(api, 10);
	}
}

void conn_close(struct conn *conn)
{
	close(conn->fd);
	free(conn->in);
	conn->in = NULL;
}

bool conn_try_send(struct conn *conn, const char *bytes, size_t len)
{
	const long long deadline = now_ms() + PATIENCE_MS;
	ssize_t n;

	while (len) {
		n = send(conn->fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return false;
		if (n < 0) {
			cr_assert_lt(now_ms(), deadline, "the server does not read");
			api_turn(conn->api, 10);
			continue;
		}
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

void conn_send(struct conn *conn, const char *bytes, size_t len)
{
	cr_assert(conn_try_send(conn, bytes, len), "%s", strerror(errno));
}

void conn_say(struct conn *conn, const char *text)
{
	conn_send(conn, text, strlen(text));
}

void conn_request(struct conn *conn, const char *method_and_path, const char *type,
		  const char *body)
{
	char head[1024];

	snprintf(head, sizeof(head), "%s HTTP/1.1\r\nHost: natd\r\n", method_and_path);
	conn_say(conn, head);
	if (type) {
		snprintf(head, sizeof(head), "Content-Type: %s\r\n", type);
		conn_say(conn, head);
	}
	if (body) {
		snprintf(head, sizeof(head), "Content-Length: %zu\r\n", strlen(body));
		conn_say(conn, head);
	}
	conn_say(conn, "\r\n");
	if (body)
		conn_say(conn, body);
}

/* Receive more, turning the loop until there is some. False at the end of the stream. */
static bool receive(struct conn *conn)
{
	const long long deadline = now_ms() + PATIENCE_MS;
	ssize_t n;

	if (conn->room - conn->n < 65536) {
		conn->room = conn->room * 2 + 65536;
		conn->in = realloc(conn->in, conn->room + 1);
	}
	while (!conn->eof) {
		n = recv(conn->fd, conn->in + conn->n, conn->room - conn->n, 0);
		if (n > 0) {
			conn->n += (size_t)n;
			conn->in[conn->n] = 0;
			return true;
		}
		if (n == 0 || errno != EAGAIN) {
			conn->eof = true;
			break;
		}
		cr_assert_lt(now_ms(), deadline, "no answer came");
		api_turn(conn->api, 10);
	}
	return false;
}

static void need(struct conn *conn, size_t n)
{
	while (conn->n < n)
		cr_assert(receive(conn), "the stream ended in the middle of an answer");
}

static void take(struct conn *conn, size_t n)
{
	memmove(conn->in, conn->in + n, conn->n - n + 1);
	conn->n -= n;
}

/* Return: how many bytes up to and with @end. */
static size_t find(struct conn *conn, size_t from, const char *end)
{
	char *at;

	need(conn, from + 1);
	while (!(at = memmem(conn->in + from, conn->n - from, end, strlen(end))))
		cr_assert(receive(conn), "the stream ended in the middle of an answer");
	return (size_t)(at - conn->in) + strlen(end);
}

static void add_to_body(struct reply *reply, const char *bytes, size_t n)
{
	if (reply->len + n >= reply->room) {
		reply->room = (reply->len + n) * 2 + 1;
		reply->body = realloc(reply->body, reply->room);
	}
	memcpy(reply->body + reply->len, bytes, n);
	reply->len += n;
	reply->body[reply->len] = 0;
}

static void take_body(struct conn *conn, size_t n, struct reply *ret)
{
	need(conn, n);
	add_to_body(ret, conn->in, n);
	take(conn, n);
}

static void read_chunks(struct conn *conn, struct reply *ret)
{
	size_t n, at = 0, end;

	/* used up at the end only, since moving megabytes down for each chunk takes long
	 */
	do {
		end = find(conn, at, "\r\n");
		n = strtoul(conn->in + at, NULL, 16);
		need(conn, end + n + 2);
		add_to_body(ret, conn->in + end, n);
		cr_assert(!memcmp(conn->in + end + n, "\r\n", 2));
		at = end + n + 2;
	} while (n);
	take(conn, at);
}

static void lower_names(char *head)
{
	for (char *line = strchr(head, '\n'); line; line = strchr(line + 1, '\n'))
		for (char *at = line; *at && *at != ':'; at++)
			*at = (char)tolower((unsigned char)*at);
}

void conn_reply(struct conn *conn, bool head, struct reply *ret)
{
	char value[256];
	size_t n;

	*ret = (struct reply){ 0 };
	n = find(conn, 0, "\r\n\r\n");
	ret->head = strndup(conn->in, n);
	take(conn, n);
	lower_names(ret->head);
	cr_assert_eq(sscanf(ret->head, "HTTP/1.%*c %d", &ret->status), 1, "%s",
		     ret->head);
	ret->body = strdup("");
	if (head || ret->status == 100)
		return;
	if (reply_header(ret, "transfer-encoding", value)[0])
		read_chunks(conn, ret);
	else if (reply_header(ret, "content-length", value)[0])
		take_body(conn, strtoul(value, NULL, 10), ret);
	else
		cr_assert_fail("an answer whose end nobody can see: %s", ret->head);
}

bool conn_is_closed(struct conn *conn)
{
	while (receive(conn))
		;
	return conn->eof;
}

void reply_done(struct reply *reply)
{
	free(reply->head);
	free(reply->body);
}

const char *reply_header(const struct reply *reply, const char *name,
			 char buf[static 256])
{
	char line[80];
	const char *at;

	snprintf(line, sizeof(line), "\n%s: ", name);
	at = strstr(reply->head, line);
	buf[0] = 0;
	if (at)
		snprintf(buf, 256, "%.*s", (int)strcspn(at + strlen(line), "\r"),
			 at + strlen(line));
	return buf;
}

json_t *reply_parse(const struct reply *reply)
{
	json_error_t error;
	json_t *json;

	json = json_loadb(reply->body, reply->len, JSON_REJECT_DUPLICATES, &error);
	cr_assert_not_null(json, "%s at %d in: %.300s", error.text, error.position,
			   reply->body);
	return json;
}

void api_ask(struct api *api, const char *method_and_path, const char *type,
	     const char *body, struct reply *ret)
{
	struct conn conn;

	conn_open(api, &conn);
	conn_request(&conn, method_and_path, type, body);
	conn_reply(&conn, false, ret);
	conn_close(&conn);
}

json_t *api_json(struct api *api, const char *method_and_path, const char *body,
		 int status)
{
	struct reply reply;
	char value[256];
	json_t *json;

	api_ask(api, method_and_path, NULL, body, &reply);
	cr_assert_eq(reply.status, status, "%s: %d %s", method_and_path, reply.status,
		     reply.body);
	cr_expect_str_eq(reply_header(&reply, "content-type", value),
			 status < 300 ? "application/json" : "application/problem+json");
	cr_expect_str_eq(reply_header(&reply, "cache-control", value), "no-store");
	json = reply_parse(&reply);
	reply_done(&reply);
	return json;
}

json_t *api_refused(struct api *api, const char *method_and_path, const char *body,
		    const char *code)
{
	enum verdict verdict;
	json_t *json;

	cr_assert_eq(outcome_by_code(code, &verdict), 0);
	json = api_json(api, method_and_path, body, outcome_of(verdict)->http);
	cr_expect_str_eq(text_of(json, "code"), code);
	cr_expect_str_eq(text_of(json, "type"), "about:blank");
	cr_expect_eq(number_of(json, "status"), outcome_of(verdict)->http);
	cr_expect_neq(text_of(json, "detail")[0], 0);
	return json;
}

const char *text_of(json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

long long number_of(json_t *json, const char *key)
{
	json_t *number = json_object_get(json, key);

	return json_is_integer(number) ? json_integer_value(number) : -1;
}

json_t *first_of(json_t *json, const char *key)
{
	return json_array_get(json_object_get(json, key), 0);
}

size_t api_count(struct api *api, const char *query)
{
	char request[160];
	json_t *list;
	size_t n;

	snprintf(request, sizeof(request), "GET /v1/mappings%s", query);
	list = api_json(api, request, NULL, 200);
	n = json_array_size(list);
	json_decref(list);
	return n;
}
