/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * change - what a request asks of the table
 *
 * The only way to alter the table, the store or the kernel.
 */

#include "core/mapping.h"

enum change_kind { CHANGE_ADD, CHANGE_REMOVE, CHANGE_UPDATE };

/**
 * struct selector - which mappings are meant; fields that are set must all fit
 * @id:       0 = any
 * @protocol: 0 = any
 * @port:     an external port of the mapping (of a range: any of its ports), 0 = any
 * @name:     "" = any
 *
 * With @id or @name, all that fit are meant (a name stands for all its mappings).
 * With neither, exactly one must fit.
 */
struct selector {
	uint64_t id;
	uint16_t port;
	uint8_t protocol;
	char name[MAPPING_NAME_MAX + 1];
};

/* what a patch sets */
#define PATCH_NAME     (1u << 0)
#define PATCH_ENABLED  (1u << 1)
#define PATCH_LIFETIME (1u << 2) /* renews: counts from now */
#define PATCH_COMMENT  (1u << 3)
#define PATCH_INTERNAL (1u << 4) /* same family, same number of ports */
#define PATCH_UPSTREAM (1u << 5)
#define PATCH_HELD     (1u << 6) /* natd's own: what the router above us says */

/**
 * struct patch - new values
 * @set:      PATCH_* bits; the other fields are not looked at
 * @lifetime: seconds, 0 = static from now on
 * @details:  for PATCH_COMMENT: its comment counts, for PATCH_INTERNAL its LAN, NULL =
 *            neither; a reference. A suffix without a LAN stays in the one it has
 * @internal, @suffix: for PATCH_INTERNAL, as in struct mapping; port 0: as it is
 * @n_ports:  for PATCH_INTERNAL: how many there are to be, which must be as many as there
 *            are; 0 = was not said
 */
struct patch {
	uint32_t set;
	uint32_t lifetime;
	struct details *details;
	struct endpoint internal;
	uint16_t n_ports;
	bool suffix;
	bool enabled;
	bool held;
	uint8_t upstream; /* enum upstream_wish */
	char name[MAPPING_NAME_MAX + 1];
};

/**
 * struct change
 * @kind:       what to do
 * @protocols:  CHANGE_ADD: PROTOCOL_BIT_*, one mapping for each, in that order
 * @config_too: CHANGE_REMOVE, CHANGE_UPDATE: may touch mappings of ORIGIN_CONFIG
 * @force:      CHANGE_ADD: also where a program of the gateway listens
 * @drain:      connections that are established may go on as they are
 * @expired:    CHANGE_REMOVE: only if the lease has ended at struct conditions'
 *              lease_now; one that was renewed meanwhile is VERDICT_UNCHANGED
 * @mapping:    CHANGE_ADD: the mapping wanted; id, protocol, created, changed, expires
 *              are not looked at (lifetime is)
 * @selector:   CHANGE_REMOVE, CHANGE_UPDATE
 * @patch:      CHANGE_UPDATE
 */
struct change {
	enum change_kind kind;
	uint8_t protocols;
	bool config_too;
	bool force;
	bool drain;
	bool expired;
	union {
		struct mapping mapping;
		struct {
			struct selector selector;
			struct patch patch;
		};
	};
};

struct rights;

/**
 * struct change_list - a request: all of it or nothing
 * @rights: of who asks, a reference; NULL: everything is allowed, and nobody is named as
 *          who changed a mapping
 *
 * Owner of a heap array and of the references in it; zero-initialised it is empty.
 */
struct change_list {
	struct change *changes;
	size_t n;
	size_t room;
	struct rights *rights;
};

/** change_list_add() - append a copy, with a reference of its own to its details.
 * Return: 0 or -ENOMEM */
int change_list_add(struct change_list *list, const struct change *change);
/** change_list_forget() - as change_list_done(), but the list keeps its number of changes
 * and its rights; change_list_done() is due all the same */
void change_list_forget(struct change_list *list);
/** change_list_done() - free the array, drop the references; the list is empty again */
void change_list_done(struct change_list *list);
/** change_done() - drop the reference in a change that was never put into a list */
void change_done(struct change *change);

/** change_takes_ports() - of which protocols, as bits, @change may take a port of a WAN
 * address that it does not have yet */
uint8_t change_takes_ports(const struct change *change);
