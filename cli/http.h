/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * http - an HTTP/1.1 answer, taken apart (RFC 9112)
 *
 * Pure: bytes in, values out; the socket is client.h's. Strict, since the only peer is
 * natd: what is ambiguous in RFC 9112 (two lengths, folded lines, bare CR or LF) is an
 * error, never a guess.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* status line and header fields of one answer, at most */
#define HTTP_HEAD_MAX 8192
/* chunk extensions and trailers of one answer, at most: they are skipped */
#define HTTP_SKIP_MAX 8192

/**
 * struct http_head
 * @status:         100..599
 * @content_length: -1 = not said
 * @content_type:   lower case, without parameters; "" = not said
 */
struct http_head {
	int status;
	bool chunked;
	bool keep_alive;
	int64_t content_length;
	char content_type[64];
};

/**
 * http_parse_head() - read the head of an answer
 * @ret: written on success only
 *
 * Return: bytes of the head, with the empty line; 0 when @len bytes are not the whole
 * of it yet; -EBADMSG when this is not HTTP/1; -EMSGSIZE over HTTP_HEAD_MAX.
 */
ssize_t http_parse_head(const char *bytes, size_t len, struct http_head *ret);

/** http_sink - more bytes of a body. Return: 0, or negative to stop */
typedef int (*http_sink)(void *userdata, const char *bytes, size_t len);

/** struct http_body - where in a body we are; all fields private */
struct http_body {
	int state;
	unsigned int digits;
	uint64_t left;
	size_t skipped;
};

void http_body_init(struct http_body *body, const struct http_head *head);

/**
 * http_body_feed() - the next bytes of the connection
 *
 * Stops behind the last byte of the body. Return: bytes used; -EBADMSG when they are no
 * chunks; -EMSGSIZE over HTTP_SKIP_MAX; else what @sink returned.
 */
ssize_t http_body_feed(struct http_body *body, const char *bytes, size_t len,
		       http_sink sink, void *userdata);

/** http_body_complete() - has the last byte been fed? */
bool http_body_complete(const struct http_body *body);
/** http_body_ends_with_connection() - is it over when the peer closes? */
bool http_body_ends_with_connection(const struct http_body *body);
