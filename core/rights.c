/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <stdlib.h>
#include <string.h>

#include "core/rights.h"

#define PRIVILEGED_END 1024

/* What rights_judge() finds where nothing is missing. */
#define RIGHT_NONE (RIGHT_QUOTA + 1)

struct rights *rights_new(uint32_t uid, bool all, const struct grant *grants, size_t n)
{
	struct rights *r = malloc(sizeof(*r) + n * sizeof(r->grants[0]));

	if (!r)
		return NULL;
	*r = (struct rights){ .refs = 1, .uid = uid, .all = all, .n_grants = n };
	if (n > 0)
		memcpy(r->grants, grants, n * sizeof(r->grants[0]));
	return r;
}

struct rights *rights_ref(struct rights *r)
{
	if (r)
		r->refs++;
	return r;
}

void rights_unref(struct rights *r)
{
	if (r && --r->refs == 0)
		free(r);
}

/* The last port up to which @grant allows all from @port on; below @port: not even it. */
static unsigned int allowed_up_to(const struct grant *grant, unsigned int port)
{
	for (size_t i = 0; i < grant->n_map; i++) {
		if (port >= grant->map[i].first && port <= grant->map[i].last)
			return grant->map[i].last;
	}
	return port - 1;
}

/* Ranges that touch each other are as good as one. */
static bool allows_ports(const struct grant *grant, const struct mapping *m)
{
	const unsigned int last = mapping_last_port(m);
	unsigned int port = m->external.port;

	while (port <= last) {
		const unsigned int end = allowed_up_to(grant, port);

		if (end < port)
			return false;
		port = end + 1;
	}
	return true;
}

static bool allows_host(const struct grant *grant, const struct in6_addr *host)
{
	for (size_t i = 0; i < grant->n_internal; i++) {
		const struct prefix *prefix = &grant->internal[i];

		/* ::/0 holds v4-mapped addresses only as numbers */
		if (prefix_is_ipv4(prefix) == address_is_ipv4(host) &&
		    address_in_prefix(host, prefix))
			return true;
	}
	return grant->n_internal == 0;
}

static bool allows_lifetime(const struct grant *grant, uint32_t lifetime)
{
	if (grant->max_lifetime == GRANT_UNLIMITED)
		return true;
	return lifetime > 0 && lifetime <= grant->max_lifetime;
}

/* The first thing, in the order of enum right, that @grant does not allow. */
static unsigned int missing_of(const struct grant *grant, const struct mapping *m,
			       size_t owned, bool force)
{
	if (grant->n_map == 0)
		return RIGHT_ANY;
	if (force)
		return RIGHT_FORCE;
	if (!allows_ports(grant, m))
		return RIGHT_MAP;
	if (m->external.port < PRIVILEGED_END && !grant->privileged)
		return RIGHT_PRIVILEGED;
	if (!allows_host(grant, &m->host))
		return RIGHT_INTERNAL;
	if (!allows_lifetime(grant, m->lifetime))
		return RIGHT_LIFETIME;
	if (grant->quota != GRANT_UNLIMITED && owned >= grant->quota)
		return RIGHT_QUOTA;
	return RIGHT_NONE;
}

static uint32_t limit_of(const struct grant *grant, unsigned int missing)
{
	if (missing == RIGHT_LIFETIME)
		return grant->max_lifetime;
	return missing == RIGHT_QUOTA ? grant->quota : 0;
}

bool rights_judge(const struct rights *r, const struct mapping *m, size_t owned,
		  bool force, struct denial *ret)
{
	struct denial denial = { .missing = RIGHT_ANY };

	if (!r || r->all)
		return true;
	for (size_t i = 0; i < r->n_grants; i++) {
		const struct grant *grant = &r->grants[i];
		const unsigned int missing = missing_of(grant, m, owned, force);

		if (missing == RIGHT_NONE)
			return true;
		if (denial.grant && missing <= denial.missing)
			continue;
		denial.missing = (enum right)missing;
		denial.grant = grant;
		denial.limit = limit_of(grant, missing);
	}
	*ret = denial;
	return false;
}

bool rights_own(const struct rights *r, const struct mapping *m)
{
	if (!r || r->all)
		return true;
	return m->origin == ORIGIN_ADMIN && m->owner_uid == r->uid;
}
