/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/connect.h"
#include "cli/text.h"

#define SEE_NATD "See: systemctl status natd"
/* of those before the answer proper (RFC 9110 15.2); natd sends none */
#define INTERIM_MAX 8

/**
 * struct client
 * @fd:    -1 = not connected
 * @whole: the request has been sent to its last byte
 * @buf:   what came and has not been used: @len bytes from @start
 */
struct client {
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	unsigned int timeout;
	int fd;
	bool whole;
	size_t start, len;
	char buf[64 * 1024];
};

/* one request on its way; what the steps below need */
struct exchange {
	struct client *client;
	const struct request *request;
	http_sink sink;
	void *userdata;
	struct answer answer;
	size_t room;
	struct flaw *why;
};

void answer_done(struct answer *answer)
{
	free(answer->body);
	memset(answer, 0, sizeof(*answer));
}

bool answer_is_good(const struct answer *answer)
{
	return answer->status / 100 == 2 &&
	       (!strcmp(answer->type, "application/json") ||
		!strcmp(answer->type, "application/x-ndjson"));
}

int client_new(const char *path, unsigned int timeout, struct client **ret)
{
	struct client *client;

	if (strlen(path) >= sizeof(client->path))
		return -ENAMETOOLONG;
	client = malloc(sizeof(*client));
	if (!client)
		return -ENOMEM;

	snprintf(client->path, sizeof(client->path), "%s", path);
	client->timeout = timeout;
	client->fd = -1;
	client->start = client->len = 0;
	*ret = client;
	return 0;
}

int client_twin(const struct client *client, struct client **ret)
{
	return client_new(client->path, client->timeout, ret);
}

static void hang_up(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	client->start = client->len = 0;
}

void client_free(struct client *client)
{
	if (!client)
		return;
	hang_up(client);
	free(client);
}

const char *client_path(const struct client *client)
{
	return client->path;
}

/* A kept connection that natd has closed, or talks on unasked, is of no use. */
static bool is_stale(const struct client *client)
{
	char byte;

	return client->len || recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	       (errno != EAGAIN && errno != EINTR);
}

static int make_ready(struct exchange *x)
{
	struct client *client = x->client;
	int fd;

	if (client->fd >= 0 && is_stale(client))
		hang_up(client);
	if (client->fd >= 0)
		return 0;
	fd = connect_socket(client->path, client->timeout, x->why);
	if (fd < 0)
		return fd;
	client->fd = fd;
	return 0;
}

