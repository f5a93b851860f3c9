/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/natpmp.h"
#include "core/pcp.h"
#include "sim_router.h"

#define NO_SUCH_PINHOLE	 704
#define NO_SUCH_ENTRY	 714
#define CONFLICT	 718
#define PERMANENT_LEASES 725
#define NO_PORT		 728
#define INVALID_ARGS	 402
#define ACTION_FAILED	 501

void sim_init(struct sim_router *router, const char *addr, const char *external,
	      unsigned int speaks)
{
	memset(router, 0, sizeof(*router));
	address_parse(addr, &router->addr);
	if (address_parse(external, &router->external) < 0)
		router->external = address_any4;
	router->speaks = speaks;
	router->ifindex = 2;
	router->up = router->pcp_maps = true;
	router->quota = SIM_ENTRIES_MAX;
	router->boot_id = 1;
	snprintf(router->url, sizeof(router->url), "http://%s:5000/rootDesc.xml", addr);
}

uint32_t sim_epoch(const struct sim_router *router, uint64_t now)
{
	return (uint32_t)((now - router->booted) / 1000);
}

void sim_restart(struct sim_router *router, uint64_t now)
{
	for (size_t i = 0; i < SIM_ENTRIES_MAX; i++) {
		if (!router->entries[i].foreign)
			router->entries[i].protocol = 0;
	}
	router->booted = now;
	router->boot_id++;
}

void sim_expire(struct sim_router *router, uint64_t now)
{
	for (size_t i = 0; i < SIM_ENTRIES_MAX; i++) {
		if (router->entries[i].expires && router->entries[i].expires <= now)
			router->entries[i].protocol = 0;
	}
}

size_t sim_ours(const struct sim_router *router)
{
	size_t n = 0;

	for (size_t i = 0; i < SIM_ENTRIES_MAX; i++)
		n += router->entries[i].protocol && !router->entries[i].foreign;
	return n;
}

/* ------------------------------------------------------------ the table */

static struct sim_entry *by_internal(struct sim_router *router, uint8_t protocol,
				     const struct in6_addr *internal, uint16_t port)
{
	for (size_t i = 0; i < SIM_ENTRIES_MAX; i++) {
		struct sim_entry *entry = &router->entries[i];

		if (entry->protocol == protocol && entry->internal_port == port &&
		    address_equal(&entry->internal, internal))
			return entry;
	}
	return NULL;
}

const struct sim_entry *sim_find(const struct sim_router *router, uint8_t protocol,
				 const struct in6_addr *internal, uint16_t internal_port)
{
	return by_internal((struct sim_router *)(uintptr_t)router, protocol, internal,
			   internal_port);
}

/* Ports of one IPv6 host are not those of another. */
static struct sim_entry *by_external(struct sim_router *router, uint8_t protocol,
				     uint16_t port)
{
	for (size_t i = 0; i < SIM_ENTRIES_MAX; i++) {
		struct sim_entry *entry = &router->entries[i];

		if (entry->protocol == protocol && entry->external_port == port &&
		    address_is_ipv4(&entry->internal))
			return entry;
	}
	return NULL;
}

static struct sim_entry *by_unique(struct sim_router *router, uint16_t unique)
{
	for (size_t i = 0; unique && i < SIM_ENTRIES_MAX; i++) {
		if (router->entries[i].protocol && router->entries[i].unique == unique)
			return &router->entries[i];
	}
	return NULL;
}

static struct sim_entry *new_entry(struct sim_router *router)
{
	if (sim_ours(router) >= router->quota)
		return NULL;
	for (size_t i = 0; i < SIM_ENTRIES_MAX; i++) {
		if (router->entries[i].protocol == 0) {
			memset(&router->entries[i], 0, sizeof(router->entries[i]));
			return &router->entries[i];
		}
	}
	return NULL;
}

