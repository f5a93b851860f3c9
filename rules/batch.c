/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "rules/batch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* what a message may grow to: one nested list of 64 KiB and what stands around it */
#define MESSAGE_ROOM (72 * 1024)
/* the list's own length is a 16-bit field; an element has less than 256 bytes */
#define LIST_FULL  (UINT16_MAX - 256)
#define FIRST_ROOM (2 * MESSAGE_ROOM)

static bool batch_reserve(struct batch *b, size_t len)
{
	size_t room = b->room ? b->room : FIRST_ROOM;
	char *grown;

	if (b->error)
		return false;
	while (room - b->len < len)
		room *= 2;
	if (room == b->room)
		return true;
	grown = realloc(b->data, room);
	if (!grown) {
		b->error = -ENOMEM;
		return false;
	}
	b->data = grown;
	b->room = room;
	return true;
}

/* NFNL_MSG_BATCH_BEGIN and _END name the subsystem in res_id. */
static void batch_frame(struct batch *b, uint16_t type)
{
	struct nfgenmsg *nfg;
	struct nlmsghdr *nlh;

	if (!batch_reserve(b, MESSAGE_ROOM))
		return;
	nlh = mnl_nlmsg_put_header(b->data + b->len);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = ++*b->seq;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_UNSPEC;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(NFNL_SUBSYS_NFTABLES);
	b->len += nlh->nlmsg_len;
}

void batch_begin(struct batch *b, struct ruleset *rs)
{
	*b = (struct batch){ .seq = &rs->seq };
	batch_frame(b, NFNL_MSG_BATCH_BEGIN);
}

void batch_done(struct batch *b)
{
	free(b->data);
	*b = (struct batch){ 0 };
}

void batch_flush(struct batch *b)
{
	struct nlmsghdr *nlh;

	if (!b->open.header)
		return;
	nlh = (void *)(b->data + b->open.header);
	mnl_attr_nest_end(nlh, (void *)(b->data + b->open.nest));
	b->open.header = 0;
	batch_close(b, nlh);
}

void batch_end(struct batch *b)
{
	batch_flush(b);
	batch_frame(b, NFNL_MSG_BATCH_END);
}

const struct nlmsghdr *batch_next(const struct batch *b, const struct nlmsghdr *prev)
{
	size_t at = 0;

	if (prev)
		at = (size_t)((const char *)prev - b->data) +
		     NLMSG_ALIGN(prev->nlmsg_len);
	return at < b->len ? (const void *)(b->data + at) : NULL;
}

void batch_fail(struct batch *b, int error)
{
	if (!b->error)
		b->error = error;
}

bool batch_is_empty(const struct batch *b)
{
	return !b->last && !b->open.header;
}

struct nlmsghdr *batch_message(struct batch *b, uint16_t type, uint16_t flags)
{
	struct nfgenmsg *nfg;
	struct nlmsghdr *nlh;

	batch_flush(b);
	if (!batch_reserve(b, MESSAGE_ROOM))
		return NULL;
	nlh = mnl_nlmsg_put_header(b->data + b->len);
	nlh->nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++*b->seq;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = NFPROTO_INET;
	nfg->version = NFNETLINK_V0;
	return nlh;
}

void batch_close(struct batch *b, struct nlmsghdr *nlh)
{
	if (!nlh)
		return;
	assert((char *)nlh == b->data + b->len);
	assert(nlh->nlmsg_len <= MESSAGE_ROOM);
	b->last = b->len;
	b->len += NLMSG_ALIGN(nlh->nlmsg_len);
}

void batch_copy(struct batch *b, const struct nlmsghdr *nlh)
{
	struct nlmsghdr *copy;

	batch_flush(b);
	if (!batch_reserve(b, MESSAGE_ROOM))
		return;
	copy = (void *)(b->data + b->len);
	memcpy(copy, nlh, nlh->nlmsg_len);
	copy->nlmsg_seq = ++*b->seq;
	batch_close(b, copy);
}

static void batch_open(struct batch *b, uint16_t type, uint16_t flags, const char *set)
{
	struct nlmsghdr *nlh = batch_message(b, type, flags);
	struct nlattr *nest;

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
	nest = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	b->open.header = (size_t)((char *)nlh - b->data);
	b->open.nest = (size_t)((char *)nest - b->data);
	b->open.set = set;
	b->open.type = type;
	b->open.flags = flags;
}

static void put_value(struct nlmsghdr *nlh, uint16_t type, const void *bytes, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, bytes);
	mnl_attr_nest_end(nlh, nest);
}

static void put_verdict(struct nlmsghdr *nlh, const struct element *e)
{
	struct nlattr *data = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_DATA);
	struct nlattr *verdict = mnl_attr_nest_start(nlh, NFTA_DATA_VERDICT);

	mnl_attr_put_u32(nlh, NFTA_VERDICT_CODE, htonl((uint32_t)e->verdict));
	mnl_attr_put_strz(nlh, NFTA_VERDICT_CHAIN, e->chain);
	mnl_attr_nest_end(nlh, verdict);
	mnl_attr_nest_end(nlh, data);
}

void batch_element(struct batch *b, uint16_t type, uint16_t flags, const char *set,
		   const struct element *e)
{
	struct nlmsghdr *nlh;
	struct nlattr *nest;

	if (b->open.header) {
		nlh = (void *)(b->data + b->open.header);
		if (b->open.type != type || b->open.flags != flags ||
		    strcmp(b->open.set, set) != 0 ||
		    nlh->nlmsg_len - (b->open.nest - b->open.header) > LIST_FULL)
			batch_flush(b);
	}
	if (!b->open.header)
		batch_open(b, type, flags, set);
	if (b->error)
		return;
	nlh = (void *)(b->data + b->open.header);
	nest = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	if (e->flags)
		mnl_attr_put_u32(nlh, NFTA_SET_ELEM_FLAGS, htonl(e->flags));
	if (e->key)
		put_value(nlh, NFTA_SET_ELEM_KEY, e->key, e->key_len);
	if (e->end)
		put_value(nlh, NFTA_SET_ELEM_KEY_END, e->end, e->key_len);
	if (e->data)
		put_value(nlh, NFTA_SET_ELEM_DATA, e->data, e->data_len);
	if (e->chain)
		put_verdict(nlh, e);
	mnl_attr_nest_end(nlh, nest);
}
