/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/endpoint.h"
#include "core/worker_message.h"
#include "tests/unit/core/packet.h"
#include "tests/unit/core/said.h"

#define URL "http://192.168.1.1:5000/rootDesc.xml"

static struct worker_answer answer_of(enum worker_job_kind kind)
{
	struct worker_answer answer = {
		.serial = 1,
		.kind = ANSWER_JOB,
		.job = kind,
		.ifindex = 2,
		.router = said_address("192.168.1.1"),
		.internal = said_address("192.168.1.2"),
		.external = said_address("203.0.113.5"),
		.epoch = 3,
		.lifetime = 7200,
		.internal_port = 8080,
		.external_port = 443,
		.unique = 1,
		.protocol = IPPROTO_TCP,
		.igd = IGD_V2 | IGD_CONNECTED | IGD_FIREWALL6,
		.url = URL,
		.text = "MiniUPnPd/2.3.1",
	};

	if (kind == JOB_RESOLVE) {
		answer.router = address_any6;
		answer.url[0] = '\0';
		answer.addresses[0] = said_address("203.0.113.9");
		answer.addresses[1] = said_address("192.168.1.9");
	}
	return answer;
}

/* Of a block of its own; a copy where it is taken, else @ret is as it was. */
static bool answer_taken(const struct worker_answer *answer)
{
	struct packet packet = { .len = 0 };
	struct worker_answer ret, before;
	void *block;
	bool taken;

	packet_add(&packet, answer, sizeof(*answer));
	block = packet_block(&packet, packet.len);
	memset(&ret, 0xee, sizeof(ret));
	before = ret;
	taken = worker_answer_valid(block, packet.len, &ret);
	free(block);
	cr_expect_eq(memcmp(&ret, taken ? answer : &before, sizeof(ret)), 0);
	return taken;
}

Test(worker_answer, a_whole_one_is_taken)
{
	for (unsigned int kind = 0; kind < JOB_KINDS; kind++) {
		const struct worker_answer answer = answer_of(kind);

		cr_expect(answer_taken(&answer), "answer to %u", kind);
	}
}

Test(worker_answer, another_size_is_none)
{
	struct packet packet = { .len = 0 };
	const struct worker_answer answer = answer_of(JOB_PCP_MAP);
	struct worker_answer ret;

	packet_add(&packet, &answer, sizeof(answer));
	packet_add(&packet, "x", 1);
	for (size_t len = 0; len <= packet.len; len++) {
		void *block = packet_block(&packet, len);

		cr_expect_eq(worker_answer_valid(block, len, &ret), len == sizeof(answer),
			     "%zu", len);
		free(block);
	}
}

Test(worker_answer, protocols_are_those_of_mappings)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP,
					     IPPROTO_UDPLITE, IPPROTO_DCCP };
	struct worker_answer answer = answer_of(JOB_PCP_MAP);

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		answer.protocol = protocols[i];
		cr_expect_eq(answer_taken(&answer), protocols[i] != IPPROTO_DCCP, "%zu",
			     i);
	}
	answer.protocol = 0;
	cr_expect(answer_taken(&answer));
}

static void spoil_answer(struct worker_answer *answer, size_t how)
{
	switch (how) {
	case 0:
		answer->kind = ANSWER_KINDS;
		break;
	case 1:
		answer->job = JOB_KINDS;
		break;
	case 2:
		answer->job = UINT32_MAX;
		break;
	case 3:
		answer->serial = 0;
		break;
	case 4:
		answer->ifindex = (uint32_t)INT_MAX + 1;
		break;
	case 5:
		answer->natpmp = 2;
		break;
	case 6:
		answer->igd = IGD_FIREWALL6 << 1;
		break;
	case 7:
		answer->router = address_any6;
		break;
	case 8:
		answer->router = said_address("224.0.0.1");
		break;
	case 9:
		answer->result = 65536;
		break;
	case 10:
		answer->result = -4096;
		break;
	case 11:
		answer->result = INT_MIN;
		break;
	case 12:
		memset(answer->url, 'a', sizeof(answer->url));
		break;
	case 13:
		memset(answer->text, 'a', sizeof(answer->text));
		break;
	case 14:
		answer->text[0] = '\x1b';
		break;
	default:
		strcpy(answer->url, "http://192.168.1.3:5000/rootDesc.xml");
		break;
	}
}

Test(worker_answer, no_answer_is_taken_with_a_flaw)
{
	for (unsigned int kind = 0; kind < JOB_KINDS; kind++) {
		for (size_t how = 0; how < 16; how++) {
			struct worker_answer answer = answer_of(kind);

			if (kind == JOB_RESOLVE && how == 7)
				continue; /* it is of nobody */
			spoil_answer(&answer, how);
			cr_expect_not(answer_taken(&answer), "answer to %u, flaw %zu",
				      kind, how);
		}
	}
}

