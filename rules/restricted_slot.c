/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * restricted_slot - reads back a rule that restricted.c wrote
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h> /* libnftnl needs it */

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "rules/array.h"
#include "rules/restricted.h"

/**
 * struct reading
 * @at:    offset of the address that was loaded last; 0: none
 * @mask:  what it was masked with
 */
struct reading {
	struct ruleset_slot *slot;
	bool ipv4;
	uint32_t at;
	uint32_t mask_len;
	uint8_t mask[16];
};

static size_t skip(const struct reading *r)
{
	return r->ipv4 ? 12 : 0;
}

static void read_payload(struct reading *r, struct nftnl_expr *e)
{
	bool network = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_BASE) ==
		       NFT_PAYLOAD_NETWORK_HEADER;

	r->at = network ? nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET) : 0;
	r->mask_len = 0;
}

static void read_mask(struct reading *r, struct nftnl_expr *e)
{
	const void *mask;
	uint32_t len = 0;

	mask = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_MASK, &len);
	if (!mask || len > sizeof(r->mask))
		return;
	memcpy(r->mask, mask, len);
	r->mask_len = len;
}

static uint8_t bits_of(const struct reading *r, uint32_t len)
{
	uint8_t n = 0;

	if (!r->mask_len)
		return (uint8_t)(8 * len);
	for (uint32_t i = 0; i < r->mask_len; i++)
		n = (uint8_t)(n + __builtin_popcount(r->mask[i]));
	return n;
}

static void read_compare(struct reading *r, struct nftnl_expr *e)
{
	uint32_t source = r->ipv4 ? offsetof(struct iphdr, saddr)
				  : offsetof(struct ip6_hdr, ip6_src);
	uint32_t len = 0;
	const void *value = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &len);
	struct ruleset_slot *slot = r->slot;

	if (!r->at || !value || len > 16 - skip(r))
		return;
	/* nft loads no more of a prefix than it must */
	if (r->at == source) {
		memcpy(slot->remote.addr.s6_addr + skip(r), value, len);
		slot->remote.len = (uint8_t)(8 * skip(r) + bits_of(r, len));
	} else if (len == 16 - skip(r)) {
		memcpy(slot->external.addr.s6_addr + skip(r), value, len);
	}
	r->at = 0;
}

static void read_immediate(struct reading *r, struct nftnl_expr *e)
{
	const void *value;
	uint32_t len = 0;
	uint16_t port;

	value = nftnl_expr_get(e, NFTNL_EXPR_IMM_DATA, &len);
	if (!value)
		return;
	if (len == sizeof(port)) {
		memcpy(&port, value, sizeof(port));
		r->slot->internal.port = ntohs(port);
	} else if (len == 16 - skip(r)) {
		memcpy(r->slot->internal.addr.s6_addr + skip(r), value, len);
	}
}

static int read_expr(struct nftnl_expr *e, void *userdata)
{
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);
	struct reading *r = userdata;

	if (strcmp(name, "payload") == 0)
		read_payload(r, e);
	else if (strcmp(name, "bitwise") == 0)
		read_mask(r, e);
	else if (strcmp(name, "cmp") == 0)
		read_compare(r, e);
	else if (strcmp(name, "immediate") == 0)
		read_immediate(r, e);
	else if (strcmp(name, "counter") == 0)
		r->slot->packets = nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_PACKETS);
	return 0;
}

bool restricted_slot(const struct nftnl_rule *rule, struct ruleset_slot *ret)
{
	const char *chain = nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN);
	struct reading r = { .slot = ret };
	struct restricted port;

	if (!chain || !restricted_parse(chain, &port))
		return false;
	r.ipv4 = port.kind == MAPPING_FORWARD4_FROM;
	memset(ret, 0, sizeof(*ret));
	ret->kind = port.kind;
	ret->protocol = port.protocol;
	ret->last_port = port.external.port;
	ret->external = port.external;
	if (port.kind != MAPPING_PINHOLE6_FROM)
		ret->external.addr = r.ipv4 ? address_any4 : address_any6;
	ret->internal = ret->external;
	ret->remote.addr = r.ipv4 ? address_any4 : address_any6;
	ret->remote.len = (uint8_t)(8 * skip(&r));
	nftnl_expr_foreach((struct nftnl_rule *)rule, read_expr, &r);
	return true;
}

static int on_rule(const struct nlmsghdr *nlh, void *userdata)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	struct slot_list *list = userdata;
	struct ruleset_slot *grown = NULL;

	if (rule)
		grown = array_grow(list->slots, list->n, &list->room, sizeof(*grown));
	if (!grown) {
		nftnl_rule_free(rule);
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	list->slots = grown;
	if (message_is_ours(nlh) && nftnl_rule_nlmsg_parse(nlh, rule) == 0 &&
	    restricted_slot(rule, &list->slots[list->n]))
		list->n++;
	nftnl_rule_free(rule);
	return MNL_CB_OK;
}

int slot_list_of_chain(struct slot_list *ret, struct ruleset *rs, const char *chain)
{
	return ruleset_get(rs, NFT_MSG_GETRULE, NFPROTO_INET, NLM_F_DUMP, RULESET_TABLE,
			   chain, on_rule, ret);
}

void slot_list_done(struct slot_list *list)
{
	free(list->slots);
	*list = (struct slot_list){ 0 };
}
