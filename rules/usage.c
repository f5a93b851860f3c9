/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "rules/usage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"

void usage_done(struct usage *usage)
{
	for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
		free(usage->single[i]);
		free(usage->range[i]);
	}
	*usage = (struct usage){ 0 };
}

static bool has_external_port(enum mapping_kind kind)
{
	return kind < MAPPING_PINHOLE6_FROM;
}

static struct port_counts **counts_of(struct usage *usage, const struct mapping *m)
{
	unsigned i = (unsigned)__builtin_ctz(protocol_bit(m->protocol));

	return mapping_is_range(m) ? &usage->range[i] : &usage->single[i];
}

int usage_add(struct usage *usage, const struct mapping *m)
{
	struct port_counts **counts = counts_of(usage, m);
	unsigned port = m->external.port;

	if (!has_external_port(mapping_kind(m)))
		return 0;
	if (!*counts) {
		/* pages that are never touched take no memory */
		*counts = calloc(1, sizeof(**counts));
		if (!*counts)
			return -ENOMEM;
	}
	for (unsigned i = 0; i < m->n_ports; i++, port++)
		if (!(*counts)->n[port]++)
			(*counts)->used[port / 64] |= 1ull << port % 64;
	return 0;
}

void usage_remove(struct usage *usage, const struct mapping *m)
{
	struct port_counts *counts = *counts_of(usage, m);
	unsigned port = m->external.port;

	if (!counts || !has_external_port(mapping_kind(m)))
		return;
	for (unsigned i = 0; i < m->n_ports; i++, port++) {
		if (!counts->n[port])
			continue;
		counts->n[port]--;
		if (!counts->n[port])
			counts->used[port / 64] &= ~(1ull << port % 64);
	}
}

/* ------------------------------------------------------------------ free intervals */

/* The kernel's own classes: a port below 512 is moved to one below 512. */
static const struct class
{
	struct port_range ports;
	unsigned shortest; /* interval worth keeping a flow in */
} classes[] = {
	{ { 1, 511 }, 16 },
	{ { 512, 1023 }, 16 },
	{ { 1024, 65535 }, 32 },
};
#define CLASSES (sizeof(classes) / sizeof(classes[0]))

/* Flows are moved into a block; one with fewer ports would be too small for the flows to
 * one popular server. */
#define BLOCK_MIN 1024
/* free intervals of one class that are told apart; of more the largest */
#define FREE_MAX 24

/** struct division - of one class; @free in order of their ports */
struct division {
	struct port_range free[FREE_MAX];
	size_t n;
};

static unsigned length(const struct port_range *r)
{
	return (unsigned)r->last - r->first + 1;
}

static bool is_free(const struct port_counts *const counts[2], unsigned port)
{
	for (size_t i = 0; i < 2; i++)
		if (counts[i] && counts[i]->used[port / 64] >> port % 64 & 1)
			return false;
	return true;
}

/* The first port from @port on that is free, or is not; @end if there is none */
static unsigned skip_to(const struct port_counts *const counts[2], bool free,
			unsigned port, unsigned end)
{
	uint64_t all = free ? UINT64_MAX : 0, word;

	while (port < end) {
		word = (counts[0] ? counts[0]->used[port / 64] : 0) |
		       (counts[1] ? counts[1]->used[port / 64] : 0);
		if (port % 64 == 0 && word == all)
			port += 64;
		else if (is_free(counts, port) == free)
			return port;
		else
			port++;
	}
	return end;
}

static size_t smallest(const struct division *d)
{
	size_t at = 0;

	for (size_t i = 1; i < d->n; i++)
		if (length(&d->free[i]) < length(&d->free[at]))
			at = i;
	return at;
}

static void note_free(struct division *d, const struct port_range *r)
{
	size_t at;

	if (d->n == FREE_MAX) {
		at = smallest(d);
		if (length(&d->free[at]) >= length(r))
			return;
		d->n--;
		memmove(&d->free[at], &d->free[at + 1], (d->n - at) * sizeof(d->free[0]));
	}
	d->free[d->n++] = *r;
}

/* Without the parts at its ends that are no whole steps. */
static struct port_range align(unsigned first, unsigned behind, unsigned step)
{
	unsigned from = (first + step - 1) / step * step, to = behind / step * step;

	if (behind == 65536 || step == 1)
		to = behind;
	if (first == 1 || step == 1)
		from = first;
	if (from >= to)
		return (struct port_range){ 1, 0 };
	return (struct port_range){ (uint16_t)from, (uint16_t)(to - 1) };
}

static void divide(const struct port_counts *const counts[2], const struct class *class,
		   unsigned step, struct division *ret)
{
	unsigned end = class->ports.last + 1u, first, behind;
	struct port_range r;

	ret->n = 0;
	for (first = class->ports.first; first < end; first = behind) {
		first = skip_to(counts, true, first, end);
		behind = skip_to(counts, false, first, end);
		r = align(first, behind, step);
		if (length(&r) >= class->shortest)
			note_free(ret, &r);
	}
}

static const struct port_range *largest(const struct division *d)
{
	const struct port_range *best = NULL;

	for (size_t i = 0; i < d->n; i++)
		if (!best || length(&d->free[i]) > length(best))
			best = &d->free[i];
	return best;
}

