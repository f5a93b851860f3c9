/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/config/config.h"

/* A case is a folder with a natd.conf and, when it is wrong, the sentence in "error". */
#define CONFIG_CASES TEST_ROOT "/tests/cases/config/"

static struct config *load(const char *text)
{
	struct config_flaw flaw = { "" };
	struct config *config = NULL;

	cr_assert_eq(config_load_buffer("natd.conf", text, strlen(text), &config, &flaw),
		     0, "%s", flaw.text);
	return config;
}

/* Reads at most @size - 1 bytes; the end of the last line is taken off. */
static bool read_line(const char *path, char *ret, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t len;

	if (!file)
		return false;
	len = fread(ret, 1, size - 1, file);
	fclose(file);
	while (len > 0 && ret[len - 1] == '\n')
		len--;
	ret[len] = '\0';
	return true;
}

static void check_case(const char *name)
{
	char path[512], expected[512], wanted[1100];
	struct config_flaw flaw = { "" };
	struct config *config = NULL;
	bool is_wrong;
	int r;

	snprintf(path, sizeof(path), CONFIG_CASES "%s/error", name);
	is_wrong = read_line(path, expected, sizeof(expected));
	snprintf(path, sizeof(path), CONFIG_CASES "%s/natd.conf", name);
	r = config_load(path, &config, &flaw);
	if (!is_wrong) {
		cr_expect_eq(r, 0, "%s: %s", name, flaw.text);
		config_free(config);
		return;
	}
	cr_expect_eq(r, -EINVAL, "%s: %d", name, r);
	cr_expect_null(config, "%s", name);
	/* the sentence is cut rather than the line number */
	snprintf(wanted, sizeof(wanted), "%s%s", path, expected + strlen("natd.conf"));
	cr_expect_str_eq(flaw.text, wanted, "%s:\n  said   %s\n  wanted %s", name,
			 flaw.text, wanted);
}

Test(config, every_case_is_judged_with_file_line_and_sentence)
{
	DIR *dir = opendir(CONFIG_CASES);
	struct dirent *entry;
	unsigned int n = 0;

	cr_assert_not_null(dir, "%s", CONFIG_CASES);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		check_case(entry->d_name);
		n++;
	}
	closedir(dir);
	cr_expect_gt(n, 90, "only %u cases", n);
}

/* As it is, and with everything that is commented out. */
Test(config, the_example_is_right)
{
	static char text[16384];
	struct config_flaw flaw = { "" };
	struct config *config = NULL;

	cr_assert_eq(config_load(TEST_ROOT "/docs/natd.conf.example", &config, &flaw), 0,
		     "%s", flaw.text);
	cr_expect_eq(config->n_forwards, 0);
	cr_expect_not(config->options.input_drop);
	config_free(config);

	cr_assert(read_line(TEST_ROOT "/docs/natd.conf.example", text, sizeof(text)));
	for (char *at = text; (at = strstr(at, "\n#")); at++) {
		if (at[2] != ' ' && at[2] != '\n')
			at[1] = ' ';
	}
	config = load(text);
	cr_expect_eq(config->n_forwards, 5);
	cr_expect_eq(config->n_snat, 2);
	cr_expect_eq(config->access.n, 1);
	cr_expect(config->options.input_drop);
	cr_expect_eq(config->options.n_open, 4);
	cr_expect(config->upstream.enable);
	cr_expect_eq(config->upstream.n_order, UPSTREAM_SPEECHES);
	config_free(config);
}

Test(config, what_is_left_out_has_a_default)
{
	struct config *config = load("wan { interfaces = {\"wan0\"} }\n");

	cr_expect_str_eq(config->user, "natd");
	cr_expect_str_eq(config->group, "natd");
	cr_expect_str_eq(config->path, "natd.conf");
	cr_expect_eq(config->options.protection, PROTECTION_AUTO);
	cr_expect_eq(config->options.n_wan, 1);
	cr_expect_str_eq(config->options.wan[0], "wan0");
	cr_expect_eq(config->options.n_lan, 0);
	cr_expect_eq(config->options.input_drop, false);
	cr_expect_eq(config->options.n_open, 0);
	cr_expect_eq(config->mss_setting, MSS_SETTING_AUTO);
	cr_expect_eq(config->masquerade6, MASQUERADE6_AUTO);
	cr_expect_eq(config->n_forwards, 0);
	config_free(config);
}

