/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Both workers and the real miniupnpd: each kind of job. */

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kernel/netns.h"
#include "worker_fixture.h"

#define EXTERNAL "1.2.3.4"
#define PORT_URL "http://192.168.1.1:5000/rootDesc.xml"

static struct program miniupnpd;
static struct worker worker;

static void begin(enum worker_role role)
{
	link_up();
	miniupnpd = miniupnpd_start();
	worker = worker_start(role);
}

static void end(void)
{
	worker_stop(&worker);
	program_stop(&miniupnpd);
}

static void assert_external(const struct worker_answer *answer)
{
	struct in6_addr external = address(EXTERNAL);

	cr_assert(address_equal(&answer->external, &external));
}

/* "0x6 th dport 8080": how many of it miniupnpd has put into its table */
static void assert_rules(const char *text, int n)
{
	on_router("test $(nft list chain inet filter prerouting_miniupnpd |"
		  " grep -c '%s') = %d",
		  text, n);
}

Test(worker_miniupnpd, pcp_announce_tells_the_epoch)
{
	struct worker_job job;
	struct worker_answer answer;

	begin(WORKER_DATAGRAM);
	job = job_of(JOB_PCP_ANNOUNCE);
	answer = worker_answers(&worker, &job);
	cr_assert_eq(answer.result, 0);
	cr_assert_lt(answer.epoch, 3600u);
	cr_assert_eq(answer.natpmp, 0);
	end();
}

Test(worker_miniupnpd, pcp_maps_and_deletes)
{
	struct worker_job job;
	struct worker_answer answer;

	begin(WORKER_DATAGRAM);
	job = job_of(JOB_PCP_MAP);
	job.internal_port = 80;
	answer = worker_answers(&worker, &job);
	cr_assert_eq(answer.result, 0);
	cr_assert_eq(answer.external_port, 8080);
	cr_assert_eq(answer.lifetime, 120u);
	assert_external(&answer);
	assert_rules("0x6 th dport 8080 dnat ip to 192.168.1.2:80", 1);
	job.lifetime = 0;
	job.serial++;
	answer = worker_answers(&worker, &job);
	cr_assert_eq(answer.result, 0);
	cr_assert_eq(answer.lifetime, 0u);
	assert_rules("8080", 0);
	end();
}

Test(worker_miniupnpd, pcp_refuses_what_is_not_ours)
{
	struct worker_job job;
	struct worker_answer answer;

	begin(WORKER_DATAGRAM);
	job = job_of(JOB_PCP_MAP);
	job.internal = address("192.168.1.7"); /* THIRD_PARTY */
	answer = worker_answers(&worker, &job);
	cr_assert_gt(answer.result, 0);
	assert_rules("8080", 0);
	end();
}

Test(worker_miniupnpd, pcp_opens_a_pinhole)
{
	struct worker_job job;
	struct worker_answer answer;

	begin(WORKER_DATAGRAM);
	job = job_of(JOB_PCP_MAP);
	job.router = address("2001:db8:1::1");
	job.source = job.internal = address(OUR_ADDRESS6);
	job.external = address_any6;
	answer = worker_answers(&worker, &job);
	cr_assert_eq(answer.result, 0, "%d", answer.result);
	cr_assert_eq(answer.external_port, 8080);
	cr_assert(address_equal(&answer.external, &job.internal));
	end();
}

Test(worker_miniupnpd, natpmp_tells_the_address)
{
	struct worker_job job;
	struct worker_answer answer;

	begin(WORKER_DATAGRAM);
	job = job_of(JOB_NATPMP_ADDRESS);
	answer = worker_answers(&worker, &job);
	cr_assert_eq(answer.result, 0);
	assert_external(&answer);
	end();
}

Test(worker_miniupnpd, natpmp_maps_and_deletes)
{
	struct worker_job job;
	struct worker_answer answer;

	begin(WORKER_DATAGRAM);
	job = job_of(JOB_NATPMP_MAP);
	job.protocol = IPPROTO_UDP;
	job.internal_port = 53;
	job.external_port = 5353;
	answer = worker_answers(&worker, &job);
	cr_assert_eq(answer.result, 0);
	cr_assert_eq(answer.external_port, 5353);
	cr_assert_eq(answer.lifetime, 120u);
	assert_rules("0x11 th dport 5353 dnat ip to 192.168.1.2:53", 1);
	job.lifetime = 0;
	job.serial++;
	answer = worker_answers(&worker, &job);
	cr_assert_eq(answer.result, 0);
	assert_rules("5353", 0);
	end();
}

