/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * ending_private - keys, judges and looks
 */

#include "natd/gateway/ending.h"

/** struct stale - a connection that is to end
 * @count: see struct ending_key
 * @bar:   the inner host must not make it again */
struct stale {
	struct connection connection;
	uint32_t *count;
	bool bar;
};

/**
 * struct harvest - what one dump collects; entries are ended after it, not while it runs
 * @ending: NULL: only what other hosts leave under as is looked at
 * @lost:   addresses
 * @memory: where what is loose is noted; NULL: nobody wants to know
 */
struct harvest {
	const struct engine_parts *parts;
	const struct ending *ending;
	const struct address_list *lost;
	struct address_list wan;
	bool everywhere;
	struct ending_memory *memory;
	struct stale *stale;
	size_t n, room;
};

/** ending_sort() - before ending_key_of() */
void ending_sort(struct ending *ending);
/** ending_key_of() - the key that has that tuple; of several one that does not drain;
 * borrowed, or NULL */
const struct ending_key *ending_key_of(const struct ending *ending, uint8_t protocol,
				       const struct endpoint *dialled,
				       const struct in6_addr *remote);
/** ending_is_loose() - has @memory a bit for one of @key's ports? */
bool ending_is_loose(const struct ending_memory *memory, const struct ending_key *key);
void ending_note_loose(struct ending_memory *memory, uint8_t protocol, uint16_t port);

/** ending_judge() - of a change. @userdata: struct harvest */
int ending_judge(void *userdata, const struct connection *c);
int ending_judge_lost(void *userdata, const struct connection *c);
int ending_judge_unasked(void *userdata, const struct connection *c);
int ending_judge_untranslated(void *userdata, const struct connection *c);
