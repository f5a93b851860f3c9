/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/gateway/recover_slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/**
 * struct slot
 * @order: in which it was told
 */
struct slot {
	struct ruleset_slot element;
	size_t order;
	bool taken;
};

static bool is_restricted(enum mapping_kind kind)
{
	return kind == MAPPING_FORWARD4_FROM || kind == MAPPING_FORWARD6_FROM ||
	       kind == MAPPING_PINHOLE6_FROM;
}

int slots_add(struct slots *slots, const struct ruleset_slot *slot)
{
	struct slot *added;

	if (slots->n == slots->room) {
		size_t room = slots->room ? slots->room * 2 : 256;
		struct slot *more = reallocarray(slots->slots, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		slots->slots = more;
		slots->room = room;
	}
	added = &slots->slots[slots->n];
	*added = (struct slot){ .element = *slot, .order = slots->n++ };
	/* of a prefix without length the address is nothing */
	if (!is_restricted(slot->kind))
		added->element.remote = (struct prefix){ 0 };
	return 0;
}

void slots_done(struct slots *slots)
{
	free(slots->slots);
	*slots = (struct slots){ 0 };
}

/* ------------------------------------------------------------ what is looked for */

#define HOST_BYTES 8

static int compare_numbers(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_hosts(const struct in6_addr *a, const struct in6_addr *b)
{
	return memcmp(a->s6_addr + HOST_BYTES, b->s6_addr + HOST_BYTES, HOST_BYTES);
}

static int compare_addresses(const struct in6_addr *a, const struct in6_addr *b)
{
	int order = compare_hosts(a, b);

	return order ? order : memcmp(a->s6_addr, b->s6_addr, HOST_BYTES);
}

static int compare_prefixes(const struct prefix *a, const struct prefix *b)
{
	int order = memcmp(&a->addr, &b->addr, sizeof(a->addr));

	return order ? order : compare_numbers(a->len, b->len);
}

/* All but the network of the external address: a suffix is found in any. */
static int compare_places(const struct ruleset_slot *a, const struct ruleset_slot *b)
{
	int order = compare_numbers(a->kind, b->kind);

	if (!order)
		order = compare_numbers(a->protocol, b->protocol);
	if (!order)
		order = compare_numbers(a->external.port, b->external.port);
	if (!order)
		order = compare_numbers(a->last_port, b->last_port);
	return order ? order : compare_hosts(&a->external.addr, &b->external.addr);
}

static int compare_keys(const struct ruleset_slot *a, const struct ruleset_slot *b)
{
	int order = compare_places(a, b);

	if (!order)
		order = compare_addresses(&a->external.addr, &b->external.addr);
	return order ? order : compare_prefixes(&a->remote, &b->remote);
}

static int by_key(const void *left, const void *right)
{
	const struct slot *a = left, *b = right;
	int order = compare_keys(&a->element, &b->element);

	return order ? order : (a->order < b->order ? -1 : 1);
}

void slots_settle(struct slots *slots)
{
	size_t n = 0;

	if (slots->n)
		qsort(slots->slots, slots->n, sizeof(*slots->slots), by_key);
	for (size_t i = 0; i < slots->n; i++) {
		if (n && compare_keys(&slots->slots[n - 1].element,
				      &slots->slots[i].element) == 0)
			n--;
		slots->slots[n++] = slots->slots[i];
	}
	slots->n = n;
}

/* The first that does not come before @wanted, by @compare. */
static size_t lower_bound(const struct slots *slots, const struct ruleset_slot *wanted,
			  int (*compare)(const struct ruleset_slot *,
					 const struct ruleset_slot *))
{
	size_t low = 0, high = slots->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&slots->slots[middle].element, wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct slot *find(const struct slots *slots, const struct ruleset_slot *wanted)
{
	size_t i = lower_bound(slots, wanted, compare_keys);

	if (i == slots->n || compare_keys(&slots->slots[i].element, wanted) != 0)
		return NULL;
	return &slots->slots[i];
}

/* ------------------------------------------------------------ mappings that are known */

/* The @i-th element of @m. */
static struct ruleset_slot element_of(const struct mapping *m, size_t i)
{
	struct ruleset_slot element = {
		.kind = mapping_kind(m),
		.protocol = m->protocol,
		.external = m->external,
		.internal = { .addr = m->host, .port = m->internal.port },
	};
	size_t n;
	const struct prefix *remotes = mapping_remotes(m, &n);

	if (mapping_is_range(m)) {
		element.last_port = mapping_last_port(m);
		return element;
	}
	if (n) {
		element.remote = remotes[i % n];
		i /= n;
	}
	element.external.port = (uint16_t)(element.external.port + i);
	element.internal.port = (uint16_t)(element.internal.port + i);
	element.last_port = element.external.port;
	return element;
}

/* @m's host is known. */
static bool holds(const struct slots *slots, const struct mapping *m)
{
	for (size_t i = 0; i < mapping_slots(m); i++) {
		struct ruleset_slot wanted = element_of(m, i);
		const struct slot *slot = find(slots, &wanted);

		if (!slot || slot->taken ||
		    !endpoint_equal(&slot->element.internal, &wanted.internal))
			return false;
	}
	return true;
}

/*
 * The first element of @m, which is by suffix, as the kernel has it from @at on; NULL: no
 * more. That of a pinhole may be in several prefixes.
 */
static const struct slot *next_host(const struct slots *slots, const struct mapping *m,
				    size_t *at)
{
	struct ruleset_slot first = element_of(m, 0);
	bool pinhole = mapping_is_pinhole(m);

	if (pinhole)
		first.external.addr = m->internal.addr;
	if (*at == SIZE_MAX)
		*at = lower_bound(slots, &first, compare_places);
	for (; *at < slots->n; ++*at) {
		const struct slot *slot = &slots->slots[*at];

		if (compare_places(&slot->element, &first) != 0)
			return NULL;
		if (compare_hosts(&slot->element.internal.addr, &m->internal.addr) == 0 &&
		    (pinhole ||
		     address_equal(&slot->element.external.addr, &first.external.addr))) {
			++*at;
			return slot;
		}
	}
	return NULL;
}

/* Return: is there one that all elements of @m lead to? */
static bool find_host(const struct slots *slots, struct mapping *m)
{
	const struct slot *slot;
	size_t at = SIZE_MAX;

	while ((slot = next_host(slots, m, &at))) {
		struct mapping there = *m;

		mapping_settle_host(&there, &slot->element.internal.addr);
		if (holds(slots, &there)) {
			*m = there;
			return true;
		}
	}
	return false;
}

bool slots_take(struct slots *slots, const struct mapping *m)
{
	struct mapping there = *m;

	if (m->suffix) {
		mapping_settle_host(&there, NULL);
		if (!find_host(slots, &there))
			return false;
	} else if (!holds(slots, m)) {
		return false;
	}
	for (size_t i = 0; i < mapping_slots(&there); i++) {
		struct ruleset_slot element = element_of(&there, i);

		find(slots, &element)->taken = true;
	}
	return true;
}

bool slots_serve(const struct slots *slots, const struct mapping *m)
{
	struct mapping there = *m;
	struct ruleset_slot first;
	size_t at = SIZE_MAX;

	if (m->suffix) {
		mapping_settle_host(&there, NULL);
		if (mapping_is_pinhole(&there))
			return next_host(slots, &there, &at);
	}
	first = element_of(&there, 0);
	return find(slots, &first);
}

/* ------------------------------------------------------------ those that are not */

/* Of the elements of one mapping the same. */
static int compare_targets(const struct ruleset_slot *a, const struct ruleset_slot *b)
{
	int order = compare_numbers(a->kind, b->kind);

	if (!order)
		order = compare_numbers(a->protocol, b->protocol);
	if (!order)
		order = compare_addresses(&a->external.addr, &b->external.addr);
	if (!order)
		order = compare_addresses(&a->internal.addr, &b->internal.addr);
	if (!order)
		order = compare_numbers((uint16_t)(a->internal.port - a->external.port),
					(uint16_t)(b->internal.port - b->external.port));
	return order;
}

static int by_target(const void *left, const void *right)
{
	const struct ruleset_slot *a = &((const struct slot *)left)->element;
	const struct ruleset_slot *b = &((const struct slot *)right)->element;
	int order = compare_targets(a, b);

	if (!order)
		order = compare_numbers(a->external.port, b->external.port);
	if (!order)
		order = compare_numbers(a->last_port, b->last_port);
	return order ? order : compare_prefixes(&a->remote, &b->remote);
}

/* Were neighbouring ports one mapping? On equal ports for anybody a range would be one
 * element. */
static bool joins(const struct ruleset_slot *element)
{
	switch (element->kind) {
	case MAPPING_FORWARD4:
	case MAPPING_FORWARD6:
		return element->external.port != element->internal.port;
	case MAPPING_FORWARD4_FROM:
	case MAPPING_FORWARD4_AT:
	case MAPPING_FORWARD6_FROM:
	case MAPPING_FORWARD6_AT:
	case MAPPING_PINHOLE6_FROM:
		return true;
	case MAPPING_RANGE4:
	case MAPPING_RANGE6:
	case MAPPING_PINHOLE6:
	case MAPPING_PINRANGE6:
		return false;
	}
	return false;
}

/* How many from @slot on are of one port, at most as many as a mapping's remotes. */
static size_t count_remotes(const struct slot *slot, const struct slot *end)
{
	const struct slot *next = slot;

	while (next < end && next - slot < MAPPING_REMOTES_MAX &&
	       compare_targets(&next->element, &slot->element) == 0 &&
	       next->element.external.port == slot->element.external.port &&
	       next->element.last_port == slot->element.last_port)
		next++;
	return (size_t)(next - slot);
}

/* Do the @n from @next on serve the port after that of the @n from @last on, alike? */
static bool continues(const struct slot *last, const struct slot *next, size_t n,
		      const struct slot *end)
{
	if (count_remotes(next, end) != n ||
	    compare_targets(&last->element, &next->element) != 0 ||
	    last->element.external.port + 1 != next->element.external.port)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!prefix_equal(&last[i].element.remote, &next[i].element.remote))
			return false;
	return true;
}

/* Return: 0 or -ENOMEM; *@first goes behind what was joined. */
static int join(const struct slot **first, const struct slot *end,
		slots_joined on_mapping, void *userdata)
{
	const struct slot *slot = *first, *next;
	const struct ruleset_slot *element = &slot->element;
	size_t n = count_remotes(slot, end), ports = 1;
	struct prefix remotes[MAPPING_REMOTES_MAX];
	struct mapping m = {
		.external = element->external,
		.internal = element->internal,
		.host = element->internal.addr,
		.protocol = element->protocol,
		.enabled = true,
	};
	int r = 0;

	for (next = slot + n;
	     joins(element) && next < end && (ports + 1) * n <= MAPPING_SLOTS_MAX &&
	     continues(next - n, next, n, end);
	     next += n)
		ports++;
	*first = next;
	for (size_t i = 0; i < n; i++)
		remotes[i] = slot[i].element.remote;
	m.n_ports = (uint16_t)(ports + element->last_port - element->external.port);
	if (is_restricted(element->kind))
		r = details_new("", "", remotes, n, &m.details);
	if (r == 0)
		on_mapping(userdata, &m);
	details_unref(m.details);
	return r;
}

int slots_join(const struct slots *slots, slots_joined on_mapping, void *userdata)
{
	struct slot *left = calloc(slots->n + 1, sizeof(*left));
	const struct slot *slot = left;
	size_t n = 0;
	int r = 0;

	if (!left)
		return -ENOMEM;
	for (size_t i = 0; i < slots->n; i++)
		if (!slots->slots[i].taken)
			left[n++] = slots->slots[i];
	qsort(left, n, sizeof(*left), by_target);
	while (slot != left + n && r == 0)
		r = join(&slot, left + n, on_mapping, userdata);
	free(left);
	return r;
}
