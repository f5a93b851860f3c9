/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "make.h"

const struct conditions ordinary = {
	.now = 1000,
	.protocols = PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP | PROTOCOL_BIT_SCTP |
		     PROTOCOL_BIT_UDPLITE,
	.listeners_known = true,
	.upstream = true,
};

/** struct extras - what goes into details */
struct extras {
	const char *lan, *comment;
	struct prefix remotes[MAPPING_REMOTES_MAX];
	size_t n;
};

/* What stands behind "KEY=", or NULL. */
static char *value_of(char *word, const char *key)
{
	const size_t len = strlen(key);

	return strncmp(word, key, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
}

static void read_remotes(struct extras *extras, char *list)
{
	char *prefix;

	while ((prefix = strsep(&list, ",")))
		cr_assert_eq(prefix_parse(prefix, &extras->remotes[extras->n++]), 0, "%s",
			     prefix);
}

static uint8_t wish_of(const char *text)
{
	enum upstream_wish wish;

	cr_assert_eq(upstream_wish_parse(text, &wish), 0, "%s", text);
	return (uint8_t)wish;
}

static void read_option(struct mapping *m, struct extras *extras, char *word)
{
	char *value;

	if ((value = value_of(word, "at")))
		cr_assert_eq(address_parse(value, &m->external.addr), 0, "%s", word);
	else if ((value = value_of(word, "from")))
		read_remotes(extras, value);
	else if ((value = value_of(word, "lan")))
		extras->lan = value;
	else if ((value = value_of(word, "comment")))
		extras->comment = value;
	else if ((value = value_of(word, "lease")))
		m->lifetime = (uint32_t)strtoul(value, NULL, 10);
	else if ((value = value_of(word, "upstream")))
		m->upstream = wish_of(value);
	else if (strcmp(word, "held") == 0)
		m->held = true;
	else if (strcmp(word, "off") == 0)
		m->enabled = false;
	else
		snprintf(m->name, sizeof(m->name), "%.63s", word);
}

static void read_external(struct mapping *m, const char *text)
{
	struct port_range ports = { 0, 0 };

	if (strcmp(text, "auto") != 0)
		cr_assert_eq(port_range_parse(text, &ports), 0, "%s", text);
	m->external.port = ports.first;
	m->n_ports = (uint16_t)(ports.last - ports.first + 1);
}

static void read_internal(const char *text, struct endpoint *ret, bool *ret_suffix)
{
	static const struct prefix none = { IN6ADDR_ANY_INIT, 64 };

	cr_assert_eq(endpoint_parse(text, ret), 0, "%s", text);
	*ret_suffix =
		!address_is_ipv4(&ret->addr) && address_in_prefix(&ret->addr, &none);
}

struct change make_add(const char *text)
{
	struct change change = { .kind = CHANGE_ADD };
	struct extras extras = { .lan = "", .comment = "" };
	struct mapping *m = &change.mapping;
	char copy[1024], *rest = copy, *word;

	snprintf(copy, sizeof(copy), "%s", text);
	m->origin = ORIGIN_ADMIN;
	m->enabled = true;
	m->created = 1000;
	word = strsep(&rest, " ");
	cr_assert(rest && strchr(rest, ' '), "\"%s\" is no mapping", text);
	cr_assert_eq(protocols_parse(word, &change.protocols), 0, "%s", text);
	read_external(m, strsep(&rest, " "));
	read_internal(strsep(&rest, " "), &m->internal, &m->suffix);
	while ((word = strsep(&rest, " ")))
		read_option(m, &extras, word);
	cr_assert_eq(details_new(extras.lan, extras.comment, extras.remotes, extras.n,
				 &m->details),
		     0);
	for (unsigned int i = PROTOCOL_COUNT; i-- > 0;) {
		if (change.protocols & 1u << i)
			m->protocol = protocol_at(i);
	}
	if (m->external.port)
		mapping_resolve(m);
	return change;
}

struct mapping make_mapping(const char *text)
{
	return make_add(text).mapping;
}

struct change make_remove(const char *text)
{
	struct change change = { .kind = CHANGE_REMOVE };
	struct selector *s = &change.selector;
	char copy[256], *word, *rest = copy;

	snprintf(copy, sizeof(copy), "%s", text);
	while ((word = strsep(&rest, " "))) {
		if (*word == '#')
			s->id = strtoull(word + 1, NULL, 10);
		else if (protocol_parse(word, &s->protocol) < 0 &&
			 port_parse(word, &s->port) < 0)
			snprintf(s->name, sizeof(s->name), "%.63s", word);
	}
	return change;
}

struct change make_update(const char *text)
{
	struct change change = { 0 };
	struct extras extras = { .lan = "", .comment = "" };
	struct patch *patch = &change.patch;
	char copy[256], *rest = copy, *word, *value;

	snprintf(copy, sizeof(copy), "%s", text);
	change = make_remove(strsep(&rest, ":"));
	change.kind = CHANGE_UPDATE;
	strsep(&rest, " ");
	while ((word = strsep(&rest, " "))) {
		if ((value = value_of(word, "name"))) {
			patch->set |= PATCH_NAME;
			snprintf(patch->name, sizeof(patch->name), "%.63s", value);
		} else if ((value = value_of(word, "lease"))) {
			patch->set |= PATCH_LIFETIME;
			patch->lifetime = (uint32_t)strtoul(value, NULL, 10);
		} else if ((value = value_of(word, "comment"))) {
			patch->set |= PATCH_COMMENT;
			extras.comment = value;
		} else if ((value = value_of(word, "to"))) {
			patch->set |= PATCH_INTERNAL;
			read_internal(value, &patch->internal, &patch->suffix);
		} else if ((value = value_of(word, "lan"))) {
			extras.lan = value;
		} else if ((value = value_of(word, "n"))) {
			patch->n_ports = (uint16_t)strtoul(value, NULL, 10);
		} else if ((value = value_of(word, "upstream"))) {
			patch->set |= PATCH_UPSTREAM;
			patch->upstream = wish_of(value);
		} else if (strcmp(word, "held") == 0 || strcmp(word, "lost") == 0) {
			patch->set |= PATCH_HELD;
			patch->held = *word == 'h';
		} else {
			patch->set |= PATCH_ENABLED;
			patch->enabled = strcmp(word, "on") == 0;
		}
	}
	cr_assert_eq(details_new(extras.lan, extras.comment, NULL, 0, &patch->details),
		     0);
	return change;
}

static struct change make_change(const char *line)
{
	struct change change;

	switch (*line) {
	case '~':
		return make_update(line + 1);
	case '-':
	case '!':
	case 'x':
		change = make_remove(line + 1);
		break;
	default:
		change = make_add(line + 1);
		break;
	}
	change.config_too = *line == '!';
	change.expired = *line == 'x';
	change.force = *line == '^';
	if (*line == 'c')
		change.mapping.origin = ORIGIN_CONFIG;
	return change;
}

struct change_list make_list(const char *text)
{
	struct change_list list = { 0 };
	char copy[4096], *line, *rest = copy;

	snprintf(copy, sizeof(copy), "%s", text);
	while ((line = strsep(&rest, "\n"))) {
		struct change change = make_change(line);

		cr_assert_eq(change_list_add(&list, &change), 0);
		change_done(&change);
	}
	return list;
}

struct table *make_table(size_t capacity)
{
	static const uint8_t seed[16] = "sixteen letters";
	struct table *table = table_new(capacity, seed);

	cr_assert_not_null(table);
	return table;
}

struct table *make_loaded(const char *text)
{
	struct table *table = make_table(100);
	char copy[4096], *line, *rest = copy;
	uint64_t id = 1;

	snprintf(copy, sizeof(copy), "%s", text);
	while ((line = strsep(&rest, "\n"))) {
		struct mapping m = make_mapping(line);

		m.id = id++;
		m.changed = m.created;
		m.expires = ordinary.lease_now + 1000ull * m.lifetime;
		if (!m.lifetime)
			m.expires = 0;
		cr_assert_eq(table_load(table, &m), 0, "%s", line);
		details_unref(m.details);
	}
	return table;
}