Test(config, every_setting_is_taken)
{
	struct config *config =
		load("user = nobody\ngroup = nogroup\ntable-protection = watched\n"
		     "wan { interfaces = {\"wan0\", ppp0}  mss = 1400 }\n"
		     "lan { interfaces = {\"lan0\", \"lan1\"}  masquerade6 = yes }\n"
		     "firewall { input = drop  open = {\"tcp 22\", \"tcp,udp 53\"} }\n");
	const struct ruleset_options *o = &config->options;

	cr_expect_str_eq(config->user, "nobody");
	cr_expect_str_eq(config->group, "nogroup");
	cr_expect_eq(o->protection, PROTECTION_WATCHED);
	cr_assert_eq(o->n_wan, 2);
	cr_expect_str_eq(o->wan[1], "ppp0");
	cr_assert_eq(o->n_lan, 2);
	cr_expect_str_eq(o->lan[1], "lan1");
	cr_expect_eq(config->mss_setting, MSS_SETTING_FIXED);
	cr_expect_eq(o->mss, 1400);
	cr_expect_eq(config->masquerade6, MASQUERADE6_YES);
	cr_expect(o->input_drop);
	cr_assert_eq(o->n_open, 3);
	cr_expect_eq(o->open[0].protocol, IPPROTO_TCP);
	cr_expect_eq(o->open[0].port, 22);
	cr_expect_eq(o->open[1].protocol, IPPROTO_TCP);
	cr_expect_eq(o->open[2].protocol, IPPROTO_UDP);
	cr_expect_eq(o->open[2].port, 53);
	config_free(config);
}

Test(config, one_port_may_be_opened_for_every_protocol)
{
	struct config *config =
		load("wan { interfaces = {\"w\"} }\n"
		     "firewall { input = drop  open = {\"tcp,udp,sctp,udplite 7\"} }\n");

	cr_assert_eq(config->options.n_open, PROTOCOL_COUNT);
	for (unsigned int i = 0; i < PROTOCOL_COUNT; i++) {
		cr_expect_eq(config->options.open[i].protocol, protocol_at(i));
		cr_expect_eq(config->options.open[i].port, 7);
	}
	config_free(config);
}

Test(config, ports_and_outbound_are_taken)
{
	struct config *config = load(
		"wan { interfaces = {\"w\"} }\naccounting = yes\n"
		"ports { pool = {\"40000-40999\", 50000} reserved = {\"40100\"} }\n"
		"outbound { symmetry = all  untranslated = {\"10.0.0.0/8\"} }\n"
		"snat a { source = \"192.168.2.0/24\"  to = 203.0.113.7 }\n"
		"snat b { source = 192.168.2.9  to = 203.0.113.8  one-to-one = yes }\n");
	char prefix[PREFIX_STRLEN], addr[INET6_ADDRSTRLEN];

	cr_expect(config->accounting);
	cr_assert_eq(config->n_pool, 2);
	cr_expect_eq(config->pool[0].last, 40999);
	cr_expect_eq(config->pool[1].first, 50000);
	cr_expect_eq(config->pool[1].last, 50000);
	cr_assert_eq(config->n_reserved, 1);
	cr_expect_eq(config->reserved[0].first, 40100);
	cr_expect_eq(config->options.symmetry, SYMMETRY_ALL);
	cr_assert_eq(config->n_untranslated, 1);
	cr_expect_str_eq(prefix_format(&config->untranslated[0], prefix), "10.0.0.0/8");
	cr_assert_eq(config->n_snat, 2);
	cr_expect_str_eq(prefix_format(&config->snat[0].source, prefix),
			 "192.168.2.0/24");
	cr_expect_not(config->snat[0].one_to_one);
	cr_expect_str_eq(address_format(&config->snat[1].to, addr), "203.0.113.8");
	cr_expect(config->snat[1].one_to_one);
	config_free(config);
}

