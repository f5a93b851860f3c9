/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * mapping - one explicit mapping between an external and an internal endpoint
 *
 * Static and explicit mappings of RFC 6887 section 2 and RFC 8512; what users call
 * a forward. A plain value.
 */

#include <net/if.h>

#include "core/endpoint.h"

#define MAPPING_NAME_MAX    63
#define MAPPING_COMMENT_MAX 127
#define MAPPING_REMOTES_MAX 64
/* external ports times remote prefixes of a mapping that is no equal-port range */
#define MAPPING_SLOTS_MAX 4096
/* a lease of more seconds is refused: about 10 years */
#define MAPPING_LIFETIME_MAX 315360000u

/* bits, so that a request may ask for several protocols at once; in the order in which
 * mappings are made */
#define PROTOCOL_BIT_TCP     (1u << 0)
#define PROTOCOL_BIT_UDP     (1u << 1)
#define PROTOCOL_BIT_SCTP    (1u << 2)
#define PROTOCOL_BIT_UDPLITE (1u << 3)
#define PROTOCOL_COUNT	     4
#define PROTOCOL_BITS	     ((1u << PROTOCOL_COUNT) - 1) /* all of them */

enum origin {
	ORIGIN_CONFIG, /* the configuration file: belongs to the file */
	ORIGIN_ADMIN,  /* a person, by natctl or the API */
};

/** enum upstream_wish - whether the router above us is to be asked for a mapping as well
 *
 * UPSTREAM_REQUIRED: in the kernel only while that router holds it.
 */
enum upstream_wish {
	UPSTREAM_DEFAULT, /* as the policy of the configuration says */
	UPSTREAM_YES,
	UPSTREAM_NO,
	UPSTREAM_REQUIRED,
};
/* ports of a mapping with UPSTREAM_YES or _REQUIRED; with _DEFAULT larger ones stay here:
 * each port is a question of its own */
#define MAPPING_UPSTREAM_PORTS_MAX 64
const char *upstream_wish_name(enum upstream_wish wish); /* "default", "yes", ... */
int upstream_wish_parse(const char *text, enum upstream_wish *ret); /* 0 or -EINVAL */

/**
 * enum mapping_kind - by which way packets reach the internal host; which of the kernel's
 * sets has the mapping
 *
 * _FROM: for some remote prefixes only. _AT: one given external address. RANGE, PINRANGE:
 * an equal-port range for anybody, one element whatever its size. PINHOLE: IPv6 host
 * under its own address, no translation (RFC 6092).
 *
 * Within a family what stands earlier has precedence.
 */
enum mapping_kind {
	MAPPING_FORWARD4_FROM,
	MAPPING_FORWARD4_AT,
	MAPPING_FORWARD4,
	MAPPING_RANGE4,
	MAPPING_FORWARD6_FROM,
	MAPPING_FORWARD6_AT,
	MAPPING_FORWARD6,
	MAPPING_RANGE6,
	MAPPING_PINHOLE6_FROM,
	MAPPING_PINHOLE6,
	MAPPING_PINRANGE6,
};
#define MAPPING_KINDS (MAPPING_PINRANGE6 + 1)

/**
 * struct details - what few mappings have; never altered, shared by counting
 * @lan:     interface of a host suffix; "" where the only LAN is meant
 * @comment: printable UTF-8, "" = none
 * @remotes: allowed remote prefixes, sorted, none twice, all of the mapping's family;
 *           @n_remotes 0: anybody
 */
struct details {
	unsigned int refs;
	char lan[IFNAMSIZ];
	char comment[MAPPING_COMMENT_MAX + 1];
	size_t n_remotes;
	struct prefix remotes[];
};

/**
 * details_new() - @remotes in any order, doubles are left out
 * @ret: a reference of the caller's; NULL where there is nothing to keep
 *
 * Return: 0, -E2BIG (over MAPPING_REMOTES_MAX), -ENOMEM.
 */
int details_new(const char *lan, const char *comment, const struct prefix *remotes,
		size_t n, struct details **ret);
