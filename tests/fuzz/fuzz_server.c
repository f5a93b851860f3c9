/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz_server - a connection to natd's API on which anything may come
 *
 * The server as it is, on a socket, with a fake gateway behind it: a real table, and
 * changes that are answered in a later turn of the loop. The first byte says who the
 * client is and how the gateway fares, the rest is what the client sends. When all has
 * come to rest, what came back must be answers from the first byte to the last, as natctl
 * reads them, and JSON where they say so. Nothing may be left behind, descriptors
 * included.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/http.h"
#include "core/ndjson.h"
#include "natd/api/server.h"
#include "natd/common/log.h"
#include "tests/fake/credentials.h"
#include "tests/fake/gateway.h"
#include "tests/fuzz/fuzz.h"

#define MEMBER	      0x01 /* else root */
#define STRANGER      0x02
#define GONE_WAITING  0x04 /* hangs up before the gateway has answered */
#define GATEWAY_FAILS 0x08
#define NO_MEMORY     0x10
#define IN_PIECES     0x20

#define ANSWERS_MAX (4 * 1024 * 1024)
#define TURNS_MAX   100000

struct scene {
	sd_event *event;
	struct gateway *gw;
	struct server *server;
	struct sockaddr_un address;
	socklen_t address_len;
	int client;
	bool closed; /* by natd */
	size_t n;
};

/* what natd said */
static char got[ANSWERS_MAX];

/* ------------------------------------------------------------ the scene */

static int listen_somewhere(struct scene *s)
{
	const struct sockaddr_un any = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* without a path the kernel chooses a name that is in no file system */
	hold(fd >= 0 &&
	     bind(fd, (const struct sockaddr *)&any, sizeof(sa_family_t)) == 0);
	s->address_len = sizeof(s->address);
	hold(getsockname(fd, (struct sockaddr *)&s->address, &s->address_len) == 0);
	hold(listen(fd, 4) == 0);
	return fd;
}

static void become(uint8_t who)
{
	fake_credentials = (struct credentials){
		.pid = 4711,
		.uid = who & MEMBER ? 1000 : 0,
		.known = true,
		.member = who & MEMBER,
	};
	if (who & STRANGER)
		fake_credentials = (struct credentials){ .uid = 65534 };
}

static void scene_begin(struct scene *s, uint8_t how)
{
	static const struct problem failed = {
		.verdict = VERDICT_UNKNOWN,
		.index = -1,
		.detail = "The disk is gone.",
		.cure = "See the log.",
	};

	*s = (struct scene){ .client = -1 };
	log_level(LOG_EMERG);
	become(how);
	hold(sd_event_new(&s->event) >= 0);
	s->gw = fake_gateway_new(s->event, 8);
	fake_gateway_fill(s->gw, 2);
	fake_gateway_declare(s->gw, "declared", 100, 7);
	s->gw->blocked_by = "ip filter FORWARD (hook forward, policy drop)";
	s->gw->on_demand = how & GONE_WAITING;
	s->gw->reload_later = !(how & MEMBER);
	s->gw->no_memory = how & NO_MEMORY;
	if (how & GATEWAY_FAILS)
		s->gw->problem = s->gw->resync_problem = s->gw->reload_problem = &failed;
	hold(server_new(s->event, s->gw, listen_somewhere(s), (gid_t)-1, &s->server) ==
	     0);
}

static void scene_end(struct scene *s)
{
	if (s->client >= 0)
		close(s->client);
	server_free(s->server);
	fake_gateway_free(s->gw);
	sd_event_unref(s->event);
}

/* ------------------------------------------------------------ the client */

