/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * stage_private - what the files that judge requests share
 *
 * Functions that return int: 0, also where they have refused (staging_refused()), or
 * -ENOMEM.
 */

#include "core/conditions.h"
#include "core/table_private.h"

/**
 * struct staging - the request that is being judged
 * @rights: of who asks, or NULL
 * @change: index of the change
 * @drain:  of the change
 * @expired: the change is about a lease that has ended
 * @held: the change says what the router above us says, and nothing else
 * @first_effect, @first_id: where the request began
 */
struct staging {
	struct plan *plan;
	struct table *table;
	const struct conditions *at;
	struct rights *rights;
	struct verdicts *verdicts;
	size_t request;
	size_t change;
	bool drain;
	bool expired;
	bool held;
	size_t first_effect;
	uint64_t first_id;
};

static inline bool staging_refused(const struct staging *s)
{
	return s->verdicts->refused;
}

/* ----------------------------------------------------------- stage.c: steps */

int staging_result(struct staging *s, enum verdict verdict, const struct node *node);

/**
 * staging_put() - @m becomes a mapping of the next generation, in place of @before where
 * that is not NULL, and an effect
 * @ret: its node; or NULL
 */
int staging_put(struct staging *s, const struct mapping *m, struct node *before,
		struct node **ret);

/** staging_refuse() - the request; @holder: the mapping in the way, or NULL */
int staging_refuse(struct staging *s, enum verdict verdict, const struct node *holder);
/** staging_refuse_flaw() - VERDICT_BAD_REQUEST; @flaw is borrowed for ever */
int staging_refuse_flaw(struct staging *s, const char *flaw);
/** staging_refuse_denied() - VERDICT_NOT_PERMITTED; @holder: with RIGHT_OWN */
int staging_refuse_denied(struct staging *s, const struct denial *denial,
			  const struct node *holder);
int staging_refuse_pool(struct staging *s, const struct pool_use *use);

/** staging_judge() - may who asks have @m, in place of @before where that is not NULL? */
bool staging_judge(const struct staging *s, const struct mapping *m,
		   const struct mapping *before, bool force, struct denial *ret);

/** staging_robbed() - another's mapping that @m would take packets from, where who asks
 * may not do that; of several the one with the lowest id; or NULL. Ranges give way to
 * anybody's single forwards. */
const struct node *staging_robbed(const struct staging *s, const struct mapping *m);

/** staging_lacks_upstream() - does @m ask the router above us, who is not to be asked?
 * The configuration is judged when it is read; what it no longer lets ask waits. */
bool staging_lacks_upstream(const struct staging *s, const struct mapping *m);

/** staging_listeners() - of the gateway, that @m would take packets from; at most @max
 * of them written. Return: how many there are */
size_t staging_listeners(const struct staging *s, const struct mapping *m,
			 const struct listener **ret, size_t max);
int staging_refuse_listeners(struct staging *s, const struct mapping *m);

/** staging_selected() - a result for each mapping that @change's selector fits, in order
 * of id, all of which who asks may touch; @ret_n 0 where the request is refused */
int staging_selected(struct staging *s, const struct change *change, size_t *ret_n);

/** staging_prefix() - the prefix that @m's suffix, if it has one, is completed with;
 * NULL: none now. Return: NULL, or what is wrong with its LAN */
const char *staging_prefix(const struct staging *s, const struct mapping *m,
			   const struct in6_addr **ret);

/* -------------------------------------------- what becomes of a change */

int stage_add(struct staging *s, const struct change *change);
int stage_update(struct staging *s, const struct change *change);
/** stage_renew() - the lease of @node counts from now */
int stage_renew(struct staging *s, struct node *node, uint32_t lifetime);

/* ---------------------------------------------- stage_port.c: automatic ports */

/**
 * struct asked - a request for a mapping, and what it comes to in the world as it is
 * @mapping: as asked, not resolved
 * @prefix:  of its suffix's LAN, or NULL
 * @protocols: PROTOCOL_BIT_*
 */
struct asked {
	const struct mapping *mapping;
	const struct in6_addr *prefix;
	uint8_t protocols;
};

/** asked_at() - what is asked for, at external port @port */
struct mapping asked_at(const struct asked *asked, uint8_t protocol, uint16_t port);

/** is_already() - is @holder what @m asks for? */
bool is_already(const struct mapping *holder, const struct mapping *m);

/** stage_port() - choose the external port; 0 in @ret where the request is refused */
int stage_port(struct staging *s, const struct asked *asked, uint16_t *ret);
