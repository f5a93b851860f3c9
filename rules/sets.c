/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "rules/sets.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <libnftnl/expr.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"

DEFINE_CLEANUP(nftnl_set_free, struct nftnl_set *)
DEFINE_CLEANUP(nftnl_udata_buf_free, struct nftnl_udata_buf *)

/* nft keeps notes for itself beside a set: how to print values of a type that the key
 * type does not say. */
enum byteorder {
	ORDER_NONE = 0, /* a concatenation */
	ORDER_HOST = 1,
	ORDER_BIG = 2,
};

#define PAIR(a, b)   ((a) << 6 | (b))
#define PROTO_PORT   PAIR(TYPE_INET_PROTO, TYPE_INET_SERVICE)
#define PORT_PROTO   PAIR(TYPE_INET_SERVICE, TYPE_INET_PROTO)
#define ADDR4_PORT   PAIR(TYPE_IPV4_ADDR, TYPE_INET_SERVICE)
#define ADDR6_PORT   PAIR(TYPE_IPV6_ADDR, TYPE_INET_SERVICE)
#define AT4	     (TYPE_IPV4_ADDR << 12 | PROTO_PORT)
#define AT6	     (TYPE_IPV6_ADDR << 12 | PROTO_PORT)
#define FROM_HOST4   (TYPE_INET_PROTO << 12 | ADDR4_PORT)
#define FROM_HOST6   (TYPE_INET_PROTO << 12 | ADDR6_PORT)
#define PROTO_TUPLE4 (TYPE_INET_PROTO << 24 | ADDR4_PORT << 12 | ADDR4_PORT)
#define PROTO_TUPLE6 (TYPE_INET_PROTO << 24 | ADDR6_PORT << 12 | ADDR6_PORT)

#define INTERVALS    (NFT_SET_INTERVAL)
#define INTERVAL_MAP (NFT_SET_INTERVAL | NFT_SET_MAP)
/* intervals of a concatenation: port first, which looks up 20 times faster */
#define RANGES	  (NFT_SET_INTERVAL | NFT_SET_CONCAT)
#define RANGE_MAP (NFT_SET_INTERVAL | NFT_SET_CONCAT | NFT_SET_MAP)

#define FIVE_MINUTES_MS (5 * 60 * 1000)

/* What a set has buckets for stays as it was created, and up to four times as many
 * elements cost a lookup nothing. MANY is enough for 65,536, at 256 KiB of buckets. */
#define MANY 16384
#define SOME 4096
#define FEW  1024

