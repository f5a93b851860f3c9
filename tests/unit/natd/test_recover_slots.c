/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "kinds.h"
#include "shelf.h"

/* private: what natd --recover makes of the kernel's elements */
#include "natd/gateway/recover_slots.h"

static struct slots slots;
static struct table *table;

static void set_up(void)
{
	table = make_table(1000);
}

static void tear_down(void)
{
	slots_done(&slots);
	table_free(table);
}

TestSuite(recover_slots, .init = set_up, .fini = tear_down, .timeout = 30);

/* ------------------------------------------------------------ a kernel */

static void add(const struct ruleset_slot *slot)
{
	cr_assert_eq(slots_add(&slots, slot), 0);
}

/* As the kernel would hold @m: the obvious way round. */
static void tell(const struct mapping *m)
{
	size_t n;
	const struct prefix *remotes = mapping_remotes(m, &n);
	struct ruleset_slot slot = {
		.kind = mapping_kind(m),
		.protocol = m->protocol,
		.external = m->external,
		.internal = { m->host, m->internal.port },
		.last_port = mapping_last_port(m),
	};

	/* anybody: the address says nothing */
	slot.remote.addr = address_any4;
	if (slot.kind == MAPPING_RANGE4 || slot.kind == MAPPING_RANGE6 ||
	    slot.kind == MAPPING_PINRANGE6) {
		add(&slot);
		return;
	}
	for (unsigned int i = 0; i < m->n_ports; i++) {
		slot.external.port = (uint16_t)(m->external.port + i);
		slot.internal.port = (uint16_t)(m->internal.port + i);
		slot.last_port = slot.external.port;
		for (size_t j = 0; j < n; j++) {
			slot.remote = remotes[j];
			add(&slot);
		}
		if (!n)
			add(&slot);
	}
}

static void stage(struct change_list *list)
{
	struct plan *plan = NULL;

	cr_assert_eq(table_stage(table, list, 1, &shelf_world, &plan), 0);
	cr_assert_not(plan_refused(plan, 0));
	table_commit(table, plan);
	plan_free(plan);
	change_list_done(list);
}

/* Every kind is in the table, and in the kernel as the kernel tells it: in any order. */
static void every_kind(void)
{
	struct change_list list = kinds_list();
	const struct mapping *m;

	stage(&list);
	table_for_each (table, m)
		if (mapping_is_live(m))
			tell(m);
	slots_settle(&slots);
}

/* "tcp 8080 192.168.1.10:80", told to the kernel. */
static void single(const char *text)
{
	struct mapping m = make_mapping(text);

	tell(&m);
}

static const char *remotes_of(const struct mapping *m)
{
	static char text[4096];
	size_t n;
	const struct prefix *remotes = mapping_remotes(m, &n);

	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		char one[PREFIX_STRLEN];

		snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s",
			 prefix_format(&remotes[i], one));
	}
	return text;
}

static void note(void *userdata, struct mapping *m)
{
	char external[INET6_ADDRSTRLEN], internal[ENDPOINT_STRLEN], *text = userdata;

	cr_expect_null(mapping_flaw(m), "%s", mapping_flaw(m));
	sprintf(text + strlen(text), "%s %s %u-%u %s%s\n", protocol_name(m->protocol),
		address_format(&m->external.addr, external), m->external.port,
		mapping_last_port(m), endpoint_format(&m->internal, internal),
		remotes_of(m));
}

static const char *joined(void)
{
	static char text[16384];

	slots_settle(&slots);
	text[0] = '\0';
	cr_assert_eq(slots_join(&slots, note, text), 0);
	return text;
}

/* ------------------------------------------------------------ known mappings */

Test(recover_slots, every_mapping_takes_its_own)
{
	const struct mapping *m;

	every_kind();
	table_for_each (table, m) {
		if (!mapping_is_live(m)) {
			cr_expect_not(slots_serve(&slots, m));
			continue;
		}
		cr_expect(slots_serve(&slots, m), "%s", m->name);
		cr_expect(slots_take(&slots, m), "%s", m->name);
		/* one suffix is as good as another with it */
		cr_expect(m->suffix || !slots_take(&slots, m), "%s is taken", m->name);
		cr_expect(slots_serve(&slots, m), "%s", m->name);
	}
	cr_expect_str_eq(joined(), "", "nothing is left");
}