/** details_ref() - returns @d; NULL is fine */
struct details *details_ref(struct details *d);
void details_unref(struct details *d); /* NULL is fine */
bool details_equal(const struct details *a, const struct details *b);

/**
 * struct mapping
 * @id:       decimal number, never used again; 0 = none yet
 * @created, @changed: seconds since 1970, UTC
 * @expires:  when the lease ends, in milliseconds of the lease clock
 * (natd/common/lease_clock.h: goes on over reboots, does not jump); 0 = static
 * @lifetime: the lease as granted last, in seconds; 0 = static
 * @external: what the world connects to: the first port of @n_ports, and an address:
 *            address_any4 or address_any6 for any WAN address of that family. Of a
 *            pinhole the address is @host. In a request port 0 stands for "choose one"
 * @internal: the host and first port that serve. With @suffix, of the address only the
 *            last 64 bits are set
 * @host:     where packets go now: the address of @internal; with @suffix, these 64 bits
 *            in the prefix that the LAN has now, or :: when it has none (then the mapping
 *            is in the table and not in the kernel)
 * @details:  a reference of whoever keeps the mapping, or NULL: copying a mapping that
 *            is to outlive the other takes details_ref()
 * @owner_uid, @changed_by: who asked, for ORIGIN_ADMIN; 0 else
 * @n_ports:  1..65535; external.port + i leads to internal.port + i
 * @protocol: IPPROTO_TCP, _UDP, _SCTP, _UDPLITE
 * @enabled:  false: kept, and not in the kernel
 * @suffix:   the internal host is known by the last 64 bits of its IPv6 address
 * @auto_port: the external port was left to natd (port 0 in the request): the router
 *            above us may choose another one, too
 * @upstream: enum upstream_wish
 * @held:     with UPSTREAM_REQUIRED: the router above us holds it now
 * @name:     NUL-terminated, may be empty
 */
struct mapping {
	uint64_t id;
	uint64_t created, changed;
	uint64_t expires;
	struct details *details;
	struct in6_addr host;
	struct endpoint external;
	struct endpoint internal;
	uint32_t lifetime;
	uint32_t owner_uid, changed_by;
	uint16_t n_ports;
	uint8_t protocol;
	uint8_t origin; /* enum origin */
	bool enabled;
	bool suffix;
	bool auto_port;
	uint8_t upstream; /* enum upstream_wish */
	bool held;
	char name[MAPPING_NAME_MAX + 1];
};

/**
 * mapping_resolve() - settle what a request left open
 * @m: @m->internal and the ports are set, n_ports 0 becomes 1; @m->external.addr is
 *     address_any6 or address_any4 (either) for "any WAN address"; afterwards it is the
 *     one of the internal address's family, or, for a pinhole, the host. Where @m->suffix
 *     is set @m->host is looked at, else it becomes the internal address
 *
 * An IPv6 mapping on equal ports, to an address that is not a ULA and without a given
 * external address, is a pinhole; else it is DNAT66. A suffix is that of a global
 * address, never of a ULA. Hence: a mapping is a pinhole when its ports are equal and its
 * external address is its host (both may be :: while a suffix has no prefix).
 */
void mapping_resolve(struct mapping *m);

/** mapping_settle_host() - with @m->suffix: @prefix is the /64 that its LAN has now, or
 * NULL; host, and of a pinhole the external address, follow */
void mapping_settle_host(struct mapping *m, const struct in6_addr *prefix);

enum mapping_kind mapping_kind(const struct mapping *m);
bool mapping_is_pinhole(const struct mapping *m);
bool mapping_is_ipv4(const struct mapping *m);
/** an equal-port range that is one element: any WAN address (or a pinhole), anybody */
bool mapping_is_range(const struct mapping *m);
/** is it to be in the kernel: enabled, its host known, and held upstream where that is
 * required? */