Test(worker_miniupnpd, a_search_finds_its_description)
{
	struct worker_job job;
	struct worker_answer answer;

	begin(WORKER_DATAGRAM);
	job = job_of(JOB_SSDP_SEARCH);
	answer = worker_answers(&worker, &job);
	cr_assert_eq(answer.result, 0);
	cr_assert_str_eq(answer.url, PORT_URL);
	cr_assert(strstr(answer.text, "UPnP"), "%s", answer.text);
	cr_assert_neq(answer.boot_id, 0u);
	end();
}

Test(worker_miniupnpd, a_search_is_answered_through_a_filter_that_drops_what_is_unasked)
{
	struct worker_job job;
	struct worker_answer answer;

	begin(WORKER_DATAGRAM);
	cr_assert_eq(
		system("nft 'table inet f { chain i { type filter hook input priority "
		       "0; policy drop; ct state established,related accept; }; }'"),
		0);
	job = job_of(JOB_SSDP_SEARCH);
	answer = worker_answers(&worker, &job);
	cr_assert_eq(answer.result, 0);
	cr_assert_str_eq(answer.url, PORT_URL);
	end();
}

Test(worker_miniupnpd, its_notifications_are_heard)
{
	struct worker_job job;
	struct worker_answer answer;
	bool alive = false, announced = false;

	link_up();
	worker = worker_start(WORKER_DATAGRAM);
	job = job_of(JOB_LISTEN);
	worker_ask(&worker, &job);
	job = job_of(JOB_PCP_ANNOUNCE); /* when it is answered we listen */
	cr_assert_eq(worker_answers(&worker, &job).result, -ECONNREFUSED);
	miniupnpd = miniupnpd_start();
	while ((!alive || !announced) && worker_hear(&worker, 10000, &answer)) {
		cr_assert_eq(answer.serial, 0u);
		if (answer.kind == ANSWER_SSDP_ALIVE) {
			alive = true;
			cr_assert_str_eq(answer.url, PORT_URL);
		}
		announced |= answer.kind == ANSWER_PCP_ANNOUNCE ||
			     answer.kind == ANSWER_NATPMP_ANNOUNCE;
	}
	cr_assert(alive);
	cr_assert(announced);
	kill(miniupnpd.pid, SIGTERM);
	while (worker_hear(&worker, 10000, &answer) && answer.kind != ANSWER_SSDP_BYEBYE)
		cr_assert_eq(answer.serial, 0u);
	cr_assert_eq(answer.kind, ANSWER_SSDP_BYEBYE);
	end();
}

Test(worker_miniupnpd, igd_is_opened)
{
	struct worker_job job;
	struct worker_answer answer;

	begin(WORKER_IGD);
	job = job_of(JOB_IGD_OPEN);
	strcpy(job.url, PORT_URL);
	answer = worker_answers(&worker, &job);
	cr_assert_eq(answer.result, 0);
	cr_assert_eq(answer.igd, IGD_V2 | IGD_CONNECTED | IGD_FIREWALL6);
	cr_assert_str_eq(answer.text, "Debian router");
	end();
}

Test(worker_miniupnpd, igd_tells_the_address)
{
	struct worker_job job;
	struct worker_answer answer;

	begin(WORKER_IGD);
	job = job_of(JOB_IGD_ADDRESS);
	strcpy(job.url, PORT_URL);
	answer = worker_answers(&worker, &job);
	cr_assert_eq(answer.result, 0);
	cr_assert(answer.igd & IGD_CONNECTED);
	assert_external(&answer);
	end();
}

static struct worker_answer igd(enum worker_job_kind kind, uint8_t flags)
{
	struct worker_job job = job_of(kind);

	strcpy(job.url, PORT_URL);
	job.flags = flags;
	job.internal_port = 80;
	return worker_answers(&worker, &job);
}