Test(config, access_is_taken_with_its_place)
{
	struct config *config =
		load("wan { interfaces = {\"w\"} }\naccess {\n look = yes\n"
		     " group 100 {\n map = {\"1024-65535\", \"80\"} privileged = yes\n"
		     " internal = {\"192.168.1.0/24\"} quota = 3 max-lease = 7d }\n"
		     " user 1000 { }\n}\n");
	const struct access_rule *rule = config->access.rules;

	cr_expect(config->access.given);
	cr_expect(config->access.look);
	cr_assert_eq(config->access.n, 2);
	cr_expect(rule[0].is_group);
	cr_expect_eq(rule[0].id, 100);
	cr_expect_str_eq(rule[0].grant.rule, "group \"100\" (natd.conf:4)");
	cr_assert_eq(rule[0].grant.n_map, 2);
	cr_expect_eq(rule[0].grant.map[1].first, 80);
	cr_expect(rule[0].grant.privileged);
	cr_expect_eq(rule[0].grant.n_internal, 1);
	cr_expect_eq(rule[0].grant.quota, 3);
	cr_expect_eq(rule[0].grant.max_lifetime, 7 * 86400);
	cr_expect_not(rule[1].is_group);
	cr_expect_eq(rule[1].id, 1000);
	cr_expect_str_eq(rule[1].grant.rule, "user \"1000\" (natd.conf:7)");
	cr_expect_eq(rule[1].grant.n_map, 0);
	cr_expect_eq(rule[1].grant.quota, GRANT_UNLIMITED);
	cr_expect_eq(rule[1].grant.max_lifetime, GRANT_UNLIMITED);
	config_free(config);
}

Test(config, a_forward_may_be_more_than_a_port)
{
	struct config *config = load(
		"wan { interfaces = {\"w\"} }\nlan { interfaces = {\"lan0\"} }\n"
		"forward r { protocol = udp port = \"9000-9003\"\n"
		" to = \"192.168.1.10:8000\" at = 203.0.113.7 force = yes\n"
		" from = {\"198.51.100.7\", \"198.51.100.0/24\"} comment = \"hi\" }\n"
		"forward s { protocol = tcp port = 443 to = \"::10%lan0\"\n"
		" enabled = no }\n");
	const struct change *range = &config->forwards[0].change;
	const struct mapping *suffix = &config->forwards[1].change.mapping;
	size_t n;

	cr_expect_eq(mapping_kind(&range->mapping), MAPPING_FORWARD4_FROM);
	cr_expect_eq(range->mapping.n_ports, 4);
	cr_expect_eq(range->mapping.internal.port, 8000);
	cr_expect_str_eq(mapping_comment(&range->mapping), "hi");
	mapping_remotes(&range->mapping, &n);
	cr_expect_eq(n, 2);
	cr_expect(range->force);
	cr_expect(suffix->suffix);
	cr_expect_not(suffix->enabled);
	cr_expect_str_eq(mapping_lan(suffix), "lan0");
	cr_expect_eq(mapping_kind(suffix), MAPPING_PINHOLE6);
	config_free(config);
}

