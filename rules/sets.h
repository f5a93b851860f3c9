/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * sets - the sets and maps of the table, and how a mapping is written as an element
 */

#include "rules/batch.h"

enum set_id {
	SET_LAN_IF,
	SET_LAN_FIB,
	SET_WAN_ADDR4,
	SET_WAN_ADDR6,
	SET_MASQUERADE6,
	SET_SEQUENCE,
	SET_FORWARD4,
	SET_FORWARD6,
	SET_PINHOLE6,
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

/* concatenated fields start at multiples of 4 bytes; the longest key is that of ended6 */
#define KEY_ROOM  44
#define DATA_ROOM 20

/**
 * struct set_spec - what does not change about a set
 * @key_type, @data_type: enum nft_type, concatenated
 * @byteorder: of keys, for the listing: see sets.c
 * @flags:     NFT_SET_*
 * @size:      0 for an interval set, and for those of mappings, which grow
 */
struct set_spec {
	const char *name;
	uint32_t key_type, data_type;
	uint32_t flags;
	uint32_t size;
	uint16_t key_len, data_len;
	uint8_t byteorder;
	bool counter;
	uint64_t timeout_ms;
};

extern const struct set_spec set_specs[SET_COUNT];

/** set_by_name() - or NULL */
const struct set_spec *set_by_name(const char *name);

/** set_of_mappings() - the set that holds mappings of a kind */
enum set_id set_of_mappings(enum mapping_kind kind);

/** set_put() - append NEWSET with @size; for a set that is there: a new size */
void set_put(struct batch *b, const struct set_spec *spec, uint32_t size);
/** set_delete() - append DELSET */
void set_delete(struct batch *b, const char *name);
/** set_clear() - append what takes all elements away */
void set_clear(struct batch *b, const char *name);

/** struct mapping_element - a mapping as its set holds it */
struct mapping_element {
	uint8_t key[KEY_ROOM];
	uint8_t data[DATA_ROOM];
	uint16_t key_len;
	uint16_t data_len; /* 0 in pinhole6 */
};

void mapping_element(const struct mapping *m, struct mapping_element *ret);

/** mapping_element_external() - the external endpoint a key stands for */
void mapping_element_external(enum mapping_kind kind, const uint8_t *key,
			      uint8_t *ret_protocol, struct endpoint *ret);

/** mapping_element_internal() - the host that key and data lead to */
void mapping_element_internal(enum mapping_kind kind, const uint8_t *key,
			      const uint8_t *data, struct endpoint *ret);

/** ended_element() - the key of a connection in ended4 or ended6 */
enum set_id ended_element(const struct connection *c, uint8_t key[static KEY_ROOM]);

/* "2001:db8:...:1 . tcp . 65535 . ..." and NUL */
#define KEY_STRLEN 160
/** set_key_format() - the key as nft prints it; returns @buf */
const char *set_key_format(const struct set_spec *spec, const uint8_t *key, size_t len,
			   char buf[static KEY_STRLEN]);
