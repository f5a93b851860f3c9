/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * stage_robbed - what belongs to somebody else is not taken by being more particular
 *
 * A mapping on one address of several, or for some remote prefixes, gets packets before
 * one for any address and anybody. Who may not touch that one does not get them either.
 */

#include "core/stage_private.h"

static bool is_robbed(const struct staging *s, const struct mapping *m,
		      const struct mapping *other)
{
	return !rights_own(s->rights, other) && mapping_takes(m, other);
}

const struct node *staging_robbed(const struct staging *s, const struct mapping *m)
{
	const struct node *robbed = NULL;

	if (!s->rights || s->rights->all || mapping_is_range(m))
		return NULL;
	for (uint32_t port = m->external.port; port <= mapping_last_port(m); port++) {
		const uint16_t at = (uint16_t)port;
		const struct node *node = table_first_on_port(s->table, m->protocol, at);

		for (; node; node = table_next_on_port(node, at)) {
			if (robbed && robbed->mapping.id < node->mapping.id)
				continue;
			if (is_robbed(s, m, &node->mapping))
				robbed = node;
		}
	}
	return robbed;
}
