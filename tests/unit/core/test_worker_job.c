/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/endpoint.h"
#include "core/worker_message.h"
#include "tests/unit/core/packet.h"
#include "tests/unit/core/said.h"

#define URL "http://192.168.1.1:5000/rootDesc.xml"

static struct worker_job job_of(enum worker_job_kind kind)
{
	struct worker_job job = {
		.serial = 1,
		.kind = kind,
		.ifindex = 2,
		.router = said_address("192.168.1.1"),
		.source = said_address("192.168.1.2"),
		.internal = said_address("192.168.1.2"),
		.external = address_any4,
		.lifetime = 7200,
		.router_port = 3478,
		.internal_port = 8080,
		.external_port = 443,
		.unique = 1,
		.protocol = IPPROTO_TCP,
		.url = URL,
		.text = "natd: web",
	};

	if (kind == JOB_RESOLVE) {
		job.ifindex = 0;
		job.router = address_any6;
		strcpy(job.url, "stun.example.org");
	}
	if (kind == JOB_IGD_PINHOLE)
		job.internal = said_address("2001:db8::10");
	return job;
}

/* Of a block of its own; a copy where it is taken, else @ret is as it was. */
static bool job_taken(const struct worker_job *job)
{
	struct packet packet = { .len = 0 };
	struct worker_job ret, before;
	void *block;
	bool taken;

	packet_add(&packet, job, sizeof(*job));
	block = packet_block(&packet, packet.len);
	memset(&ret, 0xee, sizeof(ret));
	before = ret;
	taken = worker_job_valid(block, packet.len, &ret);
	free(block);
	cr_expect_eq(memcmp(&ret, taken ? job : &before, sizeof(ret)), 0);
	return taken;
}

Test(worker_job, every_kind_of_job_has_its_worker)
{
	for (unsigned int kind = 0; kind < JOB_RESOLVE; kind++)
		cr_expect_eq(job_role(kind),
			     kind < JOB_IGD_OPEN ? WORKER_DATAGRAM : WORKER_IGD, "%u",
			     kind);
	cr_expect_eq(job_role(JOB_RESOLVE), WORKER_RESOLVER);
	cr_expect_str_eq(worker_role_name(WORKER_RESOLVER), "resolver");
	cr_expect_str_eq(worker_role_name(WORKER_DATAGRAM), "datagram");
	cr_expect_str_eq(worker_role_name(WORKER_IGD), "igd");
}

Test(worker_job, a_whole_one_is_taken)
{
	for (unsigned int kind = 0; kind < JOB_KINDS; kind++) {
		const struct worker_job job = job_of(kind);

		cr_expect(job_taken(&job), "job %u", kind);
	}
}

Test(worker_job, another_size_is_none)
{
	struct packet packet = { .len = 0 };
	const struct worker_job job = job_of(JOB_PCP_MAP);
	struct worker_job ret;

	packet_add(&packet, &job, sizeof(job));
	packet_add(&packet, "x", 1);
	for (size_t len = 0; len <= packet.len; len++) {
		void *block = packet_block(&packet, len);

		cr_expect_eq(worker_job_valid(block, len, &ret), len == sizeof(job),
			     "%zu", len);
		free(block);
	}
}

/* What is amiss with every kind of job alike. */
static void spoil_job(struct worker_job *job, size_t how)
{
	switch (how) {
	case 0:
		job->serial = 0;
		break;
	case 1:
		job->kind = JOB_KINDS;
		break;
	case 2:
		job->kind = UINT32_MAX;
		break;
	case 3:
		job->ifindex = 0;
		break;
	case 4:
		job->ifindex = (uint32_t)INT_MAX + 1;
		break;
	case 5:
		job->flags = JOB_FLAG_EXACT << 1;
		break;
	case 6:
		job->router = address_any4;
		break;
	case 7:
		job->router = said_address("239.255.255.250");
		break;
	case 8:
		job->source = said_address("ff02::1");
		break;
	case 9:
		job->internal = said_address("224.0.0.1");
		break;
	case 10:
		job->external = said_address("224.0.0.1");
		break;
	case 11:
		memset(job->url, 'a', sizeof(job->url));
		break;
	case 12:
		memset(job->text, 'a', sizeof(job->text));
		break;
	case 13:
		job->text[2] = '\n';
		break;
	default:
		job->url[3] = '\x80';
		break;
	}
}

