/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * restricted - chains for mappings that only some remote prefixes may use
 *
 * A port (of pinholes a host's port) that has such mappings has an element in the map of
 * their kind, which leads to a chain of its own. There they stand in the order of their
 * precedence, each remote prefix a rule: a given external address before any, then the
 * longer prefix before the shorter. Where none fits, the packet comes back and a mapping
 * for everybody may serve it.
 */

#include "rules/keylist.h"
#include "rules/rule.h"

/** struct restricted - a port that has a chain
 * @external: of pinholes the host; else only the port counts */
struct restricted {
	enum mapping_kind kind;
	uint8_t protocol;
	struct endpoint external;
};

/** struct restricted_list - zero-initialised it is empty */
struct restricted_list {
	struct restricted *ports;
	size_t n, room;
};

/** restricted_list_add() - all ports of a mapping. Return: 0 or -ENOMEM */
int restricted_list_add(struct restricted_list *list, const struct mapping *m);
/** restricted_list_sort() - and leave out doubles */
void restricted_list_sort(struct restricted_list *list);
void restricted_list_done(struct restricted_list *list);

/** kind_is_restricted() - one of the _FROM kinds? */
bool kind_is_restricted(enum mapping_kind kind);

/** restricted_chain() - "from4_tcp_8080", "pin6_tcp_443_20010db8..." */
void restricted_chain(enum mapping_kind kind, uint8_t protocol,
		      const struct endpoint *external, char name[static CHAIN_ROOM]);
/** restricted_parse() - which port is it the chain of? false: of none */
bool restricted_parse(const char *chain, struct restricted *ret);

/** restricted_key() - its element in the map of its kind; @ret->chain is @chain */
void restricted_key(const struct restricted *port, struct key *ret,
		    char chain[static CHAIN_ROOM]);

/** restricted_is_used() - has it a live mapping? */
bool restricted_is_used(const struct table *table, enum generation generation,
			const struct restricted *port);

/** struct slot_list - zero-initialised it is empty */
struct slot_list {
	struct ruleset_slot *slots;
	size_t n, room;
};

/** slot_list_of_chain() - what its rules say now.
 * Return: 0; -ENOENT, -EINTR, -ENOMEM, a netlink errno */
int slot_list_of_chain(struct slot_list *ret, struct ruleset *rs, const char *chain);
void slot_list_done(struct slot_list *list);

/**
 * restricted_put_rules() - append the rules of its chain
 * @before: those that are among them go on counting; or NULL
 *
 * Return: 0 or -ENOMEM.
 */
int restricted_put_rules(struct rule *r, const struct table *table,
			 enum generation generation, const struct restricted *port,
			 const struct slot_list *before);

/** restricted_slot() - what a rule of such a chain says; false: it is none of ours */
struct nftnl_rule;
bool restricted_slot(const struct nftnl_rule *rule, struct ruleset_slot *ret);
