/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kinds.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"

/**
 * struct kind - @at: external address, NULL = any WAN's; @remotes: with blanks between
 */
static const struct kind {
	uint8_t protocols;
	uint16_t port, n_ports;
	const char *to;
	const char *name;
	const char *at;
	const char *remotes;
	const char *lan;
	const char *comment;
	uint32_t lifetime;
	bool suffix, disabled, of_config;
	enum upstream_wish upstream;
} kinds[] = {
	{ .protocols = PROTOCOL_BIT_TCP,
	  .port = 8080,
	  .n_ports = 1,
	  .to = "192.168.1.10:80",
	  .name = "web" },
	{ .protocols = PROTOCOL_BIT_UDP,
	  .port = 9000,
	  .n_ports = 4,
	  .to = "192.168.1.10:8000",
	  .name = "shifted" },
	{ .protocols = PROTOCOL_BIT_SCTP,
	  .port = 20000,
	  .n_ports = 10000,
	  .to = "192.168.1.10:20000",
	  .name = "even" },
	{ .protocols = PROTOCOL_BIT_TCP,
	  .port = 443,
	  .n_ports = 1,
	  .to = "192.168.1.10:443",
	  .name = "at",
	  .at = "203.0.113.7" },
	{ .protocols = PROTOCOL_BIT_TCP,
	  .port = 600,
	  .n_ports = 3,
	  .to = "192.168.1.10:600",
	  .name = "ports-at",
	  .at = "203.0.113.7" },
	{ .protocols = PROTOCOL_BIT_TCP,
	  .port = 25,
	  .n_ports = 1,
	  .to = "192.168.1.20:25",
	  .name = "mail",
	  .remotes = "198.51.100.0/24 203.0.113.64/26" },
	{ .protocols = PROTOCOL_BIT_TCP,
	  .port = 25,
	  .n_ports = 1,
	  .to = "192.168.1.21:25",
	  .name = "mail-one",
	  .remotes = "198.51.100.7/32" },
	{ .protocols = PROTOCOL_BIT_TCP,
	  .port = 25,
	  .n_ports = 1,
	  .to = "192.168.1.22:25",
	  .name = "mail-all" },
	{ .protocols = PROTOCOL_BIT_UDP,
	  .port = 700,
	  .n_ports = 3,
	  .to = "192.168.1.20:710",
	  .name = "some",
	  .remotes = "198.51.100.0/24 10.0.0.0/8" },
	{ .protocols = PROTOCOL_BIT_TCP,
	  .port = 2222,
	  .n_ports = 1,
	  .to = "192.168.1.10:22",
	  .name = "lease",
	  .lifetime = 3600,
	  .comment = "until tonight" },
	{ .protocols = PROTOCOL_BIT_UDP,
	  .port = 53,
	  .n_ports = 1,
	  .to = "192.168.1.11:53",
	  .comment = "für \"später\"; 'x'",
	  .disabled = true },
	{ .protocols = PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP,
	  .port = 27015,
	  .n_ports = 1,
	  .to = "192.168.1.11:27015",
	  .name = "games",
	  .of_config = true },
	{ .protocols = PROTOCOL_BIT_TCP,
	  .port = 443,
	  .n_ports = 1,
	  .to = "[::10]:443",
	  .name = "host",
	  .lan = "lan0",
	  .suffix = true },
	{ .protocols = PROTOCOL_BIT_TCP,
	  .port = 443,
	  .n_ports = 1,
	  .to = "[::10]:443",
	  .name = "host-too",
	  .lan = "lan1",
	  .suffix = true,
	  .lifetime = 90 },
	{ .protocols = PROTOCOL_BIT_UDP,
	  .port = 5000,
	  .n_ports = 1000,
	  .to = "[::11]:5000",
	  .name = "host-range",
	  .lan = "lan1",
	  .suffix = true },
	{ .protocols = PROTOCOL_BIT_TCP,
	  .port = 8443,
	  .n_ports = 1,
	  .to = "[::10]:443",
	  .name = "host-dnat",
	  .lan = "lan0",
	  .suffix = true },
	{ .protocols = PROTOCOL_BIT_TCP,
	  .port = 22,
	  .n_ports = 2,
	  .to = "[::12]:22",
	  .name = "host-some",
	  .lan = "lan0",
	  .suffix = true,
	  .remotes = "2001:db8:77::/48" },
	{ .protocols = PROTOCOL_BIT_TCP,
	  .port = 22,
	  .n_ports = 1,
	  .to = "[2001:db8:5::10]:22",
	  .name = "pinhole" },
	{ .protocols = PROTOCOL_BIT_UDP,
	  .port = 1,
	  .n_ports = 65535,
	  .to = "[2001:db8:5::11]:1",
	  .name = "pinholes" },
	{ .protocols = PROTOCOL_BIT_TCP,
	  .port = 23,
	  .n_ports = 1,
	  .to = "[2001:db8:5::10]:23",
	  .name = "pinhole-some",
	  .remotes = "2001:db8:77::/48 ::/0" },
	{ .protocols = PROTOCOL_BIT_UDPLITE,
	  .port = 5060,
	  .n_ports = 1,
	  .to = "[fd00:1::10]:5060",
	  .name = "ula" },
	{ .protocols = PROTOCOL_BIT_UDP,
	  .port = 500,
	  .n_ports = 1,
	  .to = "[fd00:1::10]:4500",
	  .name = "ula-some",
	  .remotes = "2001:db8:77::/48" },
	{ .protocols = PROTOCOL_BIT_TCP,
	  .port = 1,
	  .n_ports = 65535,
	  .to = "[fd00:1::10]:1",
	  .name = "ula-range" },
	{ .protocols = PROTOCOL_BIT_TCP,
	  .port = 1,
	  .n_ports = 65535,
	  .to = "192.168.1.99:1",
	  .name = "dmz" },
	{ .protocols = PROTOCOL_BIT_TCP,
	  .port = 6000,
	  .n_ports = 1,
	  .to = "192.168.1.10:6000",
	  .name = "asked",
	  .upstream = UPSTREAM_YES },
	{ .protocols = PROTOCOL_BIT_UDP,
	  .port = 6001,
	  .n_ports = 2,
	  .to = "192.168.1.10:6001",
	  .name = "must",
	  .lifetime = 7200,
	  .upstream = UPSTREAM_REQUIRED },
	{ .protocols = PROTOCOL_BIT_TCP,
	  .port = 6003,
	  .n_ports = 1,
	  .to = "192.168.1.10:6003",
	  .name = "never",
	  .upstream = UPSTREAM_NO },
	{ .protocols = PROTOCOL_BIT_TCP,
	  .n_ports = 1,
	  .to = "192.168.1.10:6004",
	  .name = "any-port" },
	/* what only looks alike */
	{ .protocols = PROTOCOL_BIT_UDP,
	  .port = 40000,
	  .n_ports = 4,
	  .to = "192.168.1.10:40000",
	  .name = "range-beside" },
	{ .protocols = PROTOCOL_BIT_UDP,
	  .port = 40000,
	  .n_ports = 4,
	  .to = "192.168.1.11:41000",
	  .name = "shifted-beside" },
	{ .protocols = PROTOCOL_BIT_TCP,
	  .port = 80,
	  .n_ports = 1,
	  .to = "[2001:db8:5::10]:80",
	  .name = "pinhole-beside" },
	{ .protocols = PROTOCOL_BIT_TCP,
	  .port = 80,
	  .n_ports = 1,
	  .to = "[2001:db8:5::20]:80",
	  .name = "at-beside",
	  .at = "2001:db8:5::10" },
};