void sim_foreign(struct sim_router *router, uint8_t protocol, uint16_t port)
{
	struct sim_entry *entry = by_external(router, protocol, port);

	if (!entry)
		entry = new_entry(router);
	if (!entry)
		return;
	memset(entry, 0, sizeof(*entry));
	address_parse("192.168.0.77", &entry->internal);
	entry->protocol = protocol;
	entry->external_port = entry->internal_port = port;
	entry->foreign = true;
}

static uint16_t free_port(struct sim_router *router, uint8_t protocol, uint16_t wanted)
{
	uint16_t port = wanted;

	if (router->lie_other_port)
		port++;
	while (by_external(router, protocol, port))
		port = port < 1024 || port == UINT16_MAX ? 40000 : (uint16_t)(port + 1);
	return port;
}

static uint32_t granted(const struct sim_router *router, uint32_t lifetime)
{
	return router->lease_max && lifetime > router->lease_max ? router->lease_max
								 : lifetime;
}

/* ------------------------------------------------------------ PCP and NAT-PMP */

static void fill(struct sim_router *router, struct sim_entry *entry,
		 const struct worker_job *job, const struct in6_addr *internal,
		 uint64_t now)
{
	entry->protocol = job->protocol;
	entry->internal = *internal;
	entry->internal_port = job->internal_port;
	entry->expires =
		job->lifetime ? now + (uint64_t)granted(router, job->lifetime) * 1000 : 0;
}

static void tell_mapping(const struct sim_router *router, const struct sim_entry *entry,
			 const struct worker_job *job, struct worker_answer *ret)
{
	ret->lifetime = granted(router, job->lifetime);
	ret->external_port = entry->external_port;
	ret->external =
		address_is_ipv4(&entry->internal) ? router->external : entry->internal;
	if (router->lie_port_0)
		ret->external_port = 0;
	if (router->lie_internal)
		ret->internal_port++;
	if (router->lie_address)
		address_parse("224.0.0.1", &ret->external);
}

/* A refusal, or 0. */
static int map_by_internal(struct sim_router *router, const struct worker_job *job,
			   const struct in6_addr *internal, uint64_t now,
			   struct worker_answer *ret)
{
	struct sim_entry *entry =
		by_internal(router, job->protocol, internal, job->internal_port);
	const bool exact = job->flags & JOB_FLAG_EXACT;
	uint16_t port;

	if (job->lifetime == 0) {
		if (entry)
			entry->protocol = 0;
		return 0;
	}
	if (!entry) {
		port = address_is_ipv4(internal)
			       ? free_port(router, job->protocol, job->external_port)
			       : job->external_port;
		if (exact && port != job->external_port && !router->lie_other_port)
			return PCP_CANNOT_PROVIDE_EXTERNAL;
		entry = new_entry(router);
		if (!entry)
			return PCP_USER_EX_QUOTA;
		entry->external_port = port;
	}
	fill(router, entry, job, internal, now);
	tell_mapping(router, entry, job, ret);
	return 0;
}

static int pcp_map(struct sim_router *router, const struct worker_job *job, uint64_t now,
		   struct worker_answer *ret)
{
	struct sim_entry *entry =
		by_internal(router, job->protocol, &job->internal, job->internal_port);
	int result;

	if (!router->pcp_maps)
		return PCP_UNSUPP_OPCODE;
	if (entry && entry->has_nonce &&
	    memcmp(entry->nonce, job->nonce, sizeof(job->nonce)) != 0)
		return PCP_NOT_AUTHORIZED;
	if (job->lifetime && router->pcp_error)
		return (int)router->pcp_error;
	result = map_by_internal(router, job, &job->internal, now, ret);
	entry = by_internal(router, job->protocol, &job->internal, job->internal_port);
	if (result == 0 && entry) {
		memcpy(entry->nonce, job->nonce, sizeof(job->nonce));
		entry->has_nonce = true;
	}
	return result;
}

