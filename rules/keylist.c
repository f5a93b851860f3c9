/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "rules/keylist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules/array.h"
#include "rules/elements.h"

void keys_done(struct keys *keys)
{
	for (size_t i = 0; i < keys->n; i++)
		free(keys->keys[i].chain);
	free(keys->keys);
	*keys = (struct keys){ 0 };
}

static size_t at_most(size_t len, size_t room)
{
	return len < room ? len : room;
}

struct key *keys_add(struct keys *keys, const void *bytes, size_t len, uint32_t flags)
{
	struct key *k;

	if (keys->error)
		return NULL;
	k = array_grow(keys->keys, keys->n, &keys->room, sizeof(*k));
	if (!k) {
		keys->error = -ENOMEM;
		return NULL;
	}
	keys->keys = k;
	k += keys->n++;
	memset(k, 0, sizeof(*k));
	if (len)
		memcpy(k->bytes, bytes, at_most(len, KEY_ROOM));
	k->flags = flags;
	return k;
}

void keys_add_more(struct keys *keys, const void *bytes, size_t len, const void *more,
		   size_t more_len)
{
	struct key *k = keys_add(keys, bytes, len, 0);

	if (k && more_len)
		memcpy(k->more, more, at_most(more_len, MORE_ROOM));
}

void keys_add_verdict(struct keys *keys, const void *bytes, const void *end, size_t len,
		      int32_t verdict, const char *chain)
{
	struct key *k = keys_add(keys, bytes, len, 0);

	if (!k)
		return;
	if (end)
		memcpy(k->more, end, at_most(len, MORE_ROOM));
	k->verdict = verdict;
	k->chain = strdup(chain);
	if (!k->chain)
		keys->error = -ENOMEM;
}

static int compare_chains(const char *a, const char *b)
{
	if (!a || !b)
		return !b - !a;
	return strcmp(a, b);
}

/* The end of an interval before the start of the next at the same place: the kernel takes
 * a start behind a start without end for an overlap. */
static int compare_keys(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int r = memcmp(x->bytes, y->bytes, sizeof(x->bytes));

	if (!r)
		r = (x->flags < y->flags) - (x->flags > y->flags);
	if (!r)
		r = memcmp(x->more, y->more, sizeof(x->more));
	if (!r)
		r = (x->verdict > y->verdict) - (x->verdict < y->verdict);
	return r ? r : compare_chains(x->chain, y->chain);
}

int keys_sort(struct keys *keys)
{
	size_t n = 0;

	if (keys->n)
		qsort(keys->keys, keys->n, sizeof(*keys->keys), compare_keys);
	for (size_t i = 0; i < keys->n; i++) {
		if (n && compare_keys(&keys->keys[i], &keys->keys[n - 1]) == 0)
			free(keys->keys[i].chain);
		else
			keys->keys[n++] = keys->keys[i];
	}
	keys->n = n;
	return keys->error;
}

/* ------------------------------------------------------------------ the kernel's */

struct reading {
	struct keys *keys;
	const struct set_spec *spec;
};

/* An interval that is a single value may come without its end. */
static int on_element(void *userdata, const struct counted *e)
{
	const struct reading *r = userdata;
	bool has_ends = set_has_ends(r->spec);
	const uint8_t *end = e->end ? e->end : e->key;
	const uint8_t *more = has_ends ? end : e->data;
	size_t end_len = e->end ? e->end_len : e->key_len;
	size_t len = has_ends ? end_len : e->data_len;
	struct key *k = keys_add(r->keys, e->key ? e->key : (const uint8_t *)"",
				 e->key_len, e->flags);

	if (!k)
		return r->keys->error;
	if (more)
		memcpy(k->more, more, at_most(len, MORE_ROOM));
	if (!e->chain && !e->verdict)
		return 0;
	k->verdict = e->verdict;
	k->chain = e->chain ? strdup(e->chain) : NULL;
	if (e->chain && !k->chain)
		r->keys->error = -ENOMEM;
	return r->keys->error;
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
	struct reading reading = { ret, &set_specs[id] };
	int r = ruleset_get(rs, NFT_MSG_GETSETELEM, NFPROTO_INET, NLM_F_DUMP,
			    RULESET_TABLE, set_specs[id].name, on_message, &reading);
	int error = keys_sort(ret);

	return r < 0 ? r : error;
}

/* ------------------------------------------------------------------ the difference */

void key_put(struct batch *b, enum set_id id, uint16_t type, const struct key *k)
{
	const struct set_spec *spec = &set_specs[id];
	bool has_key = !(k->flags & NFT_SET_ELEM_CATCHALL);
	bool whole = type == NFT_MSG_NEWSETELEM;
	/* the end of an interval leads nowhere */
	bool has_data =
		whole && spec->data_len && !(k->flags & NFT_SET_ELEM_INTERVAL_END);

	batch_element(b, type, whole ? NLM_F_CREATE : 0, spec->name,
		      &(struct element){
			      .key = has_key ? k->bytes : NULL,
			      .key_len = spec->key_len,
			      .end = set_has_ends(spec) ? k->more : NULL,
			      .data = has_data && !set_has_ends(spec) ? k->more : NULL,
			      .data_len = spec->data_len,
			      .chain = whole ? k->chain : NULL,
			      .verdict = k->verdict,
			      .flags = k->flags,
		      });
}

size_t keys_beyond(const struct keys *a, const struct keys *b,
		   void (*on_key)(void *userdata, const struct key *k), void *userdata)
{
	size_t j = 0, n = 0;

	for (size_t i = 0; i < a->n; i++) {
		while (j < b->n && compare_keys(&b->keys[j], &a->keys[i]) < 0)
			j++;
		if (j < b->n && compare_keys(&b->keys[j], &a->keys[i]) == 0)
			continue;
		if (on_key)
			on_key(userdata, &a->keys[i]);
		n++;
	}
	return n;
}

struct putting {
	struct batch *b;
	enum set_id id;
	uint16_t type;
};

static void put_one(void *userdata, const struct key *k)
{
	const struct putting *p = userdata;

	key_put(p->b, p->id, p->type, k);
}

/* Where a start and an end are two elements, a start without its end is another
 * interval: these change as a whole. */
static bool changes_as_a_whole(enum set_id id)
{
	return set_specs[id].flags & NFT_SET_INTERVAL && !set_has_ends(&set_specs[id]);
}

size_t keys_take_away(struct batch *b, enum set_id id, const struct keys *have,
		      const struct keys *want)
{
	struct putting p = { b, id, NFT_MSG_DELSETELEM };
	size_t n;

	if (!changes_as_a_whole(id))
		return keys_beyond(have, want, put_one, &p);
	n = keys_beyond(have, want, NULL, NULL);
	if (have->n && n + keys_beyond(want, have, NULL, NULL))
		set_clear(b, set_specs[id].name);
	return n;
}

size_t keys_put(struct batch *b, enum set_id id, const struct keys *have,
		const struct keys *want)
{
	struct putting p = { b, id, NFT_MSG_NEWSETELEM };
	size_t n;

	if (!changes_as_a_whole(id))
		return keys_beyond(want, have, put_one, &p);
	n = keys_beyond(want, have, NULL, NULL);
	if (n + keys_beyond(have, want, NULL, NULL) == 0)
		return 0;
	for (size_t i = 0; i < want->n; i++)
		put_one(&p, &want->keys[i]);
	return n;
}

size_t keys_change(struct batch *b, enum set_id id, const struct keys *have,
		   const struct keys *want)
{
	size_t n = keys_take_away(b, id, have, want);

	return n + keys_put(b, id, have, want);
}
