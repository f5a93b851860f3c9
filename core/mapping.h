/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * mapping - one explicit mapping between an external and an internal endpoint
 *
 * Static and explicit mappings of RFC 6887 section 2 and RFC 8512; what users call
 * a forward. A plain value.
 */

#include "core/endpoint.h"

#define MAPPING_NAME_MAX 63

/* bits, so that a request may ask for several protocols at once */
#define PROTOCOL_BIT_TCP (1u << 0)
#define PROTOCOL_BIT_UDP (1u << 1)

enum origin {
	ORIGIN_CONFIG, /* the configuration file: belongs to the file */
	ORIGIN_ADMIN,  /* a person, by natctl or the API */
};

/** enum mapping_kind - by which way packets reach the internal host */
enum mapping_kind {
	MAPPING_FORWARD4, /* DNAT, any WAN IPv4 address */
	MAPPING_FORWARD6, /* DNAT66, any WAN IPv6 address */
	MAPPING_PINHOLE6, /* IPv6 host under its own address, no translation (RFC 6092) */
};

/**
 * struct mapping
 * @id:       decimal number, never used again; 0 = none yet
 * @created:  seconds since 1970, UTC
 * @external: what the world connects to. Address address_any4 or address_any6: any
 *            WAN address of that family. Of a pinhole it equals @internal
 * @internal: the host and port that serve
 * @owner_uid: who asked, for ORIGIN_ADMIN; 0 else
 * @protocol: IPPROTO_TCP or IPPROTO_UDP
 * @enabled:  false: kept, and not in the kernel
 * @name:     NUL-terminated, may be empty
 */
struct mapping {
	uint64_t id;
	uint64_t created;
	struct endpoint external;
	struct endpoint internal;
	uint32_t owner_uid;
	uint8_t protocol;
	uint8_t origin; /* enum origin */
	bool enabled;
	char name[MAPPING_NAME_MAX + 1];
};

/**
 * mapping_resolve() - settle what a request left open
 * @m: @m->internal and @m->external.port are set, @m->external.addr is address_any6 or
 *     address_any4 (either) for "any WAN address"; afterwards it is the one of the
 *     internal address's family, or, for a pinhole, the internal address.
 *
 * An IPv6 mapping on equal ports to an address that is not a ULA is a pinhole; with
 * different ports, or to a ULA (RFC 4193), it is DNAT66.
 */
void mapping_resolve(struct mapping *m);

enum mapping_kind mapping_kind(const struct mapping *m);

/** mapping_name_flaw() - NULL, or a borrowed sentence saying what is wrong with @name:
 * a name starts with a letter, goes on with letters, digits, '-', '_', '.', and has at
 * most MAPPING_NAME_MAX characters. */
const char *mapping_name_flaw(const char *name);

const char *protocol_name(uint8_t protocol);	    /* "tcp", "udp", or "?" */
int protocol_parse(const char *text, uint8_t *ret); /* 0 or -EINVAL */
/** protocols_parse() - "tcp", "udp", "tcp,udp" (any order, none twice) into bits */
int protocols_parse(const char *text, uint8_t *ret_bits);
const char *origin_name(enum origin origin); /* "config", "admin" */
int origin_parse(const char *text, enum origin *ret);

/* "uid:4294967295" and NUL */
#define OWNER_STRLEN 16
/** mapping_owner() - "config" for the file's, else "uid:0"; returns @buf */
const char *mapping_owner(const struct mapping *m, char buf[static OWNER_STRLEN]);

/* what mapping_describe() writes at most, with NUL */
#define MAPPING_STRLEN 192
/** mapping_describe() - 'tcp 8080 "web" -> 192.168.1.10:80'; returns @buf */
const char *mapping_describe(const struct mapping *m, char buf[static MAPPING_STRLEN]);
