/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The configuration is read again, and the first, second, ... allocation of that fails,
 * once or from then on, until none is left to fail. The new one is in force wholly, or
 * the old one is: table, store, kernel and what was answered agree. Nothing crashes,
 * nothing leaks (the address sanitizer sees).
 */

#include <criterion/criterion.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "natd/common/log.h"
#include "natd/gateway/gateway.h"
#include "tests/fake/alloc.h"
#include "tests/kernel/netns.h"

#define HEAD "user = nobody\ngroup = nogroup\n"

/* Of the file's forwards one stays, one leads elsewhere, one goes, one comes. */
static const char old_text[] = HEAD
	"wan { interfaces = {\"wan0\"}  mss = 1400 }\n"
	"lan { interfaces = {\"lan0\"} }\n"
	"firewall { input = drop  open = {\"tcp 22\"} }\n"
	"forward stays { protocol = tcp  port = 80  to = \"192.168.1.10:8080\" }\n"
	"forward turns { protocol = \"tcp,udp\"  port = 53  to = \"192.168.1.11\" }\n"
	"forward goes { protocol = tcp  port = 443  to = \"[2001:db8:1::10]:443\" }\n";
static const char new_text[] = HEAD
	"wan { interfaces = {\"wan1\", \"wan0\"} }\n"
	"lan { interfaces = {\"lan0\", \"lan1\"}  masquerade6 = yes }\n"
	"forward stays { protocol = tcp  port = 80  to = \"192.168.1.10:8080\" }\n"
	"forward turns { protocol = \"tcp,udp\"  port = 53  to = \"192.168.1.12\" }\n"
	"forward comes { protocol = udp  port = 444  to = \"192.168.1.13\" }\n";

static char dir[64] = "/tmp/natd-reload-XXXXXX", path[96];
static sd_event *event;
static struct gateway *gateway;

static struct {
	int times;
	bool refused;
} told;

static void on_done(void *userdata, size_t added, size_t removed,
		    const struct problem *why)
{
	told.times++;
	told.refused = why;
}

static void write_config(const char *text)
{
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
}

static struct config *read_config(void)
{
	struct config_flaw flaw = { "" };
	struct config *config = NULL;

	cr_assert_eq(config_load(path, &config, &flaw), 0, "%s", flaw.text);
	return config;
}

/* What waits, and nothing that is due later. */
static void settle(void)
{
	int r;

	do
		r = sd_event_run(event, 0);
	while (r > 0);
	cr_assert_geq(r, 0);
}

static void set_up(void)
{
	struct gateway_fault why = { "" };

	netns_enter();
	log_level(LOG_EMERG);
	alloc_for_jansson();
	netns_run("ip link add wan0 type veth peer name wan0-p");
	netns_run("ip address add 203.0.113.5/24 dev wan0");
	netns_run("ip link add lan1 type veth peer name lan1-p");
	netns_run("ip address add 192.168.2.1/24 dev lan1");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/natd.conf", dir);
	write_config(old_text);
	cr_assert_geq(sd_event_new(&event), 0);
	cr_assert_eq(gateway_open(event, read_config(), dir, NULL, &gateway, &why), 0,
		     "%s", why.text);
	cr_assert_eq(gateway_start(gateway, on_done, NULL), 0);
	settle();
	cr_assert(told.times == 1 && !told.refused);
}

static void tear_down(void)
{
	gateway_close(gateway);
	sd_event_unref(event);
	netns_run("rm -r %s", dir);
}

TestSuite(reload_walk, .init = set_up, .fini = tear_down, .timeout = 600);

/* ------------------------------------------------------------ what is so */

static bool leads_to(uint8_t protocol, uint16_t port, const char *internal)
{
	const struct endpoint external = { address_any4, port };
	struct endpoint to;
	const struct mapping *m =
		table_find(gateway_table(gateway), MAPPING_FORWARD4, protocol, &external);

	cr_assert_eq(endpoint_parse(internal, &to), 0);
	return m && endpoint_equal(&m->internal, &to);
}

static int rows(const char *where)
{
	sqlite3_stmt *count = NULL;
	char file[96], text[160];
	sqlite3 *db;
	int n;

	snprintf(file, sizeof(file), "%s/natd.db", dir);
	snprintf(text, sizeof(text), "SELECT count(*) FROM mapping %s", where);
	cr_assert_eq(sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, text, -1, &count, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_step(count), SQLITE_ROW);
	n = sqlite3_column_int(count, 0);
	sqlite3_finalize(count);
	sqlite3_close(db);
	return n;
}

/* The file holds the configuration that is to be in force. */
static void in_force(bool new, unsigned int nth)
{
	struct config *wanted = read_config();
	const struct config *config = gateway_config(gateway);

	cr_expect_eq(memcmp(&config->options, &wanted->options, sizeof(config->options)),
		     0, "allocation %u: the options are the others", nth);
	cr_expect_eq(config->n_forwards, wanted->n_forwards);
	cr_expect_eq(table_size(gateway_table(gateway)), 4);
	cr_expect(leads_to(IPPROTO_TCP, 80, "192.168.1.10:8080"));
	cr_expect(leads_to(IPPROTO_UDP, 53, new ? "192.168.1.12:53" : "192.168.1.11:53"),
		  "allocation %u", nth);
	cr_expect_eq(leads_to(IPPROTO_UDP, 444, "192.168.1.13:444"), new, "allocation %u",
		     nth);
	cr_expect_eq(rows(""), 4, "allocation %u: the store", nth);
	cr_expect_eq(rows("WHERE name = 'comes'"), new, "allocation %u: the store", nth);
	cr_expect_eq(rows("WHERE name = 'goes'"), !new, "allocation %u: the store", nth);
	config_free(wanted);
}

