/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "rules/rule_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/expr.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <string.h>

#include "core/cleanup.h"

DEFINE_CLEANUP(nftnl_set_free, struct nftnl_set *)

void rule_begin(struct rule *r, const char *chain)
{
	r->never = false;
	r->nftnl = nftnl_rule_alloc();
	if (!r->nftnl ||
	    nftnl_rule_set_str(r->nftnl, NFTNL_RULE_TABLE, RULESET_TABLE) < 0 ||
	    nftnl_rule_set_str(r->nftnl, NFTNL_RULE_CHAIN, chain) < 0)
		batch_fail(r->batch, -ENOMEM);
}

static void put_rule(struct rule *r)
{
	struct nlmsghdr *nlh;

	if (r->image)
		image_add_batch(r->image, r->batch);
	nlh = batch_message(r->batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	if (!nlh)
		return;
	nftnl_rule_nlmsg_build_payload(nlh, r->nftnl);
	batch_close(r->batch, nlh);
	if (r->image)
		image_add_rule(r->image, r->nftnl, r->batch);
}

void rule_end(struct rule *r)
{
	if (!r->never && !r->batch->error)
		put_rule(r);
	if (r->nftnl)
		nftnl_rule_free(r->nftnl);
	r->nftnl = NULL;
}

struct nftnl_expr *rule_add(struct rule *r, const char *name)
{
	struct nftnl_expr *e;

	if (r->batch->error)
		return NULL;
	e = nftnl_expr_alloc(name);
	if (!e) {
		batch_fail(r->batch, -ENOMEM);
		return NULL;
	}
	nftnl_rule_add_expr(r->nftnl, e);
	return e;
}

uint32_t rule_reg(unsigned reg)
{
	return reg % 4 ? NFT_REG32_00 + reg : NFT_REG_1 + reg / 4;
}

void rule_set_bytes(struct rule *r, struct nftnl_expr *e, uint16_t attr,
		    const void *bytes, uint32_t len)
{
	if (nftnl_expr_set(e, attr, bytes, len) < 0)
		batch_fail(r->batch, -ENOMEM);
}

void rule_set_name(struct rule *r, struct nftnl_expr *e, uint16_t attr, const char *name)
{
	if (nftnl_expr_set_str(e, attr, name) < 0)
		batch_fail(r->batch, -ENOMEM);
}

/* ------------------------------------------------------------------ loads */

void rule_meta(struct rule *r, enum nft_meta_keys key, unsigned reg)
{
	struct nftnl_expr *e = rule_add(r, "meta");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, rule_reg(reg));
}

void rule_payload(struct rule *r, enum nft_payload_bases base, uint32_t offset,
		  uint32_t len, unsigned reg)
{
	struct nftnl_expr *e = rule_add(r, "payload");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, rule_reg(reg));
}

void rule_ct_original(struct rule *r, enum nft_ct_keys key, unsigned reg)
{
	struct nftnl_expr *e = rule_add(r, "ct");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u8(e, NFTNL_EXPR_CT_DIR, 0);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, rule_reg(reg));
}

void rule_fib(struct rule *r, enum nft_fib_result result, uint32_t flags)
{
	struct nftnl_expr *e = rule_add(r, "fib");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, result);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, flags);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, rule_reg(REG0));
}

void rule_saddr(struct rule *r, uint8_t family, unsigned reg)
{
	if (family == NFPROTO_IPV4)
		rule_payload(r, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct iphdr, saddr),
			     4, reg);
	else
		rule_payload(r, NFT_PAYLOAD_NETWORK_HEADER,
			     offsetof(struct ip6_hdr, ip6_src), 16, reg);
}

void rule_daddr(struct rule *r, uint8_t family, unsigned reg)
{
	if (family == NFPROTO_IPV4)
		rule_payload(r, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct iphdr, daddr),
			     4, reg);
	else
		rule_payload(r, NFT_PAYLOAD_NETWORK_HEADER,
			     offsetof(struct ip6_hdr, ip6_dst), 16, reg);
}

/* TCP and UDP, and all we translate, have their ports in the same place. */
void rule_sport(struct rule *r, unsigned reg)
{
	rule_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(struct udphdr, source), 2,
		     reg);
}

void rule_dport(struct rule *r, unsigned reg)
{
	rule_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(struct udphdr, dest), 2,
		     reg);
}

/* ------------------------------------------------------------------ tests */

void rule_compare(struct rule *r, enum nft_cmp_ops op, const void *value, uint32_t len)
{
	struct nftnl_expr *e = rule_add(r, "cmp");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, rule_reg(REG0));
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	rule_set_bytes(r, e, NFTNL_EXPR_CMP_DATA, value, len);
}

void rule_is_u8(struct rule *r, uint8_t value)
{
	rule_compare(r, NFT_CMP_EQ, &value, sizeof(value));
}

void rule_mask(struct rule *r, const void *mask, uint32_t len)
{
	static const uint8_t zero[16];
	struct nftnl_expr *e = rule_add(r, "bitwise");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, rule_reg(REG0));
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, rule_reg(REG0));
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, len);
	rule_set_bytes(r, e, NFTNL_EXPR_BITWISE_MASK, mask, len);
	rule_set_bytes(r, e, NFTNL_EXPR_BITWISE_XOR, zero, len);
}

