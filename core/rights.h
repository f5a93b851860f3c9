/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rights - what who asks may do
 *
 * Made of the configuration's access block and of the peer's credentials by
 * natd/access/access.h; judged here, where the table's next generation is known.
 */

#include "core/change.h"

#define GRANT_RANGES_MAX   8
#define GRANT_PREFIXES_MAX 16
#define GRANT_UNLIMITED	   UINT32_MAX

/**
 * struct grant - one rule that speaks of who asks
 * @rule:         for refusals: 'group "family" (natd.conf:12)'
 * @map:          external ports; none: no mapping at all
 * @internal:     internal addresses; none: any
 * @privileged:   ports 1 to 1023 as well, where @map has them
 * @quota:        mappings that who asks may own at a time, GRANT_UNLIMITED = any number
 * @max_lifetime: seconds; leases longer than this, and static mappings, are refused;
 *                GRANT_UNLIMITED = static is fine
 */
struct grant {
	char rule[96];
	struct port_range map[GRANT_RANGES_MAX];
	size_t n_map;
	struct prefix internal[GRANT_PREFIXES_MAX];
	size_t n_internal;
	bool privileged;
	uint32_t quota;
	uint32_t max_lifetime;
};

/**
 * struct rights - never altered, shared by counting
 * @uid:    of who asks: owner of what he adds
 * @all:    everything is allowed, others' mappings and forced ports included
 * @grants: with @all not looked at; one that allows the whole change is enough
 */
struct rights {
	unsigned int refs;
	uint32_t uid;
	bool all;
	size_t n_grants;
	struct grant grants[];
};

/** rights_new() - @grants are copied. Return: a reference of the caller's; NULL without
 * memory */
struct rights *rights_new(uint32_t uid, bool all, const struct grant *grants, size_t n);
struct rights *rights_ref(struct rights *r); /* returns @r; NULL is fine */
void rights_unref(struct rights *r);	     /* NULL is fine */

/** enum right - what was missing; the first that no grant has */
enum right {
	RIGHT_ANY,	  /* nothing at all is granted */
	RIGHT_OWN,	  /* the mapping belongs to somebody else */
	RIGHT_FORCE,	  /* only who may do all may take a listener's port */
	RIGHT_MAP,	  /* external port */
	RIGHT_PRIVILEGED, /* external port below 1024 */
	RIGHT_INTERNAL,	  /* internal address */
	RIGHT_LIFETIME,	  /* lease too long, or none */
	RIGHT_QUOTA,	  /* too many mappings already */
};

/**
 * struct denial - why not
 * @grant: of the rules that speak of who asks, the one that came closest; NULL = none
 *         speaks of him. Borrowed from the rights
 * @limit: RIGHT_LIFETIME: seconds; RIGHT_QUOTA: mappings
 */
struct denial {
	enum right missing;
	const struct grant *grant;
	uint32_t limit;
};

/**
 * rights_judge() - may @r add @m (ports chosen, host known, lifetime set)?
 * @owned: mappings that r->uid has now, without @m
 *
 * NULL rights, and @r->all, may. Return: true, or false with @ret written.
 */
bool rights_judge(const struct rights *r, const struct mapping *m, size_t owned,
		  bool force, struct denial *ret);

/** rights_own() - may @r change or remove @m? As above: all, or who made it */
bool rights_own(const struct rights *r, const struct mapping *m);