Test(worker_job, no_kind_of_job_is_taken_with_a_flaw)
{
	for (unsigned int kind = 0; kind < JOB_KINDS; kind++) {
		for (size_t how = 0; how < 15; how++) {
			struct worker_job job = job_of(kind);

			if (kind == JOB_RESOLVE && (how == 3 || how == 6))
				continue; /* it is to nobody */
			spoil_job(&job, how);
			cr_expect_not(job_taken(&job), "job %u, flaw %zu", kind, how);
		}
	}
}

Test(worker_job, a_name_is_asked_for_of_nobody_in_particular)
{
	static const char *const names[] = { "", "stun_.example.org", "a..b", "1.2.3.4",
					     "http://192.168.1.1/" };
	struct worker_job job = job_of(JOB_RESOLVE);

	job.ifindex = 2;
	cr_expect_not(job_taken(&job));
	job = job_of(JOB_RESOLVE);
	job.router = said_address("192.168.1.1");
	cr_expect_not(job_taken(&job));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		job = job_of(JOB_RESOLVE);
		strcpy(job.url, names[i]);
		cr_expect_not(job_taken(&job), "\"%s\"", names[i]);
	}
}

enum missing {
	NO_SOURCE,
	NO_INTERNAL,
	NO_INTERNAL_PORT,
	NO_EXTERNAL_PORT,
	NO_ROUTER_PORT,
	NO_PROTOCOL,
	NO_UNIQUE,
	NO_URL,
	OTHER_PROTOCOL,
	OTHER_HOST,
	OTHER_FAMILY,
};
#define MISSING (OTHER_FAMILY + 1)

static void take_away(struct worker_job *job, enum missing what)
{
	switch (what) {
	case NO_SOURCE:
		job->source = address_any4;
		break;
	case NO_INTERNAL:
		job->internal = address_any6;
		break;
	case NO_INTERNAL_PORT:
		job->internal_port = 0;
		break;
	case NO_EXTERNAL_PORT:
		job->external_port = 0;
		break;
	case NO_ROUTER_PORT:
		job->router_port = 0;
		break;
	case NO_PROTOCOL:
		job->protocol = 0;
		break;
	case NO_UNIQUE:
		job->unique = 0;
		break;
	case NO_URL:
		job->url[0] = '\0';
		break;
	case OTHER_PROTOCOL:
		job->protocol = IPPROTO_SCTP;
		break;
	case OTHER_HOST:
		strcpy(job->url, "http://192.168.1.3:5000/rootDesc.xml");
		break;
	case OTHER_FAMILY: /* and the rest IPv4, or the other way round */
		job->internal = address_is_ipv4(&job->internal)
					? said_address("2001:db8::2")
					: said_address("192.168.1.2");
		break;
	}
}