/* Return: events, or -ETIMEDOUT, or -errno. */
static int wait_for(const struct client *client, short events)
{
	struct pollfd p = { .fd = client->fd, .events = events };
	int n;

	do {
		n = poll(&p, 1, (int)client->timeout * 1000);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? p.revents : -ETIMEDOUT;
}

static void iov_advance(struct iovec *iov, size_t n, size_t sent)
{
	for (size_t i = 0; i < n; i++) {
		size_t part = sent < iov[i].iov_len ? sent : iov[i].iov_len;

		iov[i].iov_base = (char *)iov[i].iov_base + part;
		iov[i].iov_len -= part;
		sent -= part;
	}
}

/*
 * An answer that comes before all is sent ("too large") is as good as one behind: then
 * sending stops, and reading tells. So it does when natd hangs up.
 */
static int send_parts(struct client *client, struct iovec iov[static 2])
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	client->whole = false;
	while (iov[0].iov_len || iov[1].iov_len) {
		ssize_t sent = sendmsg(client->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r;

		if (sent >= 0) {
			iov_advance(iov, 2, (size_t)sent);
			continue;
		}
		if (errno == EPIPE || errno == ECONNRESET)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = wait_for(client, POLLIN | POLLOUT);
		if (r < 0 || r & POLLIN)
			return r < 0 ? r : 0;
	}
	client->whole = true;
	return 0;
}

static int flaw_of_io(struct exchange *x, int error)
{
	const bool reads = !strcmp(x->request->method, "GET");
	const char *doubt =
		reads ? "" : " Whether it was done is not known: look with natctl list.";
	char patience[TEXT_PHRASE_STRLEN];

	if (error == ETIMEDOUT)
		flaw_set(x->why,
			 "natd has not answered for %s.%s " SEE_NATD
			 ", or wait longer with --timeout SECONDS.",
			 text_things(x->client->timeout, "second", patience), doubt);
	else if (error == ECONNRESET)
		flaw_set(
			x->why,
			"natd ended the connection before its answer was whole.%s " SEE_NATD,
			doubt);
	else if (error == EBADMSG)
		flaw_set(x->why,
			 "what answers at %s is not natd. "
			 "Name natd's socket with --socket PATH or NATD_SOCKET.",
			 x->client->path);
	else if (error == EMSGSIZE)
		flaw_set(x->why, "natd's answer is longer than natctl takes.%s", doubt);
	else
		flaw_set(x->why, "cannot talk to natd: %s.%s", strerror(error), doubt);
	return -error;
}

static int send_request(struct exchange *x)
{
	const struct request *request = x->request;
	char head[2048], type[128] = "";
	struct iovec iov[2];
	int n;

	if (request->type)
		snprintf(type, sizeof(type), "Content-Type: %s\r\n", request->type);
	n = snprintf(head, sizeof(head),
		     "%s %s HTTP/1.1\r\nHost: natd\r\nUser-Agent: natctl/" NATD_VERSION
		     "\r\nAccept: %s\r\n%sContent-Length: %zu\r\n\r\n",
		     request->method, request->path,
		     request->accept ? request->accept : "application/json", type,
		     request->len);
	if (n < 0 || (size_t)n >= sizeof(head))
		return flaw_of_io(x, E2BIG);

	iov[0] = (struct iovec){ head, (size_t)n };
	iov[1] = (struct iovec){ (char *)(uintptr_t)(request->len ? request->body : ""),
				 request->len };
	n = send_parts(x->client, iov);
	return n < 0 ? flaw_of_io(x, -n) : 0;
}

/* Return: 1 when more is there, 0 when the peer has closed, -EAGAIN, or -errno. */
static int receive(struct client *client)
{
	ssize_t n;

	if (client->len)
		memmove(client->buf, client->buf + client->start, client->len);
	client->start = 0;
	n = recv(client->fd, client->buf + client->len, sizeof(client->buf) - client->len,
		 MSG_DONTWAIT);
	if (n < 0 && errno == EINTR)
		return -EAGAIN;
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	client->len += (size_t)n;
	return n > 0;
}

/* Return: 1 when more is there, 0 when the peer has closed, or -errno. */
static int read_more(struct client *client)
{
	int r;

	do {
		r = wait_for(client, POLLIN);
		if (r > 0)
			r = receive(client);
	} while (r == -EAGAIN);
	return r;
}

static void use_up(struct client *client, size_t n)
{
	client->start += n;
	client->len -= n;
}

static int read_head(struct exchange *x, struct http_head *head)
{
	struct client *client = x->client;

	for (int interim = 0; interim < INTERIM_MAX;) {
		ssize_t n =
			http_parse_head(client->buf + client->start, client->len, head);
		int r;

		if (n < 0)
			return flaw_of_io(x, EBADMSG);
		use_up(client, (size_t)n);
		if (n > 0 && head->status >= 200)
			return 0;
		if (n > 0) {
			interim++;
			continue;
		}
		r = read_more(client);
		if (r <= 0)
			return flaw_of_io(x, r ? -r : ECONNRESET);
	}
	return flaw_of_io(x, EBADMSG);
}

static int keep_body(void *userdata, const char *bytes, size_t len)
{
	struct exchange *x = userdata;
	struct answer *answer = &x->answer;

	if (len > CLIENT_ANSWER_MAX - answer->len)
		return -EMSGSIZE;
	if (answer->len + len + 1 > x->room) {
		size_t room = 2 * (answer->len + len + 1);
		char *body = realloc(answer->body, room);

		if (!body)
			return -ENOMEM;
		answer->body = body;
		x->room = room;
	}
	memcpy(answer->body + answer->len, bytes, len);
	answer->len += len;
	answer->body[answer->len] = '\0';
	return 0;
}

/* A sink that stops has said why itself; all else gets a sentence here. */
static int read_body(struct exchange *x, struct http_body *body)
{
	const bool ours = !x->sink || !answer_is_good(&x->answer);
	struct client *client = x->client;

	while (!http_body_complete(body)) {
		ssize_t n = http_body_feed(body, client->buf + client->start, client->len,
					   ours ? keep_body : x->sink,
					   ours ? x : x->userdata);
		int r;

		if (n < 0)
			return n == -ECANCELED ? (int)n : flaw_of_io(x, (int)-n);
		use_up(client, (size_t)n);
		if (http_body_complete(body))
			break;
		r = read_more(client);
		if (r == 0 && http_body_ends_with_connection(body))
			break;
		if (r <= 0)
			return flaw_of_io(x, r ? -r : ECONNRESET);
	}
	return 0;
}

static int read_answer(struct exchange *x)
{
	struct http_body body;
	struct http_head head;
	int r;

	r = read_head(x, &head);
	if (r < 0)
		return r;
	x->answer.status = head.status;
	memcpy(x->answer.type, head.content_type, sizeof(x->answer.type));
	http_body_init(&body, &head);
	r = read_body(x, &body);
	if (r == 0 && (!head.keep_alive || !x->client->whole ||
		       http_body_ends_with_connection(&body)))
		hang_up(x->client);
	return r;
}

int client_ask(struct client *client, const struct request *request, http_sink sink,
	       void *userdata, struct answer *ret, struct flaw *why)
{
	struct exchange x = {
		.client = client,
		.request = request,
		.sink = sink,
		.userdata = userdata,
		.why = why,
	};
	int r;

	r = make_ready(&x);
	if (r == 0)
		r = send_request(&x);
	if (r == 0)
		r = read_answer(&x);
	if (r != 0) {
		hang_up(client);
		answer_done(&x.answer);
		return r;
	}
	*ret = x.answer;
	return 0;
}

/* ------------------------------------------------------------ answers without an end */

static const struct request streamed = { .method = "GET" };

int client_begin(struct client *client, const struct request *request, struct flaw *why)
{
	struct exchange x = { .client = client, .request = request, .why = why };
	int r;

	r = make_ready(&x);
	if (r == 0)
		r = send_request(&x);
	if (r != 0)
		hang_up(client);
	return r;
}

int client_fd(const struct client *client)
{
	return client->fd;
}

/* A refusal is short and comes at once: it is waited for. Return: 1, 0: the head is not
 * whole, or -errno. */
static int begin_stream(struct exchange *x, struct client_stream *stream)
{
	struct client *client = x->client;
	struct http_head head;
	ssize_t n;
	int r;

	n = http_parse_head(client->buf + client->start, client->len, &head);
	if (n < 0 || (n > 0 && head.status < 200))
		return flaw_of_io(x, EBADMSG);
	if (!n)
		return 0;
	use_up(client, (size_t)n);
	x->answer.status = head.status;
	memcpy(x->answer.type, head.content_type, sizeof(x->answer.type));
	http_body_init(&stream->body, &head);
	stream->begun = true;
	if (answer_is_good(&x->answer))
		return 1;
	r = read_body(x, &stream->body);
	if (r < 0) {
		answer_done(&x->answer);
		return r;
	}
	stream->refusal = x->answer;
	return -EPROTO;
}

static int take_stream(struct exchange *x, struct client_stream *stream)
{
	struct client *client = x->client;
	ssize_t n;
	int r;

	r = receive(client);
	if (r == -EAGAIN)
		return 1;
	if (r <= 0)
		return flaw_of_io(x, r ? -r : ECONNRESET);
	if (!stream->begun) {
		r = begin_stream(x, stream);
		if (r <= 0)
			return r < 0 ? r : 1;
	}
	n = http_body_feed(&stream->body, client->buf + client->start, client->len,
			   x->sink, x->userdata);
	if (n < 0)
		return n == -ECANCELED ? (int)n : flaw_of_io(x, (int)-n);
	use_up(client, (size_t)n);
	return !http_body_complete(&stream->body);
}

int client_take(struct client *client, struct client_stream *stream, http_sink sink,
		void *userdata, struct flaw *why)
{
	struct exchange x = {
		.client = client,
		.request = &streamed,
		.sink = sink,
		.userdata = userdata,
		.why = why,
	};
	int r = take_stream(&x, stream);

	if (r != 1)
		hang_up(client);
	return r;
}

void client_end(struct client *client)
{
	hang_up(client);
}
