/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/workers/worker_datagram.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/natpmp.h"
#include "core/pcp.h"
#include "core/stun.h"
#include "core/url.h"
#include "natd/workers/worker_private.h"

static_assert(WORKER_NONCE_LEN == PCP_NONCE_LEN, "of a mapping");
static_assert(WORKER_NONCE_LEN == STUN_ID_LEN, "of a transaction");
static_assert(PCP_REQUEST_MAX <= SSDP_SEARCH_MAX, "a search is the longest request");
static_assert(PCP_PACKET_MAX <= DATAGRAM_MAX && STUN_PACKET_MAX <= DATAGRAM_MAX,
	      "a NOTIFY is the longest datagram");

/* ------------------------------------------------------------ requests */

static int pcp_requests(const struct worker_job *job, struct datagram_request *ret)
{
	struct pcp_request request = {
		.opcode = job->kind == JOB_PCP_MAP ? PCP_MAP : PCP_ANNOUNCE,
		.client = job->source,
	};

	if (job->kind == JOB_PCP_MAP) {
		request.lifetime = job->lifetime;
		request.map = (struct pcp_map){
			.protocol = job->protocol,
			.internal_port = job->internal_port,
			.external_port = job->external_port,
			.external = job->external,
		};
		memcpy(request.map.nonce, job->nonce, sizeof(request.map.nonce));
		request.options.has_third_party =
			!address_equal(&job->internal, &job->source);
		request.options.third_party = job->internal;
		request.options.prefer_failure = job->flags & JOB_FLAG_EXACT;
	}
	return pcp_request_encode(&request, ret->bytes, &ret->len);
}

static int natpmp_requests(const struct worker_job *job, struct datagram_request *ret)
{
	struct natpmp_map map = {
		.protocol = job->protocol,
		.internal_port = job->internal_port,
		.external_port = job->external_port,
		.lifetime = job->lifetime,
	};

	if (job->kind == JOB_NATPMP_ADDRESS) {
		natpmp_address_encode(ret->bytes);
		ret->len = NATPMP_ADDRESS_LEN;
		return 0;
	}
	ret->len = NATPMP_MAP_LEN;
	return natpmp_map_encode(&map, ret->bytes);
}

/* What enters unasked may be dropped by a packet filter; the answer to what was sent to
 * the router itself is not. */
static void search_requests(const struct worker_job *job, struct datagram_requests *ret)
{
	const struct in6_addr *group =
		address_is_ipv4(&job->router) ? &ssdp_group4 : &ssdp_group6;

	for (unsigned int i = 0; i < DATAGRAM_REQUESTS_MAX; i++) {
		struct datagram_request *request = &ret->list[i];
		char text[SSDP_SEARCH_MAX];

		request->to.addr = i < 2 ? job->router : *group;
		request->to.port = SSDP_PORT;
		request->len = ssdp_search_encode(i % 2 + 1, &request->to.addr, text);
		memcpy(request->bytes, text, request->len);
	}
	ret->n = DATAGRAM_REQUESTS_MAX;
}

int datagram_requests(const struct worker_job *job, struct datagram_requests *ret)
{
	struct datagram_request *first = &ret->list[0];

	memset(ret, 0, sizeof(*ret));
	ret->n = 1;
	first->to = (struct endpoint){ job->router, datagram_key_of(job).port };
	switch ((enum worker_job_kind)job->kind) {
	case JOB_PCP_ANNOUNCE:
	case JOB_PCP_MAP:
		return pcp_requests(job, first);
	case JOB_NATPMP_ADDRESS:
	case JOB_NATPMP_MAP:
		return natpmp_requests(job, first);
	case JOB_SSDP_SEARCH:
		search_requests(job, ret);
		return 0;
	case JOB_STUN_BIND:
		stun_request_encode(job->nonce, first->bytes);
		first->len = STUN_REQUEST_LEN;
		return 0;
	case JOB_LISTEN:
	case JOB_IGNORE:
	case JOB_IGD_OPEN:
	case JOB_IGD_ADDRESS:
	case JOB_IGD_READ:
	case JOB_IGD_MAP:
	case JOB_IGD_UNMAP:
	case JOB_IGD_PINHOLE:
	case JOB_IGD_UNPINHOLE:
	case JOB_RESOLVE:
		break;
	}
	return -EOPNOTSUPP;
}

/* ------------------------------------------------------------ answers */

static bool pcp_map_fits(const struct worker_job *job, const struct pcp_map *map)
{
	return memcmp(map->nonce, job->nonce, sizeof(map->nonce)) == 0 &&
	       map->protocol == job->protocol && map->internal_port == job->internal_port;
}