Test(worker_answer, a_name_has_addresses_that_a_server_can_have)
{
	static const char *const odd[] = { "127.0.0.1", "0.0.0.1",	  "224.0.0.1",
					   "240.0.0.1", "169.254.1.1",	  "2001:db8::9",
					   "::1",	"255.255.255.255" };
	struct worker_answer answer = answer_of(JOB_RESOLVE);

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		answer.addresses[1] = said_address(odd[i]);
		cr_expect_not(answer_taken(&answer), "%s", odd[i]);
	}
	answer = answer_of(JOB_RESOLVE);
	answer.addresses[3] = answer.addresses[1];
	cr_expect_not(answer_taken(&answer), "with a gap");
	memset(answer.addresses, 0, sizeof(answer.addresses));
	cr_expect_not(answer_taken(&answer), "none");
	answer.result = -ENOENT;
	cr_expect(answer_taken(&answer), "none, as it says");
	answer = answer_of(JOB_STUN_BIND);
	answer.addresses[0] = said_address("203.0.113.9");
	cr_expect_not(answer_taken(&answer), "of another job");
	answer = answer_of(JOB_RESOLVE);
	answer.kind = ANSWER_SSDP_ALIVE;
	cr_expect_not(answer_taken(&answer), "unasked");
}

/* To believe the router or not is for those who know what was asked. */
Test(worker_answer, what_a_router_claims_is_passed_on)
{
	struct worker_answer answer = answer_of(JOB_NATPMP_ADDRESS);

	answer.external = said_address("224.0.0.1");
	cr_expect(answer_taken(&answer));
	answer.external = address_any6;
	cr_expect(answer_taken(&answer));
	answer = answer_of(JOB_IGD_READ);
	answer.internal = said_address("255.255.255.255");
	answer.internal_port = 0;
	cr_expect(answer_taken(&answer));
	answer = answer_of(JOB_PCP_MAP);
	answer.external = address_any4;
	answer.external_port = 0;
	cr_expect(answer_taken(&answer));
}

Test(worker_answer, what_succeeded_has_what_it_was_for)
{
	static const bool port_needed[JOB_KINDS] = {
		[JOB_STUN_BIND] = true,
	};
	static const bool address_needed[JOB_KINDS] = { [JOB_STUN_BIND] = true };
	static const bool url_needed[JOB_KINDS] = { [JOB_SSDP_SEARCH] = true };
	static const bool unique_needed[JOB_KINDS] = { [JOB_IGD_PINHOLE] = true };

	for (unsigned int kind = 0; kind < JOB_KINDS; kind++) {
		struct worker_answer answer = answer_of(kind);

		answer.external_port = 0;
		cr_expect_eq(answer_taken(&answer), !port_needed[kind], "%u", kind);
		answer.result = -ETIMEDOUT;
		cr_expect(answer_taken(&answer), "%u, and it did not", kind);
		answer = answer_of(kind);
		answer.external = address_any4;
		cr_expect_eq(answer_taken(&answer), !address_needed[kind], "%u", kind);
		answer = answer_of(kind);
		answer.url[0] = '\0';
		cr_expect_eq(answer_taken(&answer), !url_needed[kind], "%u", kind);
		answer = answer_of(kind);
		answer.unique = 0;
		cr_expect_eq(answer_taken(&answer), !unique_needed[kind], "%u", kind);
	}
}

Test(worker_answer, a_deletion_has_no_external_endpoint)
{
	static const enum worker_job_kind kinds[] = { JOB_PCP_MAP, JOB_NATPMP_MAP };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct worker_answer answer = answer_of(kinds[i]);

		answer.lifetime = 0;
		answer.external_port = 0;
		answer.external = address_any4;
		cr_expect(answer_taken(&answer), "%zu", i);
	}
}

Test(worker_answer, announcements_answer_nothing)
{
	for (unsigned int kind = ANSWER_PCP_ANNOUNCE; kind < ANSWER_KINDS; kind++) {
		struct worker_answer whole = answer_of(JOB_LISTEN), answer;

		whole.kind = kind;
		whole.serial = 0;
		cr_expect(answer_taken(&whole), "%u", kind);
		answer = whole;
		answer.serial = 1;
		cr_expect_not(answer_taken(&answer), "%u", kind);
		answer = whole;
		answer.result = -EIO;
		cr_expect_not(answer_taken(&answer), "%u", kind);
		answer = whole;
		answer.ifindex = 0;
		cr_expect_not(answer_taken(&answer), "%u", kind);
		answer = whole;
		answer.url[0] = '\0';
		cr_expect_eq(answer_taken(&answer), kind != ANSWER_SSDP_ALIVE, "%u",
			     kind);
	}
}
