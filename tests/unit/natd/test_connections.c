/* SPDX-License-Identifier: GPL-2.0-or-later */

/* /v1/connections, over connections that a test makes up. */

#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <criterion/criterion.h>

#include "core/cleanup.h"
#include "tests/unit/natd/api_fixture.h"

static struct api api;

/* Through the mapping with that id. */
static struct {
	uint64_t id;
	struct connection c;
} live[2000];
static size_t n_live, n_ended;
static int fail_read, fail_end;

int gateway_connections(struct gateway *gw, gateway_connection on_connection,
			void *userdata)
{
	int r = -fail_read;

	for (size_t i = 0; i < n_live && r == 0; i++)
		r = on_connection(userdata, table_find_id(gw->table, live[i].id),
				  &live[i].c);
	return r;
}

int gateway_end_connections(struct gateway *gw, const struct connection *connections,
			    size_t n, size_t *ret_ended)
{
	*ret_ended = fail_end ? 0 : n;
	n_ended += *ret_ended;
	return -fail_end;
}

static void start(void)
{
	fake_credentials.uid = 0;
	n_live = n_ended = 0;
	fail_read = fail_end = 0;
	api_start(&api);
	json_decref(api_json(&api, "POST /v1/mappings", API_WEB, 201));
	json_decref(api_json(&api, "POST /v1/mappings", API_DNS, 201));
}

static void stop(void)
{
	api_stop(&api);
}

TestSuite(connections, .init = start, .fini = stop, .timeout = 60);

static struct connection *enter(uint64_t id, uint8_t protocol, const char *remote)
{
	struct connection *c = &live[n_live].c;

	live[n_live++].id = id;
	*c = (struct connection){ .protocol = protocol, .timeout = 431988 };
	cr_assert_eq(endpoint_parse(remote, &c->orig_src), 0);
	cr_assert_eq(endpoint_parse("203.0.113.5:8080", &c->orig_dst), 0);
	cr_assert_eq(endpoint_parse("192.168.1.10:80", &c->reply_src), 0);
	c->reply_dst = c->orig_src;
	return c;
}

/* One through "web", and two through the name server's two mappings. */
static void enter_three(void)
{
	enter(1, IPPROTO_TCP, "198.51.100.9:51234")->state = TCP_CONNTRACK_ESTABLISHED;
	enter(2, IPPROTO_TCP, "198.51.100.10:1")->state = TCP_CONNTRACK_SYN_SENT;
	enter(3, IPPROTO_UDP, "192.0.2.1:2")->status = IPS_SEEN_REPLY;
}

static size_t listed(const char *filters)
{
	char request[128];
	json_t *list;
	size_t n;

	snprintf(request, sizeof(request), "GET /v1/connections%s", filters);
	list = api_json(&api, request, NULL, 200);
	n = json_array_size(list);
	json_decref(list);
	return n;
}

Test(connections, all_that_is_known_of_one_is_told)
{
	struct connection *c = enter(1, IPPROTO_TCP, "198.51.100.9:51234");
	json_t *list, *first;

	c->state = TCP_CONNTRACK_ESTABLISHED;
	c->start = ((uint64_t)time(NULL) - 12) * 1000000000u;
	c->counted = true;
	c->in.bytes = 1200;
	c->out.bytes = UINT64_C(5000000000);
	list = api_json(&api, "GET /v1/connections", NULL, 200);
	first = json_array_get(list, 0);
	cr_expect_eq(number_of(first, "mapping"), 1);
	cr_expect_str_eq(text_of(first, "name"), "web");
	cr_expect_str_eq(text_of(first, "protocol"), "tcp");
	cr_expect_str_eq(text_of(first, "remote"), "198.51.100.9:51234");
	cr_expect_str_eq(text_of(first, "external"), "203.0.113.5:8080");
	cr_expect_str_eq(text_of(first, "internal"), "192.168.1.10:80");
	cr_expect_str_eq(text_of(first, "state"), "established");
	cr_expect_geq(number_of(first, "age"), 11);
	cr_expect_leq(number_of(first, "age"), 20);
	cr_expect_eq(number_of(first, "timeout"), 431988);
	cr_expect_eq(number_of(first, "bytes_in"), 1200);
	cr_expect_eq(number_of(first, "bytes_out"), 5000000000);
	json_decref(list);
}

Test(connections, what_is_not_known_is_null)
{
	json_t *list, *first;

	enter(2, IPPROTO_UDP, "198.51.100.9:51234");
	list = api_json(&api, "GET /v1/connections", NULL, 200);
	first = json_array_get(list, 0);
	cr_expect(json_is_null(json_object_get(first, "name")));
	cr_expect(json_is_null(json_object_get(first, "age")));
	cr_expect(json_is_null(json_object_get(first, "bytes_in")));
	cr_expect(json_is_null(json_object_get(first, "bytes_out")));
	cr_expect_str_eq(text_of(first, "state"), "unreplied");
	json_decref(list);
}

