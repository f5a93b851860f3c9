/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "make.h"

struct change make_add(const char *text)
{
	struct change change = { .kind = CHANGE_ADD };
	struct mapping *m = &change.mapping;
	char protocols[16], port[16], internal[ENDPOINT_STRLEN];
	int n;

	n = sscanf(text, "%15s %15s %53s %63s", protocols, port, internal, m->name);
	cr_assert_geq(n, 3, "\"%s\" is no mapping", text);
	cr_assert_eq(protocols_parse(protocols, &change.protocols), 0, "%s", text);
	cr_assert_eq(port_parse(port, &m->external.port), 0, "%s", text);
	cr_assert_eq(endpoint_parse(internal, &m->internal), 0, "%s", text);
	m->protocol = change.protocols == PROTOCOL_BIT_UDP ? IPPROTO_UDP : IPPROTO_TCP;
	m->origin = ORIGIN_ADMIN;
	m->enabled = true;
	m->created = 1000;
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

static struct change make_change(const char *line)
{
	const bool adds = *line == '+' || *line == 'c';
	struct change change = adds ? make_add(line + 1) : make_remove(line + 1);

	change.config_too = *line == '!';
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
		cr_assert_eq(table_load(table, &m), 0, "%s", line);
	}
	return table;
}
