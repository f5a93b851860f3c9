/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "natd/access/access.h"

#include <errno.h>
#include <stdlib.h>

void credentials_done(struct credentials *credentials)
{
	free(credentials->groups);
	credentials->groups = NULL;
	credentials->n_groups = 0;
}

bool credentials_has_group(const struct credentials *credentials, gid_t group)
{
	for (size_t i = 0; i < credentials->n_groups; i++)
		if (credentials->groups[i] == group)
			return true;
	return false;
}

static bool is_meant(const struct access_rule *rule, const struct credentials *peer)
{
	if (rule->is_group)
		return credentials_has_group(peer, rule->id);
	return peer->known && peer->uid == rule->id;
}

bool access_speaks_of(const struct access *access, const struct credentials *peer)
{
	for (size_t i = 0; i < access->n; i++)
		if (is_meant(&access->rules[i], peer))
			return true;
	return false;
}

int access_rights(const struct access *access, const struct credentials *peer, bool all,
		  struct rights **ret)
{
	struct grant grants[ACCESS_RULES_MAX];
	struct rights *rights;
	size_t n = 0;

	for (size_t i = 0; i < access->n && !all; i++)
		if (is_meant(&access->rules[i], peer))
			grants[n++] = access->rules[i].grant;
	rights = rights_new(peer->uid, all, grants, n);
	if (!rights)
		return -ENOMEM;
	*ret = rights;
	return 0;
}

bool access_is_open(const struct access *access)
{
	return access->given && (access->look || access->n > 0);
}
