/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * gateway_status - the body of GET /v1/status
 */

#include "natd/gateway/gateway_private.h"
#include "natd/gateway/gateway_upstream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "natd/kernel/sysctl.h"

static json_t *encode_time(uint64_t seconds)
{
	char text[API_TIME_STRLEN];

	return json_string(api_time_format(seconds, text));
}

static json_t *encode_addresses(const struct gateway *gw, const struct link *link)
{
	struct in6_addr addrs[64];
	size_t n = links_addresses(gw->links, link->name, addrs, ARRAY_SIZE(addrs));
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		char text[INET6_ADDRSTRLEN];

		json_array_append_new(list, json_string(address_format(&addrs[i], text)));
	}
	return list;
}

static json_t *encode_links(const struct gateway *gw, bool wan)
{
	json_t *list = json_array();
	const struct link *links;
	size_t n;

	links = links_list(gw->links, &n);
	for (size_t i = 0; i < n; i++) {
		if (links[i].wan != wan)
			continue;
		json_array_append_new(
			list, json_pack("{s:s, s:b, s:b, s:I, s:o}", "interface",
					links[i].name, "present", links[i].present, "up",
					links[i].up, "mtu", (json_int_t)links[i].mtu,
					"addresses", encode_addresses(gw, &links[i])));
	}
	return list;
}

static json_t *encode_repairs(const struct repair *repair)
{
	json_t *last = json_null();

	if (repair->count)
		last = json_pack(
			"{s:o, s:o, s:o}", "at", encode_time(repair->at), "pid",
			repair->by.pid ? json_integer(repair->by.pid) : json_null(),
			"process",
			repair->by.name[0] ? json_string(repair->by.name) : json_null());
	return json_pack("{s:I, s:o}", "count", (json_int_t)repair->count, "last", last);
}

static json_t *encode_clamp(const struct ruleset_options *options)
{
	switch (options->mss_mode) {
	case MSS_OFF:
		return json_string("off");
	case MSS_ROUTE:
		return json_string("route");
	case MSS_FIXED:
		return json_integer(options->mss);
	}
	return NULL;
}

static bool is_on(const char *setting)
{
	int value;

	return sysctl_get(setting, &value) == 0 && value != 0;
}

static json_t *encode_foreign(const struct gateway *gw)
{
	json_t *list = json_array();

	for (size_t i = 0; i < gw->n_foreign; i++) {
		char text[FOREIGN_CHAIN_STRLEN];

		json_array_append_new(
			list, json_string(foreign_chain_format(&gw->foreign[i], text)));
	}
	return list;
}

void gateway_say(json_t *list, const char *text)
{
	if (text[0])
		json_array_append_new(list, json_string(text));
}

static void say_links(const struct gateway *gw, json_t *list)
{
	const struct link *links;
	size_t n;

	links = links_list(gw->links, &n);
	for (size_t i = 0; i < n; i++) {
		char text[128];

		if (links[i].present && links[i].up)
			continue;
		snprintf(text, sizeof(text), "%s interface %s is %s.",
			 links[i].wan ? "WAN" : "LAN", links[i].name,
			 links[i].present ? "down" : "not there (yet)");
		gateway_say(list, text);
	}
	if (!links_wan_addresses(gw->links).n)
		gateway_say(list,
			    "No WAN has an address: nothing can reach the forwards.");
}

/* A WAN that was renamed, or one more than natd knows of. */
static void say_routes(const struct gateway *gw, json_t *list)
{
	static const struct {
		int family;
		const char *name;
	} families[] = { { AF_INET, "IPv4" }, { AF_INET6, "IPv6" } };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		char text[256], name[IFNAMSIZ];

		if (links_stray_route(gw->links, families[i].family, name) <= 0)
			continue;
		snprintf(
			text, sizeof(text),
			"The default route of %s leaves by %s, which natd was not told of "
			"as a WAN: no forward works by it, and nothing is translated or "
			"closed there.",
			families[i].name, name);
		gateway_say(list, text);
	}
}

/* natd switched it on; somebody may have switched it off since. */
static void say_forwarding(const struct gateway *gw, json_t *list)
{
	static const char *const settings[] = { "net/ipv4/ip_forward",
						"net/ipv6/conf/all/forwarding" };

	if (gw->sysctl_problem[0])
		return;
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		char text[128];
		int value;

		if (sysctl_get(settings[i], &value) < 0 || value)
			continue;
		snprintf(text, sizeof(text),
			 "Somebody set %s to 0: nothing is forwarded. natctl resync sets "
			 "it to 1.",
			 settings[i]);
		gateway_say(list, text);
	}
}