/* A stated size and neither interval nor timeout make the cheap fixed hash. */
/* clang-format off */
const struct set_spec set_specs[SET_COUNT] = {
	[SET_LAN_IF] = {
		.name = "lan_if", .key_type = TYPE_IFNAME, .key_len = IFNAMSIZ,
		.byteorder = ORDER_HOST, .size = 256,
	},
	/* lan_if once more, as the type of `fib oifname`: nft tells the two apart, and
	 * could not load its own listing otherwise. */
	[SET_LAN_FIB] = {
		.name = "lan_fib", .key_type = TYPE_STRING, .key_len = IFNAMSIZ,
		.byteorder = ORDER_HOST, .size = 256,
	},
	[SET_WAN_ADDR4] = {
		.name = "wan_addr4", .key_type = TYPE_IPV4_ADDR, .key_len = 4,
		.byteorder = ORDER_BIG, .size = 256,
	},
	[SET_WAN_ADDR6] = {
		.name = "wan_addr6", .key_type = TYPE_IPV6_ADDR, .key_len = 16,
		.byteorder = ORDER_BIG, .size = 256,
	},
	[SET_MASQUERADE6] = {
		.name = "masquerade6", .key_type = TYPE_IPV6_ADDR, .key_len = 16,
		.byteorder = ORDER_BIG, .flags = INTERVALS,
	},
	[SET_UNTRANSLATED4] = {
		.name = "untranslated4", .key_type = TYPE_IPV4_ADDR, .key_len = 4,
		.byteorder = ORDER_BIG, .flags = INTERVALS,
	},
	[SET_UNTRANSLATED6] = {
		.name = "untranslated6", .key_type = TYPE_IPV6_ADDR, .key_len = 16,
		.byteorder = ORDER_BIG, .flags = INTERVALS,
	},
	[SET_SNAT4] = {
		.name = "snat4", .key_type = TYPE_IPV4_ADDR, .key_len = 4,
		.data_type = TYPE_IPV4_ADDR, .data_len = 4,
		.byteorder = ORDER_BIG, .flags = INTERVAL_MAP,
	},
	[SET_SNAT6] = {
		.name = "snat6", .key_type = TYPE_IPV6_ADDR, .key_len = 16,
		.data_type = TYPE_IPV6_ADDR, .data_len = 16,
		.byteorder = ORDER_BIG, .flags = INTERVAL_MAP,
	},
	[SET_ONE_IN4] = {
		.name = "one_in4", .key_type = TYPE_IPV4_ADDR, .key_len = 4,
		.data_type = TYPE_IPV4_ADDR, .data_len = 4,
		.byteorder = ORDER_BIG, .flags = NFT_SET_MAP, .size = 256,
	},
	[SET_ONE_IN6] = {
		.name = "one_in6", .key_type = TYPE_IPV6_ADDR, .key_len = 16,
		.data_type = TYPE_IPV6_ADDR, .data_len = 16,
		.byteorder = ORDER_BIG, .flags = NFT_SET_MAP, .size = 256,
	},
	[SET_ONE_OUT4] = {
		.name = "one_out4", .key_type = TYPE_IPV4_ADDR, .key_len = 4,
		.data_type = TYPE_IPV4_ADDR, .data_len = 4,
		.byteorder = ORDER_BIG, .flags = NFT_SET_MAP, .size = 256,
	},
	[SET_ONE_OUT6] = {
		.name = "one_out6", .key_type = TYPE_IPV6_ADDR, .key_len = 16,
		.data_type = TYPE_IPV6_ADDR, .data_len = 16,
		.byteorder = ORDER_BIG, .flags = NFT_SET_MAP, .size = 256,
	},
	[SET_ROUTER4] = {
		.name = "router4", .key_type = TYPE_IPV4_ADDR, .key_len = 4,
		.byteorder = ORDER_BIG, .size = 256,
	},
	[SET_ROUTER6] = {
		.name = "router6", .key_type = TYPE_IPV6_ADDR, .key_len = 16,
		.byteorder = ORDER_BIG, .size = 256,
	},
	[SET_SEQUENCE] = {
		.name = "sequence", .key_type = PAIR(TYPE_MARK, TYPE_MARK), .key_len = 8,
		.size = 2,
	},
	[SET_FORWARD4_FROM] = {
		.name = "forward4_from", .key_type = PROTO_PORT, .key_len = 8,
		.data_type = NFT_DATA_VERDICT, .flags = NFT_SET_MAP,
		.size = FEW, .grows = true,
	},
	[SET_FORWARD4_AT] = {
		.name = "forward4_at", .key_type = AT4, .key_len = 12,
		.data_type = ADDR4_PORT, .data_len = 8,
		.flags = NFT_SET_MAP, .counter = true, .size = SOME, .grows = true,
	},
	[SET_FORWARD4] = {
		.name = "forward4", .key_type = PROTO_PORT, .key_len = 8,
		.data_type = ADDR4_PORT, .data_len = 8,
		.flags = NFT_SET_MAP, .counter = true, .size = MANY, .grows = true,
	},
	[SET_RANGE4] = {
		.name = "range4", .key_type = PORT_PROTO, .key_len = 8,
		.data_type = TYPE_IPV4_ADDR, .data_len = 4,
		.flags = RANGE_MAP, .counter = true,
	},
	[SET_FORWARD6_FROM] = {
		.name = "forward6_from", .key_type = PROTO_PORT, .key_len = 8,
		.data_type = NFT_DATA_VERDICT, .flags = NFT_SET_MAP,
		.size = FEW, .grows = true,
	},
	[SET_FORWARD6_AT] = {
		.name = "forward6_at", .key_type = AT6, .key_len = 24,
		.data_type = ADDR6_PORT, .data_len = 20,
		.flags = NFT_SET_MAP, .counter = true, .size = SOME, .grows = true,
	},
	[SET_FORWARD6] = {
		.name = "forward6", .key_type = PROTO_PORT, .key_len = 8,
		.data_type = ADDR6_PORT, .data_len = 20,
		.flags = NFT_SET_MAP, .counter = true, .size = MANY, .grows = true,
	},
	[SET_RANGE6] = {
		.name = "range6", .key_type = PORT_PROTO, .key_len = 8,
		.data_type = TYPE_IPV6_ADDR, .data_len = 16,
		.flags = RANGE_MAP, .counter = true,
	},
	[SET_PINHOLE6_FROM] = {
		.name = "pinhole6_from", .key_type = AT6, .key_len = 24,
		.data_type = NFT_DATA_VERDICT, .flags = NFT_SET_MAP,
		.size = FEW, .grows = true,
	},
	[SET_PINHOLE6] = {
		.name = "pinhole6", .key_type = AT6, .key_len = 24,
		.counter = true, .size = MANY, .grows = true,
	},
	[SET_PINRANGE6] = {
		.name = "pinrange6", .key_type = PORT_PROTO << 6 | TYPE_IPV6_ADDR,
		.key_len = 24, .flags = RANGES, .counter = true,
	},
	[SET_BACK4] = {
		.name = "back4", .key_type = FROM_HOST4, .key_len = 12,
		.data_type = TYPE_INET_SERVICE, .data_len = 2,
		.flags = NFT_SET_MAP, .size = SOME, .grows = true,
	},
	[SET_BACK6] = {
		.name = "back6", .key_type = FROM_HOST6, .key_len = 24,
		.data_type = TYPE_INET_SERVICE, .data_len = 2,
		.flags = NFT_SET_MAP, .size = SOME, .grows = true,
	},
	[SET_BACK4_AT] = {
		.name = "back4_at", .key_type = FROM_HOST4, .key_len = 12,
		.data_type = ADDR4_PORT, .data_len = 8,
		.flags = NFT_SET_MAP, .size = SOME, .grows = true,
	},
	[SET_BACK6_AT] = {
		.name = "back6_at", .key_type = FROM_HOST6, .key_len = 24,
		.data_type = ADDR6_PORT, .data_len = 20,
		.flags = NFT_SET_MAP, .size = SOME, .grows = true,
	},
	[SET_SAME4] = {
		.name = "same4", .key_type = FROM_HOST4, .key_len = 12,
		.size = SOME, .grows = true,
	},
	[SET_SAME6] = {
		.name = "same6", .key_type = FROM_HOST6, .key_len = 24,
		.size = SOME, .grows = true,
	},
	[SET_KEEP4] = {
		.name = "keep4", .key_type = PORT_PROTO << 6 | TYPE_IPV4_ADDR,
		.key_len = 12, .flags = RANGES,
	},
	[SET_KEEP6] = {
		.name = "keep6", .key_type = PORT_PROTO << 6 | TYPE_IPV6_ADDR,
		.key_len = 24, .flags = RANGES,
	},
	[SET_SPARE_TCP] = {
		.name = "spare_tcp", .key_type = TYPE_INET_SERVICE, .key_len = 2,
		.data_type = NFT_DATA_VERDICT, .byteorder = ORDER_BIG,
		.flags = INTERVAL_MAP,
	},
	[SET_SPARE_UDP] = {
		.name = "spare_udp", .key_type = TYPE_INET_SERVICE, .key_len = 2,
		.data_type = NFT_DATA_VERDICT, .byteorder = ORDER_BIG,
		.flags = INTERVAL_MAP,
	},
	[SET_SPARE_SCTP] = {
		.name = "spare_sctp", .key_type = TYPE_INET_SERVICE, .key_len = 2,
		.data_type = NFT_DATA_VERDICT, .byteorder = ORDER_BIG,
		.flags = INTERVAL_MAP,
	},
	[SET_SPARE_UDPLITE] = {
		.name = "spare_udplite", .key_type = TYPE_INET_SERVICE, .key_len = 2,
		.data_type = NFT_DATA_VERDICT, .byteorder = ORDER_BIG,
		.flags = INTERVAL_MAP,
	},
	[SET_ENDED4] = {
		.name = "ended4", .key_type = PROTO_TUPLE4, .key_len = 20,
		.flags = NFT_SET_TIMEOUT, .size = 65536, .timeout_ms = FIVE_MINUTES_MS,
	},
	[SET_ENDED6] = {
		.name = "ended6", .key_type = PROTO_TUPLE6, .key_len = 44,
		.flags = NFT_SET_TIMEOUT, .size = 65536, .timeout_ms = FIVE_MINUTES_MS,
	},
	[SET_OPEN] = {
		.name = "open", .key_type = PROTO_PORT, .key_len = 8, .size = 256,
	},
};
/* clang-format on */

