/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "natd/config/config.h"

/* The block of natd.conf about routers above us; what is wrong in it: tests/cases/config.
 */

static struct config *load(const char *text)
{
	struct config_flaw flaw = { "" };
	struct config *config = NULL;

	cr_assert_eq(config_load_buffer("natd.conf", text, strlen(text), &config, &flaw),
		     0, "%s", flaw.text);
	return config;
}

Test(config_upstream, no_router_is_asked_unless_it_is_said)
{
	struct config *config = load("wan { interfaces = {\"w\"} }");
	cr_expect_not(config->upstream.enable);
	cr_expect_not(config->options.asks_routers);
	cr_expect_not(config_asks_upstream(config));
	config_free(config);

	config = load("wan { interfaces = {\"w\"} } upstream { enable = yes }");
	cr_expect(config->upstream.enable);
	cr_expect(config->options.asks_routers);
	cr_expect(config_asks_upstream(config));
	cr_expect_eq(config->upstream.policy, UPSTREAM_ALL);
	cr_expect_eq(config->upstream.lifetime, 7200);
	cr_expect_eq(config->upstream.check, 60000);
	cr_expect_eq(config->upstream.n_order, UPSTREAM_SPEECHES);
	cr_expect_eq(config->upstream.stun.port, 0);
	cr_expect_str_eq(config->upstream.url, "");
	config_free(config);

	config = load(
		"wan { interfaces = {\"w\"} } upstream { enable = yes policy = none }");
	cr_expect(config->options.asks_routers, "it is looked for all the same");
	cr_expect_not(config_asks_upstream(config));
	config_free(config);
}

Test(config_upstream, what_routers_are_asked_for_is_taken)
{
	struct config *config =
		load("wan { interfaces = {\"w\"} }\n"
		     "upstream { enable = yes policy = chosen\n"
		     "protocols = {\"upnp\"} protocols += {\"pcp\"}\n"
		     "lifetime = 1h30m check = 7 other-port = yes\n"
		     "url = \"http://192.168.0.1:5000/d.xml\"\n"
		     "stun = \"203.0.113.9\" }\n"
		     "forward a { protocol = tcp port = 1 to = 10.0.0.2\n"
		     "upstream = required }\n"
		     "forward b { protocol = tcp port = 2 to = 10.0.0.2 }\n");
	const struct upstream_options *o = &config->upstream;
	char text[ENDPOINT_STRLEN];

	cr_expect_eq(o->policy, UPSTREAM_CHOSEN);
	cr_assert_eq(o->n_order, 2);
	cr_expect(o->order[0] == UPSTREAM_IGD && o->order[1] == UPSTREAM_PCP);
	cr_expect_eq(o->lifetime, 5400);
	cr_expect_eq(o->check, 7000);
	cr_expect(o->other_port);
	cr_expect_str_eq(o->url, "http://192.168.0.1:5000/d.xml");
	cr_expect_str_eq(endpoint_format(&o->stun, text), "203.0.113.9:3478");
	cr_expect_eq(config->forwards[0].change.mapping.upstream, UPSTREAM_REQUIRED);
	cr_expect_eq(config->forwards[0].upstream_line, 8);
	cr_expect_eq(config->forwards[1].change.mapping.upstream, UPSTREAM_DEFAULT);
	cr_expect_eq(config->forwards[1].upstream_line, 0);
	config_free(config);
}

Test(config_upstream, a_stun_server_has_an_address_or_a_name)
{
	static const struct {
		const char *given, *address, *name;
		uint16_t port;
	} cases[] = {
		{ "203.0.113.9", "203.0.113.9", "", 3478 },
		{ "203.0.113.9:19302", "203.0.113.9", "", 19302 },
		{ "stun.example.org", "0.0.0.0", "stun.example.org", 3478 },
		{ "stun.example.org.:19302", "0.0.0.0", "stun.example.org.", 19302 },
		{ "gateway", "0.0.0.0", "gateway", 3478 },
	};
	char text[256], address[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct upstream_options *o;
		struct config *config;

		snprintf(text, sizeof(text),
			 "wan { interfaces = {\"w\"} } upstream { stun = \"%s\" }",
			 cases[i].given);
		config = load(text);
		o = &config->upstream;
		cr_expect_str_eq(o->stun_name, cases[i].name);
		cr_expect_str_eq(address_format(&o->stun.addr, address),
				 cases[i].address);
		cr_expect_eq(o->stun.port, cases[i].port, "%s", cases[i].given);
		config_free(config);
	}
}
