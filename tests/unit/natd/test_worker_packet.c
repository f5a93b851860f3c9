/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What a datagram says to a job: pure. What routers say is in test_worker_datagram.c. */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/natpmp.h"
#include "core/pcp.h"
#include "natd/workers/worker_datagram.h"

static struct in6_addr addr(const char *text)
{
	struct in6_addr a;

	cr_assert_eq(address_parse(text, &a), 0);
	return a;
}

static struct worker_job job_of(enum worker_job_kind kind)
{
	return (struct worker_job){
		.serial = 7,
		.kind = kind,
		.ifindex = 2,
		.router = addr("192.168.1.1"),
		.source = addr("192.168.1.2"),
		.internal = addr("192.168.1.2"),
		.external = address_any4,
		.lifetime = 120,
		.router_port = 3478,
		.internal_port = 80,
		.external_port = 8080,
		.protocol = IPPROTO_TCP,
		.nonce = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 },
	};
}

static struct datagram_requests requests_of(const struct worker_job *job)
{
	struct datagram_requests requests;

	cr_assert_eq(datagram_requests(job, &requests), 0);
	return requests;
}

/* ------------------------------------------------------------ requests */

Test(worker_packet, each_job_has_its_port)
{
	static const struct {
		enum worker_job_kind kind;
		uint16_t port;
	} cases[] = {
		{ JOB_PCP_ANNOUNCE, 5351 },   { JOB_PCP_MAP, 5351 },
		{ JOB_NATPMP_ADDRESS, 5351 }, { JOB_NATPMP_MAP, 5351 },
		{ JOB_STUN_BIND, 3478 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct worker_job job = job_of(cases[i].kind);
		struct datagram_requests requests = requests_of(&job);

		cr_expect_eq(requests.n, 1u);
		cr_expect_eq(requests.list[0].to.port, cases[i].port);
		cr_expect(address_equal(&requests.list[0].to.addr, &job.router));
		cr_expect_gt(requests.list[0].len, 0u);
	}
}

Test(worker_packet, a_third_party_is_named_only_where_it_is_one)
{
	struct worker_job job = job_of(JOB_PCP_MAP);

	cr_expect_eq(requests_of(&job).list[0].len, (size_t)PCP_HEADER_LEN + PCP_MAP_LEN);
	job.internal = addr("192.168.1.3");
	cr_expect_eq(requests_of(&job).list[0].len,
		     (size_t)PCP_HEADER_LEN + PCP_MAP_LEN + 20);
	job.flags = JOB_FLAG_EXACT;
	cr_expect_eq(requests_of(&job).list[0].len, (size_t)PCP_REQUEST_MAX);
}

Test(worker_packet, a_search_goes_to_the_router_and_to_the_group)
{
	struct worker_job job = job_of(JOB_SSDP_SEARCH);
	struct datagram_requests requests = requests_of(&job);
	unsigned int to_router = 0, to_group = 0;

	for (size_t i = 0; i < requests.n; i++) {
		to_router += address_equal(&requests.list[i].to.addr, &job.router);
		to_group += address_equal(&requests.list[i].to.addr, &ssdp_group4);
		cr_expect_eq(requests.list[i].to.port, 1900);
	}
	cr_expect_eq(to_router, 2u);
	cr_expect_eq(to_group, 2u);
	job.router = addr("fe80::1");
	cr_expect(address_equal(&requests_of(&job).list[3].to.addr, &ssdp_group6));
}

Test(worker_packet, what_sends_nothing_is_refused)
{
	struct worker_job job = job_of(JOB_LISTEN);
	struct datagram_requests requests;

	cr_expect_eq(datagram_requests(&job, &requests), -EOPNOTSUPP);
	job.kind = JOB_IGD_OPEN;
	cr_expect_eq(datagram_requests(&job, &requests), -EOPNOTSUPP);
}

Test(worker_packet, what_no_packet_can_say_is_refused)
{
	struct worker_job job = job_of(JOB_NATPMP_MAP);
	struct datagram_requests requests;

	job.internal_port = 0;
	cr_expect_eq(datagram_requests(&job, &requests), -EINVAL);
	job = job_of(JOB_PCP_MAP);
	job.flags = JOB_FLAG_EXACT;
	job.external_port = 0;
	cr_expect_eq(datagram_requests(&job, &requests), -EINVAL);
}

/* ------------------------------------------------------------ answers */

/* As a server writes it. */
static size_t pcp_map_response(const struct worker_job *job, uint8_t *p)
{
	static const uint8_t external[16] = { [10] = 0xff, 0xff, 1, 2, 3, 4 };

	memset(p, 0, PCP_HEADER_LEN + PCP_MAP_LEN);
	p[0] = 2;
	p[1] = 0x80 | PCP_MAP;
	p[7] = 60; /* lifetime */
	p[11] = 9; /* epoch */
	memcpy(p + 24, job->nonce, 12);
	p[36] = job->protocol;
	p[40] = (uint8_t)(job->internal_port >> 8);
	p[41] = (uint8_t)job->internal_port;
	p[42] = 0x1f; /* 8081 */
	p[43] = 0x91;
	memcpy(p + 44, external, sizeof(external));
	return PCP_HEADER_LEN + PCP_MAP_LEN;
}

Test(worker_packet, a_mapping_is_answered_by_nonce_protocol_and_port)
{
	struct worker_job job = job_of(JOB_PCP_MAP), other;
	struct worker_answer answer;
	uint8_t packet[PCP_PACKET_MAX];
	size_t len = pcp_map_response(&job, packet);

	cr_expect_eq(datagram_answer(&job, packet, len, &job.router, &answer),
		     DATAGRAM_FITS);
	cr_expect_eq(answer.serial, 7u);
	cr_expect_eq(answer.external_port, 8081);
	cr_expect_eq(answer.lifetime, 60u);
	cr_expect_eq(answer.epoch, 9u);
	other = job;
	other.nonce[11]++;
	cr_expect_eq(datagram_answer(&other, packet, len, &job.router, &answer),
		     DATAGRAM_NO);
	other = job;
	other.protocol = IPPROTO_UDP;
	cr_expect_eq(datagram_answer(&other, packet, len, &job.router, &answer),
		     DATAGRAM_NO);
	other = job;
	other.internal_port++;
	cr_expect_eq(datagram_answer(&other, packet, len, &job.router, &answer),
		     DATAGRAM_NO);
	other = job;
	other.kind = JOB_PCP_ANNOUNCE;
	cr_expect_eq(datagram_answer(&other, packet, len, &job.router, &answer),
		     DATAGRAM_NO);
	cr_expect_eq(datagram_answer(&job, packet, len, &job.source, &answer),
		     DATAGRAM_NO);
}

Test(worker_packet, another_version_is_a_vague_answer)
{
	struct worker_job job = job_of(JOB_PCP_MAP);
	uint8_t packet[PCP_HEADER_LEN] = { 1, 0x80 | PCP_MAP, 0, PCP_UNSUPP_VERSION };
	struct worker_answer answer;

	cr_expect_eq(datagram_answer(&job, packet, sizeof(packet), &job.router, &answer),
		     DATAGRAM_VAGUE);
	cr_expect_eq(answer.result, PCP_UNSUPP_VERSION);
	cr_expect_eq(answer.natpmp, 0);
}

Test(worker_packet, nat_pmp_is_answered_by_opcode_and_port)
{
	struct worker_job job = job_of(JOB_NATPMP_MAP), other = job;
	uint8_t packet[16] = { 0, 130, 0, 0, 0, 0, 0, 9, 0, 80, 0x1f, 0x90, 0, 0, 0, 60 };
	struct worker_answer answer;

	cr_expect_eq(datagram_answer(&job, packet, sizeof(packet), &job.router, &answer),
		     DATAGRAM_FITS);
	cr_expect_eq(answer.external_port, 8080);
	cr_expect_eq(answer.lifetime, 60u);
	other.internal_port = 81;
	cr_expect_eq(
		datagram_answer(&other, packet, sizeof(packet), &job.router, &answer),
		DATAGRAM_NO);
	other = job;
	other.protocol = IPPROTO_UDP;
	cr_expect_eq(
		datagram_answer(&other, packet, sizeof(packet), &job.router, &answer),
		DATAGRAM_NO);
	other.kind = JOB_NATPMP_ADDRESS;
	cr_expect_eq(
		datagram_answer(&other, packet, sizeof(packet), &job.router, &answer),
		DATAGRAM_NO);
}

/* ------------------------------------------------------------ announcements */

Test(worker_packet, an_update_of_a_mapping_announces_the_address)
{
	struct worker_job job = job_of(JOB_PCP_MAP);
	struct in6_addr external = addr("1.2.3.4");
	struct worker_answer answer;
	uint8_t packet[PCP_PACKET_MAX];
	size_t len = pcp_map_response(&job, packet);

	cr_expect(datagram_announcement(DATAGRAM_ANNOUNCED, packet, len, &job.router, 2,
					&answer));
	cr_expect_eq(answer.kind, ANSWER_PCP_ANNOUNCE);
	cr_expect_eq(answer.epoch, 9u);
	cr_expect(address_equal(&answer.external, &external));
}

static bool notified(const char *head, const char *nts, const char *location)
{
	struct in6_addr router = addr("192.168.1.1");
	struct worker_answer answer, same;
	char text[512];
	int len = snprintf(text, sizeof(text),
			   "%s\r\nNT: urn:schemas-upnp-org:device:InternetGatewayDevice:1"
			   "\r\nNTS: %s\r\nUSN: uuid:x\r\nLOCATION: %s\r\n\r\n",
			   head, nts, location);

	if (!datagram_announcement(DATAGRAM_NOTIFIED, text, (size_t)len, &router, 2,
				   &answer))
		return false;
	cr_expect(worker_answer_valid(&answer, sizeof(answer), &same));
	return true;
}

Test(worker_packet, a_notification_names_the_routers_own_description)
{
	cr_expect(notified("NOTIFY * HTTP/1.1", "ssdp:alive", "http://192.168.1.1/x"));
	cr_expect(notified("NOTIFY * HTTP/1.1", "ssdp:byebye", "http://192.168.1.1/x"));
	cr_expect_not(notified("NOTIFY * HTTP/1.1", "ssdp:alive", "http://192.168.1.2/"));
	cr_expect_not(
		notified("NOTIFY * HTTP/1.1", "ssdp:update", "http://192.168.1.1/"));
	cr_expect_not(notified("HTTP/1.1 200 OK", "ssdp:alive", "http://192.168.1.1/x"));
}

Test(worker_packet, errors_and_requests_announce_nothing)
{
	struct in6_addr router = addr("192.168.1.1");
	uint8_t error[PCP_HEADER_LEN] = { 2, 0x80, 0, PCP_NETWORK_FAILURE };
	uint8_t request[PCP_HEADER_LEN] = { 2, 0 };
	uint8_t map[16] = { 0, 130, 0, 0, 0, 0, 0, 9, 0, 80, 0x1f, 0x90, 0, 0, 0, 60 };
	struct worker_answer answer;

	cr_expect_not(datagram_announcement(DATAGRAM_ANNOUNCED, error, sizeof(error),
					    &router, 2, &answer));
	cr_expect_not(datagram_announcement(DATAGRAM_ANNOUNCED, request, sizeof(request),
					    &router, 2, &answer));
	cr_expect_not(datagram_announcement(DATAGRAM_ANNOUNCED, map, sizeof(map), &router,
					    2, &answer));
	cr_expect_not(
		datagram_announcement(DATAGRAM_ANNOUNCED, NULL, 0, &router, 2, &answer));
}