static bool answer_pcp(struct sim_router *router, const struct worker_job *job,
		       uint64_t now, struct worker_answer *ret)
{
	if (!(router->speaks & SIM_PCP)) {
		ret->natpmp = 1;
		ret->result = NATPMP_UNSUPP_VERSION;
		return router->speaks & SIM_NATPMP;
	}
	if (job->kind == JOB_PCP_MAP)
		ret->result = pcp_map(router, job, now, ret);
	if (ret->result)
		ret->lifetime = router->error_lifetime;
	return true;
}

static int natpmp_map(struct sim_router *router, const struct worker_job *job,
		      uint64_t now, struct worker_answer *ret)
{
	if (job->lifetime && router->natpmp_error)
		return (int)router->natpmp_error;
	switch (map_by_internal(router, job, &job->source, now, ret)) {
	case 0:
		return 0;
	case PCP_USER_EX_QUOTA:
		return NATPMP_NO_RESOURCES;
	default:
		return NATPMP_NOT_AUTHORIZED;
	}
}

static bool answer_natpmp(struct sim_router *router, const struct worker_job *job,
			  uint64_t now, struct worker_answer *ret)
{
	if (!(router->speaks & SIM_NATPMP)) {
		ret->result = NATPMP_UNSUPP_VERSION;
		return router->speaks & SIM_PCP;
	}
	if (job->kind == JOB_NATPMP_MAP)
		ret->result = natpmp_map(router, job, now, ret);
	else if (router->disconnected)
		ret->result = NATPMP_NETWORK_FAILURE;
	else
		ret->external = router->external;
	return true;
}

/* ------------------------------------------------------------ UPnP */

static bool is_clients(const struct sim_entry *entry, const struct worker_job *job)
{
	return !entry->foreign && address_equal(&entry->internal, &job->internal) &&
	       entry->internal_port == job->internal_port;
}

static int igd_map(struct sim_router *router, const struct worker_job *job, uint64_t now,
		   struct worker_answer *ret)
{
	const bool v2 = router->speaks & SIM_IGD2, exact = job->flags & JOB_FLAG_EXACT;
	struct sim_entry *entry = by_external(router, job->protocol, job->external_port);
	uint16_t port = job->external_port;

	if (router->igd_error)
		return (int)router->igd_error;
	if (job->lifetime && router->only_permanent)
		return PERMANENT_LEASES;
	if (job->lifetime && router->no_lease)
		return INVALID_ARGS;
	if (entry && !is_clients(entry, job)) {
		if (exact || !v2)
			return CONFLICT;
		port = free_port(router, job->protocol, port);
		entry = NULL;
	}
	if (!entry)
		entry = new_entry(router);
	if (!entry)
		return NO_PORT;
	entry->external_port = port;
	fill(router, entry, job, &job->internal, now);
	tell_mapping(router, entry, job, ret);
	return 0;
}

static int igd_read(struct sim_router *router, const struct worker_job *job,
		    struct worker_answer *ret)
{
	struct sim_entry *entry = by_external(router, job->protocol, job->external_port);

	if (router->unreadable)
		return ACTION_FAILED;
	if (!entry)
		return NO_SUCH_ENTRY;
	ret->internal = entry->internal;
	ret->internal_port = entry->internal_port;
	ret->external_port = entry->external_port;
	return 0;
}

static int igd_unmap(struct sim_router *router, const struct worker_job *job)
{
	struct sim_entry *entry = by_external(router, job->protocol, job->external_port);

	if (!entry)
		return NO_SUCH_ENTRY;
	router->wronged += entry->foreign;
	entry->protocol = 0;
	return 0;
}

static int igd_pinhole(struct sim_router *router, const struct worker_job *job,
		       uint64_t now, struct worker_answer *ret)
{
	struct sim_entry *entry = by_unique(router, job->unique);

	if (!(router->speaks & SIM_PINHOLE))
		return ACTION_FAILED;
	if (job->unique && !entry)
		return NO_SUCH_PINHOLE;
	if (!entry)
		entry = by_internal(router, job->protocol, &job->internal,
				    job->internal_port);
	if (!entry)
		entry = new_entry(router);
	if (!entry)
		return NO_PORT;
	fill(router, entry, job, &job->internal, now);
	entry->external_port = job->internal_port;
	if (!entry->unique)
		entry->unique = ++router->next_unique;
	ret->unique = entry->unique;
	return 0;
}