Test(connections, filters_choose)
{
	static const struct {
		const char *filters;
		size_t n;
	} cases[] = {
		{ "", 3 },
		{ "?mapping=1", 1 },
		{ "?mapping=7", 0 },
		{ "?name=web", 1 },
		{ "?name=other", 0 },
		{ "?protocol=tcp", 2 },
		{ "?protocol=sctp", 0 },
		{ "?remote=198.51.100.9", 1 },
		{ "?remote=198.51.100.0/24", 2 },
		{ "?remote=198.51.100.0/24&protocol=tcp&mapping=2", 1 },
		{ "?remote=2001:db8::/32", 0 },
		{ "?remote=::/0", 0 },
		{ "?remote=0.0.0.0/0", 3 },
	};

	enter_three();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(listed(cases[i].filters), cases[i].n, "%s",
			     cases[i].filters);
}

Test(connections, a_filter_that_is_none_is_refused_by_name)
{
	static const char *const filters[] = { "mapping=0",	"mapping=web",
					       "name=7",	"protocol=icmp",
					       "remote=nobody", "remote=198.51.100.7/24",
					       "port=80" };
	char request[128];

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		json_t *why;

		snprintf(request, sizeof(request), "GET /v1/connections?%s", filters[i]);
		why = api_refused(&api, request, NULL, "bad-request");
		cr_expect_eq(strncmp(strchr(text_of(why, "detail"), '"') + 1, filters[i],
				     strcspn(filters[i], "=")),
			     0, "%s: %s", filters[i], text_of(why, "detail"));
		json_decref(why);
	}
}

Test(connections, a_long_list_is_whole)
{
	for (size_t i = 0; i < ARRAY_SIZE(live); i++)
		enter(1, IPPROTO_TCP, "198.51.100.9:51234");
	cr_expect_eq(listed(""), ARRAY_SIZE(live));
}

Test(connections, a_kernel_that_does_not_tell_is_a_fault)
{
	fail_read = ENOBUFS;
	json_decref(api_refused(&api, "GET /v1/connections", NULL, "fault"));
	json_decref(api_refused(&api, "DELETE /v1/connections?mapping=1", NULL, "fault"));
}

static void expect_ended(const char *filters, size_t n)
{
	char request[128];
	json_t *answer;

	n_ended = 0;
	snprintf(request, sizeof(request), "DELETE /v1/connections%s", filters);
	answer = api_json(&api, request, NULL, 200);
	cr_expect_eq(number_of(answer, "ended"), (long long)n, "%s", filters);
	cr_expect_eq(n_ended, n, "%s: %zu", filters, n_ended);
	json_decref(answer);
}

Test(connections, those_that_are_meant_are_ended)
{
	enter_three();
	expect_ended("?mapping=1", 1);
	expect_ended("?remote=198.51.100.0/24", 2);
	expect_ended("?mapping=99", 0);
}

Test(connections, all_of_them_are_not_ended_by_mistake)
{
	enter_three();
	json_decref(api_refused(&api, "DELETE /v1/connections", NULL, "bad-request"));
	cr_expect_eq(n_ended, 0);
}

Test(connections, what_the_kernel_refuses_to_end_is_said)
{
	enter_three();
	fail_end = EBUSY;
	json_decref(api_refused(&api, "DELETE /v1/connections?mapping=1", NULL, "fault"));
}

/* A user with rights to some ports, who owns nothing. */
static void become_somebody(uint32_t uid)
{
	struct access *access = &api.gw->config.access;

	fake_credentials.uid = uid;
	fake_credentials.member = false;
	access->given = true;
	access->n = 1;
	access->rules[0] = (struct access_rule){ .id = uid };
	access->rules[0].grant = (struct grant){
		.rule = "user",
		.map = { { 1024, 65535 } },
		.n_map = 1,
		.quota = GRANT_UNLIMITED,
		.max_lifetime = GRANT_UNLIMITED,
	};
}

Test(connections, nobody_ends_those_of_anothers_mapping)
{
	enter_three();
	become_somebody(1000);
	json_decref(api_refused(&api, "DELETE /v1/connections?mapping=1", NULL,
				"not-permitted"));
	json_decref(api_refused(&api, "DELETE /v1/connections?remote=0.0.0.0/0", NULL,
				"not-permitted"));
	cr_expect_eq(n_ended, 0);
}

Test(connections, one_ends_those_of_ones_own)
{
	json_t *added;

	become_somebody(1000);
	added = api_json(&api, "POST /v1/mappings",
			 "{\"protocol\":\"tcp\",\"external\":{\"port\":9000},"
			 "\"internal\":{\"address\":\"192.168.1.10\"}}",
			 201);
	json_decref(added);
	enter_three();
	enter(4, IPPROTO_TCP, "198.51.100.9:4");
	expect_ended("?remote=0.0.0.0/0", 1);
	expect_ended("?mapping=4", 1);
}