struct nftnl_expr *rule_lookup(struct rule *r, const char *set, uint32_t id)
{
	struct nftnl_expr *e = rule_add(r, "lookup");

	if (!e)
		return NULL;
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, rule_reg(REG0));
	rule_set_name(r, e, NFTNL_EXPR_LOOKUP_SET, set);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SET_ID, id);
	return e;
}

void rule_in(struct rule *r, enum set_id set)
{
	rule_lookup(r, set_specs[set].name, set + 1);
}

void rule_not_in(struct rule *r, enum set_id set)
{
	struct nftnl_expr *e = rule_lookup(r, set_specs[set].name, set + 1);

	if (e)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

static int fill_anonymous(struct nftnl_set *set, uint32_t id, const struct values *v)
{
	struct nftnl_set_elem *elem;

	if (nftnl_set_set_str(set, NFTNL_SET_TABLE, RULESET_TABLE) < 0 ||
	    nftnl_set_set_str(set, NFTNL_SET_NAME, "__set%d") < 0)
		return -ENOMEM;
	nftnl_set_set_u32(set, NFTNL_SET_ID, id);
	nftnl_set_set_u32(set, NFTNL_SET_FLAGS, NFT_SET_ANONYMOUS | NFT_SET_CONSTANT);
	nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, v->type);
	nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, v->len);
	nftnl_set_set_u32(set, NFTNL_SET_DESC_SIZE, (uint32_t)v->n);
	for (size_t i = 0; i < v->n; i++) {
		elem = nftnl_set_elem_alloc();
		if (!elem)
			return -ENOMEM;
		nftnl_set_elem_add(set, elem);
		if (nftnl_set_elem_set(elem, NFTNL_SET_ELEM_KEY,
				       (const char *)v->values + i * v->len, v->len) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* As with named sets, a note tells nft in which byte order to print them. */
static int note_anonymous(struct nftnl_set *set, const struct values *v)
{
	struct nftnl_udata_buf *notes = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
	int r;

	if (!notes)
		return -ENOMEM;
	nftnl_udata_put_u32(notes, NFTNL_UDATA_SET_KEYBYTEORDER,
			    v->type == TYPE_IFNAME ? 1 : 2);
	r = nftnl_set_set_data(set, NFTNL_SET_USERDATA, nftnl_udata_buf_data(notes),
			       nftnl_udata_buf_len(notes));
	nftnl_udata_buf_free(notes);
	return r;
}

static uint32_t put_anonymous(struct rule *r, const struct values *v)
{
	CLEANUP(nftnl_set_free) struct nftnl_set *set = nftnl_set_alloc();
	uint32_t id = SET_COUNT + ++r->n_anonymous;
	struct nlmsghdr *nlh;

	if (!set || fill_anonymous(set, id, v) < 0 || note_anonymous(set, v) < 0) {
		batch_fail(r->batch, -ENOMEM);
		return id;
	}
	nlh = batch_message(r->batch, NFT_MSG_NEWSET, NLM_F_CREATE);
	if (nlh)
		nftnl_set_nlmsg_build_payload(nlh, set);
	batch_close(r->batch, nlh);
	nlh = batch_message(r->batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
	if (nlh)
		nftnl_set_elems_nlmsg_build_payload(nlh, set);
	batch_close(r->batch, nlh);
	return id;
}

void rule_in_any(struct rule *r, enum nft_cmp_ops op, const struct values *v)
{
	struct nftnl_expr *e;

	if (v->n == 1) {
		rule_compare(r, op, v->values, v->len);
		return;
	}
	e = rule_lookup(r, "__set%d", put_anonymous(r, v));
	if (e && op == NFT_CMP_NEQ)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

void rule_family(struct rule *r, uint8_t family)
{
	rule_meta(r, NFT_META_NFPROTO, REG0);
	rule_is_u8(r, family);
}

void rule_protocol(struct rule *r, uint8_t protocol)
{
	rule_meta(r, NFT_META_L4PROTO, REG0);
	rule_is_u8(r, protocol);
}

void rule_ct_bits(struct rule *r, enum nft_ct_keys key, uint32_t bits)
{
	static const uint32_t none;
	struct nftnl_expr *e = rule_add(r, "ct");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, rule_reg(REG0));
	rule_mask(r, &bits, sizeof(bits));
	rule_compare(r, NFT_CMP_NEQ, &none, sizeof(none));
}

void rule_is_link_local(struct rule *r)
{
	static const uint8_t mask[16] = { 0xff, 0xc0 };
	static const uint8_t value[16] = { 0xfe, 0x80 };

	rule_mask(r, mask, sizeof(mask));
	rule_compare(r, NFT_CMP_EQ, value, sizeof(value));
}

void rule_is_ula(struct rule *r, enum nft_cmp_ops op)
{
	static const uint8_t mask[16] = { 0xfe };
	static const uint8_t value[16] = { 0xfc };

	rule_mask(r, mask, sizeof(mask));
	rule_compare(r, op, value, sizeof(value));
}
