/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "rules/smallsets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "rules/array.h"
#include "rules/elements.h"

void keys_done(struct keys *keys)
{
	free(keys->keys);
	*keys = (struct keys){ 0 };
}

static void keys_add(struct keys *keys, const void *bytes, size_t len, uint32_t flags)
{
	struct key *k;

	if (keys->error)
		return;
	k = array_grow(keys->keys, keys->n, &keys->room, sizeof(*k));
	if (!k) {
		keys->error = -ENOMEM;
		return;
	}
	keys->keys = k;
	k += keys->n++;
	memset(k, 0, sizeof(*k));
	memcpy(k->bytes, bytes, len < KEY_ROOM ? len : KEY_ROOM);
	k->flags = flags;
}

/* The end of an interval before the start of the next at the same place: the kernel takes
 * a start behind a start without end for an overlap. */
static int compare_keys(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int r = memcmp(x->bytes, y->bytes, sizeof(x->bytes));

	return r ? r : (x->flags < y->flags) - (x->flags > y->flags);
}

static void keys_sort(struct keys *keys)
{
	size_t n = 0;

	if (keys->n)
		qsort(keys->keys, keys->n, sizeof(*keys->keys), compare_keys);
	for (size_t i = 0; i < keys->n; i++)
		if (!n || compare_keys(&keys->keys[i], &keys->keys[n - 1]) != 0)
			keys->keys[n++] = keys->keys[i];
	keys->n = n;
}

/* ------------------------------------------------------------------ wanted */

static void want_lans(struct keys *ret, const struct ruleset_options *options)
{
	for (size_t i = 0; i < options->n_lan; i++)
		keys_add(ret, options->lan[i], IFNAMSIZ, 0);
}

static void want_addresses(struct keys *ret, const struct address_list *wan, bool ipv4)
{
	size_t skip = ipv4 ? 12 : 0;

	for (size_t i = 0; i < wan->n; i++)
		if (address_is_ipv4(&wan->addrs[i]) == ipv4)
			keys_add(ret, wan->addrs[i].s6_addr + skip, 16 - skip, 0);
}

static void want_open(struct keys *ret, const struct ruleset_options *options)
{
	uint8_t key[8];
	uint16_t port;

	for (size_t i = 0; i < options->n_open; i++) {
		memset(key, 0, sizeof(key));
		key[0] = options->open[i].protocol;
		port = htons(options->open[i].port);
		memcpy(key + 4, &port, sizeof(port));
		keys_add(ret, key, sizeof(key), 0);
	}
}

/* In host byte order, as the kernel and nft hold marks. */
static void sequence_key(uint64_t sequence, uint8_t key[static 8])
{
	uint32_t words[2] = { (uint32_t)(sequence >> 32), (uint32_t)sequence };

	memcpy(key, words, sizeof(words));
}

uint64_t sequence_of_key(const uint8_t *key)
{
	uint32_t words[2];

	memcpy(words, key, sizeof(words));
	return (uint64_t)words[0] << 32 | words[1];
}

static void mask_address(struct in6_addr *addr, unsigned len)
{
	for (unsigned bit = len; bit < 128; bit++)
		addr->s6_addr[bit / 8] &= (uint8_t)~(0x80u >> bit % 8);
}

/* The first address behind the prefix; false when there is none. */
static bool address_behind(struct in6_addr *addr, unsigned len)
{
	for (unsigned bit = len; bit-- > 0;) {
		addr->s6_addr[bit / 8] ^= (uint8_t)(0x80u >> bit % 8);
		if (addr->s6_addr[bit / 8] & 0x80u >> bit % 8)
			return true;
	}
	return false;
}

/* The kernel refuses intervals that overlap; of equal prefixes the first stays. */
static bool is_covered(const struct ruleset_addresses *a, size_t which)
{
	const struct prefix *p = &a->masquerade6[which], *other;

	for (size_t i = 0; i < a->n_masquerade6; i++) {
		other = &a->masquerade6[i];
		if (i == which || other->len > p->len ||
		    (other->len == p->len && i > which))
			continue;
		if (address_in_prefix(&p->addr, other))
			return true;
	}
	return false;
}