const struct set_spec *set_by_name(const char *name)
{
	for (size_t i = 0; i < SET_COUNT; i++)
		if (strcmp(set_specs[i].name, name) == 0)
			return &set_specs[i];
	return NULL;
}

static_assert(SET_COUNT <= 64, "set_bit()");
static_assert(SET_SPARE_UDPLITE - SET_SPARE_TCP + 1 == PROTOCOL_COUNT,
	      "in the order of protocol_at()");
static_assert(SET_PINRANGE6 - SET_FORWARD4_FROM + 1 == MAPPING_KINDS,
	      "the sets of mappings stand in the order of enum mapping_kind");

enum set_id set_of_mappings(enum mapping_kind kind)
{
	return SET_FORWARD4_FROM + kind;
}

bool set_is_of_mappings(enum set_id id)
{
	return id >= SET_FORWARD4_FROM && id <= SET_PINRANGE6;
}

bool set_is_verdict_map(const struct set_spec *spec)
{
	return spec->data_type == NFT_DATA_VERDICT;
}

bool set_has_ends(const struct set_spec *spec)
{
	return spec->flags & NFT_SET_CONCAT;
}

/* nft's own numbers for what it notes about `typeof fib saddr oifname` */
#define UDATA_EXPR_FIB	 26
#define UDATA_FIB_RESULT 0
#define UDATA_FIB_FLAGS	 1

