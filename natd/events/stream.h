/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * stream - an answer of any length, written a batch at a time
 *
 * Only as much as the client takes is ever there as text.
 */

#include <microhttpd.h>

#include "natd/common/buffer.h"

/* written at one go before the other clients have their turn */
#define STREAM_BATCH 16384

/**
 * stream_more - write the next batch: about STREAM_BATCH bytes
 * Return: is there more to come?
 */
typedef bool (*stream_more)(void *state, struct buffer *buffer);

/**
 * stream_response() - what fits into one batch is written now, the rest when it is due
 * @state: taken over, also on failure
 * @free_state: lets go of it
 * @head: the request is a HEAD: the body will not be sent
 *
 * Return: owned by the caller, or NULL (no memory).
 */
struct MHD_Response *stream_response(stream_more more, void *state,
				     void (*free_state)(void *state), bool head);