bool mapping_is_live(const struct mapping *m);
/** is the router above us to be asked for it whatever the policy says? */
bool mapping_asks_upstream(const struct mapping *m);
/** elements it has in the kernel's set, or rules in the chains of its ports: 1 for a
 * range, else ports times remotes */
size_t mapping_slots(const struct mapping *m);
uint16_t mapping_last_port(const struct mapping *m); /* external */
const struct prefix *mapping_remotes(const struct mapping *m, size_t *ret_n);
const char *mapping_comment(const struct mapping *m); /* never NULL */
const char *mapping_lan(const struct mapping *m);     /* never NULL */

/** mapping_flaw() - NULL, or a borrowed sentence saying why no table takes @m, resolved:
 * ports that run over 65535, too many slots, remotes of another family, a given external
 * address of another family, a suffix with IPv4 or with other bits set, ... */
const char *mapping_flaw(const struct mapping *m);

/** mapping_name_flaw() - NULL, or a borrowed sentence saying what is wrong with @name:
 * a name starts with a letter, goes on with letters, digits, '-', '_', '.', and has at
 * most MAPPING_NAME_MAX characters. */
const char *mapping_name_flaw(const char *name);

/** mapping_comment_flaw() - as mapping_name_flaw(): printable UTF-8, no control
 * characters, at most MAPPING_COMMENT_MAX bytes */
const char *mapping_comment_flaw(const char *comment);

/* tcp, udp, sctp, udplite: what a mapping may have. Whether the running kernel translates
 * them is another question (struct conditions) */
const char *protocol_name(uint8_t protocol);	    /* "tcp", ..., or "?" */
int protocol_parse(const char *text, uint8_t *ret); /* 0 or -EINVAL */
uint8_t protocol_bit(uint8_t protocol);		    /* 0 for others */
/** protocol_at() - the @i-th of PROTOCOL_COUNT, bit 1u << @i */
uint8_t protocol_at(unsigned int i);
/** protocols_parse() - "tcp", "tcp,udp", "udplite,sctp" (any order, none
 * twice) into bits. Return: 0 or -EINVAL */
int protocols_parse(const char *text, uint8_t *ret_bits);
/* "tcp,udp,sctp,udplite" and NUL */
#define PROTOCOLS_STRLEN 24
/** protocols_format() - what protocols_parse() reads; returns @buf */
const char *protocols_format(uint8_t bits, char buf[static PROTOCOLS_STRLEN]);
const char *origin_name(enum origin origin); /* "config", "admin" */
int origin_parse(const char *text, enum origin *ret);

/* "uid:4294967295" and NUL */
#define OWNER_STRLEN 16
/** mapping_owner() - "config" for the file's, else "uid:0"; returns @buf */
const char *mapping_owner(const struct mapping *m, char buf[static OWNER_STRLEN]);

/* "[" address "%" interface "]:65535-65535" and NUL */
#define MAPPING_ENDPOINT_STRLEN (INET6_ADDRSTRLEN + IFNAMSIZ + 16)
/** mapping_format_external() - "8080", "9000-9003", with a given external address
 * "203.0.113.7:8080"; port 0 is "auto"; returns @buf */
const char *mapping_format_external(const struct mapping *m,
				    char buf[static MAPPING_ENDPOINT_STRLEN]);
/** mapping_format_internal() - "192.168.1.10:80", "192.168.1.10:8000-8003", with a suffix
 * "[::10%lan0]:443"; returns @buf */
const char *mapping_format_internal(const struct mapping *m,
				    char buf[static MAPPING_ENDPOINT_STRLEN]);

/* what mapping_describe() writes at most, with NUL */
#define MAPPING_STRLEN 256
/** mapping_describe() - 'tcp 8080 "web" -> 192.168.1.10:80', 'udp 203.0.113.7:9000-9003
 * -> 192.168.1.10:8000-8003', 'tcp 22 -> [::10%lan0]:22 from 198.51.100.0/24 and 2
 * others'; returns @buf */
const char *mapping_describe(const struct mapping *m, char buf[static MAPPING_STRLEN]);
