/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * batch - one nf_tables transaction
 *
 * Messages are appended to a buffer that grows; nothing reaches the kernel before
 * batch_send(). The first error of any step is kept and answered there, so that builders
 * need not look at each. Only the last message asks for an acknowledgement: asking for
 * all overflows the socket's receive buffer although everything was committed.
 */

#include <stddef.h>
#include <stdint.h>

#include "rules/ruleset_private.h"

/**
 * struct batch - zero-initialised it is empty
 * @seq:   number of the next message, counted in the ruleset
 * @error: first thing that went wrong, a negative errno
 * @last:  offset of the last message
 * @open:  what the unfinished message of elements is about; @open.header == 0: none
 */
struct batch {
	char *data;
	size_t len;
	size_t room;
	size_t last;
	uint32_t *seq;
	int error;
	struct {
		size_t header; /* offset, or 0 */
		size_t nest;   /* offset of the list's attribute */
		const char *set;
		uint16_t type;
		uint16_t flags;
	} open;
};

/** batch_begin() - start a transaction that numbers its messages in @rs */
void batch_begin(struct batch *b, struct ruleset *rs);
void batch_done(struct batch *b);

/** batch_fail() - a step outside failed; the first error stays */
void batch_fail(struct batch *b, int error);

/** batch_is_empty() - nothing was appended since batch_begin()? */
bool batch_is_empty(const struct batch *b);

/**
 * batch_message() - append a header
 * @type:  NFT_MSG_*
 * @flags: NLM_F_CREATE and the like
 *
 * Attributes may be put behind it as far as 64 KiB; then batch_close() is due.
 *
 * Return: borrowed until the next message; NULL after an error.
 */
struct nlmsghdr *batch_message(struct batch *b, uint16_t type, uint16_t flags);
void batch_close(struct batch *b, struct nlmsghdr *nlh);

/** batch_copy() - append a whole message that stands elsewhere */
void batch_copy(struct batch *b, const struct nlmsghdr *nlh);

/** struct element - one element of a set as it travels; the bytes are borrowed
 * @end:  of an interval of concatenated fields, as long as @key; else NULL
 * @data: NULL in a set, or where only the key matters
 * @chain: of a verdict map: where @verdict leads; else NULL
 * @flags: NFT_SET_ELEM_* */
struct element {
	const void *key;
	const void *end;
	const void *data;
	const char *chain;
	uint16_t key_len;
	uint16_t data_len;
	int32_t verdict;
	uint32_t flags;
};

/**
 * batch_element() - add to a set, or take away
 * @type:  NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM
 * @flags: NLM_F_CREATE, NLM_F_EXCL
 * @set:   borrowed until the next message
 *
 * Neighbours of one kind share a message, as many as a netlink attribute can hold.
 */
void batch_element(struct batch *b, uint16_t type, uint16_t flags, const char *set,
		   const struct element *e);

/** batch_flush() - close the message of elements that is still being filled */
void batch_flush(struct batch *b);
/** batch_end() - close the transaction: without it, it is judged and not applied */
void batch_end(struct batch *b);

/** batch_next() - the message behind @prev, NULL starts and ends; of a flushed batch */
const struct nlmsghdr *batch_next(const struct batch *b, const struct nlmsghdr *prev);

/**
 * batch_send() - hand the transaction to the kernel and read its verdict
 * @why:  written when it is refused
 *
 * Return: 0 when it is in force. -EMSGSIZE when the socket may not send so much (nothing
 * was sent); -ENOMEM; -ENOBUFS when the verdict was lost, so that it may or may not be in
 * force; else the first error the kernel named.
 */
int batch_send(struct batch *b, struct ruleset *rs, struct ruleset_fault *why);

/** batch_try() - have the transaction judged and not applied. Return: as batch_send() */
int batch_try(struct batch *b, struct ruleset *rs);