/* Whether there is a NAT-PMP router that was asked in PCP: RFC 6887 9. */
static enum datagram_fit natpmp_to_pcp(const struct worker_job *job, const void *packet,
				       size_t len, struct worker_answer *ret)
{
	struct natpmp_response response;

	if (natpmp_response_decode(packet, len, &response) < 0 ||
	    (response.result != NATPMP_UNSUPP_VERSION &&
	     response.result != NATPMP_UNSUPP_OPCODE))
		return DATAGRAM_NO;
	worker_answer_of(job, response.result, ret);
	ret->natpmp = 1;
	ret->epoch = response.epoch;
	return DATAGRAM_VAGUE;
}

static enum datagram_fit pcp_answer(const struct worker_job *job, const void *packet,
				    size_t len, struct worker_answer *ret)
{
	uint8_t opcode = job->kind == JOB_PCP_MAP ? PCP_MAP : PCP_ANNOUNCE;
	struct pcp_response response;

	if (port_control_of(packet, len) == PORT_CONTROL_NATPMP)
		return natpmp_to_pcp(job, packet, len, ret);
	if (pcp_response_decode(packet, len, &response) < 0)
		return DATAGRAM_NO;
	if (response.version == PCP_VERSION && response.opcode != opcode)
		return DATAGRAM_NO;
	if (response.has_map && !pcp_map_fits(job, &response.map))
		return DATAGRAM_NO;
	worker_answer_of(job, response.result, ret);
	ret->lifetime = response.lifetime;
	ret->epoch = response.epoch;
	if (response.has_map && response.result == PCP_SUCCESS) {
		ret->external = response.map.external;
		ret->external_port = response.map.external_port;
	}
	if (response.version == PCP_VERSION &&
	    (opcode == PCP_ANNOUNCE || response.has_map))
		return DATAGRAM_FITS;
	return DATAGRAM_VAGUE;
}

/* One that speaks PCP only says so in PCP: RFC 6887 9. */
static enum datagram_fit pcp_to_natpmp(const struct worker_job *job, const void *packet,
				       size_t len, struct worker_answer *ret)
{
	struct pcp_response response;

	if (pcp_response_decode(packet, len, &response) < 0 ||
	    response.result != PCP_UNSUPP_VERSION)
		return DATAGRAM_NO;
	worker_answer_of(job, NATPMP_UNSUPP_VERSION, ret);
	return DATAGRAM_VAGUE;
}

static uint8_t natpmp_opcode_of(const struct worker_job *job)
{
	if (job->kind == JOB_NATPMP_ADDRESS)
		return NATPMP_ADDRESS;
	return job->protocol == IPPROTO_TCP ? NATPMP_MAP_TCP : NATPMP_MAP_UDP;
}

static enum datagram_fit natpmp_answer(const struct worker_job *job, const void *packet,
				       size_t len, struct worker_answer *ret)
{
	struct natpmp_response response;

	if (port_control_of(packet, len) == PORT_CONTROL_PCP)
		return pcp_to_natpmp(job, packet, len, ret);
	if (natpmp_response_decode(packet, len, &response) < 0 ||
	    response.opcode != natpmp_opcode_of(job))
		return DATAGRAM_NO;
	worker_answer_of(job, response.result, ret);
	ret->epoch = response.epoch;
	if (response.result != NATPMP_SUCCESS)
		return job->kind == JOB_NATPMP_ADDRESS ? DATAGRAM_FITS : DATAGRAM_VAGUE;
	if (job->kind == JOB_NATPMP_ADDRESS) {
		ret->external = response.external;
		return DATAGRAM_FITS;
	}
	ret->external_port = response.map.external_port;
	ret->lifetime = response.map.lifetime;
	return response.map.internal_port == job->internal_port ? DATAGRAM_FITS
								: DATAGRAM_NO;
}

static enum datagram_fit ssdp_answer(const struct worker_job *job, const void *packet,
				     size_t len, struct worker_answer *ret)
{
	struct ssdp_message message;

	if (ssdp_decode(packet, len, &message) < 0 || message.kind != SSDP_RESPONSE ||
	    message.igd == 0)
		return DATAGRAM_NO;
	if (!url_is_of(message.location, &job->router)) {
		worker_answer_of(job, -EXDEV, ret);
		return DATAGRAM_FITS;
	}
	worker_answer_of(job, 0, ret);
	ret->boot_id = message.has_boot_id ? message.boot_id : 0;
	memcpy(ret->url, message.location, sizeof(ret->url));
	memcpy(ret->text, message.server, sizeof(ret->text));
	return DATAGRAM_FITS;
}

