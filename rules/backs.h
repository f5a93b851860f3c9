/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * backs - whose own traffic leaves from which external port
 *
 * Where a mapping leads is looked up as the source of what leaves: in same4/6 when it is
 * to keep its port, in back4/6 for the port it gets, in back4_at/6_at for address and
 * port. Several mappings may lead to one place, and one element can say only one: equal
 * ports come first, then the lower id. A given external address that no WAN has (yet)
 * counts for nothing: under it nobody would be answered. Hence all of them are kept here.
 */

#include "rules/keylist.h"

struct back;

/** struct backs - zero-initialised it is empty
 * @elements: that there are now
 * @at_most:  that there can be, whichever addresses are ours
 * @added:    put into a batch; whoever begins one sets it to zero */
struct backs {
	enum symmetry symmetry;
	struct back **by_place;
	struct back **by_mapping;
	size_t n, mask;
	size_t elements[SET_COUNT];
	size_t at_most[SET_COUNT];
	size_t added[SET_COUNT];
};

void backs_done(struct backs *backs);

/** protocol_is_symmetric() - does what a mapping leads to leave from its port? */
bool protocol_is_symmetric(enum symmetry symmetry, uint8_t protocol);

/** backs_concern() - has the mapping elements here? Ranges have theirs in keep4/6 */
bool backs_concern(const struct backs *backs, const struct mapping *m);

/**
 * backs_add() - a live mapping
 * @wan: external addresses that are ours
 * @b:   gets the steps that the kernel's sets take, or NULL
 *
 * Return: 0 or -ENOMEM.
 */
int backs_add(struct backs *backs, const struct mapping *m,
	      const struct address_list *wan, struct batch *b);
void backs_remove(struct backs *backs, const struct mapping *m, struct batch *b);

/**
 * backs_follow() - other addresses are ours now; of all mappings, at once
 *
 * Return: 0, or -ENOMEM, and then nothing has changed.
 */
int backs_follow(struct backs *backs, const struct address_list *wan, struct batch *b);

/** backs_wanted() - what set @id should hold. Return: 0 or -ENOMEM */
int backs_wanted(const struct backs *backs, enum set_id id, struct keys *ret);

/** set_is_of_backs() - is it one of these sets? */
bool set_is_of_backs(enum set_id id);

/** keep_concerns() - has a live range an element in keep4 or keep6 (*@ret)? */
bool keep_concerns(enum symmetry symmetry, const struct mapping *m, enum set_id *ret);
/** keep_add() - the element. */
void keep_add(struct keys *keys, const struct mapping *m);