static struct details *make_details(const struct kind *kind)
{
	struct prefix remotes[MAPPING_REMOTES_MAX];
	struct details *details = NULL;
	char copy[256], *word, *rest = copy;
	size_t n = 0;

	snprintf(copy, sizeof(copy), "%s", kind->remotes ? kind->remotes : "");
	while ((word = strsep(&rest, " ")))
		if (*word)
			cr_assert_eq(prefix_parse(word, &remotes[n++]), 0, "%s", word);
	cr_assert_eq(details_new(kind->lan ? kind->lan : "",
				 kind->comment ? kind->comment : "", remotes, n,
				 &details),
		     0);
	return details;
}

static struct change make_kind(const struct kind *kind)
{
	struct change change = { .kind = CHANGE_ADD, .protocols = kind->protocols };
	struct mapping *m = &change.mapping;

	cr_assert_eq(endpoint_parse(kind->to, &m->internal), 0, "%s", kind->to);
	m->external.port = kind->port;
	m->external.addr = address_any6;
	if (kind->at)
		cr_assert_eq(address_parse(kind->at, &m->external.addr), 0);
	m->n_ports = kind->n_ports;
	m->suffix = kind->suffix;
	m->lifetime = kind->lifetime;
	m->upstream = (uint8_t)kind->upstream;
	m->enabled = !kind->disabled;
	m->origin = kind->of_config ? ORIGIN_CONFIG : ORIGIN_ADMIN;
	m->details = make_details(kind);
	if (kind->name)
		snprintf(m->name, sizeof(m->name), "%s", kind->name);
	return change;
}

struct change_list kinds_list(void)
{
	struct change_list list = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct change change = make_kind(&kinds[i]);

		cr_assert_eq(change_list_add(&list, &change), 0);
		change_done(&change);
	}
	return list;
}

struct change_list kinds_patch(const char *name, const struct patch *patch)
{
	struct change change = {
		.kind = CHANGE_UPDATE,
		.config_too = true,
		.patch = *patch,
	};
	struct change_list list = { 0 };

	snprintf(change.selector.name, sizeof(change.selector.name), "%s", name);
	cr_assert_eq(change_list_add(&list, &change), 0);
	return list;
}
