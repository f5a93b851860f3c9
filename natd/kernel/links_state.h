/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * links_state - interfaces and addresses as they are at one moment
 *
 * Read whole each time: a message says that something has changed, never what is so.
 */

#include "natd/kernel/links.h"
#include "natd/kernel/rtnl.h"

#define LINKS_MAX (RULESET_WANS_MAX + RULESET_LANS_MAX)

/** struct link_address - a usable address of the @link-th interface; no padding, so that
 * lists can be compared bytewise */
struct link_address {
	uint8_t link;
	uint8_t prefix_len; /* as the family counts it: 0..32, 0..128 */
	struct in6_addr addr;
};

/** struct links_state - zero-initialised it is empty */
struct links_state {
	struct link links[LINKS_MAX];
	size_t n_links;
	enum masquerade6 mode;
	bool gateways;			/* are they to be read? */
	struct link_address *addresses; /* sorted */
	size_t n_addresses;
	struct in6_addr *wan; /* sorted, none twice */
	size_t n_wan;
	struct prefix *masquerade6; /* sorted, none twice */
	size_t n_masquerade6;
	struct lan_prefix
		lans[RULESET_LANS_MAX]; /* of every LAN, as links_lan_prefixes() */
	size_t n_lans;
};

/** links_state_name() - begin with the interfaces of @config, all absent */
void links_state_name(struct links_state *state, const struct config *config);

/**
 * links_state_read() - the present state of the interfaces @names names
 * @ret: to be given to links_state_done(); written on success only
 *
 * Return: 0; -ENOMEM; as rtnl_ask().
 */
int links_state_read(struct rtnl *rtnl, const struct links_state *names,
		     struct links_state *ret);
void links_state_done(struct links_state *state);

bool links_state_equal(const struct links_state *a, const struct links_state *b);

/* ------------------------------------------------------------ links_gateway.c */

/** links_read_gateway() - the way to everywhere by @link, as the main table has it
 * Return: 0, as rtnl_ask() */
int links_read_gateway(struct rtnl *rtnl, const struct link *link, int family,
		       struct link_gateway *ret);
/** links_somewhere() - an address that no route is about but a default route */
void links_somewhere(int family, struct in6_addr *ret);
/** links_says_no_way() - is this errno of a question for a route an answer? */
bool links_says_no_way(int error);
