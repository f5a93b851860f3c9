/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * sets - the sets and maps of the table, and how mappings are written as elements
 */

#include "rules/batch.h"

/* concatenated fields start at multiples of 4 bytes; the longest key is that of ended6 */
#define KEY_ROOM  44
#define DATA_ROOM 20
/* "from6_udplite_65535" and NUL; "pin6_udplite_65535_" and an address of 32 digits;
 * "moved_udplite_65535_65535" */
#define CHAIN_ROOM 56

enum set_id {
	SET_LAN_IF,
	SET_LAN_FIB,
	SET_WAN_ADDR4,
	SET_WAN_ADDR6,
	SET_MASQUERADE6,
	SET_UNTRANSLATED4,
	SET_UNTRANSLATED6,
	SET_SNAT4,
	SET_SNAT6,
	SET_ONE_IN4,
	SET_ONE_IN6,
	SET_ONE_OUT4,
	SET_ONE_OUT6,
	SET_ROUTER4,
	SET_ROUTER6,
	SET_SEQUENCE,
	SET_FORWARD4_FROM,
	SET_FORWARD4_AT,
	SET_FORWARD4,
	SET_RANGE4,
	SET_FORWARD6_FROM,
	SET_FORWARD6_AT,
	SET_FORWARD6,
	SET_RANGE6,
	SET_PINHOLE6_FROM,
	SET_PINHOLE6,
	SET_PINRANGE6,
	SET_BACK4,
	SET_BACK6,
	SET_BACK4_AT,
	SET_BACK6_AT,
	SET_SAME4,
	SET_SAME6,
	SET_KEEP4,
	SET_KEEP6,
	SET_SPARE_TCP,
	SET_SPARE_UDP,
	SET_SPARE_SCTP,
	SET_SPARE_UDPLITE,
	SET_ENDED4,
	SET_ENDED6,
	SET_OPEN,
};
#define SET_COUNT (SET_OPEN + 1)

/* numbers nft gives to its types; in a concatenation six bits each */
enum nft_type {
	TYPE_STRING = 5,
	TYPE_IPV4_ADDR = 7,
	TYPE_IPV6_ADDR = 8,
	TYPE_INET_PROTO = 12,
	TYPE_INET_SERVICE = 13,
	TYPE_MARK = 19,
	TYPE_ICMPV6_TYPE = 29,
	TYPE_IFNAME = 41,
};

/**
 * struct set_spec - what does not change about a set
 * @key_type, @data_type: enum nft_type, concatenated; or NFT_DATA_VERDICT
 * @byteorder: of keys, for the listing: see sets.c
 * @flags:     NFT_SET_*
 * @size:      0 for an interval set
 * @grows:     @size is where it starts
 */
struct set_spec {
	const char *name;
	uint32_t key_type, data_type;
	uint32_t flags;
	uint32_t size;
	uint16_t key_len, data_len;
	uint8_t byteorder;
	bool counter;
	bool grows;
	uint64_t timeout_ms;
};

extern const struct set_spec set_specs[SET_COUNT];

/* Sets as bits: which of them have elements. Rules for those that have none would cost
 * every new connection a lookup, and are not there. */
#define set_bit(id) (1ull << (id))

/** set_by_name() - or NULL */
const struct set_spec *set_by_name(const char *name);

/** set_of_mappings() - the set that holds mappings of a kind */
enum set_id set_of_mappings(enum mapping_kind kind);
/** set_is_of_mappings() - has its elements from mappings, one by one */
bool set_is_of_mappings(enum set_id id);
/** set_is_verdict_map() - elements lead to chains */
bool set_is_verdict_map(const struct set_spec *spec);
/** set_has_ends() - elements are intervals with both ends in one element */
bool set_has_ends(const struct set_spec *spec);

/** set_put() - append NEWSET with @size; for a set that is there: a new size */
void set_put(struct batch *b, const struct set_spec *spec, uint32_t size);
/** set_delete() - append DELSET */
void set_delete(struct batch *b, const char *name);
/** set_clear() - append what takes all elements away */
void set_clear(struct batch *b, const char *name);

/** ended_element() - the key of a connection in ended4 or ended6 */
enum set_id ended_element(const struct connection *c, uint8_t key[static KEY_ROOM]);

/* "2001:db8:...:1 . tcp . 65535 . ..." and NUL */
#define KEY_STRLEN 160
/** set_key_format() - the key as nft prints it; returns @buf */
const char *set_key_format(const struct set_spec *spec, const uint8_t *key, size_t len,
			   char buf[static KEY_STRLEN]);

/* ------------------------------------------------------------------ mappings */

/**
 * struct mapping_element - one element of a mapping as its set holds it
 * @end: of a range, as long as @key
 */
struct mapping_element {
	uint8_t key[KEY_ROOM];
	uint8_t end[KEY_ROOM];
	uint8_t data[DATA_ROOM];
	uint16_t key_len;
	uint16_t end_len;
	uint16_t data_len; /* 0 of pinholes */
};

/* Of all kinds but the _FROM ones, whose elements do not stand for one mapping. */

/** mapping_elements() - how many a mapping has: a range one, else one for each port */
size_t mapping_elements(const struct mapping *m);
/** mapping_element() - the @i-th of them */
void mapping_element(const struct mapping *m, size_t i, struct mapping_element *ret);
/** mapping_element_put() - append NFT_MSG_NEWSETELEM or _DELSETELEM */
void mapping_element_put(struct batch *b, enum mapping_kind kind, uint16_t type,
			 uint16_t flags, const struct mapping_element *e);

struct counted;

/** mapping_element_slot() - what an element of a set of @kind stands for, but for what
 * the rules of a _FROM kind say, and its packets; false: it is none of ours */
bool mapping_element_slot(enum mapping_kind kind, const struct counted *e,
			  struct ruleset_slot *ret);

/* fields of keys and data */

struct writer {
	uint8_t *start;
	uint8_t *at;
};

void put_protocol(struct writer *w, uint8_t protocol);
void put_port(struct writer *w, uint16_t port);
/** put_address() - 4 bytes of an IPv4 address, else 16 */
void put_address(struct writer *w, const struct in6_addr *addr);
uint16_t written(const struct writer *w);