/* ------------------------------------------------------------------ elements */

struct spare_elements {
	struct keys *keys;
	uint8_t protocol;
};

static void put_interval(const struct spare_elements *e, unsigned first, unsigned last,
			 const struct port_range *to, bool moved)
{
	const struct spare_chain chain = { e->protocol, moved, *to };
	uint16_t key = htons((uint16_t)first), behind = htons((uint16_t)(last + 1));
	char name[CHAIN_ROOM];

	if (first > last)
		return;
	spare_chain_name(&chain, name);
	keys_add_verdict(e->keys, &key, NULL, sizeof(key), NFT_GOTO, name);
	if (last < 65535)
		keys_add(e->keys, &behind, sizeof(behind), NFT_SET_ELEM_INTERVAL_END);
}

static void put_class(const struct spare_elements *e, const struct class *class,
		      const struct division *d, const struct port_range *block)
{
	unsigned next = class->ports.first;

	for (size_t i = 0; i < d->n; i++) {
		const struct port_range *r = &d->free[i];

		put_interval(e, next, r->first - 1u, block, true);
		put_interval(e, r->first, r->last, r, false);
		next = r->last + 1u;
	}
	put_interval(e, next, class->ports.last, block, true);
}

/* Most mappings added later are to leave it as it is. */
static struct port_range steady_part(const struct port_range *block)
{
	return align(block->first, block->last + 1u, length(block) >= 4096 ? 1024 : 1);
}

static bool put_divided(const struct spare_elements *e,
			const struct port_counts *const counts[2], unsigned step)
{
	const struct port_range *block, *own;
	struct port_range steady;
	struct division d[CLASSES];

	for (size_t i = 0; i < CLASSES; i++)
		divide(counts, &classes[i], i < CLASSES - 1 && step > 64 ? 64 : step,
		       &d[i]);
	block = largest(&d[CLASSES - 1]);
	if (!block || length(block) < BLOCK_MIN)
		return false;
	steady = steady_part(block);
	for (size_t i = 0; i < CLASSES; i++) {
		own = i < CLASSES - 1 ? largest(&d[i]) : NULL;
		put_class(e, &classes[i], &d[i], own ? own : &steady);
	}
	return true;
}

static size_t count_used(const struct port_counts *const counts[2])
{
	size_t n = 0;

	for (size_t i = 0; i < PORT_WORDS; i++)
		n += (size_t)__builtin_popcountll((counts[0] ? counts[0]->used[i] : 0) |
						  (counts[1] ? counts[1]->used[i] : 0));
	return n;
}

/* The more mappings there are, the coarser: a few should cost nobody the port that he
 * chose, and of many hardly one should change the division. */
static bool put_protocol_spare(const struct spare_elements *e,
			       const struct port_counts *const counts[2])
{
	static const struct {
		size_t n;
		unsigned step;
	} steps[] = { { 1024, 1024 }, { 64, 64 }, { 0, 1 } };
	size_t n = count_used(counts);

	for (size_t i = 0; n && i < sizeof(steps) / sizeof(steps[0]); i++)
		if (n >= steps[i].n && put_divided(e, counts, steps[i].step))
			return true;
	return false;
}

enum set_id set_of_spare(unsigned i)
{
	return SET_SPARE_TCP + i;
}

int usage_spare(const struct usage *usage, unsigned i, struct keys *ret)
{
	const struct spare_elements e = { ret, protocol_at(i) };
	const struct port_counts *both[2] = { usage->single[i], usage->range[i] };
	const struct port_counts *single[2] = { usage->single[i], NULL };

	if (!put_protocol_spare(&e, both))
		put_protocol_spare(&e, single);
	return keys_sort(ret);
}

bool keys_lead_to(const struct keys *keys, size_t n, const char *chain)
{
	for (size_t i = 0; i < n; i++)
		if (keys->keys[i].chain && strcmp(keys->keys[i].chain, chain) == 0)
			return true;
	return false;
}

/* ------------------------------------------------------------------ names */

void spare_chain_name(const struct spare_chain *c, char name[static CHAIN_ROOM])
{
	snprintf(name, CHAIN_ROOM, "%s_%s_%u_%u", c->moved ? "moved" : "spare",
		 protocol_name(c->protocol), c->ports.first, c->ports.last);
}

/* Read loosely, then written again: only what comes out the same is one. */
bool spare_chain_parse(const char *name, struct spare_chain *ret)
{
	char what[8], protocol[8], first[6], last[6], again[CHAIN_ROOM];
	struct spare_chain c;

	if (sscanf(name, "%7[^_]_%7[^_]_%5[0-9]_%5[0-9]", what, protocol, first, last) !=
		    4 ||
	    protocol_parse(protocol, &c.protocol) < 0 ||
	    port_parse(first, &c.ports.first) < 0 || port_parse(last, &c.ports.last) < 0)
		return false;
	c.moved = strcmp(what, "moved") == 0;
	spare_chain_name(&c, again);
	if (strcmp(again, name) != 0)
		return false;
	*ret = c;
	return true;
}
