/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * resource_events - the stream of what happens
 *
 * Theory of operation
 *
 * An answer without an end: libmicrohttpd asks for more whenever the client has taken
 * what there was. Where there is nothing its connection is suspended, which also stops
 * the clock for idle clients, and is resumed by the next event. A client that hangs up
 * meanwhile is seen here, since libmicrohttpd does not look at it. One that does not
 * take what there is runs into the time limit of every connection.
 */

#include "natd/api/resources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "core/text.h"
#include "natd/api/server_private.h"
#include "natd/events/events.h"

const char *const events_filters[] = { "since", NULL };

/**
 * struct feed - a stream
 * @request: good until libmicrohttpd frees the feed
 * @hangup:  while it is suspended: has the client gone?
 */
struct feed {
	LIST_ENTRY(feed) link;
	struct events_reader reader;
	struct request *request;
	struct server *server;
	struct peer peer;
	struct buffer batch;
	size_t taken; /* of the batch */
	bool over, gone;
	sd_event_source *hangup;
};

static void resume(struct feed *feed)
{
	struct request *request = feed->request;

	feed->hangup = sd_event_source_disable_unref(feed->hangup);
	if (!request->suspended)
		return;
	request->suspended = false;
	MHD_resume_connection(request->connection);
	http_schedule(feed->server);
}

static void on_event(void *userdata)
{
	resume(userdata);
}

static int on_hangup(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct feed *feed = userdata;

	feed->gone = true;
	events_leave(&feed->reader);
	resume(feed);
	return 0;
}

/* Return: 0, or a negative errno: who cannot be watched is not kept. */
static int rest(struct feed *feed)
{
	struct MHD_Connection *connection = feed->request->connection;
	const union MHD_ConnectionInfo *info;
	int r;

	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (!info)
		return -ENOTCONN;
	r = sd_event_add_io(feed->server->event, &feed->hangup, info->connect_fd,
			    EPOLLHUP, on_hangup, feed);
	if (r < 0)
		return r;
	buffer_done(&feed->batch);
	feed->taken = 0;
	events_wait(&feed->reader);
	feed->request->suspended = true;
	MHD_suspend_connection(connection);
	return 0;
}

static void next_batch(struct feed *feed)
{
	feed->taken = 0;
	feed->batch.len = 0;
	if (!feed->over)
		feed->over = events_read(&feed->reader, &feed->batch) == EVENTS_OVER;
}

static ssize_t on_read(void *userdata, uint64_t position, char *buf, size_t room)
{
	struct feed *feed = userdata;
	size_t n;

	if (feed->taken == feed->batch.len)
		next_batch(feed);
	if (feed->gone || feed->batch.failed)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	n = feed->batch.len - feed->taken;
	if (!n && feed->over)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!n)
		return rest(feed) < 0 ? MHD_CONTENT_READER_END_WITH_ERROR : 0;
	if (n > room)
		n = room;
	memcpy(buf, feed->batch.bytes + feed->taken, n);
	feed->taken += n;
	return (ssize_t)n;
}

static void feed_free(void *userdata)
{
	struct feed *feed = userdata;

	events_leave(&feed->reader);
	sd_event_source_disable_unref(feed->hangup);
	buffer_done(&feed->batch);
	LIST_REMOVE(feed, link);
	feed->server->n_feeds--;
	free(feed);
}

/* ------------------------------------------------------------ who may */

static int read_since(const struct request *request, const uint64_t **ret, uint64_t *seq,
		      struct problem *why)
{
	const char *text = request_parameter(request, "since");
	char shown[64];
	char *end;

	*ret = NULL;
	if (!text)
		return 0;
	errno = 0;
	*seq = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && !*end && !errno) {
		*ret = seq;
		return 0;
	}
	problem_set(why, VERDICT_BAD_REQUEST, "Give the seq of the last event you know.",
		    "The parameter \"since\": \"%s\" is no number of an event.",
		    text_escape(text, strlen(text), shown, sizeof(shown)));
	return -EINVAL;
}

static size_t count_of(const struct server *server, uid_t uid)
{
	const struct feed *feed;
	size_t n = 0;

	LIST_FOREACH(feed, &server->feeds, link)
	n += feed->peer.uid == uid;
	return n;
}

static const char *find_no_place(const struct server *server, const struct peer *peer)
{
	const size_t max =
		SERVER_FEEDS_MAX - (peer->administrator ? 0 : SERVER_FEEDS_KEPT);

	if (server->n_feeds >= max)
		return "natd tells its events to as many as it can.";
	if (!peer->administrator && count_of(server, peer->uid) >= SERVER_FEEDS_PER_UID)
		return "You have as many streams of events as one user may.";
	return NULL;
}

/* Return: NULL = no memory. */
static struct MHD_Response *feed_response(struct request *request, const uint64_t *since)
{
	struct server *server = request->server;
	struct MHD_Response *response;
	struct feed *feed;

	feed = calloc(1, sizeof(*feed));
	if (!feed)
		return NULL;
	feed->request = request;
	feed->server = server;
	feed->peer = request->peer;
	LIST_INSERT_HEAD(&server->feeds, feed, link);
	server->n_feeds++;
	events_join(gateway_events(server->gw), &feed->reader, since, on_event, feed);
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BATCH,
						     on_read, feed, feed_free);
	if (!response)
		feed_free(feed);
	else if (request->head) /* as in stream.c */
		MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT,
					 MHD_RO_END);
	return response;
}

void events_stream(struct request *request)
{
	const uint64_t *since;
	const char *no_place;
	struct problem why;
	uint64_t seq;

	no_place = find_no_place(request->server, &request->peer);
	if (no_place) {
		problem_set(&why, VERDICT_BUSY, "End one, or try again later.", "%s",
			    no_place);
		reply_problem(request, &why, NULL);
	} else if (read_since(request, &since, &seq, &why) < 0) {
		reply_problem(request, &why, NULL);
	} else {
		reply_response(request, MHD_HTTP_OK, feed_response(request, since));
	}
}
