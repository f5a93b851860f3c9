/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_answer - what the workers say: of which question, and what it means in PCP and
 * NAT-PMP
 */

#include <errno.h>

#include "core/address_kind.h"
#include "core/natpmp.h"
#include "core/pcp.h"
#include "core/upstream/upstream_private.h"

#define ERROR_LEAST SECONDS(30)
#define ERROR_MOST  HOURS(24)

/* ------------------------------------------------------------ mappings */

bool address_makes_sense(const struct slot *slot, const struct in6_addr *external)
{
	if (address_is_ipv4(external) != slot_is_ipv4(slot))
		return false;
	switch (address_kind(external)) {
	case ADDRESS_UNSPECIFIED:
	case ADDRESS_LOOPBACK:
	case ADDRESS_MULTICAST:
		return false;
	case ADDRESS_GLOBAL:
	case ADDRESS_PRIVATE:
	case ADDRESS_CGN:
	case ADDRESS_LINK_LOCAL:
	case ADDRESS_DOCUMENTATION:
	case ADDRESS_BENCHMARK:
	case ADDRESS_ULA:
	case ADDRESS_TRANSLATION:
	case ADDRESS_TUNNEL:
	case ADDRESS_RESERVED:
		break;
	}
	return address_unusable(external) == NULL || address_is_link_local(external);
}

static enum why nonsense_of(const struct slot *slot, const struct worker_answer *answer)
{
	if (answer->internal_port != slot->internal_port ||
	    answer->protocol != slot->protocol)
		return WHY_NONSENSE_INTERNAL;
	if (answer->external_port == 0)
		return WHY_NONSENSE_PORT;
	if (slot->speech == UPSTREAM_PCP && !address_makes_sense(slot, &answer->external))
		return WHY_NONSENSE_ADDRESS;
	return WHY_NONE;
}

/* An answer with lifetime 0 is one to a withdrawal, that has come late. */
static void on_granted(struct upstream *up, struct slot *slot,
		       const struct worker_answer *answer, uint64_t now)
{
	const bool pcp = slot->speech == UPSTREAM_PCP;
	const enum why nonsense = nonsense_of(slot, answer);
	struct endpoint external = { slot->router->external, answer->external_port };

	if (answer->lifetime == 0)
		return;
	if (pcp)
		external.addr = answer->external;
	if (nonsense != WHY_NONE) {
		slot->granted = true;
		slot_refused(up, slot, nonsense, 0, 0, now);
		return;
	}
	if (external.port != slot->internal_port && slot_exact(up, slot)) {
		slot_give_back(up, slot, external.port, now);
		return;
	}
	slot->epoch = answer->epoch;
	slot->epoch_at = now;
	slot_mapped(up, slot, &external, answer->lifetime, now);
	if (pcp && slot_is_ipv4(slot))
		router_address(up, slot->router, &answer->external, now);
}

static void on_map(struct upstream *up, struct slot *slot,
		   const struct worker_answer *answer, uint64_t now)
{
	const bool pcp = slot->speech == UPSTREAM_PCP;
	uint64_t wait = pcp ? SECONDS(answer->lifetime) : 0;

	if (answer->result == 0) {
		on_granted(up, slot, answer, now);
		return;
	}
	if (wait)
		wait = earlier(later(wait, ERROR_LEAST), ERROR_MOST);
	slot_refused(up, slot, pcp ? WHY_PCP : WHY_NATPMP, (unsigned int)answer->result,
		     wait, now);
}

/* The answer to a question before it has a lifetime. */
static void on_delete(struct upstream *up, struct slot *slot,
		      const struct worker_answer *answer, uint64_t now)
{
	if (answer->result != 0)
		slot_not_removed(up, slot, now);
	else if (answer->lifetime == 0)
		slot_removed(up, slot, now);
}

static bool is_without_pcp(const struct slot *slot, const struct worker_answer *answer)
{
	return slot->speech == UPSTREAM_PCP &&
	       (answer->natpmp || answer->result == PCP_UNSUPP_VERSION ||
		answer->result == PCP_UNSUPP_OPCODE);
}

void slot_answer_datagram(struct upstream *up, struct slot *slot,
			  const struct worker_answer *answer, uint64_t now)
{
	struct router *router = slot->router;
	const bool removal = slot->question == QUESTION_DELETE;

	if (slot->speech == UPSTREAM_PCP && answer->result == 0 &&
	    memcmp(answer->nonce, slot->nonce, sizeof(slot->nonce)) != 0)
		return;
	if (answer->result < 0) {
		router_suspect(up, router, now);
		return;
	}
	pulse_take(slot, now);
	if (slot->speech == router->speech && router->found)
		router_heard(up, router, now);
	if (is_without_pcp(slot, answer)) {
		if (removal)
			slot_not_removed(up, slot, now);
		else
			router_without_pcp(up, router, now);
		return;
	}
	if (slot->speech == router->speech)
		router_epoch(up, router, answer->epoch, now);
	if (removal)
		on_delete(up, slot, answer, now);
	else
		on_map(up, slot, answer, now);
}

