/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * up_world - routers that do not exist, a store in memory, and the state machine between
 * them, driven by a clock of their own
 *
 * What must always be so is looked at with every step: jobs are valid, no slot is asked
 * for before its row was saved, none under two nonces, and no router is overrun.
 */

#include <criterion/criterion.h>
#include <inttypes.h>

#include "sim_router.h"

#define WORLD_ROUTERS  4
#define WORLD_ROWS     1024
#define WORLD_MESSAGES 2048
#define WORLD_EVENTS   4096
#define WORLD_TIMES    16

/** struct message - under way: a job to a router, or an answer to natd */
struct message {
	uint64_t at; /* 0 = none */
	uint64_t order;
	bool is_answer;
	struct worker_job job;
	struct worker_answer answer;
};

/** struct sent - a datagram, for looking at how many are under way */
struct sent {
	uint64_t serial, until;
	bool open;
};

struct up_world {
	struct upstream *up;
	struct upstream_options options;
	uint64_t now, order;
	struct upstream_link links[UPSTREAM_LINKS_MAX];
	size_t n_links;
	struct sim_router routers[WORLD_ROUTERS];
	size_t n_routers;
	unsigned int loss;  /* percent, each way */
	unsigned int delay; /* ms, each way */
	bool store_fails, igd_dies;
	struct in6_addr stun_sees; /* any: no answer */
	struct in6_addr stun_at;   /* whom it is asked of; any: whoever */
	/* what name servers say: an errno, addresses, for how many seconds */
	int named;
	struct in6_addr names[WORKER_ADDRESSES_MAX];
	uint32_t name_lifetime;
	struct upstream_row rows[WORLD_ROWS];
	size_t n_rows;
	struct message *messages;
	size_t n_messages; /* behind the last */
	struct sent sent[WORLD_ROUTERS][64];
	uint64_t last_sent[WORLD_ROUTERS];
	uint64_t igd_busy;
	struct upstream_event events[WORLD_EVENTS];
	size_t n_events;
	size_t jobs[JOB_KINDS];
	struct worker_job last[JOB_KINDS];
	uint64_t times[JOB_KINDS][WORLD_TIMES]; /* when each was sent, the last ones */
};

extern struct up_world W;

/** up_world_begin() - one router at 192.168.0.1 with 8.8.8.8 outside, found by wan0 from
 * 192.168.0.2, that speaks @speaks; enabled, nothing restored, begun */
void up_world_begin(unsigned int speaks);
/** up_world_prepare() - the same, but not begun: for rows and options */
void up_world_prepare(unsigned int speaks);
void up_world_end(void);
/** up_link() - one more link */
struct upstream_link *up_link(const char *wan, uint32_t ifindex, const char *gateway,
			      const char *source);
void up_links_changed(void);
/** up_start() - natd starts: what the store has, links, @n mappings, begin */
void up_start(const struct mapping *mappings, size_t n);
/** up_kill() - natd dies: what is under way is lost */
void up_kill(void);
/** up_run() - @ms go by */
void up_run(uint64_t ms);
/** up_run_until() - at most @ms; returns whether it is so */
bool up_run_until(bool (*so)(void), uint64_t ms);
/** up_turn() - everything that is to be done now */
void up_turn(void);

struct mapping up_mapping(uint64_t id, uint8_t protocol, uint16_t port, uint16_t n);
void up_follow(const struct mapping *m);
void up_forget(uint64_t id);
struct upstream_view up_view(uint64_t id);
struct upstream_link_view up_link_view(size_t i);
/** up_is() - is @addr the address of @text? */
bool up_is(struct in6_addr addr, const char *text);
void up_announce(enum worker_answer_kind kind, const struct sim_router *router);
/** up_count() - events of @kind since the last up_forget_events() */
size_t up_count(enum upstream_event_kind kind);
const struct upstream_event *up_last(enum upstream_event_kind kind);
void up_forget_events(void);
const struct upstream_row *up_row(uint8_t protocol, uint16_t port);

/* ------------------------------------------------------------ up_checks.c */

/** up_save() - a row into the store */
void up_save(const struct upstream_row *row, bool gone);
/** up_router_of() - WORLD_ROUTERS: nobody */
size_t up_router_of(const struct in6_addr *addr);
/** up_job_must_be_good() - its row saved, nobody overrun */
void up_job_must_be_good(const struct worker_job *job);

/* choices that can be repeated */
extern uint64_t up_seed;
unsigned int up_below(unsigned int n);

#define so(condition)                                                                    \
	cr_assert(condition, "%s, at %" PRIu64 ", NATD_TEST_SEED=%" PRIu64, #condition,  \
		  W.now, up_seed)

#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
