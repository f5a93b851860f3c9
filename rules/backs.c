/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation. Two hash tables of all ports of all mappings concerned: by the
 * place they lead to, where those of one place hang together in the order of their
 * precedence, and by mapping, so that one is found again however many lead to the same
 * place. The first of a place has the element. Those at an address that is not ours are
 * found by mapping only, and hang together with the others when it is.
 */

#include "rules/backs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/array.h"

/**
 * struct back - one port of a mapping
 * @next_place: another place, in the same bucket; of the first of a place only
 * @next_mapping: in the same bucket
 * @before, @behind: same place, by precedence; @last of the first of a place only
 * @id, @port: the mapping, and its external port
 * @to: given external address, or any
 * @waits: for @to, which is not ours
 */
struct back {
	struct back *next_place, *next_mapping;
	struct back *before, *behind, *last;
	struct endpoint host;
	uint64_t id;
	struct in6_addr to;
	uint16_t port;
	uint8_t protocol;
	bool waits;
};

#define BUCKETS_FIRST 256

bool set_is_of_backs(enum set_id id)
{
	return id >= SET_BACK4 && id <= SET_SAME6;
}

bool protocol_is_symmetric(enum symmetry symmetry, uint8_t protocol)
{
	switch (symmetry) {
	case SYMMETRY_NONE:
		return false;
	case SYMMETRY_UDP:
		return protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE;
	case SYMMETRY_ALL:
		return true;
	}
	return false;
}

bool backs_concern(const struct backs *backs, const struct mapping *m)
{
	return protocol_is_symmetric(backs->symmetry, m->protocol) &&
	       !mapping_is_range(m) && !mapping_is_pinhole(m);
}

/* ------------------------------------------------------------------ elements */

static enum set_id set_of(const struct back *back)
{
	bool ipv4 = address_is_ipv4(&back->host.addr);

	if (!address_is_any(&back->to))
		return ipv4 ? SET_BACK4_AT : SET_BACK6_AT;
	if (back->port == back->host.port)
		return ipv4 ? SET_SAME4 : SET_SAME6;
	return ipv4 ? SET_BACK4 : SET_BACK6;
}

static void make_key(const struct back *back, struct key *ret)
{
	enum set_id id = set_of(back);
	struct writer key = { ret->bytes, ret->bytes }, data = { ret->more, ret->more };

	memset(ret, 0, sizeof(*ret));
	put_protocol(&key, back->protocol);
	put_address(&key, &back->host.addr);
	put_port(&key, back->host.port);
	if (id == SET_BACK4_AT || id == SET_BACK6_AT)
		put_address(&data, &back->to);
	if (id != SET_SAME4 && id != SET_SAME6)
		put_port(&data, back->port);
}

static void put_element(struct backs *backs, const struct back *back, uint16_t type,
			struct batch *b)
{
	enum set_id id = set_of(back);
	struct key k;

	if (type == NFT_MSG_NEWSETELEM)
		backs->elements[id]++;
	else
		backs->elements[id]--;
	if (!b)
		return;
	backs->added[id] += type == NFT_MSG_NEWSETELEM;
	make_key(back, &k);
	key_put(b, id, type, &k);
}

int backs_wanted(const struct backs *backs, enum set_id id, struct keys *ret)
{
	const struct back *back;
	struct key k;

	for (size_t i = 0; backs->n && i <= backs->mask; i++)
		for (back = backs->by_place[i]; back; back = back->next_place) {
			if (set_of(back) != id)
				continue;
			make_key(back, &k);
			keys_add_more(ret, k.bytes, KEY_ROOM, k.more, MORE_ROOM);
		}
	return keys_sort(ret);
}

/* ------------------------------------------------------------------ hash tables */

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

/* Who may add mappings may choose them, and with them a long chain; then adding is slow
 * for all who may, and packets do not come here. */
static size_t hash_place(const struct endpoint *host, uint8_t protocol)
{
	uint64_t words[2];

	memcpy(words, &host->addr, sizeof(words));
	return (size_t)mix(mix(mix(protocol, words[0]), words[1]), host->port);
}

static size_t hash_mapping(uint64_t id, uint16_t port)
{
	return (size_t)mix(mix(0, id), port);
}

static bool same_place(const struct back *back, const struct endpoint *host,
		       uint8_t protocol)
{
	return back->protocol == protocol && endpoint_equal(&back->host, host);
}

static struct back **find_place(const struct backs *backs, const struct endpoint *host,
				uint8_t protocol)
{
	struct back **at = &backs->by_place[hash_place(host, protocol) & backs->mask];

	while (*at && !same_place(*at, host, protocol))
		at = &(*at)->next_place;
	return at;
}

static struct back **find_mapping(const struct backs *backs, uint64_t id, uint16_t port)
{
	struct back **at = &backs->by_mapping[hash_mapping(id, port) & backs->mask];

	while (*at && ((*at)->id != id || (*at)->port != port))
		at = &(*at)->next_mapping;
	return at;
}