Test(worker_job, a_job_needs_what_its_kind_needs_and_no_more)
{
	static const bool needed[JOB_KINDS][MISSING] = {
		[JOB_PCP_ANNOUNCE] = { [NO_SOURCE] = true },
		[JOB_PCP_MAP] = { [NO_SOURCE] = true,
				  [NO_INTERNAL] = true,
				  [NO_INTERNAL_PORT] = true,
				  [NO_PROTOCOL] = true,
				  [OTHER_FAMILY] = true },
		[JOB_NATPMP_ADDRESS] = { [NO_SOURCE] = true },
		[JOB_NATPMP_MAP] = { [NO_SOURCE] = true,
				     [NO_INTERNAL_PORT] = true,
				     [NO_PROTOCOL] = true,
				     [OTHER_PROTOCOL] = true },
		[JOB_SSDP_SEARCH] = { [NO_SOURCE] = true },
		[JOB_STUN_BIND] = { [NO_SOURCE] = true, [NO_ROUTER_PORT] = true },
		[JOB_IGD_OPEN] = { [NO_URL] = true, [OTHER_HOST] = true },
		[JOB_IGD_ADDRESS] = { [NO_URL] = true, [OTHER_HOST] = true },
		[JOB_IGD_READ] = { [NO_URL] = true,
				   [OTHER_HOST] = true,
				   [NO_EXTERNAL_PORT] = true,
				   [NO_PROTOCOL] = true,
				   [OTHER_PROTOCOL] = true },
		[JOB_IGD_MAP] = { [NO_URL] = true,
				  [OTHER_HOST] = true,
				  [NO_EXTERNAL_PORT] = true,
				  [NO_PROTOCOL] = true,
				  [OTHER_PROTOCOL] = true,
				  [NO_INTERNAL] = true,
				  [NO_INTERNAL_PORT] = true,
				  [OTHER_FAMILY] = true },
		[JOB_IGD_UNMAP] = { [NO_URL] = true,
				    [OTHER_HOST] = true,
				    [NO_EXTERNAL_PORT] = true,
				    [NO_PROTOCOL] = true,
				    [OTHER_PROTOCOL] = true },
		[JOB_IGD_PINHOLE] = { [NO_URL] = true,
				      [OTHER_HOST] = true,
				      [NO_INTERNAL] = true,
				      [NO_INTERNAL_PORT] = true,
				      [NO_PROTOCOL] = true,
				      [OTHER_FAMILY] = true },
		[JOB_IGD_UNPINHOLE] = { [NO_URL] = true,
					[OTHER_HOST] = true,
					[NO_UNIQUE] = true },
		[JOB_RESOLVE] = { [NO_URL] = true, [OTHER_HOST] = true },
	};

	for (unsigned int kind = 0; kind < JOB_KINDS; kind++) {
		for (unsigned int what = 0; what < MISSING; what++) {
			struct worker_job job = job_of(kind);

			take_away(&job, what);
			cr_expect_eq(job_taken(&job), !needed[kind][what],
				     "job %u without %u", kind, what);
		}
	}
}

Test(worker_job, packets_leave_from_an_address_of_the_routers_family)
{
	static const enum worker_job_kind kinds[] = { JOB_PCP_ANNOUNCE,	  JOB_PCP_MAP,
						      JOB_NATPMP_ADDRESS, JOB_NATPMP_MAP,
						      JOB_SSDP_SEARCH,	  JOB_STUN_BIND };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const bool is_natpmp =
			kinds[i] == JOB_NATPMP_ADDRESS || kinds[i] == JOB_NATPMP_MAP;
		struct worker_job job = job_of(kinds[i]);

		job.router = said_address("fe80::1");
		cr_expect_not(job_taken(&job), "%zu", i);
		job.source = job.internal = said_address("2001:db8::2");
		cr_expect_eq(job_taken(&job), !is_natpmp, "%zu", i);
	}
}

Test(worker_job, a_suggestion_fits_the_mapping)
{
	struct worker_job job = job_of(JOB_PCP_MAP);

	job.external = address_any6;
	cr_expect(job_taken(&job), "none given has no family");
	job.external = said_address("203.0.113.5");
	cr_expect(job_taken(&job));
	job.external = said_address("2001:db8::5");
	cr_expect_not(job_taken(&job));
	job = job_of(JOB_PCP_MAP);
	job.external_port = 0;
	cr_expect(job_taken(&job));
	job.flags = JOB_FLAG_EXACT;
	cr_expect_not(job_taken(&job), "this port or none, and no port");
	job.lifetime = 0;
	cr_expect(job_taken(&job), "a deletion");
}

Test(worker_job, protocols_are_those_of_mappings)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP,
					     IPPROTO_UDPLITE, IPPROTO_DCCP };
	struct worker_job job = job_of(JOB_PCP_MAP);

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		job.protocol = protocols[i];
		cr_expect_eq(job_taken(&job), protocols[i] != IPPROTO_DCCP, "%zu", i);
	}
}
