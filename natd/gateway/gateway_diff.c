/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * gateway_diff - from the forwards that the table has of the file to those of another
 *
 * A forward is the same one as long as it takes the same packets, and is altered where it
 * is; so it keeps its id and what it has counted. What takes other packets is removed and
 * added.
 */

#include "natd/gateway/gateway_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"

/** struct place - a forward of one protocol, @forward NULL for one of the table */
struct place {
	const struct mapping *m;
	const struct config_forward *forward;
	uint8_t protocol;
};

struct places {
	struct place *places;
	size_t n;
};

/**
 * struct diff
 * @missing: of each forward of @config the protocols that the table lacks
 */
struct diff {
	const struct table *table;
	const struct config *config;
	struct places have, want;
	uint8_t *missing;
	struct change_list *removals;
	struct change_list updates;
};

/* ------------------------------------------------------------ the same packets */

static int compare_numbers(unsigned int a, unsigned int b)
{
	return a < b ? -1 : a > b;
}

static int compare_remotes(const struct mapping *a, const struct mapping *b)
{
	size_t n, n_b;
	const struct prefix *remotes = mapping_remotes(a, &n);
	const struct prefix *others = mapping_remotes(b, &n_b);

	if (n != n_b)
		return n < n_b ? -1 : 1;
	for (size_t i = 0; i < n; i++) {
		int r = memcmp(&remotes[i].addr, &others[i].addr,
			       sizeof(remotes[i].addr));

		if (r == 0)
			r = compare_numbers(remotes[i].len, others[i].len);
		if (r != 0)
			return r;
	}
	return 0;
}

/* A pinhole is reached at its host; which that is of a suffix is not the file's. */
static const struct in6_addr *dialled(const struct mapping *m)
{
	return mapping_is_pinhole(m) ? &m->internal.addr : &m->external.addr;
}

static int compare_mappings(const struct mapping *a, const struct mapping *b)
{
	int r = compare_numbers(a->external.port, b->external.port);

	if (r == 0)
		r = compare_numbers(a->n_ports, b->n_ports);
	if (r == 0)
		r = compare_numbers(mapping_is_pinhole(a), mapping_is_pinhole(b));
	if (r == 0)
		r = compare_numbers(a->suffix, b->suffix);
	if (r == 0)
		r = memcmp(dialled(a), dialled(b), sizeof(*dialled(a)));
	if (r == 0)
		r = strcmp(mapping_lan(a), mapping_lan(b));
	return r ? r : compare_remotes(a, b);
}

static int compare_places(const void *left, const void *right)
{
	const struct place *a = left, *b = right;
	int r = compare_numbers(a->protocol, b->protocol);

	return r ? r : compare_mappings(a->m, b->m);
}

static int make_room(struct places *places, size_t n)
{
	places->places = calloc(n + 1, sizeof(*places->places));
	return places->places ? 0 : -ENOMEM;
}

static void sort(struct places *places)
{
	qsort(places->places, places->n, sizeof(*places->places), compare_places);
}

static int list_have(struct diff *diff)
{
	const struct mapping *m;

	if (make_room(&diff->have, table_size(diff->table)) < 0)
		return -ENOMEM;
	table_for_each (diff->table, m) {
		if (m->origin == ORIGIN_CONFIG)
			diff->have.places[diff->have.n++] =
				(struct place){ .m = m, .protocol = m->protocol };
	}
	sort(&diff->have);
	return 0;
}

static int list_want(struct diff *diff)
{
	const struct config *config = diff->config;

	if (make_room(&diff->want, config->n_forwards * PROTOCOL_COUNT) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_forwards * PROTOCOL_COUNT; i++) {
		const struct config_forward *forward =
			&config->forwards[i / PROTOCOL_COUNT];
		const uint8_t protocol = protocol_at(i % PROTOCOL_COUNT);

		if (forward->change.protocols & protocol_bit(protocol))
			diff->want.places[diff->want.n++] = (struct place){
				.m = &forward->change.mapping,
				.forward = forward,
				.protocol = protocol,
			};
	}
	sort(&diff->want);
	return 0;
}

/* ------------------------------------------------------------ what differs */

static int remove_one(struct diff *diff, const struct mapping *m)
{
	const struct change change = {
		.kind = CHANGE_REMOVE,
		.config_too = true,
		.selector = { .id = m->id },
	};

	return change_list_add(diff->removals, &change);
}

