/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "said.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"

#define KEPT_MAX 256

static struct details *kept[KEPT_MAX];
static size_t n_kept;

static void keep(struct details *details)
{
	if (!details)
		return;
	cr_assert_lt(n_kept, KEPT_MAX);
	kept[n_kept++] = details;
}

struct in6_addr said_address(const char *text)
{
	struct in6_addr addr;

	cr_assert_eq(address_parse(text, &addr), 0, "\"%s\" is no address", text);
	return addr;
}

struct prefix said_prefix(const char *text)
{
	struct prefix prefix;

	cr_assert_eq(prefix_parse(text, &prefix), 0, "\"%s\" is no prefix", text);
	return prefix;
}

/* "9000-9003", "80", "auto" */
static void take_ports(const char *text, uint16_t *ret_port, uint16_t *ret_n)
{
	struct port_range range;

	if (strcmp(text, "auto") == 0) {
		*ret_port = 0;
		return;
	}
	cr_assert_eq(port_range_parse(text, &range), 0, "\"%s\" are no ports", text);
	*ret_port = range.first;
	if (range.last > range.first)
		*ret_n = (uint16_t)(range.last - range.first + 1);
}

/* Takes what stands in front of the last colon; "" where there is none. */
static char *cut_address(char *text, char **ret_ports)
{
	char *colon = strrchr(text, ':');

	if (!colon) {
		*ret_ports = text;
		return (char *)"";
	}
	*colon = '\0';
	*ret_ports = colon + 1;
	if (*text == '[') {
		colon[-1] = '\0';
		text++;
	}
	return text;
}

static void take_external(char *text, struct mapping *m)
{
	char *ports, *address = cut_address(text, &ports);

	if (*address)
		m->external.addr = said_address(address);
	take_ports(ports, &m->external.port, &m->n_ports);
}

static void take_internal(char *text, struct mapping *m, const char **ret_lan)
{
	char *ports, *address = cut_address(text, &ports), *lan = strchr(address, '%');

	if (lan)
		*lan++ = '\0';
	m->suffix = lan || strncmp(address, "::", 2) == 0;
	*ret_lan = lan ? lan : "";
	m->internal.addr = said_address(address);
	take_ports(ports, &m->internal.port, &m->n_ports);
}

static size_t take_remotes(char *text, struct prefix remotes[MAPPING_REMOTES_MAX])
{
	char *word, *rest = text;
	size_t n = 0;

	while (rest && (word = strsep(&rest, ","))) {
		cr_assert_lt(n, MAPPING_REMOTES_MAX);
		remotes[n++] = said_prefix(word);
	}
	return n;
}

static void take_name(const char *word, struct mapping *m)
{
	snprintf(m->name, sizeof(m->name), "%.*s", (int)strlen(word) - 2, word + 1);
}

struct change said_add(const char *text)
{
	struct change change = { .kind = CHANGE_ADD };
	struct mapping *m = &change.mapping;
	struct prefix remotes[MAPPING_REMOTES_MAX];
	char copy[2048], *word, *rest = copy;
	const char *lan = "";
	size_t n = 0;

	m->n_ports = 1;
	m->enabled = true;
	m->origin = ORIGIN_ADMIN;
	snprintf(copy, sizeof(copy), "%s", text);
	cr_assert_eq(protocols_parse(strsep(&rest, " "), &change.protocols), 0, "%s",
		     text);
	take_external(strsep(&rest, " "), m);
	while (rest && (word = strsep(&rest, " "))) {
		if (*word == '"')
			take_name(word, m);
		else if (strcmp(word, "->") == 0)
			take_internal(strsep(&rest, " "), m, &lan);
		else if (strcmp(word, "from") == 0)
			n = take_remotes(strsep(&rest, " "), remotes);
		else
			cr_assert_fail("\"%s\" in \"%s\"", word, text);
	}
	cr_assert_eq(details_new(lan, "", remotes, n, &m->details), 0, "%s", text);
	keep(m->details);
	return change;
}

struct mapping said(const char *text)
{
	struct change change = said_add(text);
	struct mapping m = change.mapping;

	for (unsigned int i = PROTOCOL_COUNT; i-- > 0;) {
		if (change.protocols & 1u << i)
			m.protocol = protocol_at(i);
	}
	mapping_resolve(&m);
	return m;
}