/* natd --recover does not know the prefix of any LAN. */
Test(recover_slots, a_suffix_is_found_in_whatever_prefix)
{
	struct change_list list = kinds_list();
	const struct mapping *m;
	size_t n = 0;

	every_kind();
	table_for_each (table, m) {
		struct mapping hostless = *m;

		if (!m->suffix)
			continue;
		mapping_settle_host(&hostless, NULL);
		cr_expect(slots_serve(&slots, &hostless), "%s", m->name);
		cr_expect(slots_take(&slots, &hostless), "%s", m->name);
		n++;
	}
	cr_expect_eq(n, 5);
	cr_expect_null(strstr(joined(), "2001:db8:1:"), "%s", joined());
	change_list_done(&list);
}

Test(recover_slots, what_leads_elsewhere_is_not_taken)
{
	struct mapping m = make_mapping("tcp 80 192.168.1.10:80");

	m.n_ports = 1;
	single("tcp 80 192.168.1.11:80");
	slots_settle(&slots);
	cr_expect(slots_serve(&slots, &m));
	cr_expect_not(slots_take(&slots, &m));
	m.internal.addr.s6_addr[15] = 11;
	m.host = m.internal.addr;
	m.protocol = IPPROTO_UDP;
	cr_expect_not(slots_serve(&slots, &m));
	cr_expect_not(slots_take(&slots, &m));
	m.protocol = IPPROTO_TCP;
	cr_expect(slots_take(&slots, &m));
}

Test(recover_slots, a_mapping_that_is_there_in_part_is_not_taken)
{
	struct mapping m = make_mapping("udp 9000 192.168.1.10:8000");

	m.n_ports = 4;
	tell(&m);
	slots.n--;
	slots_settle(&slots);
	cr_expect_not(slots_take(&slots, &m));
	m.n_ports = 3;
	cr_expect(slots_take(&slots, &m));
}

Test(recover_slots, one_suffix_in_two_prefixes_is_two_mappings)
{
	const struct mapping *m, *one = NULL, *two = NULL;

	every_kind();
	table_for_each (table, m) {
		one = !strcmp(m->name, "host") ? m : one;
		two = !strcmp(m->name, "host-too") ? m : two;
	}
	cr_assert(one && two);
	cr_expect(slots_take(&slots, one));
	cr_expect(slots_take(&slots, two));
	cr_expect_not(slots_take(&slots, one));
}

Test(recover_slots, the_last_word_counts)
{
	struct mapping m = make_mapping("tcp 80 192.168.1.10:80");

	single("tcp 80 192.168.1.9:80");
	single("tcp 81 192.168.1.9:80");
	single("tcp 80 192.168.1.10:80");
	slots_settle(&slots);
	cr_expect(slots_take(&slots, &m));
	cr_expect_str_eq(joined(), "tcp 0.0.0.0 81-81 192.168.1.9:80\n");
}

/* ------------------------------------------------------------ unknown ones */

/* The same elements come of what is joined, however the kernel orders them. */
Test(recover_slots, what_is_joined_serves_the_same)
{
	const struct mapping *m;
	size_t n = 0;

	every_kind();
	srand(3);
	for (size_t i = 0; i < 3; i++) {
		table_for_each (table, m)
			if (mapping_is_live(m) && rand() % 2)
				tell(m);
	}
	cr_expect_str_eq(
		joined(),
		"tcp 0.0.0.0 25-25 192.168.1.20:25 198.51.100.0/24 203.0.113.64/26\n"
		"tcp 0.0.0.0 25-25 192.168.1.21:25 198.51.100.7/32\n"
		"udp 0.0.0.0 700-702 192.168.1.20:710 10.0.0.0/8 198.51.100.0/24\n"
		"tcp 203.0.113.7 443-443 192.168.1.10:443\n"
		"tcp 203.0.113.7 600-602 192.168.1.10:600\n"
		"tcp 0.0.0.0 6000-6000 192.168.1.10:6000\n"
		"tcp 0.0.0.0 6003-6003 192.168.1.10:6003\n"
		"tcp 0.0.0.0 6004-6004 192.168.1.10:6004\n"
		"tcp 0.0.0.0 8080-8080 192.168.1.10:80\n"
		"tcp 0.0.0.0 2222-2222 192.168.1.10:22\n"
		"tcp 0.0.0.0 27015-27015 192.168.1.11:27015\n"
		"tcp 0.0.0.0 25-25 192.168.1.22:25\n"
		"udp 0.0.0.0 9000-9003 192.168.1.10:8000\n"
		"udp 0.0.0.0 27015-27015 192.168.1.11:27015\n"
		"udp 0.0.0.0 40000-40003 192.168.1.11:41000\n"
		"tcp 0.0.0.0 1-65535 192.168.1.99:1\n"
		"udp 0.0.0.0 40000-40003 192.168.1.10:40000\n"
		"sctp 0.0.0.0 20000-29999 192.168.1.10:20000\n"
		"udp :: 500-500 [fd00:1::10]:4500 2001:db8:77::/48\n"
		"tcp 2001:db8:5::10 80-80 [2001:db8:5::20]:80\n"
		"tcp :: 8443-8443 [2001:db8:1::10]:443\n"
		"udplite :: 5060-5060 [fd00:1::10]:5060\n"
		"tcp :: 1-65535 [fd00:1::10]:1\n"
		"tcp 2001:db8:5::10 23-23 [2001:db8:5::10]:23 ::/0 2001:db8:77::/48\n"
		"tcp 2001:db8:1::12 22-23 [2001:db8:1::12]:22 2001:db8:77::/48\n"
		"tcp 2001:db8:1::10 443-443 [2001:db8:1::10]:443\n"
		"tcp 2001:db8:2::10 443-443 [2001:db8:2::10]:443\n"
		"tcp 2001:db8:5::10 22-22 [2001:db8:5::10]:22\n"
		"tcp 2001:db8:5::10 80-80 [2001:db8:5::10]:80\n"
		"udp 2001:db8:2::11 5000-5999 [2001:db8:2::11]:5000\n"
		"udp 2001:db8:5::11 1-65535 [2001:db8:5::11]:1\n");
	table_for_each (table, m)
		n += mapping_is_live(m);
	cr_expect_eq(n, 31);
}

