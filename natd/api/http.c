/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * libmicrohttpd runs when its epoll descriptor says so, when a timeout of its is due, and
 * again at once where it has more to do than it did in one go. It calls on_request() with
 * the head, with each piece of the body, and when the request is whole; only then is it
 * answered, since an answer before the body ends the connection. Where the answer is not
 * there yet the connection is suspended; resumed, it calls on_request() once more.
 *
 * A suspended connection is not watched: a client that goes away meanwhile is noticed
 * when the answer is sent.
 */

#include "natd/api/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "natd/api/server_private.h"
#include "natd/common/log.h"
#include "natd/common/memory.h"

void request_hold(struct request *request)
{
	request->references++;
}

void request_drop(struct request *request)
{
	if (--request->references)
		return;
	body_done(&request->body);
	if (request->response)
		MHD_destroy_response(request->response);
	free(request);
}

struct gateway *request_gateway(const struct request *request)
{
	return request->gw;
}

void http_schedule(struct server *server)
{
	int r;

	r = sd_event_source_set_enabled(server->again, SD_EVENT_ONESHOT);
	if (r < 0)
		log_error("The API stands still: %s.", strerror(-r));
}

static enum MHD_Result queue(struct request *request)
{
	const struct server *server = request->server;

	if (!request->response)
		return MHD_queue_response(
			request->connection, MHD_HTTP_INTERNAL_SERVER_ERROR,
			request->decided ? server->untold : server->no_memory);
	return MHD_queue_response(request->connection, request->status,
				  request->response);
}

/*
 * The refusal waits until the body is through, so that the connection can go on; unless
 * the client waits for a sign before it sends one, or announces more than is put up with.
 */
static enum MHD_Result refuse_head(struct request *request, const char *allow)
{
	body_refuse(&request->body);
	reply_problem(request, &request->body.why, NULL);
	request->handled = true;
	if (allow[0] && request->response)
		MHD_add_response_header(request->response, "Allow", allow);
	if (request_header(request, "Expect")[0] ||
	    request_length(request) > BODY_DRAIN_MAX)
		return queue(request);
	return MHD_YES;
}

static enum MHD_Result begin(struct server *server, struct MHD_Connection *connection,
			     const char *method, const char *path, void **ret)
{
	const union MHD_ConnectionInfo *info;
	struct client *client;
	struct request *request;
	char allow[ALLOW_STRLEN] = "";
	int r;

	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	request = calloc(1, sizeof(*request));
	if (!info || !info->socket_context || !request) {
		free(request);
		return MHD_NO;
	}
	client = info->socket_context;
	request->references = 1;
	request->connection = connection;
	request->server = server;
	request->gw = server->gw;
	request->client = client;
	peer_judge(&client->credentials, server->uid, &gateway_config(server->gw)->access,
		   &request->peer);
	request->head = !strcmp(method, "HEAD");
	LIST_INSERT_HEAD(&server->requests, request, link);
	*ret = request;
	body_init(&request->body, BODY_NONE, &server->bodies);
	r = request_judge(request, method, path, allow, &request->body.why);
	if (r < 0)
		return refuse_head(request, allow);
	return MHD_YES;
}

static uint64_t now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/*
 * libmicrohttpd goes on with a connection as long as there is something to do: with one
 * request after the other of those that came at once. Here a client has one in a turn of
 * the loop, and all who are not administrators together have what one turn may take.
 */
static bool must_wait(const struct request *request)
{
	const struct server *server = request->server;

	if (request->admitted)
		return false;
	if (request->client->turn == server->turn)
		return true;
	return !request->peer.administrator &&
	       (!TAILQ_EMPTY(&server->waiting) || server->begun >= server->quota ||
		now_usec() - server->turn_start > SERVER_TURN_USEC);
}

static enum MHD_Result wait_for_turn(struct request *request)
{
	struct request_queue *waiting = &request->server->waiting;

	if (request->peer.administrator)
		TAILQ_INSERT_HEAD(waiting, request, next);
	else
		TAILQ_INSERT_TAIL(waiting, request, next);
	request->waiting = true;
	request->suspended = true;
	MHD_suspend_connection(request->connection);
	return MHD_YES;
}

static void stop_waiting(struct request *request)
{
	if (request->waiting)
		TAILQ_REMOVE(&request->server->waiting, request, next);
	request->waiting = false;
}