/* ------------------------------------------------------------ what nobody asked for */

static void on_announcement(struct upstream *up, struct router *router,
			    enum upstream_speech speech,
			    const struct worker_answer *answer, uint64_t now)
{
	if (!router->found) {
		router->backoff = 0;
		if (!router->probe.active)
			router_look(up, router, now);
		return;
	}
	if (router->speech != speech) {
		router_suspect(up, router, now);
		return;
	}
	router_heard(up, router, now);
	router_epoch(up, router, answer->epoch, now);
	/* anybody on the link can say so: the router is asked */
	if (speech == UPSTREAM_NATPMP &&
	    !address_equal(&router->external, &answer->external))
		router_suspect(up, router, now);
}

/* Another boot, or one that said farewell, has an empty table, perhaps; one elsewhere may
 * be another device: then it is seen whether the one that is known is still there. */
static void on_alive(struct upstream *up, struct router *router,
		     const struct worker_answer *answer, uint64_t now)
{
	const bool booted =
		router->boot_id && answer->boot_id && router->boot_id != answer->boot_id;

	if (!router->found) {
		router->backoff = 0;
		if (!router->probe.active)
			router_look(up, router, now);
		return;
	}
	if (router->speech != UPSTREAM_IGD)
		return;
	if (strcmp(router->url, answer->url) != 0) {
		if (router->byebye)
			router_suspect(up, router, now);
		return;
	}
	if (answer->boot_id)
		router->boot_id = answer->boot_id;
	if (booted || router->byebye) {
		router->byebye = false;
		router_again(up, router, now);
		router_suspect(up, router, now);
	}
}

static void on_byebye(struct upstream *up, struct router *router, uint64_t now)
{
	if (!router->found || router->speech != UPSTREAM_IGD)
		return;
	router->byebye = true;
	router_suspect(up, router, now);
}

static struct router *who(const struct upstream *up, const struct worker_answer *answer)
{
	for (struct router *router = up->routers; router; router = router->next) {
		if (router->current && router->ifindex == answer->ifindex &&
		    address_equal(&router->addr, &answer->router))
			return router;
	}
	return NULL;
}

/* ------------------------------------------------------------ whose answer it is */

static void on_listening(struct router *router, const struct worker_answer *answer)
{
	if (answer->result >= 0)
		return;
	router->listening = false;
	router->listen_at = NEVER;
}

static void answer_router(struct upstream *up, const struct worker_answer *answer,
			  uint64_t now)
{
	for (struct router *router = up->routers; router; router = router->next) {
		if (router->probe.active && router->probe.serial == answer->serial) {
			if (router->probe.kind == answer->job)
				probe_answer(up, router, answer, now);
			return;
		}
		if (router->stun.active && router->stun.serial == answer->serial) {
			if (answer->job == JOB_STUN_BIND)
				stun_answer(up, router, answer, now);
			return;
		}
		if (router->listen_serial == answer->serial) {
			on_listening(router, answer);
			return;
		}
	}
}

static void answer_job(struct upstream *up, const struct worker_answer *answer,
		       uint64_t now)
{
	struct slot *slot;

	if (answer->serial == 0)
		return;
	if (up->igd.serial == answer->serial)
		up->igd.serial = 0;
	for (struct router *router = up->routers; router; router = router->next)
		flight_land(router, answer->serial);
	if (resolve_answer(up, answer, now))
		return;
	slot = slot_by_serial(up, answer->serial);
	if (!slot)
		answer_router(up, answer, now);
	else if (answer->job != slot_job_kind(slot))
		return;
	else if (answer->result == -EINVAL)
		slot_unaskable(up, slot, now);
	else if (slot->speech == UPSTREAM_IGD)
		slot_answer_igd(up, slot, answer, now);
	else
		slot_answer_datagram(up, slot, answer, now);
}

void upstream_answer(struct upstream *up, const struct worker_answer *answer,
		     uint64_t now)
{
	const enum worker_answer_kind kind = answer->kind;
	struct router *router;

	if (!up->begun)
		return;
	if (kind == ANSWER_JOB) {
		answer_job(up, answer, now);
		return;
	}
	router = who(up, answer);
	if (!router || !up->options.enable)
		return;
	switch (kind) {
	case ANSWER_PCP_ANNOUNCE:
		on_announcement(up, router, UPSTREAM_PCP, answer, now);
		break;
	case ANSWER_NATPMP_ANNOUNCE:
		on_announcement(up, router, UPSTREAM_NATPMP, answer, now);
		break;
	case ANSWER_SSDP_ALIVE:
		on_alive(up, router, answer, now);
		break;
	case ANSWER_SSDP_BYEBYE:
		on_byebye(up, router, now);
		break;
	case ANSWER_JOB:
		break;
	}
}