static void map_read_unmap(uint8_t flags)
{
	struct in6_addr us = address(OUR_ADDRESS);
	struct worker_answer answer;

	cr_assert_eq(igd(JOB_IGD_READ, flags).result, 714);
	answer = igd(JOB_IGD_MAP, flags);
	cr_assert_eq(answer.result, 0);
	cr_assert_eq(answer.external_port, 8080);
	assert_rules("0x6 th dport 8080 dnat ip to 192.168.1.2:80", 1);
	answer = igd(JOB_IGD_READ, flags);
	cr_assert_eq(answer.result, 0);
	cr_assert(address_equal(&answer.internal, &us));
	cr_assert_eq(answer.internal_port, 80);
	cr_assert_str_eq(answer.text, "web");
	cr_assert(answer.lifetime > 100 && answer.lifetime <= 120);
	cr_assert_eq(igd(JOB_IGD_UNMAP, flags).result, 0);
	assert_rules("8080", 0);
}

Test(worker_miniupnpd, igd_maps_reads_and_unmaps)
{
	begin(WORKER_IGD);
	map_read_unmap(JOB_FLAG_EXACT); /* AddPortMapping */
	map_read_unmap(0);		/* AddAnyPortMapping */
	end();
}

Test(worker_miniupnpd, igd_says_that_a_port_is_taken_or_gives_another)
{
	struct worker other;
	struct worker_job job;
	struct worker_answer answer;

	begin(WORKER_IGD);
	netns_run("ip addr add 192.168.1.3/24 dev wan0");
	other = worker_start(WORKER_DATAGRAM);
	job = job_of(JOB_PCP_MAP);
	job.source = job.internal = address("192.168.1.3");
	cr_assert_eq(worker_answers(&other, &job).result, 0);
	worker_stop(&other);
	answer = igd(JOB_IGD_MAP, JOB_FLAG_EXACT);
	cr_assert_eq(answer.result, 718);
	job = job_of(JOB_IGD_MAP);
	strcpy(job.url, PORT_URL);
	answer = worker_answers(&worker, &job);
	cr_assert_eq(answer.result, 0);
	cr_assert_neq(answer.external_port, 8080);
	end();
}

Test(worker_miniupnpd, igd_grants_nothing_to_others)
{
	struct worker_job job;

	begin(WORKER_IGD);
	job = job_of(JOB_IGD_MAP);
	job.internal = address("192.168.1.7");
	strcpy(job.url, PORT_URL);
	cr_assert_eq(worker_answers(&worker, &job).result, 606);
	end();
}

/* The router grants a pinhole to the address that asks only. */
static void open_pinhole(const char *router, const char *url)
{
	struct worker_job job = job_of(JOB_IGD_PINHOLE);
	struct worker_answer answer;

	job.router = address(router);
	job.source = job.internal = address(OUR_ADDRESS6);
	job.lifetime = 3600;
	strcpy(job.url, url);
	answer = worker_answers(&worker, &job);
	cr_assert_eq(answer.result, 0, "%s: %d", url, answer.result);
	cr_assert_neq(answer.unique, 0);
	job.serial++;
	job.unique = answer.unique;
	cr_assert_eq(worker_answers(&worker, &job).result, 0);
	job.serial++;
	job.kind = JOB_IGD_UNPINHOLE;
	cr_assert_eq(worker_answers(&worker, &job).result, 0);
	job.serial++;
	cr_assert_gt(worker_answers(&worker, &job).result, 0); /* it says 402 */
}

Test(worker_miniupnpd, igd_opens_updates_and_closes_pinholes)
{
	begin(WORKER_IGD);
	open_pinhole("2001:db8:1::1", "http://[2001:db8:1::1]:5000/rootDesc.xml");
	end();
}

Test(worker_miniupnpd, igd_opens_a_pinhole_on_a_link_local_router)
{
	begin(WORKER_IGD);
	open_pinhole("fe80::1", "http://[fe80::1]:5000/rootDesc.xml");
	end();
}

Test(worker_miniupnpd, igd_opens_a_pinhole_for_who_asks_only)
{
	struct worker_job job;

	begin(WORKER_IGD);
	job = job_of(JOB_IGD_PINHOLE);
	job.internal = address(OUR_ADDRESS6); /* and we come under the IPv4 address */
	strcpy(job.url, PORT_URL);
	cr_assert_eq(worker_answers(&worker, &job).result, 606);
	end();
}