Test(config, words_have_every_value_that_is_documented)
{
	static const struct {
		const char *text;
		enum protection protection;
		enum mss_setting mss;
		enum masquerade6 masquerade6;
		bool drop;
	} cases[] = {
		{ "table-protection = auto wan { interfaces = {\"w\"} mss = auto }"
		  "lan { masquerade6 = auto } firewall { input = accept }",
		  PROTECTION_AUTO, MSS_SETTING_AUTO, MASQUERADE6_AUTO, false },
		{ "table-protection = owned wan { interfaces = {\"w\"} mss = off }"
		  "lan { masquerade6 = no } firewall { input = drop }",
		  PROTECTION_OWNED, MSS_SETTING_OFF, MASQUERADE6_NO, true },
		{ "table-protection = watched wan { interfaces = {\"w\"} mss = 536 }"
		  "lan { masquerade6 = yes }",
		  PROTECTION_WATCHED, MSS_SETTING_FIXED, MASQUERADE6_YES, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config *config = load(cases[i].text);

		cr_expect_eq(config->options.protection, cases[i].protection, "%zu", i);
		cr_expect_eq(config->mss_setting, cases[i].mss, "%zu", i);
		cr_expect_eq(config->masquerade6, cases[i].masquerade6, "%zu", i);
		cr_expect_eq(config->options.input_drop, cases[i].drop, "%zu", i);
		config_free(config);
	}
}

Test(config, a_forward_becomes_a_resolved_change)
{
	static const struct {
		const char *text;
		uint8_t protocols;
		enum mapping_kind kind;
		const char *internal;
	} cases[] = {
		{ "protocol = tcp port = 8080 to = \"192.168.1.10:80\"", PROTOCOL_BIT_TCP,
		  MAPPING_FORWARD4, "192.168.1.10:80" },
		{ "protocol = udp port = 53 to = 192.168.1.10", PROTOCOL_BIT_UDP,
		  MAPPING_FORWARD4, "192.168.1.10:53" },
		{ "protocol = \"tcp,udp\" port = 53 to = \"192.168.1.10:53\"",
		  PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP, MAPPING_FORWARD4,
		  "192.168.1.10:53" },
		{ "protocol = \"udp,tcp\" port = \"53\" to = 192.168.1.10:5353",
		  PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP, MAPPING_FORWARD4,
		  "192.168.1.10:5353" },
		{ "protocol = tcp port = 443 to = 2001:db8::10", PROTOCOL_BIT_TCP,
		  MAPPING_PINHOLE6, "[2001:db8::10]:443" },
		{ "protocol = tcp port = 443 to = \"[2001:db8::10]\"", PROTOCOL_BIT_TCP,
		  MAPPING_PINHOLE6, "[2001:db8::10]:443" },
		{ "protocol = tcp port = 8443 to = [2001:db8::10]:443", PROTOCOL_BIT_TCP,
		  MAPPING_FORWARD6, "[2001:db8::10]:443" },
		{ "protocol = tcp port = 65535 to = \"fd00::10\"", PROTOCOL_BIT_TCP,
		  MAPPING_FORWARD6, "[fd00::10]:65535" },
	};
	char text[256], buf[ENDPOINT_STRLEN];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct config_forward *forward;
		struct config *config;

		snprintf(text, sizeof(text),
			 "wan { interfaces = {\"w\"} }\n\nforward a-1.b {\n%s }",
			 cases[i].text);
		config = load(text);
		cr_assert_eq(config->n_forwards, 1, "%zu", i);
		forward = &config->forwards[0];
		cr_expect_eq(forward->line, 3, "%zu", i);
		cr_expect_eq(forward->change.kind, CHANGE_ADD);
		cr_expect_eq(forward->change.protocols, cases[i].protocols, "%zu", i);
		cr_expect_eq(mapping_kind(&forward->change.mapping), cases[i].kind, "%zu",
			     i);
		cr_expect_str_eq(endpoint_format(&forward->change.mapping.internal, buf),
				 cases[i].internal);
		cr_expect_str_eq(forward->change.mapping.name, "a-1.b");
		cr_expect_eq(forward->change.mapping.origin, ORIGIN_CONFIG);
		cr_expect(forward->change.mapping.enabled);
		cr_expect_eq(forward->change.mapping.created, 0);
		cr_expect_eq(forward->change.mapping.id, 0);
		config_free(config);
	}
}

Test(config, tells_the_line_of_a_mapping_of_its_own)
{
	struct config *config =
		load("# comment\n/* and\n another */\n"
		     "wan { interfaces = {\"wan0\"} }\n"
		     "forward dns { protocol = \"tcp,udp\" port = 53 to = 10.0.0.2 }\n"
		     "\n"
		     "forward web { protocol = tcp port = 80 to = 10.0.0.3 }\n");
	struct mapping m = config->forwards[1].change.mapping;

	m.protocol = IPPROTO_TCP;
	cr_expect_eq(config_line(config, &m), 7);
	m.protocol = IPPROTO_UDP;
	cr_expect_eq(config_line(config, &m), 0);

	m = config->forwards[0].change.mapping;
	m.protocol = IPPROTO_UDP;
	cr_expect_eq(config_line(config, &m), 5);
	/* named once in a file, whatever else was changed in it since */
	m.internal.port++;
	cr_expect_eq(config_line(config, &m), 5);
	m.internal.port--;
	m.origin = ORIGIN_ADMIN;
	cr_expect_eq(config_line(config, &m), 0);
	config_free(config);
}