/* An interval is two elements: its start, and marked as end the first one behind it. */
static void want_intervals(struct keys *ret, const struct ruleset_addresses *a)
{
	struct in6_addr addr;

	for (size_t i = 0; i < a->n_masquerade6; i++) {
		if (is_covered(a, i))
			continue;
		addr = a->masquerade6[i].addr;
		mask_address(&addr, a->masquerade6[i].len);
		keys_add(ret, &addr, sizeof(addr), 0);
		if (address_behind(&addr, a->masquerade6[i].len))
			keys_add(ret, &addr, sizeof(addr), NFT_SET_ELEM_INTERVAL_END);
	}
}

static void want_sequence(struct keys *ret, uint64_t sequence)
{
	uint8_t key[8];

	sequence_key(sequence, key);
	keys_add(ret, key, sizeof(key), 0);
}

int keys_wanted(struct keys *ret, enum set_id id, const struct contents *c)
{
	switch (id) {
	case SET_LAN_IF:
	case SET_LAN_FIB:
		want_lans(ret, c->options);
		break;
	case SET_WAN_ADDR4:
	case SET_WAN_ADDR6:
		want_addresses(ret, &c->addresses->wan, id == SET_WAN_ADDR4);
		break;
	case SET_MASQUERADE6:
		want_intervals(ret, c->addresses);
		break;
	case SET_SEQUENCE:
		want_sequence(ret, c->sequence);
		break;
	case SET_OPEN:
		want_open(ret, c->options);
		break;
	case SET_FORWARD4:
	case SET_FORWARD6:
	case SET_PINHOLE6:
	case SET_ENDED4:
	case SET_ENDED6:
		break;
	}
	keys_sort(ret);
	return ret->error;
}

/* ------------------------------------------------------------------ found */

static int on_element(void *userdata, const struct counted *e)
{
	struct keys *keys = userdata;

	keys_add(keys, e->key ? e->key : (const uint8_t *)"", e->key_len, e->flags);
	return keys->error;
}

static int on_message(const struct nlmsghdr *nlh, void *userdata)
{
	if (elements_each(nlh, on_element, userdata) < 0) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	return MNL_CB_OK;
}

int keys_of_kernel(struct keys *ret, enum set_id id, struct ruleset *rs)
{
	int r = ruleset_get(rs, NFT_MSG_GETSETELEM, NFPROTO_INET, NLM_F_DUMP,
			    RULESET_TABLE, set_specs[id].name, on_message, ret);

	keys_sort(ret);
	return r;
}

/* ------------------------------------------------------------------ the difference */

static void put_key(struct batch *b, enum set_id id, uint16_t type, const struct key *k)
{
	bool has_key = !(k->flags & NFT_SET_ELEM_CATCHALL);

	batch_element(b, type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0,
		      set_specs[id].name,
		      &(struct element){ .key = has_key ? k->bytes : NULL,
					 .key_len = set_specs[id].key_len,
					 .flags = k->flags });
}

/* @only: of the keys in @a those that are not in @b */
static size_t put_missing(struct batch *out, enum set_id id, uint16_t type,
			  const struct keys *a, const struct keys *b)
{
	size_t j = 0, n = 0;

	for (size_t i = 0; i < a->n; i++) {
		while (j < b->n && compare_keys(&b->keys[j], &a->keys[i]) < 0)
			j++;
		if (j < b->n && compare_keys(&b->keys[j], &a->keys[i]) == 0)
			continue;
		if (out)
			put_key(out, id, type, &a->keys[i]);
		n++;
	}
	return n;
}

/* A start without its end is another interval, so these change as a whole. */
static void replace_all(struct batch *b, enum set_id id, const struct keys *have,
			const struct keys *want)
{
	if (have->n)
		set_clear(b, set_specs[id].name);
	for (size_t i = 0; i < want->n; i++)
		put_key(b, id, NFT_MSG_NEWSETELEM, &want->keys[i]);
}

size_t keys_change(struct batch *b, enum set_id id, const struct keys *have,
		   const struct keys *want)
{
	bool whole = set_specs[id].flags & NFT_SET_INTERVAL;
	struct batch *each = whole ? NULL : b;
	size_t n;

	n = put_missing(each, id, NFT_MSG_DELSETELEM, have, want);
	n += put_missing(each, id, NFT_MSG_NEWSETELEM, want, have);
	if (whole && n)
		replace_all(b, id, have, want);
	return n;
}

void sequence_put(struct batch *b, uint64_t sequence)
{
	struct key k = { .flags = 0 };

	sequence_key(sequence, k.bytes);
	set_clear(b, set_specs[SET_SEQUENCE].name);
	put_key(b, SET_SEQUENCE, NFT_MSG_NEWSETELEM, &k);
}