/* Return: did nothing differ? It does no more. */
static bool kernel_agrees(void)
{
	struct ruleset_report report = { 0 };
	struct problem why;

	cr_assert_eq(gateway_resync(gateway, &report, &why), 0, "%s", why.detail);
	return !report.created && !report.replaced && !report.rewritten &&
	       !report.added && !report.removed && !report.other;
}

static bool has_problem(const char *words)
{
	json_t *status = gateway_status(gateway), *problem;
	bool has = false;
	size_t i;

	json_array_foreach (json_object_get(status, "problems"), i, problem)
		has = has || strstr(json_string_value(problem), words);
	json_decref(status);
	return has;
}

/* Return: 0, or what gateway_reload() said; told is what was answered */
static int reload(unsigned int nth, bool lasts, bool *ret_failed)
{
	int r;

	told.times = 0;
	alloc_fail_at(nth, lasts);
	r = gateway_reload(gateway, on_done, NULL);
	settle();
	*ret_failed = alloc_fail_at(0, false) > 0;
	settle();
	cr_assert_eq(told.times, r == 0, "allocation %u: answered %d times", nth,
		     told.times);
	return r;
}

static void reload_well(const char *text)
{
	bool failed;

	write_config(text);
	cr_assert_eq(reload(0, false, &failed), 0);
	cr_assert_not(told.refused);
}

/* ------------------------------------------------------------ one after the other */

/* Return: was there such an allocation? */
static bool starve(unsigned int nth)
{
	bool failed, new;
	int r;

	write_config(new_text);
	r = reload(nth, false, &failed);
	cr_expect(r == 0 || r == -ENOMEM);
	new = r == 0 && !told.refused;
	cr_expect(failed || new, "allocation %u: refused for nothing", nth);
	if (!new)
		write_config(old_text);
	in_force(new, nth);
	cr_expect(kernel_agrees(), "allocation %u, %s: the kernel's table differs", nth,
		  new ? "new" : "old");
	if (new)
		reload_well(old_text);
	return failed;
}

Test(reload_walk, one_allocation_fails)
{
	unsigned int nth = 1;

	while (starve(nth))
		cr_assert_lt(++nth, 2000);
	cr_expect_gt(nth, 20, "only %u allocations", nth);
}

/* The old configuration could not be put back either: it is, when there is memory. */
static void await_kernel(void)
{
	const time_t give_up = time(NULL) + 10;

	while (has_problem("put back into the kernel")) {
		cr_assert_geq(sd_event_run(event, 1000000), 0);
		cr_assert_lt(time(NULL), give_up, "the old rules are not put back");
	}
}

/* @n_awaited: how often it was waited for; the first times are enough, each takes a
 * second */
static bool starve_for_good(unsigned int nth, int *n_awaited)
{
	bool failed, new;
	int r;

	write_config(new_text);
	r = reload(nth, true, &failed);
	new = r == 0 && !told.refused;
	if (!new)
		write_config(old_text);
	in_force(new, nth);
	if (!has_problem("put back into the kernel")) {
		cr_expect(kernel_agrees(), "allocation %u: the kernel's table differs",
			  nth);
	} else if (*n_awaited < 5) {
		++*n_awaited;
		await_kernel();
		cr_expect(kernel_agrees(), "allocation %u: put back, and differs", nth);
	} else {
		kernel_agrees();
		cr_expect(kernel_agrees(), "allocation %u: a resync does not mend", nth);
	}
	cr_expect_not(has_problem("put back into the kernel"));
	if (new)
		reload_well(old_text);
	return failed;
}

Test(reload_walk, all_allocations_fail_from_one_on)
{
	unsigned int nth = 1;
	int n_awaited = 0;

	while (starve_for_good(nth, &n_awaited))
		cr_assert_lt(++nth, 2000);
	cr_expect_gt(nth, 20, "only %u allocations", nth);
	cr_expect_eq(n_awaited, 5, "the old configuration could always be put back");
}

/* ------------------------------------------------------------ what is said */

static struct problem said;

static void on_refused(void *userdata, size_t added, size_t removed,
		       const struct problem *why)
{
	cr_assert_not_null(why);
	said = *why;
}

Test(reload_walk, want_of_memory_is_no_flaw_of_the_file)
{
	write_config(new_text);
	alloc_fail_at(1, false);
	cr_expect_eq(gateway_reload(gateway, on_refused, NULL), 0);
	alloc_fail_at(0, false);
	cr_expect_eq(said.verdict, VERDICT_FAULT);
	cr_expect_not_null(strstr(said.detail, "memory."), "%s", said.detail);
}

Test(reload_walk, what_is_wrong_is_a_sentence_with_an_end)
{
	write_config("nonsense = yes\n");
	cr_expect_eq(gateway_reload(gateway, on_refused, NULL), 0);
	cr_expect_eq(said.verdict, VERDICT_BAD_CONFIG);
	cr_expect_eq(said.detail[strlen(said.detail) - 1], '.', "%s", said.detail);
}
