/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "rules/smallsets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void want_lans(struct keys *ret, const struct ruleset_options *options)
{
	for (size_t i = 0; i < options->n_lan; i++)
		keys_add(ret, options->lan[i], IFNAMSIZ, 0);
}

static void want_addresses(struct keys *ret, const struct address_list *list, bool ipv4)
{
	size_t skip = ipv4 ? 12 : 0;

	for (size_t i = 0; i < list->n; i++)
		if (address_is_ipv4(&list->addrs[i]) == ipv4)
			keys_add(ret, list->addrs[i].s6_addr + skip, 16 - skip, 0);
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

static void want_sequence(struct keys *ret, uint64_t sequence)
{
	uint8_t key[8];

	sequence_key(sequence, key);
	keys_add(ret, key, sizeof(key), 0);
}

/* What is translated to another address is translated. */
static int want_translated(struct keys *ret, const struct ruleset_addresses *a)
{
	const struct snat_list *snat = &a->snat;
	struct prefix *all =
		reallocarray(NULL, a->n_masquerade6 + snat->n + 1, sizeof(*all));
	size_t n = a->n_masquerade6;
	int r;

	if (!all)
		return -ENOMEM;
	if (n)
		memcpy(all, a->masquerade6, n * sizeof(*all));
	for (size_t i = 0; i < snat->n; i++)
		if (!prefix_is_ipv4(&snat->snats[i].source))
			all[n++] = snat->snats[i].source;
	r = want_intervals(ret, all, n, false);
	free(all);
	return r;
}

/* One host, one address: @inward from the address to the host, else back. */
static void want_pairs(struct keys *ret, const struct snat_list *list, bool ipv4,
		       bool inward)
{
	size_t skip = ipv4 ? 12 : 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct snat *s = &list->snats[i];
		const uint8_t *host = s->source.addr.s6_addr + skip;
		const uint8_t *to = s->to.s6_addr + skip;

		if (s->one_to_one && address_is_ipv4(&s->to) == ipv4)
			keys_add_more(ret, inward ? to : host, 16 - skip,
				      inward ? host : to, 16 - skip);
	}
}

bool set_follows_addresses(enum set_id id)
{
	return id >= SET_WAN_ADDR4 && id <= SET_ROUTER6;
}

bool set_is_small(enum set_id id)
{
	return id <= SET_SEQUENCE || id == SET_OPEN;
}

static int want_of_addresses(struct keys *ret, enum set_id id,
			     const struct ruleset_addresses *a)
{
	const struct snat_list *snat = &a->snat;

	if (id == SET_WAN_ADDR4 || id == SET_WAN_ADDR6)
		want_addresses(ret, &a->wan, id == SET_WAN_ADDR4);
	else if (id == SET_ROUTER4 || id == SET_ROUTER6)
		want_addresses(ret, &a->routers, id == SET_ROUTER4);
	else if (id == SET_MASQUERADE6)
		return want_translated(ret, a);
	else if (id == SET_UNTRANSLATED4 || id == SET_UNTRANSLATED6)
		return want_intervals(ret, snat->untranslated, snat->n_untranslated,
				      id == SET_UNTRANSLATED4);
	else if (id == SET_SNAT4 || id == SET_SNAT6)
		return want_snats(ret, snat, id == SET_SNAT4);
	else if (id == SET_ONE_IN4 || id == SET_ONE_IN6)
		want_pairs(ret, snat, id == SET_ONE_IN4, true);
	else if (id == SET_ONE_OUT4 || id == SET_ONE_OUT6)
		want_pairs(ret, snat, id == SET_ONE_OUT4, false);
	return 0;
}

int keys_wanted(struct keys *ret, enum set_id id, const struct contents *c)
{
	int r = 0, error;

	if (set_follows_addresses(id))
		r = want_of_addresses(ret, id, c->addresses);
	else if (id == SET_LAN_IF || id == SET_LAN_FIB)
		want_lans(ret, c->options);
	else if (id == SET_SEQUENCE)
		want_sequence(ret, c->sequence);
	else if (id == SET_OPEN)
		want_open(ret, c->options);
	error = keys_sort(ret);
	return r < 0 ? r : error;
}

void sequence_put(struct batch *b, uint64_t sequence)
{
	struct key k = { .flags = 0 };

	sequence_key(sequence, k.bytes);
	set_clear(b, set_specs[SET_SEQUENCE].name);
	key_put(b, SET_SEQUENCE, NFT_MSG_NEWSETELEM, &k);
}