static void rehash(struct backs *to, struct back *places, struct back *mappings)
{
	struct back **at, *next;

	for (struct back *first = places; first; first = next) {
		next = first->next_place;
		at = &to->by_place[hash_place(&first->host, first->protocol) & to->mask];
		first->next_place = *at;
		*at = first;
	}
	for (struct back *back = mappings; back; back = next) {
		next = back->next_mapping;
		at = &to->by_mapping[hash_mapping(back->id, back->port) & to->mask];
		back->next_mapping = *at;
		*at = back;
	}
}

static int grow(struct backs *backs)
{
	struct backs more = *backs;

	if (backs->by_place && backs->n <= backs->mask)
		return 0;
	more.mask = backs->by_place ? backs->mask * 2 + 1 : BUCKETS_FIRST - 1;
	more.by_place = calloc(more.mask + 1, sizeof(struct back *));
	more.by_mapping = calloc(more.mask + 1, sizeof(struct back *));
	if (!more.by_place || !more.by_mapping) {
		free(more.by_place);
		free(more.by_mapping);
		return -ENOMEM;
	}
	for (size_t i = 0; backs->by_place && i <= backs->mask; i++)
		rehash(&more, backs->by_place[i], backs->by_mapping[i]);
	free(backs->by_place);
	free(backs->by_mapping);
	*backs = more;
	return 0;
}

void backs_done(struct backs *backs)
{
	struct back *back;

	for (size_t i = 0; backs->by_mapping && i <= backs->mask; i++)
		while ((back = backs->by_mapping[i])) {
			backs->by_mapping[i] = back->next_mapping;
			free(back);
		}
	free(backs->by_place);
	free(backs->by_mapping);
	*backs = (struct backs){ .symmetry = backs->symmetry };
}

/* ------------------------------------------------------------------ precedence */

static bool keeps_port(const struct back *back)
{
	return address_is_any(&back->to) && back->port == back->host.port;
}

static bool comes_before(const struct back *a, const struct back *b)
{
	if (keeps_port(a) != keeps_port(b))
		return keeps_port(a);
	return a->id != b->id ? a->id < b->id : a->port < b->port;
}

/* @new comes behind @at, or first. */
static void link_in(struct back **place, struct back *at, struct back *new)
{
	struct back *first = *place;

	new->before = at;
	new->behind = at ? at->behind : first;
	if (new->behind)
		new->behind->before = new;
	if (at) {
		at->behind = new;
		if (first && first->last == at)
			first->last = new;
		return;
	}
	new->last = first ? first->last : new;
	new->next_place = first ? first->next_place : NULL;
	*place = new;
}

static void take_out(struct back **place, struct back *old)
{
	struct back *first = *place;

	if (old->behind)
		old->behind->before = old->before;
	if (old->before) {
		old->before->behind = old->behind;
		if (first && first->last == old)
			first->last = old->before;
		return;
	}
	*place = old->behind ? old->behind : old->next_place;
	if (!old->behind)
		return;
	old->behind->last = old->last;
	old->behind->next_place = old->next_place;
}

/* What is found where the place of @back was may be another one by now. */
static struct back *first_of(struct back **place, const struct back *back)
{
	return *place && same_place(*place, &back->host, back->protocol) ? *place : NULL;
}

static void hand_over(struct backs *backs, const struct back *from, const struct back *to,
		      struct batch *b)
{
	if (from == to)
		return;
	if (from)
		put_element(backs, from, NFT_MSG_DELSETELEM, b);
	if (to)
		put_element(backs, to, NFT_MSG_NEWSETELEM, b);
}

/* From the last one on: ids mostly grow. */
static void insert(struct backs *backs, struct back *new, struct batch *b)
{
	struct back **place = find_place(backs, &new->host, new->protocol);
	struct back *first = *place, *at = first ? first->last : NULL;

	while (at && comes_before(new, at))
		at = at->before;
	link_in(place, at, new);
	hand_over(backs, first, *place, b);
}

static void extract(struct backs *backs, struct back *old, struct batch *b)
{
	struct back **place = find_place(backs, &old->host, old->protocol);
	const struct back *first = *place;

	take_out(place, old);
	hand_over(backs, first, first_of(place, old), b);
}

/* ------------------------------------------------------------------ mappings */

static bool waits(const struct back *back, const struct address_list *wan)
{
	return !address_is_any(&back->to) && !address_list_has(wan, &back->to);
}

static int add_port(struct backs *backs, const struct mapping *m, unsigned i,
		    const struct address_list *wan, struct batch *b)
{
	struct back *new, **bucket;

	if (grow(backs) < 0)
		return -ENOMEM;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->host = (struct endpoint){ m->host, (uint16_t)(m->internal.port + i) };
	new->id = m->id;
	new->to = m->external.addr;
	new->port = (uint16_t)(m->external.port + i);
	new->protocol = m->protocol;
	new->waits = waits(new, wan);
	bucket = &backs->by_mapping[hash_mapping(new->id, new->port) & backs->mask];
	new->next_mapping = *bucket;
	*bucket = new;
	if (!new->waits)
		insert(backs, new, b);
	backs->at_most[set_of(new)]++;
	backs->n++;
	return 0;
}