static void say_ending(const struct gateway *gw, json_t *list)
{
	struct engine_endings endings;

	engine_endings(gw->engine, &endings);
	gateway_say(list, endings.problem);
}

static json_t *encode_problems(struct gateway *gw)
{
	json_t *list = json_array();

	gateway_say(list, gw->sync_problem);
	gateway_say(list, gw->config_problem);
	gateway_say(list, gw->sysctl_problem);
	say_forwarding(gw, list);
	if (gw->engine && engine_is_stuck(gw->engine))
		gateway_say(
			list,
			"The store cannot be read: no changes are taken until it can.");
	say_ending(gw, list);
	say_links(gw, list);
	say_routes(gw, list);
	gateway_say_world(gw, list);
	gateway_say_upstream(gw, list);
	for (size_t i = 0; i < gw->n_foreign; i++) {
		char chain[FOREIGN_CHAIN_STRLEN], text[FOREIGN_CHAIN_STRLEN + 128];

		snprintf(
			text, sizeof(text),
			"Chain %s may drop what natd lets in: accept there what has \"ct "
			"status dnat\", or change its policy.",
			foreign_chain_format(&gw->foreign[i], chain));
		gateway_say(list, text);
	}
	return list;
}

static int add_figures(struct gateway *gw, json_t *status)
{
	struct ruleset_figures f = { 0 };

	if (ruleset_figures(gw->ruleset, &f) < 0)
		return json_object_update_new(
			status,
			json_pack("{s:n, s:n, s:n}", "refused", "spoofed", "invalid"));
	return json_object_update_new(
		status, json_pack("{s:I, s:I, s:I}", "refused", (json_int_t)f.refused,
				  "spoofed", (json_int_t)f.spoofed, "invalid",
				  (json_int_t)f.invalid_in + (json_int_t)f.invalid_out));
}

static json_t *encode_ending(const struct gateway *gw)
{
	struct engine_endings endings;

	engine_endings(gw->engine, &endings);
	return json_pack("{s:I, s:o}", "pending", (json_int_t)endings.pending, "problem",
			 endings.problem[0] ? json_string(endings.problem) : json_null());
}

/* What can be mapped here, and how. */
static int add_means(const struct gateway *gw, json_t *status)
{
	return json_object_update_new(
		status,
		json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:{s:b, s:b}}", "accounting",
			  gw->config->accounting, "protocols",
			  gateway_encode_protocols(gw), "pool", gateway_encode_pool(gw),
			  "snat", gateway_encode_snat(gw), "ending", encode_ending(gw),
			  "upstream", gateway_encode_upstream(gw), "confined", "seccomp",
			  gw->is_confined, "landlock", gw->confined.landlock));
}

json_t *gateway_status(struct gateway *gw)
{
	const char *protection =
		ruleset_protection(gw->ruleset) == PROTECTION_OWNED ? "owned" : "watched";
	json_t *status;

	/* an owned table of another program can go without a notification */
	gateway_scan_foreign(gw);
	status = json_pack(
		"{s:s, s:i, s:o, s:s, s:o, s:I, s:I, s:I, s:{s:b, s:b}, s:o, s:o, s:o, s:o, "
		"s:o, s:o}",
		"version", NATD_VERSION, "pid", (int)getpid(), "started",
		encode_time(gw->started), "protection", protection, "table_since",
		encode_time(gw->table_since), "sequence",
		(json_int_t)store_sequence(gw->store), "mappings",
		(json_int_t)table_size(gw->table), "capacity",
		(json_int_t)table_capacity(gw->table), "forwarding", "ipv4",
		is_on("net/ipv4/ip_forward"), "ipv6",
		is_on("net/ipv6/conf/all/forwarding"), "wan", encode_links(gw, true),
		"lan", encode_links(gw, false), "clamp", encode_clamp(&gw->options),
		"foreign_chains", encode_foreign(gw), "repairs",
		encode_repairs(&gw->repair), "problems", encode_problems(gw));
	if (status && (add_means(gw, status) < 0 || add_figures(gw, status) < 0)) {
		json_decref(status);
		return NULL;
	}
	return status;
}