static void note_fib(struct nftnl_udata_buf *notes)
{
	struct nftnl_udata *key, *fib;

	key = nftnl_udata_nest_start(notes, NFTNL_UDATA_SET_KEY_TYPEOF);
	nftnl_udata_put_u32(notes, NFTNL_UDATA_SET_TYPEOF_EXPR, UDATA_EXPR_FIB);
	fib = nftnl_udata_nest_start(notes, NFTNL_UDATA_SET_TYPEOF_DATA);
	nftnl_udata_put_u32(notes, UDATA_FIB_RESULT, NFT_FIB_RESULT_OIFNAME);
	nftnl_udata_put_u32(notes, UDATA_FIB_FLAGS, NFTA_FIB_F_SADDR);
	nftnl_udata_nest_end(notes, fib);
	nftnl_udata_nest_end(notes, key);
}

/* Of one type they are in the order in which packets have them. */
static uint32_t data_order(const struct set_spec *spec)
{
	return spec->data_type >> 6 ? ORDER_NONE : ORDER_BIG;
}

static int set_note(struct nftnl_set *set, const struct set_spec *spec)
{
	CLEANUP(nftnl_udata_buf_free) struct nftnl_udata_buf *notes = NULL;

	notes = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
	if (!notes)
		return -ENOMEM;
	nftnl_udata_put_u32(notes, NFTNL_UDATA_SET_KEYBYTEORDER, spec->byteorder);
	if (spec->data_len)
		nftnl_udata_put_u32(notes, NFTNL_UDATA_SET_DATABYTEORDER,
				    data_order(spec));
	if (spec == &set_specs[SET_LAN_FIB])
		note_fib(notes);
	return nftnl_set_set_data(set, NFTNL_SET_USERDATA, nftnl_udata_buf_data(notes),
				  nftnl_udata_buf_len(notes));
}