Test(config, a_long_path_leaves_room_for_line_and_sentence)
{
	char path[4000];
	struct config_flaw flaw = { "" };
	struct config *config = NULL;

	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	cr_expect_eq(config_load_buffer(path, "\nhuh", 4, &config, &flaw), -EINVAL);
	cr_expect_not_null(
		strstr(flaw.text, "p:2: \"huh\" is not known; known are: user"), "%s",
		flaw.text);
}

static const char whole[] =
	"# comment\n/* block\n * comment */\nuser = nobody // the third kind\n"
	"group = 'nogroup'\ntable-protection = \"watched\"\n"
	"wan { interfaces = {\"wan0\", ppp0}  mss = 1400 }\n"
	"lan {\n\tinterfaces = {\"lan0\"}\n\tinterfaces += {\"lan\\x31\"}\n}\n"
	"firewall { input = drop  open = {\"tcp 22\", \"tcp,udp 53\"} }\n"
	"forward web { protocol = tcp  port = 8080  to = \"192.168.1.10:80\" }\n"
	"forward dns { protocol = \"tcp,udp\"  port = 53  to = \"[fd00::10]:53\" }\n";

static void damage(char *text, size_t len)
{
	static const char spice[] = "{}\"'\\=,*/#\n\r\t $|()+\0ab0\x80\xff\x1b";
	size_t at = (size_t)rand() % len, n = (size_t)rand() % 8,
	       from = (size_t)rand() % len;

	switch (rand() % 3) {
	case 0:
		text[at] = spice[(size_t)rand() % (sizeof(spice) - 1)];
		break;
	case 1: /* a piece is lost */
		memset(text + at, ' ', at + n < len ? n : len - at);
		break;
	case 2: /* a piece comes twice */
		if (at + n < len && from + n < len)
			memmove(text + at, text + from, n);
		break;
	}
}

Test(config, damaged_text_is_taken_or_refused_with_a_line_of_it)
{
	unsigned int refused = 0, line;
	size_t len = sizeof(whole) - 1;
	char text[sizeof(whole)];

	srand(1);
	config_free(load(whole));
	for (int i = 0; i < 4000; i++) {
		struct config_flaw flaw = { "" };
		struct config *config = NULL;

		memcpy(text, whole, sizeof(text));
		for (int n = rand() % 4; n >= 0; n--)
			damage(text, len);
		if (config_load_buffer("f", text, len - (size_t)(rand() % 3), &config,
				       &flaw)) {
			refused++;
			cr_assert_eq(sscanf(flaw.text, "f:%u: ", &line), 1, "%s",
				     flaw.text);
			cr_assert(line >= 1 && line <= 30, "%s", flaw.text);
			cr_assert_null(config);
		}
		config_free(config);
	}
	cr_expect_gt(refused, 1000);
	cr_expect_lt(refused, 4000);
}

/* Ten thousand forwards are no more than ten times the work of a thousand. */
Test(config, many_forwards_are_read, .timeout = 20)
{
	const unsigned int n = 10000;
	char *text = malloc(128 * (n + 1));
	size_t at = (size_t)sprintf(text, "wan { interfaces = {\"wan0\"} }\n");
	struct config *config;

	for (unsigned int i = 0; i < n; i++)
		at += (size_t)sprintf(
			text + at,
			"forward f%u { protocol = tcp port = %u to = 10.0.0.2 }\n", i,
			i + 1);
	config = load(text);
	cr_expect_eq(config->n_forwards, n);
	cr_expect_eq(config->forwards[n - 1].line, n + 1);
	config_free(config);
	free(text);
}