Test(recover_slots, ports_beside_each_other_join_where_they_can_be_one)
{
	/* one range */
	single("tcp 8000 10.0.0.1:9000");
	single("tcp 8001 10.0.0.1:9001");
	/* another host, another offset, a gap, another protocol */
	single("tcp 8002 10.0.0.2:9002");
	single("tcp 8003 10.0.0.1:9004");
	single("tcp 8005 10.0.0.1:9006");
	single("udp 8002 10.0.0.1:9002");
	/* on equal ports a range would be one element */
	single("tcp 80 10.0.0.1:80");
	single("tcp 81 10.0.0.1:81");
	cr_expect_str_eq(joined(), "tcp 0.0.0.0 80-80 10.0.0.1:80\n"
				   "tcp 0.0.0.0 81-81 10.0.0.1:81\n"
				   "tcp 0.0.0.0 8000-8001 10.0.0.1:9000\n"
				   "tcp 0.0.0.0 8003-8003 10.0.0.1:9004\n"
				   "tcp 0.0.0.0 8005-8005 10.0.0.1:9006\n"
				   "tcp 0.0.0.0 8002-8002 10.0.0.2:9002\n"
				   "udp 0.0.0.0 8002-8002 10.0.0.1:9002\n");
}

/* As many ports and remotes as a mapping may have, and not more. */
Test(recover_slots, nothing_is_joined_that_is_no_mapping)
{
	struct prefix remotes[2 * MAPPING_REMOTES_MAX];
	struct mapping m = make_mapping("tcp 1000 10.0.0.1:2000");
	size_t n = 0;

	m.n_ports = MAPPING_SLOTS_MAX;
	tell(&m);
	m.external.port = 1000 + MAPPING_SLOTS_MAX;
	m.internal.port = 2000 + MAPPING_SLOTS_MAX;
	tell(&m);
	cr_expect_str_eq(joined(), "tcp 0.0.0.0 1000-5095 10.0.0.1:2000\n"
				   "tcp 0.0.0.0 5096-9191 10.0.0.1:6096\n");
	slots_done(&slots);

	m.n_ports = 1;
	for (; n < 70; n++) {
		struct ruleset_slot slot = {
			.kind = MAPPING_FORWARD4_FROM,
			.protocol = IPPROTO_TCP,
			.external = { address_any4, 80 },
			.last_port = 80,
			.internal = m.internal,
		};

		remotes[n] = (struct prefix){ address_any4, 128 };
		remotes[n].addr.s6_addr[15] = (uint8_t)n;
		slot.remote = remotes[n];
		add(&slot);
	}
	cr_expect_not_null(strstr(joined(), " 0.0.0.63/32\n"), "%s", joined());
	cr_expect_not_null(strstr(joined(), "10.0.0.1:6096 0.0.0.64/32"));
}

Test(recover_slots, of_nothing_comes_nothing)
{
	struct mapping m = make_mapping("tcp 80 192.168.1.10:80");

	cr_expect_str_eq(joined(), "");
	cr_expect_not(slots_take(&slots, &m));
	cr_expect_not(slots_serve(&slots, &m));
}