static int set_count_elements(struct nftnl_set *set)
{
	struct nftnl_expr *counter = nftnl_expr_alloc("counter");

	if (!counter)
		return -ENOMEM;
	nftnl_set_add_expr(set, counter);
	return 0;
}

static uint8_t field_bytes(uint32_t type)
{
	switch (type) {
	case TYPE_INET_PROTO:
		return 1;
	case TYPE_INET_SERVICE:
		return 2;
	case TYPE_IPV6_ADDR:
		return 16;
	default: /* TYPE_IPV4_ADDR */
		return 4;
	}
}

/* Where one field of an interval ends and the next begins. */
static int set_tell_fields(struct nftnl_set *set, const struct set_spec *spec)
{
	uint8_t lens[NFT_REG32_COUNT];
	uint32_t n = 0, type;

	for (int shift = 24; shift >= 0; shift -= 6) {
		type = spec->key_type >> shift & 0x3f;
		if (type)
			lens[n++] = field_bytes(type);
	}
	return nftnl_set_set_data(set, NFTNL_SET_DESC_CONCAT, lens, n);
}

static int set_fill(struct nftnl_set *set, const struct set_spec *spec, uint32_t size)
{
	if (nftnl_set_set_str(set, NFTNL_SET_TABLE, RULESET_TABLE) < 0 ||
	    nftnl_set_set_str(set, NFTNL_SET_NAME, spec->name) < 0)
		return -ENOMEM;
	nftnl_set_set_u32(set, NFTNL_SET_ID, (uint32_t)(spec - set_specs) + 1);
	nftnl_set_set_u32(set, NFTNL_SET_FLAGS, spec->flags);
	nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, spec->key_type);
	nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, spec->key_len);
	if (spec->data_type) {
		nftnl_set_set_u32(set, NFTNL_SET_DATA_TYPE, spec->data_type);
		nftnl_set_set_u32(set, NFTNL_SET_DATA_LEN, spec->data_len);
	}
	if (size)
		nftnl_set_set_u32(set, NFTNL_SET_DESC_SIZE, size);
	if (spec->timeout_ms)
		nftnl_set_set_u64(set, NFTNL_SET_TIMEOUT, spec->timeout_ms);
	if (spec->counter && set_count_elements(set) < 0)
		return -ENOMEM;
	if (set_has_ends(spec) && set_tell_fields(set, spec) < 0)
		return -ENOMEM;
	return set_note(set, spec);
}

void set_put(struct batch *b, const struct set_spec *spec, uint32_t size)
{
	CLEANUP(nftnl_set_free) struct nftnl_set *set = nftnl_set_alloc();
	struct nlmsghdr *nlh;

	if (!set || set_fill(set, spec, size) < 0) {
		batch_fail(b, -ENOMEM);
		return;
	}
	nlh = batch_message(b, NFT_MSG_NEWSET, NLM_F_CREATE);
	if (nlh)
		nftnl_set_nlmsg_build_payload(nlh, set);
	batch_close(b, nlh);
}

void set_delete(struct batch *b, const char *name)
{
	struct nlmsghdr *nlh = batch_message(b, NFT_MSG_DELSET, 0);

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, RULESET_TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_NAME, name);
	batch_close(b, nlh);
}

void set_clear(struct batch *b, const char *name)
{
	struct nlmsghdr *nlh = batch_message(b, NFT_MSG_DELSETELEM, 0);

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, name);
	batch_close(b, nlh);
}
