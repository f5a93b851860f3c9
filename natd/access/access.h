/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * access - from a peer's credentials to what it may do
 *
 *	access {
 *		look = yes                          # anybody may list and watch
 *		group family { map = "1024-65535"  internal = "192.168.1.0/24"
 *		               privileged = no  quota = 100  max-lease = 7d }
 *		user 1000 { ... }
 *	}
 *
 * Without an access block: root, natd's own user and members of natd's group may do all,
 * others nothing. With one, root and natd's own user may do all; members of natd's group
 * too, unless a rule speaks of them; the others what the rules that speak of them grant.
 */

#include "core/rights.h"
#include "natd/access/peer.h"

#define ACCESS_RULES_MAX 64

/**
 * struct access_rule
 * @is_group: @id is a gid, else a uid
 * @grant:    its text names the rule and where it stands
 */
struct access_rule {
	bool is_group;
	uint32_t id;
	struct grant grant;
};

/** struct access - of the configuration; zero-initialised it is "no access block" */
struct access {
	bool given;
	bool look;
	struct access_rule rules[ACCESS_RULES_MAX];
	size_t n;
};

/** access_speaks_of() - is there a rule for this user, or for a group of his? */
bool access_speaks_of(const struct access *access, const struct credentials *peer);

/**
 * access_rights() - what @peer may do to mappings
 * @all: he may do everything (MAY_CONTROL)
 * @ret: a reference of the caller's
 *
 * Return: 0 or -ENOMEM.
 */
int access_rights(const struct access *access, const struct credentials *peer, bool all,
		  struct rights **ret);

/** access_is_open() - may others than root, natd's user and its group connect? */
bool access_is_open(const struct access *access);
