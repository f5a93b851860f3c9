/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <assert.h>
#include <limits.h>
#include <string.h>

#include "core/address_kind.h"
#include "core/cleanup.h"
#include "core/host_name.h"
#include "core/text.h"
#include "core/url.h"
#include "core/worker_message.h"

#define ERRNO_MAX  4095	 /* as the kernel has it */
#define RESULT_MAX 65535 /* NAT-PMP has 16 bits, everybody else fewer */

/* What a job of a kind must have. */
#define NEEDS_SOURCE	    (1u << 0) /* of the router's family */
#define NEEDS_IPV4	    (1u << 1) /* the router */
#define NEEDS_INTERNAL	    (1u << 2) /* address and port, of the source's family */
#define NEEDS_INTERNAL4	    (1u << 3) /* the same, IPv4 */
#define NEEDS_INTERNAL6	    (1u << 4)
#define NEEDS_INTERNAL_PORT (1u << 5)
#define NEEDS_EXTERNAL_PORT (1u << 6)
#define NEEDS_ROUTER_PORT   (1u << 7)
#define NEEDS_PROTOCOL	    (1u << 8) /* that a mapping can have */
#define NEEDS_TCP_OR_UDP    (1u << 9)
#define NEEDS_UNIQUE	    (1u << 10)
#define NEEDS_URL	    (1u << 11) /* whose host is the router */
#define NEEDS_NAME	    (1u << 12) /* and no router */

#define NEEDS_OF_IGD_PORT (NEEDS_URL | NEEDS_TCP_OR_UDP | NEEDS_EXTERNAL_PORT)

static const unsigned int job_needs[] = {
	[JOB_LISTEN] = 0,
	[JOB_IGNORE] = 0,
	[JOB_PCP_ANNOUNCE] = NEEDS_SOURCE,
	[JOB_PCP_MAP] =
		NEEDS_SOURCE | NEEDS_INTERNAL | NEEDS_INTERNAL_PORT | NEEDS_PROTOCOL,
	[JOB_NATPMP_ADDRESS] = NEEDS_SOURCE | NEEDS_IPV4,
	[JOB_NATPMP_MAP] =
		NEEDS_SOURCE | NEEDS_IPV4 | NEEDS_INTERNAL_PORT | NEEDS_TCP_OR_UDP,
	[JOB_SSDP_SEARCH] = NEEDS_SOURCE,
	[JOB_STUN_BIND] = NEEDS_SOURCE | NEEDS_ROUTER_PORT,
	[JOB_IGD_OPEN] = NEEDS_URL,
	[JOB_IGD_ADDRESS] = NEEDS_URL,
	[JOB_IGD_READ] = NEEDS_OF_IGD_PORT,
	[JOB_IGD_MAP] = NEEDS_OF_IGD_PORT | NEEDS_INTERNAL4 | NEEDS_INTERNAL_PORT,
	[JOB_IGD_UNMAP] = NEEDS_OF_IGD_PORT,
	[JOB_IGD_PINHOLE] =
		NEEDS_URL | NEEDS_INTERNAL6 | NEEDS_INTERNAL_PORT | NEEDS_PROTOCOL,
	[JOB_IGD_UNPINHOLE] = NEEDS_URL | NEEDS_UNIQUE,
	[JOB_RESOLVE] = NEEDS_NAME,
};
static_assert(ARRAY_SIZE(job_needs) == JOB_KINDS, "a row for each");

const char *worker_role_name(enum worker_role role)
{
	static const char *const names[] = {
		[WORKER_DATAGRAM] = "datagram",
		[WORKER_IGD] = "igd",
		[WORKER_RESOLVER] = "resolver",
	};

	static_assert(ARRAY_SIZE(names) == WORKER_ROLES, "a name for each");
	return names[role];
}

enum worker_role job_role(enum worker_job_kind kind)
{
	if (job_needs[kind] & NEEDS_NAME)
		return WORKER_RESOLVER;
	return job_needs[kind] & NEEDS_URL ? WORKER_IGD : WORKER_DATAGRAM;
}

