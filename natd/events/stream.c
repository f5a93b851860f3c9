/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/events/stream.h"

#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"

struct stream {
	struct buffer batch;
	size_t taken; /* of the batch */
	bool ended;
	stream_more more;
	void *state;
	void (*free_state)(void *state);
};

static void stream_free(void *userdata)
{
	struct stream *stream = userdata;

	buffer_done(&stream->batch);
	stream->free_state(stream->state);
	free(stream);
}

static void next_batch(struct stream *stream)
{
	stream->taken = 0;
	stream->batch.len = 0;
	while (!stream->ended && !stream->batch.len && !stream->batch.failed)
		stream->ended = !stream->more(stream->state, &stream->batch);
}

static ssize_t on_read(void *userdata, uint64_t position, char *buf, size_t room)
{
	struct stream *stream = userdata;
	size_t n;

	if (stream->taken == stream->batch.len)
		next_batch(stream);
	if (stream->batch.failed)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	n = stream->batch.len - stream->taken;
	if (!n)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n > room)
		n = room;
	memcpy(buf, stream->batch.bytes + stream->taken, n);
	stream->taken += n;
	return (ssize_t)n;
}

/* Whole already: its length can be told, and nothing need be kept for it. */
static struct MHD_Response *short_response(struct stream *stream)
{
	struct MHD_Response *response;

	if (!stream->batch.bytes)
		return MHD_create_response_from_buffer(0, (void *)"",
						       MHD_RESPMEM_PERSISTENT);
	response = MHD_create_response_from_buffer(stream->batch.len, stream->batch.bytes,
						   MHD_RESPMEM_MUST_FREE);
	if (response)
		stream->batch = (struct buffer){ 0 };
	return response;
}

struct MHD_Response *stream_response(stream_more more, void *state,
				     void (*free_state)(void *state), bool head)
{
	struct MHD_Response *response = NULL;
	struct stream *stream;

	stream = calloc(1, sizeof(*stream));
	if (!stream) {
		free_state(state);
		return NULL;
	}
	*stream =
		(struct stream){ .more = more, .state = state, .free_state = free_state };
	next_batch(stream);
	if (!stream->batch.failed && !stream->ended)
		response = MHD_create_response_from_callback(
			MHD_SIZE_UNKNOWN, STREAM_BATCH, on_read, stream, stream_free);
	if (response) {
		/* libmicrohttpd 0.9.75 ends even a body that it does not send in chunks
		 */
		if (head)
			MHD_set_response_options(
				response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
		return response;
	}
	if (stream->ended && !stream->batch.failed)
		response = short_response(stream);
	stream_free(stream);
	return response;
}