static void miss(struct diff *diff, const struct place *want)
{
	diff->missing[want->forward - diff->config->forwards] |=
		protocol_bit(want->protocol);
}

static void fill_patch(const struct mapping *have, const struct mapping *want,
		       struct patch *ret)
{
	if (strcmp(have->name, want->name) != 0)
		ret->set |= PATCH_NAME;
	if (have->enabled != want->enabled)
		ret->set |= PATCH_ENABLED;
	if (strcmp(mapping_comment(have), mapping_comment(want)) != 0)
		ret->set |= PATCH_COMMENT;
	if (!endpoint_equal(&have->internal, &want->internal))
		ret->set |= PATCH_INTERNAL;
	memcpy(ret->name, want->name, sizeof(ret->name));
	if (have->upstream != want->upstream)
		ret->set |= PATCH_UPSTREAM;
	ret->enabled = want->enabled;
	ret->upstream = want->upstream;
	ret->details = want->details;
	ret->internal = want->internal;
	ret->suffix = want->suffix;
}

/* Names that wander from one forward to another would each be in the other's way. */
static bool name_is_in_use(const struct diff *diff, const struct place *want)
{
	return want->m->name[0] &&
	       table_find_name(diff->table, want->m->name, want->protocol);
}

static int alter(struct diff *diff, const struct mapping *have, const struct place *want)
{
	struct change change = {
		.kind = CHANGE_UPDATE,
		.config_too = true,
		.selector = { .id = have->id },
	};

	fill_patch(have, want->m, &change.patch);
	if (!change.patch.set)
		return 0;
	if (change.patch.set & PATCH_NAME && name_is_in_use(diff, want)) {
		miss(diff, want);
		return remove_one(diff, have);
	}
	return change_list_add(&diff->updates, &change);
}

static int compare_all(struct diff *diff)
{
	const struct places *have = &diff->have, *want = &diff->want;
	size_t i = 0, j = 0;
	int r = 0;

	while (r == 0 && (i < have->n || j < want->n)) {
		int order = i == have->n ? 1 : -1;

		if (i < have->n && j < want->n)
			order = compare_places(&have->places[i], &want->places[j]);
		if (order < 0)
			r = remove_one(diff, have->places[i++].m);
		else if (order > 0)
			miss(diff, &want->places[j++]);
		else
			r = alter(diff, have->places[i++].m, &want->places[j++]);
	}
	return r;
}

static int append_missing(const struct diff *diff, struct change_list *ret)
{
	for (size_t i = 0; i < diff->config->n_forwards; i++) {
		struct change change = diff->config->forwards[i].change;

		change.protocols = diff->missing[i];
		if (change.protocols && change_list_add(ret, &change) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int append_all(const struct change_list *list, struct change_list *ret)
{
	for (size_t i = 0; i < list->n; i++)
		if (change_list_add(ret, &list->changes[i]) < 0)
			return -ENOMEM;
	return 0;
}

int gateway_diff(const struct gateway *gw, const struct config *config,
		 struct change_list *ret)
{
	struct diff diff = { .table = gw->table, .config = config, .removals = ret };
	int r;

	diff.missing = calloc(config->n_forwards + 1, sizeof(*diff.missing));
	r = diff.missing ? list_have(&diff) : -ENOMEM;
	if (r == 0)
		r = list_want(&diff);
	if (r == 0)
		r = compare_all(&diff);
	/* what is added may need a port or a name that the others leave */
	if (r == 0)
		r = append_all(&diff.updates, ret);
	if (r == 0)
		r = append_missing(&diff, ret);
	change_list_done(&diff.updates);
	free(diff.have.places);
	free(diff.want.places);
	free(diff.missing);
	return r;
}

unsigned int gateway_line(const struct gateway *gw, const struct config *config,
			  const struct change *change)
{
	const struct mapping *m = &change->mapping;
	uint8_t protocols = change->protocols;

	if (change->kind != CHANGE_ADD) {
		m = table_find_id(gw->table, change->selector.id);
		protocols = m ? protocol_bit(m->protocol) : 0;
	}
	for (size_t i = 0; i < config->n_forwards; i++) {
		const struct change *forward = &config->forwards[i].change;

		if (forward->protocols & protocols &&
		    compare_mappings(&forward->mapping, m) == 0)
			return config->forwards[i].line;
	}
	return 0;
}