static void receive(struct scene *s)
{
	ssize_t n;

	do {
		hold(s->n < ANSWERS_MAX);
		n = recv(s->client, got + s->n, ANSWERS_MAX - s->n, MSG_DONTWAIT);
		s->n += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	s->closed |= n == 0 || (errno != EAGAIN && errno != EINTR);
}

/* Until nothing more happens. */
static void settle(struct scene *s)
{
	int r = 1;

	for (int turns = 0; r > 0; turns++) {
		hold(turns < TURNS_MAX);
		r = sd_event_run(s->event, 0);
		hold(r >= 0);
		if (s->client >= 0)
			receive(s);
	}
}

static void say(struct scene *s, const uint8_t *bytes, size_t len, struct dice *dice)
{
	for (int turns = 0; len && !s->closed; turns++) {
		size_t piece = dice ? dice_piece(dice, len) : len;
		ssize_t n = send(s->client, bytes, piece, MSG_DONTWAIT | MSG_NOSIGNAL);

		hold(turns < TURNS_MAX);
		if (n < 0 && errno != EAGAIN)
			break;
		bytes += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
		settle(s);
	}
}

static void connect_client(struct scene *s)
{
	s->client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	hold(s->client >= 0);
	hold(connect(s->client, (struct sockaddr *)&s->address, s->address_len) == 0);
	settle(s);
}

/* ------------------------------------------------------------ its answers */

struct body_text {
	char *bytes;
	size_t len;
};

static int add(void *userdata, const char *bytes, size_t len)
{
	struct body_text *text = userdata;

	text->bytes = realloc(text->bytes, text->len + len);
	hold(text->bytes);
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
	return 0;
}

static json_t *parse(const char *bytes, size_t len)
{
	struct problem why;
	json_t *json = NULL;

	hold(api_parse(bytes, len, &json, &why) == 0);
	return json;
}

static int on_line(void *userdata, const char *line, size_t len)
{
	json_decref(parse(line, len));
	return 0;
}

static void check_problem(const struct http_head *head, const struct body_text *text)
{
	json_t *json = parse(text->bytes, text->len);
	struct problem problem;

	hold(api_decode_problem(json, &problem) == 0);
	hold(problem.detail[0] && head->status == outcome_of(problem.verdict)->http);
	json_decref(json);
}

/* Answers to what is no HTTP are libmicrohttpd's own, in HTML, and end the connection. */
static bool is_of_library(const struct http_head *head)
{
	return head->status >= 400 && !head->content_type[0] && !head->keep_alive;
}

static void check_body(const struct http_head *head, const struct body_text *text)
{
	struct ndjson lines = { 0 };

	if (!strcmp(head->content_type, "application/problem+json")) {
		check_problem(head, text);
	} else if (!strcmp(head->content_type, "application/json")) {
		hold(head->status == 200 || head->status == 201);
		json_decref(parse(text->bytes, text->len));
	} else if (!strcmp(head->content_type, "application/x-ndjson")) {
		hold(head->status == 200 || head->status == 201);
		hold(ndjson_feed(&lines, text->bytes ? text->bytes : "", text->len,
				 on_line, NULL) == 0);
		hold(lines.len == 0);
		ndjson_done(&lines);
	} else {
		hold(head->status == 100 || is_of_library(head));
	}
}

/* Of an answer to HEAD nothing but the head comes: the next one follows, or nothing. */
static bool has_no_body(const struct scene *s, size_t at, bool asked_heads)
{
	static const char next[] = "HTTP/1.";

	return asked_heads && (at == s->n || (s->n - at >= sizeof(next) - 1 &&
					      !memcmp(got + at, next, 7)));
}

/* It has no end while the client stays. */
static bool is_of_events(const struct http_head *head)
{
	return head->status == 200 && !strcmp(head->content_type, "application/x-ndjson");
}

/* Return: where the next one begins. */
static size_t check_answer(const struct scene *s, size_t at, bool asked_heads)
{
	struct body_text text = { 0 };
	struct http_head head;
	struct http_body body;
	ssize_t n;

	n = http_parse_head(got + at, s->n - at, &head);
	if (n <= 0)
		dprintf(2, "answered, and not understood: %.*s\n", (int)s->n, got);
	hold(n > 0);
	at += (size_t)n;
	if (has_no_body(s, at, asked_heads))
		return at;
	http_body_init(&body, &head);
	n = http_body_feed(&body, got + at, s->n - at, add, &text);
	hold(n >= 0);
	if (!http_body_complete(&body))
		hold(s->closed ? http_body_ends_with_connection(&body)
			       : is_of_events(&head));
	check_body(&head, &text);
	free(text.bytes);
	/* libmicrohttpd 0.9.75 says some of its heads twice (a Content-Length that is no
	 * number): what follows its last word is nobody's */
	if (is_of_library(&head)) {
		hold(s->closed);
		return s->n;
	}
	return at + (size_t)n;
}

static void check_answers(const struct scene *s, const uint8_t *said, size_t len)
{
	const bool asked_heads = memmem(said, len, "HEAD", 4);
	size_t at = 0;

	while (at < s->n)
		at = check_answer(s, at, asked_heads);
}

/* ------------------------------------------------------------ others */

static void on_changed(void *userdata, const struct answer *answer)
{
}

/* Who listens to events hears of it. */
static void somebody_removes(struct scene *s, uint64_t id)
{
	const struct change change = { .kind = CHANGE_REMOVE, .selector.id = id };
	struct change_list list = { 0 };

	hold(change_list_add(&list, &change) == 0);
	if (engine_submit(gateway_engine(s->gw), &list, on_changed, NULL) < 0)
		change_list_done(&list);
	settle(s);
}

static int lowest_descriptor(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int before = lowest_descriptor();
	struct dice dice = dice_of(data, size);
	struct scene s;

	if (!size)
		return 0;
	scene_begin(&s, data[0]);
	connect_client(&s);
	say(&s, data + 1, size - 1, data[0] & IN_PIECES ? &dice : NULL);
	settle(&s);
	check_answers(&s, data + 1, size - 1);
	if (!(data[0] & GONE_WAITING)) {
		somebody_removes(&s, 2);
		check_answers(&s, data + 1, size - 1);
	} else {
		close(s.client);
		s.client = -1;
		settle(&s);
		engine_turn(gateway_engine(s.gw));
		settle(&s);
	}
	scene_end(&s);
	hold(lowest_descriptor() == before);
	return 0;
}