/* How long the next ones take nobody knows: as many as took that long last time. */
static void adapt_quota(struct server *server)
{
	if (server->turn_usec > SERVER_TURN_USEC)
		server->quota = server->begun / 2;
	else if (server->begun >= server->quota)
		server->quota *= 2;
	if (server->quota < 1)
		server->quota = 1;
	if (server->quota > SERVER_CLIENTS_MAX)
		server->quota = SERVER_CLIENTS_MAX;
}

static void begin_turn(struct server *server)
{
	struct request *request;

	adapt_quota(server);
	server->turn++;
	server->begun = 0;
	server->turn_start = now_usec();
	for (unsigned int i = 0; i < server->quota; i++) {
		request = TAILQ_FIRST(&server->waiting);
		if (!request)
			return;
		stop_waiting(request);
		request->admitted = true;
		request->suspended = false;
		MHD_resume_connection(request->connection);
	}
}

static enum MHD_Result finish(struct request *request)
{
	if (!request->handled) {
		request->client->asked = true;
		if (must_wait(request))
			return wait_for_turn(request);
		request->handled = true;
		request->client->turn = request->server->turn;
		request->server->begun++;
		body_end(&request->body);
		if (request->body.refused)
			reply_problem(request, &request->body.why, NULL);
		else
			request->route->handle(request);
		/* somebody holds it beside the connection: it will be answered */
		if (!request->response && request->references > 1) {
			request->suspended = true;
			MHD_suspend_connection(request->connection);
			return MHD_YES;
		}
	}
	return queue(request);
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection,
				  const char *path, const char *method,
				  const char *version, const char *bytes, size_t *len,
				  void **context)
{
	struct request *request = *context;
	size_t n = *len;

	if (!request)
		return begin(userdata, connection, method, path, context);
	if (!n)
		return finish(request);
	*len = 0;
	return body_feed(&request->body, bytes, n) < 0 ? MHD_NO : MHD_YES;
}

/* The time for its next request begins. */
static void client_pauses(struct server *server, struct client *client)
{
	client->asked = false;
	sd_event_now(server->event, CLOCK_MONOTONIC, &client->since);
}

static void on_completed(void *userdata, struct MHD_Connection *connection,
			 void **context, enum MHD_RequestTerminationCode code)
{
	struct request *request = *context;
	bool large;

	if (!request)
		return;
	*context = NULL;
	LIST_REMOVE(request, link);
	stop_waiting(request);
	client_pauses(request->server, request->client);
	/* it counts into server->bodies, which a callback must not touch any more */
	body_done(&request->body);
	request->body.shared = NULL;
	request->connection = NULL;
	large = request->large;
	request_drop(request);
	if (large)
		memory_trim();
}

static void on_connection(void *userdata, struct MHD_Connection *connection,
			  void **context, enum MHD_ConnectionNotificationCode code)
{
	struct server *server = userdata;
	struct client *client = *context;

	switch (code) {
	case MHD_CONNECTION_NOTIFY_STARTED:
		*context = client = server->arriving;
		server->arriving = NULL;
		client_pauses(server, client);
		LIST_INSERT_HEAD(&server->clients, client, link);
		server->n_clients++;
		server->crowded |= server->n_clients >= SERVER_CROWD;
		break;
	case MHD_CONNECTION_NOTIFY_CLOSED:
		LIST_REMOVE(client, link);
		server->n_clients--;
		client_free(client);
		if (!server->crowded || server->n_clients > SERVER_CROWD / 4)
			break;
		server->crowded = false;
		memory_trim();
		break;
	}
}

/* A NUL would end the text that it stands in before its end: it stays as it is written.
 */
static size_t unescape(void *userdata, struct MHD_Connection *connection, char *text)
{
	return strstr(text, "%00") ? strlen(text) : MHD_http_unescape(text);
}

/* ------------------------------------------------------------ the loop */

static int arm_timer(struct server *server, uint64_t milliseconds)
{
	uint64_t now, due;
	int r, enabled = SD_EVENT_OFF;

	r = sd_event_now(server->event, CLOCK_MONOTONIC, &now);
	if (r < 0)
		return r;
	due = now + milliseconds * 1000;
	sd_event_source_get_enabled(server->timer, &enabled);
	/* One that is too early runs for nothing; setting it for each request costs more.
	 */
	if (enabled != SD_EVENT_OFF && server->deadline <= due)
		return 0;
	server->deadline = due;
	r = sd_event_source_set_time(server->timer, due);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(server->timer, SD_EVENT_ONESHOT);
}