static int igd_unpinhole(struct sim_router *router, const struct worker_job *job)
{
	struct sim_entry *entry = by_unique(router, job->unique);

	if (!entry)
		return NO_SUCH_PINHOLE;
	entry->protocol = 0;
	return 0;
}

static void igd_open(const struct sim_router *router, struct worker_answer *ret)
{
	ret->igd = IGD_CONNECTED;
	if (router->speaks & SIM_IGD2)
		ret->igd |= IGD_V2;
	if (router->speaks & SIM_PINHOLE)
		ret->igd |= IGD_FIREWALL6;
	strcpy(ret->text, "Simulated router");
}

static bool answer_igd(struct sim_router *router, const struct worker_job *job,
		       uint64_t now, struct worker_answer *ret)
{
	if (!(router->speaks & SIM_IGD) || strcmp(job->url, router->url) != 0) {
		ret->result = -ECONNREFUSED;
		return true;
	}
	switch ((enum worker_job_kind)job->kind) {
	case JOB_IGD_OPEN:
		igd_open(router, ret);
		break;
	case JOB_IGD_ADDRESS:
		ret->external = router->external;
		ret->igd = IGD_CONNECTED;
		break;
	case JOB_IGD_READ:
		ret->result = igd_read(router, job, ret);
		break;
	case JOB_IGD_MAP:
		ret->result = igd_map(router, job, now, ret);
		break;
	case JOB_IGD_UNMAP:
		ret->result = igd_unmap(router, job);
		break;
	case JOB_IGD_PINHOLE:
		ret->result = igd_pinhole(router, job, now, ret);
		break;
	case JOB_IGD_UNPINHOLE:
		ret->result = igd_unpinhole(router, job);
		break;
	case JOB_LISTEN:
	case JOB_IGNORE:
	case JOB_PCP_ANNOUNCE:
	case JOB_PCP_MAP:
	case JOB_NATPMP_ADDRESS:
	case JOB_NATPMP_MAP:
	case JOB_SSDP_SEARCH:
	case JOB_STUN_BIND:
	case JOB_RESOLVE:
		break;
	}
	return true;
}

/* ------------------------------------------------------------ whatever comes */

static void begin(const struct sim_router *router, const struct worker_job *job,
		  uint64_t now, struct worker_answer *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->serial = job->serial;
	ret->kind = ANSWER_JOB;
	ret->job = job->kind;
	ret->ifindex = job->ifindex;
	ret->router = job->router;
	ret->internal = job->internal;
	ret->internal_port = job->internal_port;
	ret->protocol = job->protocol;
	ret->external = address_any4;
	ret->epoch = sim_epoch(router, now);
	memcpy(ret->nonce, job->nonce, sizeof(ret->nonce));
}

static bool answer_search(const struct sim_router *router, struct worker_answer *ret)
{
	ret->boot_id = router->boot_id;
	memcpy(ret->url, router->url, sizeof(ret->url));
	return router->speaks & SIM_IGD;
}

bool sim_answer(struct sim_router *router, const struct worker_job *job, uint64_t now,
		struct worker_answer *ret)
{
	const bool igd = job_role(job->kind) == WORKER_IGD;

	sim_expire(router, now);
	begin(router, job, now, ret);
	if (!router->up) {
		ret->result = router->refusing ? -ECONNREFUSED : -ETIMEDOUT;
		return igd || router->refusing;
	}
	if (igd)
		return answer_igd(router, job, now, ret);
	if (job->kind == JOB_SSDP_SEARCH)
		return answer_search(router, ret);
	if (job->kind == JOB_PCP_ANNOUNCE || job->kind == JOB_PCP_MAP)
		return answer_pcp(router, job, now, ret);
	return answer_natpmp(router, job, now, ret);
}
