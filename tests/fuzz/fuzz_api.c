/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz_api - a JSON document as a client may send it
 *
 * A refusal is a sentence in printable ASCII, whatever was sent. What is taken means the
 * same when it is written and read again, as a change and as a mapping.
 */

#include <errno.h>
#include <string.h>

#include "core/api.h"
#include "core/text.h"
#include "tests/fuzz/fuzz.h"

static void hold_plain(const char *text)
{
	for (; *text; text++)
		hold(text_is_plain(*text));
}

static void check_problem(const struct problem *why)
{
	json_t *json = api_encode_problem(why);
	struct problem again;

	hold_plain(why->detail);
	hold_plain(why->cure);
	hold(why->detail[0]);
	hold(json);
	hold(api_decode_problem(json, &again) == 0);
	hold(again.verdict == why->verdict && again.index == why->index);
	hold(strcmp(again.detail, why->detail) == 0);
	hold(strcmp(again.cure, why->cure) == 0);
	json_decref(json);
}

static void hold_same_mapping(const struct mapping *a, const struct mapping *b)
{
	hold(endpoint_equal(&a->external, &b->external));
	hold(endpoint_equal(&a->internal, &b->internal));
	hold(address_equal(&a->host, &b->host) && a->suffix == b->suffix);
	hold(a->n_ports == b->n_ports && a->lifetime == b->lifetime);
	hold(a->enabled == b->enabled);
	hold(strcmp(a->name, b->name) == 0);
	hold(details_equal(a->details, b->details));
}

static void hold_same_patch(const struct patch *a, const struct patch *b)
{
	hold(a->set && a->set == b->set);
	hold(a->lifetime == b->lifetime && a->enabled == b->enabled);
	hold(endpoint_equal(&a->internal, &b->internal));
	hold(a->suffix == b->suffix && a->n_ports == b->n_ports);
	hold(strcmp(a->name, b->name) == 0);
	hold(details_equal(a->details, b->details));
}

static void hold_same_change(const struct change *a, const struct change *b)
{
	hold(a->kind == b->kind && a->drain == b->drain && a->force == b->force);
	hold(!a->config_too && !b->config_too && !a->expired && !b->expired);
	if (a->kind == CHANGE_ADD) {
		hold(a->protocols && a->protocols == b->protocols);
		hold_same_mapping(&a->mapping, &b->mapping);
		return;
	}
	hold(a->selector.id == b->selector.id && a->selector.port == b->selector.port);
	hold(a->selector.protocol == b->selector.protocol);
	hold(strcmp(a->selector.name, b->selector.name) == 0);
	if (a->kind == CHANGE_UPDATE)
		hold_same_patch(&a->patch, &b->patch);
}

/* New reference: @json as text, and read again. */
static json_t *rewritten(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);
	struct problem why;
	json_t *again;

	hold(text);
	hold(api_parse(text, strlen(text), &again, &why) == 0);
	hold(json_equal(json, again));
	free(text);
	return again;
}

static void check_change(const struct change *change)
{
	json_t *json = api_encode_change(change), *again;
	struct problem why;
	struct change same;

	hold(json);
	again = rewritten(json);
	hold(api_decode_change(again, &same, &why) == 0);
	hold_same_change(change, &same);
	change_done(&same);
	json_decref(again);
	json_decref(json);
}

/* As natd tells of it, the two ways that there are, and as natctl reads that. */
static void check_mapping(struct mapping m)
{
	const char *const blocked[] = { m.name, "ip filter \"FORWARD\"\n" };
	const struct mapping_state state = {
		.connections = 3,
		.total = -1,
		.remaining = m.lifetime,
		.endpoints = { m.internal },
		.n_endpoints = 1,
		.blocked_by = blocked,
		.n_blocked_by = 2,
	};
	struct mapping_state known;
	struct mapping same;
	char buf[8192], *text;
	json_t *json;
	size_t len;

	m.id = 7;
	m.protocol = IPPROTO_UDP;
	m.origin = ORIGIN_ADMIN;
	m.owner_uid = UINT32_MAX;
	json = api_encode_mapping(&m, &state);
	hold(json);
	text = json_dumps(json, JSON_COMPACT);
	len = api_write_mapping(buf, sizeof(buf), &m, &state);
	hold(text && len == strlen(text) && memcmp(buf, text, len) == 0);
	hold(api_decode_mapping(json, &same, &known) == 0);
	hold_same_mapping(&m, &same);
	hold(same.id == m.id && same.owner_uid == m.owner_uid);
	hold(known.connections == 3 && known.total == -1);
	hold(known.remaining == m.lifetime && known.n_endpoints == 1);
	details_unref(same.details);
	free(text);
	json_decref(json);
}

/* A mapping with an automatic port is none yet; and a suffix has no host before the table
 * has settled it. */
static void check_added(const struct mapping *m)
{
	static const struct in6_addr prefix = { { { 0x20, 0x01, 0x0d, 0xb8 } } };
	struct mapping settled = *m;

	if (!m->external.port)
		return;
	check_mapping(*m);
	if (!m->suffix)
		return;
	mapping_settle_host(&settled, &prefix);
	check_mapping(settled);
}

/* What "set" holds is a patch by itself. */
static void check_patch(const struct change *change)
{
	json_t *json = api_encode_change(change);
	struct problem why;
	struct change same;

	hold(api_decode_patch(json_object_get(json, "set"), &same, &why) == 0);
	hold(same.kind == CHANGE_UPDATE && !same.drain && !same.selector.id);
	hold_same_patch(&change->patch, &same.patch);
	change_done(&same);
	json_decref(json);
}

static void check_list(json_t *json)
{
	struct change_list list = { 0 };
	struct problem why = { 0 };
	int r = api_decode_changes(json, &list, &why);

	if (r < 0) {
		hold(r == -EINVAL || r == -EMSGSIZE);
		hold(why.verdict ==
		     (r == -EINVAL ? VERDICT_BAD_REQUEST : VERDICT_TOO_LARGE));
		hold(why.index < (int64_t)json_array_size(json));
		hold(list.n == 0);
		check_problem(&why);
	}
	for (size_t i = 0; i < list.n; i++) {
		check_change(&list.changes[i]);
		if (list.changes[i].kind == CHANGE_ADD)
			check_added(&list.changes[i].mapping);
		if (list.changes[i].kind == CHANGE_UPDATE)
			check_patch(&list.changes[i]);
	}
	hold(r < 0 || list.n == (json_is_array(json) ? json_array_size(json) : 1));
	change_list_done(&list);
}

/* Any document as the body of a PATCH. */
static void check_as_patch(json_t *json)
{
	struct problem why = { 0 };
	struct change change;
	int r = api_decode_patch(json, &change, &why);

	if (r < 0) {
		hold(r == -EINVAL && why.verdict == VERDICT_BAD_REQUEST);
		check_problem(&why);
		return;
	}
	change.selector.id = 1;
	check_change(&change);
	check_patch(&change);
	change_done(&change);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct problem why = { 0 };
	json_t *json;
	int r;

	r = api_parse((const char *)data, size, &json, &why);
	if (r < 0) {
		hold(r == -EINVAL && why.verdict == VERDICT_BAD_REQUEST);
		check_problem(&why);
		return 0;
	}
	check_list(json);
	check_as_patch(json);
	json_decref(json);
	return 0;
}