int backs_add(struct backs *backs, const struct mapping *m,
	      const struct address_list *wan, struct batch *b)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < m->n_ports; i++)
		r = add_port(backs, m, i, wan, b);
	return r;
}

void backs_remove(struct backs *backs, const struct mapping *m, struct batch *b)
{
	struct back **at, *old;

	for (unsigned i = 0; backs->n && i < m->n_ports; i++) {
		at = find_mapping(backs, m->id, (uint16_t)(m->external.port + i));
		old = *at;
		if (!old)
			continue;
		*at = old->next_mapping;
		if (!old->waits)
			extract(backs, old, b);
		backs->at_most[set_of(old)]--;
		backs->n--;
		free(old);
	}
}

/* ------------------------------------------------------------------ addresses */

/** struct moving - those that wait no longer, or do now */
struct moving {
	struct back **backs;
	size_t n, room;
};

static int find_moving(const struct backs *backs, const struct address_list *wan,
		       struct moving *ret)
{
	struct back **grown;

	for (size_t i = 0; backs->n && i <= backs->mask; i++)
		for (struct back *back = backs->by_mapping[i]; back;
		     back = back->next_mapping) {
			if (back->waits == waits(back, wan))
				continue;
			grown = array_grow(ret->backs, ret->n, &ret->room,
					   sizeof(*grown));
			if (!grown)
				return -ENOMEM;
			ret->backs = grown;
			ret->backs[ret->n++] = back;
		}
	return 0;
}

static int compare_moving(const void *a, const void *b)
{
	const struct back *x = *(struct back *const *)a, *y = *(struct back *const *)b;
	int r = memcmp(&x->host.addr, &y->host.addr, sizeof(x->host.addr));

	if (!r)
		r = (x->host.port > y->host.port) - (x->host.port < y->host.port);
	if (!r)
		r = (x->protocol > y->protocol) - (x->protocol < y->protocol);
	return r ? r : comes_before(y, x) - comes_before(x, y);
}

/* All of one place, in the order of their precedence: however many they are, who is there
 * is passed once. Those that come are first, so that the place stays the same one. */
static size_t move_place(struct backs *backs, struct back **moving, size_t n,
			 struct batch *b)
{
	struct back **place = find_place(backs, &moving[0]->host, moving[0]->protocol);
	struct back *first = *place, *at = NULL, *next;
	size_t all = 0;

	for (; all < n && same_place(moving[all], &moving[0]->host, moving[0]->protocol);
	     all++) {
		if (!moving[all]->waits)
			continue;
		while ((next = at ? at->behind : *place) &&
		       comes_before(next, moving[all]))
			at = next;
		link_in(place, at, moving[all]);
		at = moving[all];
	}
	for (size_t i = 0; i < all; i++) {
		if (!moving[i]->waits)
			take_out(place, moving[i]);
		moving[i]->waits = !moving[i]->waits;
	}
	hand_over(backs, first, first_of(place, moving[0]), b);
	return all;
}

int backs_follow(struct backs *backs, const struct address_list *wan, struct batch *b)
{
	struct moving moving = { 0 };
	int r = 0;

	if (backs->at_most[SET_BACK4_AT] || backs->at_most[SET_BACK6_AT])
		r = find_moving(backs, wan, &moving);
	if (r == 0 && moving.n)
		qsort(moving.backs, moving.n, sizeof(*moving.backs), compare_moving);
	for (size_t i = 0; r == 0 && i < moving.n;)
		i += move_place(backs, moving.backs + i, moving.n - i, b);
	free(moving.backs);
	return r;
}

/* ------------------------------------------------------------------ ranges */

bool keep_concerns(enum symmetry symmetry, const struct mapping *m, enum set_id *ret)
{
	enum mapping_kind kind = mapping_kind(m);

	if (kind != MAPPING_RANGE4 && kind != MAPPING_RANGE6)
		return false;
	*ret = kind == MAPPING_RANGE4 ? SET_KEEP4 : SET_KEEP6;
	return protocol_is_symmetric(symmetry, m->protocol);
}

void keep_add(struct keys *keys, const struct mapping *m)
{
	uint8_t bytes[KEY_ROOM] = { 0 }, end[KEY_ROOM] = { 0 };
	struct writer w = { bytes, bytes }, v = { end, end };

	put_port(&w, m->internal.port);
	put_protocol(&w, m->protocol);
	put_address(&w, &m->host);
	put_port(&v, mapping_last_port(m));
	put_protocol(&v, m->protocol);
	put_address(&v, &m->host);
	keys_add_more(keys, bytes, written(&w), end, written(&v));
}