static enum datagram_fit stun_answer(const struct worker_job *job, const void *packet,
				     size_t len, struct worker_answer *ret)
{
	struct stun_response response;
	int r = stun_response_decode(packet, len, job->nonce, &response);

	if (r == -EOPNOTSUPP) { /* it is the answer, and nobody here can read it */
		worker_answer_of(job, -EPROTO, ret);
		return DATAGRAM_FITS;
	}
	if (r < 0)
		return DATAGRAM_NO;
	worker_answer_of(job, response.error, ret);
	if (response.error == 0) {
		ret->external = response.mapped.addr;
		ret->external_port = response.mapped.port;
	}
	return DATAGRAM_FITS;
}

enum datagram_fit datagram_answer(const struct worker_job *job, const void *packet,
				  size_t len, const struct in6_addr *from,
				  struct worker_answer *ret)
{
	if (!address_equal(from, &job->router))
		return DATAGRAM_NO;
	switch ((enum worker_job_kind)job->kind) {
	case JOB_PCP_ANNOUNCE:
	case JOB_PCP_MAP:
		return pcp_answer(job, packet, len, ret);
	case JOB_NATPMP_ADDRESS:
	case JOB_NATPMP_MAP:
		return natpmp_answer(job, packet, len, ret);
	case JOB_SSDP_SEARCH:
		return ssdp_answer(job, packet, len, ret);
	case JOB_STUN_BIND:
		return stun_answer(job, packet, len, ret);
	case JOB_LISTEN:
	case JOB_IGNORE:
	case JOB_IGD_OPEN:
	case JOB_IGD_ADDRESS:
	case JOB_IGD_READ:
	case JOB_IGD_MAP:
	case JOB_IGD_UNMAP:
	case JOB_IGD_PINHOLE:
	case JOB_IGD_UNPINHOLE:
	case JOB_RESOLVE:
		break;
	}
	return DATAGRAM_NO;
}

/* ------------------------------------------------------------ announcements */

/* RFC 6887 14.1 and 14.2: a mapping's update tells of the epoch as well. */
static bool pcp_announced(const void *packet, size_t len, struct worker_answer *ret)
{
	struct pcp_response response;

	if (pcp_response_decode(packet, len, &response) < 0 ||
	    response.version != PCP_VERSION || response.result != PCP_SUCCESS)
		return false;
	ret->kind = ANSWER_PCP_ANNOUNCE;
	ret->epoch = response.epoch;
	if (response.has_map)
		ret->external = response.map.external;
	return true;
}

static bool natpmp_announced(const void *packet, size_t len, struct worker_answer *ret)
{
	struct natpmp_response response;

	if (natpmp_response_decode(packet, len, &response) < 0 ||
	    response.opcode != NATPMP_ADDRESS || response.result != NATPMP_SUCCESS)
		return false;
	ret->kind = ANSWER_NATPMP_ANNOUNCE;
	ret->epoch = response.epoch;
	ret->external = response.external;
	return true;
}

static bool ssdp_notified(const void *packet, size_t len, struct worker_answer *ret)
{
	struct ssdp_message message;

	if (ssdp_decode(packet, len, &message) < 0 || message.igd == 0)
		return false;
	ret->boot_id = message.has_boot_id ? message.boot_id : 0;
	if (message.kind == SSDP_BYEBYE) {
		ret->kind = ANSWER_SSDP_BYEBYE;
		return true;
	}
	if (message.kind != SSDP_ALIVE || !url_is_of(message.location, &ret->router))
		return false;
	ret->kind = ANSWER_SSDP_ALIVE;
	memcpy(ret->url, message.location, sizeof(ret->url));
	memcpy(ret->text, message.server, sizeof(ret->text));
	return true;
}

bool datagram_announcement(enum datagram_speech speech, const void *packet, size_t len,
			   const struct in6_addr *router, uint32_t ifindex,
			   struct worker_answer *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->ifindex = ifindex;
	ret->router = *router;
	if (speech == DATAGRAM_NOTIFIED)
		return ssdp_notified(packet, len, ret);
	if (speech != DATAGRAM_ANNOUNCED)
		return false;
	if (port_control_of(packet, len) == PORT_CONTROL_NATPMP)
		return natpmp_announced(packet, len, ret);
	return pcp_announced(packet, len, ret);
}