static bool is_text(const char *text, size_t size)
{
	const size_t len = strnlen(text, size);

	if (len == size)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!text_is_plain(text[i]))
			return false;
	}
	return true;
}

static bool is_host(const struct in6_addr *addr)
{
	const enum address_kind kind = address_kind(addr);

	return kind != ADDRESS_UNSPECIFIED && kind != ADDRESS_MULTICAST;
}

static bool is_any_or_host(const struct in6_addr *addr)
{
	return address_is_any(addr) || is_host(addr);
}

static bool is_same_family(const struct in6_addr *a, const struct in6_addr *b)
{
	return address_is_ipv4(a) == address_is_ipv4(b);
}

static bool is_tcp_or_udp(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

static bool is_protocol(uint8_t protocol)
{
	return is_tcp_or_udp(protocol) || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_UDPLITE;
}

/* What no kind is without, or has otherwise than another. */
static bool is_job(const struct worker_job *job)
{
	if (job->serial == 0 || job->kind >= JOB_KINDS)
		return false;
	if (job->ifindex > INT_MAX || job->flags & ~JOB_FLAG_EXACT)
		return false;
	if (!is_any_or_host(&job->source) || !is_any_or_host(&job->internal) ||
	    !is_any_or_host(&job->external))
		return false;
	return is_text(job->url, sizeof(job->url)) &&
	       is_text(job->text, sizeof(job->text));
}

/* Name servers are asked by whichever way leads there. */
static bool job_leads_somewhere(const struct worker_job *job, unsigned int needs)
{
	if (needs & NEEDS_NAME)
		return job->ifindex == 0 && address_is_any(&job->router) &&
		       !host_name_flaw(job->url);
	return job->ifindex != 0 && is_host(&job->router);
}

static bool job_addresses_fit(const struct worker_job *job, unsigned int needs)
{
	if ((needs & NEEDS_SOURCE) &&
	    (!is_host(&job->source) || !is_same_family(&job->source, &job->router)))
		return false;
	if ((needs & NEEDS_IPV4) && !address_is_ipv4(&job->router))
		return false;
	if ((needs & (NEEDS_INTERNAL | NEEDS_INTERNAL4 | NEEDS_INTERNAL6)) &&
	    !is_host(&job->internal))
		return false;
	if ((needs & NEEDS_INTERNAL) && !is_same_family(&job->internal, &job->source))
		return false;
	if ((needs & NEEDS_INTERNAL4) && !address_is_ipv4(&job->internal))
		return false;
	return !(needs & NEEDS_INTERNAL6) || !address_is_ipv4(&job->internal);
}

static bool job_numbers_fit(const struct worker_job *job, unsigned int needs)
{
	if ((needs & NEEDS_INTERNAL_PORT) && job->internal_port == 0)
		return false;
	if ((needs & NEEDS_EXTERNAL_PORT) && job->external_port == 0)
		return false;
	if ((needs & NEEDS_ROUTER_PORT) && job->router_port == 0)
		return false;
	if ((needs & NEEDS_UNIQUE) && job->unique == 0)
		return false;
	if ((needs & NEEDS_PROTOCOL) && !is_protocol(job->protocol))
		return false;
	return !(needs & NEEDS_TCP_OR_UDP) || is_tcp_or_udp(job->protocol);
}

/* "This external port or none" needs a port; "none given" has no family. */
static bool job_suggestion_fits(const struct worker_job *job)
{
	if (job->kind != JOB_PCP_MAP)
		return true;
	if ((job->flags & JOB_FLAG_EXACT) && job->lifetime && job->external_port == 0)
		return false;
	return address_is_any(&job->external) ||
	       is_same_family(&job->external, &job->internal);
}

bool worker_job_valid(const void *packet, size_t len, struct worker_job *ret)
{
	struct worker_job job;
	unsigned int needs;

	if (len != sizeof(job))
		return false;
	memcpy(&job, packet, sizeof(job));
	if (!is_job(&job))
		return false;
	needs = job_needs[job.kind];
	if (!job_leads_somewhere(&job, needs) || !job_addresses_fit(&job, needs) ||
	    !job_numbers_fit(&job, needs) || !job_suggestion_fits(&job))
		return false;
	if ((needs & NEEDS_URL) && !url_is_of(job.url, &job.router))
		return false;
	*ret = job;
	return true;
}

static bool is_answer(const struct worker_answer *answer)
{
	if (answer->kind >= ANSWER_KINDS || answer->job >= JOB_KINDS)
		return false;
	if (answer->result < -ERRNO_MAX || answer->result > RESULT_MAX)
		return false;
	if (answer->ifindex > INT_MAX || answer->natpmp > 1)
		return false;
	if (answer->igd & ~(IGD_V2 | IGD_CONNECTED | IGD_FIREWALL6))
		return false;
	if (answer->protocol && !is_protocol(answer->protocol))
		return false;
	return is_text(answer->url, sizeof(answer->url)) &&
	       is_text(answer->text, sizeof(answer->text));
}

static bool is_of_name(const struct worker_answer *answer)
{
	return answer->kind == ANSWER_JOB && answer->job == JOB_RESOLVE;
}

static bool is_server(const struct in6_addr *addr)
{
	return address_is_ipv4(addr) && !address_unusable(addr);
}

/* Return: how many, one behind the other; -1: something else is among them. */
static int count_addresses(const struct worker_answer *answer)
{
	int n = 0;

	for (int i = 0; i < WORKER_ADDRESSES_MAX; i++) {
		const struct in6_addr *addr = &answer->addresses[i];

		if (IN6_IS_ADDR_UNSPECIFIED(addr))
			continue;
		if (n < i || !is_server(addr))
			return -1;
		n++;
	}
	return n;
}

/* @internal and @external are the router's words, whatever it says: to believe them or
 * not is not a question of form. */
static bool answer_addresses_fit(const struct worker_answer *answer)
{
	const int n = count_addresses(answer);

	if (is_of_name(answer))
		return n >= 0 && address_is_any(&answer->router) && !answer->url[0];
	if (n != 0 || !is_host(&answer->router))
		return false;
	return !answer->url[0] || url_is_of(answer->url, &answer->router);
}

static bool has_external(const struct worker_answer *answer)
{
	return answer->external_port != 0 && !address_is_any(&answer->external);
}

/* Of a job that succeeded: nothing that it was for is missing. What a router assigned is
 * its own word, even where it makes no sense. */
static bool success_fits(const struct worker_answer *answer)
{
	switch ((enum worker_job_kind)answer->job) {
	case JOB_SSDP_SEARCH:
		return answer->url[0] != '\0';
	case JOB_STUN_BIND:
		return has_external(answer);
	case JOB_IGD_PINHOLE:
		return answer->unique != 0;
	case JOB_RESOLVE:
		return count_addresses(answer) > 0;
	case JOB_LISTEN:
	case JOB_IGNORE:
	case JOB_PCP_ANNOUNCE:
	case JOB_PCP_MAP:
	case JOB_NATPMP_ADDRESS:
	case JOB_NATPMP_MAP:
	case JOB_IGD_OPEN:
	case JOB_IGD_ADDRESS:
	case JOB_IGD_READ:
	case JOB_IGD_MAP:
	case JOB_IGD_UNMAP:
	case JOB_IGD_UNPINHOLE:
		break;
	}
	return true;
}

static bool answer_kind_fits(const struct worker_answer *answer)
{
	if (answer->kind == ANSWER_JOB)
		return answer->serial != 0 &&
		       (answer->result != 0 || success_fits(answer));
	if (answer->serial != 0 || answer->result != 0 || answer->ifindex == 0)
		return false;
	return answer->kind != ANSWER_SSDP_ALIVE || answer->url[0] != '\0';
}

bool worker_answer_valid(const void *packet, size_t len, struct worker_answer *ret)
{
	struct worker_answer answer;

	if (len != sizeof(answer))
		return false;
	memcpy(&answer, packet, sizeof(answer));
	if (!is_answer(&answer) || !answer_addresses_fit(&answer) ||
	    !answer_kind_fits(&answer))
		return false;
	*ret = answer;
	return true;
}