/*
 * libmicrohttpd hangs up on who is silent; who sends a byte now and then would keep his
 * place for ever. He is sent away by the end of his stream.
 */
static void hang_up_on_the_slow(struct server *server)
{
	const uint64_t second = 1000000;
	const struct client *client;
	uint64_t now;

	if (sd_event_now(server->event, CLOCK_MONOTONIC, &now) < 0 ||
	    now < server->next_look)
		return;
	server->next_look = now + second / 2;
	LIST_FOREACH(client, &server->clients, link)
	{
		if (client->asked ||
		    now - client->since < SERVER_REQUEST_SECONDS * second)
			continue;
		log_debug("uid %u (pid %d) took too long with a request.",
			  client->peer.uid, client->peer.pid);
		shutdown(client->fd, SHUT_RDWR);
	}
}

int http_run(struct server *server)
{
	MHD_UNSIGNED_LONG_LONG milliseconds;

	hang_up_on_the_slow(server);
	begin_turn(server);
	MHD_run(server->mhd);
	server->turn_usec = now_usec() - server->turn_start;
	if (!TAILQ_EMPTY(&server->waiting))
		return sd_event_source_set_enabled(server->again, SD_EVENT_ONESHOT);
	if (MHD_get_timeout(server->mhd, &milliseconds) != MHD_YES)
		return 0;
	if (milliseconds)
		return arm_timer(server, milliseconds);
	return sd_event_source_set_enabled(server->again, SD_EVENT_ONESHOT);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	return http_run(userdata);
}

static int on_again(sd_event_source *source, void *userdata)
{
	return http_run(userdata);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	return http_run(userdata);
}

int http_add(struct server *server, int fd, struct client *client)
{
	const struct sockaddr address = { .sa_family = AF_UNIX };

	client->fd = fd;
	server->arriving = client;
	if (MHD_add_connection(server->mhd, fd, &address, sizeof(address)) == MHD_YES) {
		http_schedule(server);
		return 0;
	}
	free(server->arriving);
	server->arriving = NULL;
	return -ENOMEM;
}

static struct MHD_Daemon *start_daemon(struct server *server)
{
	return MHD_start_daemon(
		MHD_USE_NO_LISTEN_SOCKET | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0,
		NULL, NULL, on_request, server,				       /* */
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)SERVER_CLIENTS_MAX, /* */
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)SERVER_IDLE_SECONDS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SERVER_CONNECTION_MEMORY,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,   /* */
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, /* */
		MHD_OPTION_UNESCAPE_CALLBACK, unescape, server, MHD_OPTION_END);
}

static int add_sources(struct server *server)
{
	const union MHD_DaemonInfo *info;
	int r;

	info = MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return -ENOMEM;
	r = sd_event_add_io(server->event, &server->io, info->epoll_fd, EPOLLIN, on_io,
			    server);
	if (r >= 0)
		r = sd_event_source_set_priority(server->io, ENGINE_PRIORITY);
	if (r >= 0)
		r = sd_event_add_defer(server->event, &server->again, on_again, server);
	if (r >= 0)
		r = sd_event_source_set_priority(server->again, ENGINE_PRIORITY);
	if (r >= 0)
		r = sd_event_source_set_enabled(server->again, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(server->event, &server->timer, CLOCK_MONOTONIC, 0,
				      0, on_timer, server);
	if (r >= 0)
		r = sd_event_source_set_enabled(server->timer, SD_EVENT_OFF);
	return r < 0 ? r : 0;
}

int http_start(struct server *server)
{
	server->no_memory = reply_make_no_memory();
	server->untold = reply_make_untold();
	if (!server->no_memory || !server->untold)
		return -ENOMEM;
	errno = 0;
	server->mhd = start_daemon(server);
	if (!server->mhd)
		return errno == EMFILE || errno == ENFILE ? -EMFILE : -ENOMEM;
	return add_sources(server);
}

void http_stop(struct server *server)
{
	struct request *request;

	sd_event_source_disable_unref(server->io);
	sd_event_source_disable_unref(server->again);
	sd_event_source_disable_unref(server->timer);
	LIST_FOREACH(request, &server->requests, link)
	{
		if (!request->suspended)
			continue;
		request->suspended = false;
		MHD_resume_connection(request->connection);
	}
	if (server->mhd)
		MHD_stop_daemon(server->mhd);
	if (server->no_memory)
		MHD_destroy_response(server->no_memory);
	if (server->untold)
		MHD_destroy_response(server->untold);
}
