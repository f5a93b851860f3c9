/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * upstream_private - what the files of the state machine share, and nobody else
 *
 * How it works is told in upstream.c.
 */

#include <assert.h>
#include <string.h>

#include "core/upstream/upstream.h"
#include "core/upstream/upstream_slot.h"

#define NEVER UINT64_MAX

#define SECONDS(n) ((uint64_t)(n) * 1000)
#define MINUTES(n) SECONDS((n) * 60)
#define HOURS(n)   MINUTES((n) * 60)

/* To one router at once, and the least time between two. */
#define FLIGHTS_MAX 4
#define PACE	    20
/* How long a question that is not answered counts as under way */
#define FLIGHT_MS SECONDS(3)
/* Longer than that no router is waited for before it is asked again */
#define SLOWEST_MS SECONDS(30)
/* A withdrawal whose end nobody knows */
#define WITHDRAW_MS   HOURS(7 * 24)
#define LOCATIONS_MAX 4
/* IGD: ports tried in place of one that is taken */
#define OTHERS_MAX 4

/* ------------------------------------------------------------ routers */

/** struct flight - a question under way */
struct flight {
	uint64_t serial; /* 0 = none */
	uint64_t until;
};

/**
 * struct probe - a question to a router that is about itself
 * @active: it is asked; @due: when again, or when the last try is over
 */
struct probe {
	bool active;
	uint8_t tries;
	uint32_t kind; /* enum worker_job_kind */
	uint64_t serial;
	uint64_t due;
};

/** struct location - of an IGD that answered a search */
struct location {
	char url[WORKER_URL_MAX + 1];
	char name[WORKER_TEXT_MAX + 1];
	uint32_t boot_id;
	uint8_t igd;
};

/**
 * struct router - a next hop by a WAN; stays while it has slots
 * @current:  a link leads to it
 * @listening: the worker was told to; @listen_at: when it is to be told that or the
 *            contrary, where it is not so
 * @stage:    which of options.order is tried, while not @found
 * @tried:    bits of enum upstream_speech, of the last look
 * @natpmp:   it said that it speaks NAT-PMP only
 * @look_at:  when it is looked for again; @looked_at: when that began last; @backoff
 * @found_at: with @flap_wait, @look_least: one that is lost as soon as it is found is
 *            looked for later each time
 * @check_at: when it is looked at again; @misses: checks without an answer
 * @no_pcp:   until then PCP is left out
 * @window:   questions that may be under way: fewer after one that was not answered in
 *            time, one more when so many were (@in_time)
 * @pulse:    how long an answer takes, ms; 0 = not known
 * @epoch:    as told at @epoch_at; @recalled: to an earlier natd, by what slots say
 * @again_at: when all slots are asked again, NEVER = not; @again_last, @again_wait keep a
 *            router that contradicts itself from making that a habit
 * @fallback: of the locations: opened, though not connected; 0 = none, else its number
 * @stun:     a probe of its own, to options.stun; @stun_at: which of the server's
 *            addresses, modulo how many there are
 */
struct router {
	struct router *next;
	char wan[IFNAMSIZ];
	struct in6_addr addr;
	struct in6_addr source;
	struct in6_addr addresses[UPSTREAM_LINK_ADDRESSES_MAX];
	size_t n_addresses;
	uint32_t ifindex;
	bool current, listening, found, natpmp, byebye, ever_looked, permanent;
	bool has_epoch, recalled;
	uint8_t speech, stage, tried, misses, igd, window, in_time;
	uint32_t pulse;
	struct probe probe, stun;
	struct flight flights[FLIGHTS_MAX];
	uint64_t pace;
	uint64_t listen_at, listen_serial;
	uint64_t look_at, looked_at, backoff;
	uint64_t found_at, flap_wait, look_least;
	uint64_t check_at, no_pcp, answered;
	uint64_t epoch_at, again_at, again_last, again_wait;
	uint32_t epoch, boot_id;
	struct location locations[LOCATIONS_MAX];
	uint8_t n_locations, opening, fallback;
	char url[WORKER_URL_MAX + 1];
	char name[WORKER_TEXT_MAX + 1];
	struct in6_addr external;
	struct in6_addr stun_address;
	uint8_t stun_nonce[WORKER_NONCE_LEN];
	uint8_t stun_misses, stun_at;
	struct slot *slots, *slots_last;
	struct slot_list standing[STANDINGS]; /* but for STANDING_NONE */
	size_t n_slots, n_mapped;
	struct heap heaps[TIMERS];
	size_t room; /* of each heap */
	bool told_found;
	uint8_t told_speech;
	struct in6_addr told_external;
};

/** struct igd_job - what the igd worker is at; it does one thing at a time */
struct igd_job {
	uint64_t serial; /* 0 = none */
	uint64_t until;
};

/**
 * struct server - of STUN, where options.stun_name says what it is called
 * @addrs:   @n, as name servers have it
 * @problem: what came of the last question, a negative errno; 0: @addrs, or nothing yet
 * @serial:  of the question that is open, 0 = none; sent at @asked_at
 * @due:     when it is given up, or the next one asked
 * @wait:    ms to the next, after a failure or while the server is @silent
 */
struct server {
	struct in6_addr addrs[WORKER_ADDRESSES_MAX];
	size_t n;
	int problem;
	bool silent;
	uint64_t serial, due, asked_at, wait;
};

/**
 * struct upstream
 * @stale_at: when mappings are to be led to routers anew, NEVER = not
 * @row_next: while rows are told; @telling: how often that was begun; @n_awaited: rows
 *            before which their router is not asked
 * @turn:     which router is asked next, by role
 */
struct upstream {
	struct upstream_options options;
	upstream_random random;
	uint8_t seed[16];
	bool begun, withdrawing, telling_rows;
	uint32_t telling;
	uint64_t serial, next_id, stale_at;
	struct router *routers;
	struct router *links[UPSTREAM_LINKS_MAX];
	size_t n_links;
	struct router *turn[WORKER_ROLES];
	struct igd_job igd;
	struct server server;
	struct index by_key, by_slot, by_serial, by_mapping;
	struct followed *followed;
	struct followed *dirty, **dirty_end;
	struct slot *rows, *rows_last, *row_next;
	size_t n_awaited;
};

/* ------------------------------------------------------------ upstream_chance.c */

uint64_t chance_below(struct upstream *up, uint64_t n);
/** chance_about() - @ms, a tenth more or less */
uint64_t chance_about(struct upstream *up, uint64_t ms);
uint64_t chance_double(uint64_t ms, uint64_t least, uint64_t most);

/* ------------------------------------------------------------ upstream_timers.c */

/** timers_reserve() - room for one slot more. Return: 0, -ENOMEM */
int timers_reserve(struct router *router);
void timer_set(struct slot *slot, enum timer timer, uint64_t when); /* NEVER: not */
struct slot *timer_first(const struct router *router, enum timer timer);

/* ------------------------------------------------------------ upstream_slots.c */

/** slot_get() - the one that is there, or a new one. NULL: no memory */
struct slot *slot_get(struct upstream *up, struct router *router, uint8_t protocol,
		      const struct in6_addr *internal, uint16_t port);
struct slot *slot_find(const struct upstream *up, const struct router *router,
		       uint8_t protocol, const struct in6_addr *internal, uint16_t port);
struct slot *slot_by_id(const struct upstream *up, uint64_t id);
struct slot *slot_by_serial(const struct upstream *up, uint64_t serial);
/** slot_take_over() - of a row. Return: 0, -ENOMEM */
int slot_take_over(struct upstream *up, struct router *router,
		   const struct upstream_row *row);
/** slot_gone() - the router has given it up. It may be freed */
void slot_gone(struct upstream *up, struct slot *slot);
void slot_free(struct upstream *up, struct slot *slot);
/** slot_leave() - nobody wants it any more; slot_join() - somebody does */
void slot_leave(struct upstream *up, struct slot *slot, uint64_t now);
void slot_join(struct upstream *up, struct slot *slot, uint64_t now);
/** slot_adopt() - the router was found, or the slot is new: in its speech from now on */
void slot_adopt(struct upstream *up, struct slot *slot, uint64_t now);
/** slot_reconsider() - who uses it has changed */
void slot_reconsider(struct upstream *up, struct slot *slot, uint64_t now);
void slot_set_state(struct upstream *up, struct slot *slot, enum upstream_state state);
/** slot_schedule() - after whatever changed when something is to be done */
void slot_schedule(struct upstream *up, struct slot *slot);
/** slot_to_the_end() - of those that stand as it does */
void slot_to_the_end(struct slot *slot);
/** slot_close() - the open question is none any more */
void slot_close(struct upstream *up, struct slot *slot);
bool slot_exact(const struct upstream *up, const struct slot *slot);
bool slot_is_removal(const struct slot *slot);
bool slot_is_pinhole(const struct slot *slot); /* of an IGD */

/* ------------------------------------------------------------ upstream_outcome.c */

/** what becomes of a slot; all close the question and schedule */
void slot_mapped(struct upstream *up, struct slot *slot, const struct endpoint *external,
		 uint32_t lifetime, uint64_t now);
void slot_refused(struct upstream *up, struct slot *slot, enum why why, unsigned int code,
		  uint64_t wait, uint64_t now);
void slot_unanswered(struct upstream *up, struct slot *slot, uint64_t now);
void slot_removed(struct upstream *up, struct slot *slot, uint64_t now);
void slot_not_removed(struct upstream *up, struct slot *slot, uint64_t now);
/** slot_unaskable() - no job says what is to be asked */
void slot_unaskable(struct upstream *up, struct slot *slot, uint64_t now);
/** slot_go_on() - with the next question, before all others */
void slot_go_on(struct upstream *up, struct slot *slot);
/** slot_return() - what it was given for another port is given back */
void slot_give_back(struct upstream *up, struct slot *slot, uint16_t offered,
		    uint64_t now);
/** slot_lapse() - TIMER_LAPSE */
void slot_lapse(struct upstream *up, struct slot *slot, uint64_t now);

/* ------------------------------------------------------------ upstream_rows.c */

void row_changed(struct upstream *up, struct slot *slot);
/** row_gone() - takes over the slot, which is in no index any more */
void row_gone(struct upstream *up, struct slot *slot);
void row_forget(struct upstream *up, struct slot *slot);
void rows_free(struct upstream *up); /* of slots that are gone */

/* ------------------------------------------------------------ upstream_follow.c */

void mapping_dirty(struct upstream *up, struct followed *f);
/** follow_all_anew() - lead each mapping to routers. Return: 0, -ENOMEM (tried again) */
int follow_all_anew(struct upstream *up, uint64_t now);
struct followed *followed_find(const struct upstream *up, uint64_t id);
void followed_free_all(struct upstream *up);

/* ------------------------------------------------------------ upstream_links.c */

struct router *router_find(const struct upstream *up, const char *wan,
			   const struct in6_addr *addr);
/** router_get() - the one that is there, or a new one, to which no link leads. NULL: no
 * memory */
struct router *router_get(struct upstream *up, const char *wan,
			  const struct in6_addr *addr);
void routers_tidy(struct upstream *up); /* those that nobody needs are freed */
void routers_free(struct upstream *up);

/* -------------------------------------------- upstream_router.c, upstream_epoch.c */

/** router_look() - for what it speaks: at once, but once a second at most */
void router_look(struct upstream *up, struct router *router, uint64_t now);
void router_stop(struct upstream *up, struct router *router);
void router_next_stage(struct upstream *up, struct router *router, uint64_t now);
void router_found(struct upstream *up, struct router *router, enum upstream_speech speech,
		  uint64_t now);
void router_lost(struct upstream *up, struct router *router, uint64_t now);
/** router_without_pcp() - it speaks PCP, but offers no mappings by it */
void router_without_pcp(struct upstream *up, struct router *router, uint64_t now);
void router_heard(struct upstream *up, struct router *router, uint64_t now);
/** router_suspect() - look whether it is there, now */
void router_suspect(struct upstream *up, struct router *router, uint64_t now);
/** router_checked() - it is there: who waits for that is asked */
void router_checked(struct upstream *up, struct router *router, uint64_t now);
void router_missed(struct upstream *up, struct router *router, uint64_t now);
/** router_again() - all slots are asked again, now or soon */
void router_again(struct upstream *up, struct router *router, uint64_t now);
/** router_epoch() - it was told now: has the router lost what it held? */
void router_epoch(struct upstream *up, struct router *router, uint32_t epoch,
		  uint64_t now);
/** epoch_recall() - the one that it told an earlier natd, where it told this one none */
void epoch_recall(struct router *router);
void router_address(struct upstream *up, struct router *router,
		    const struct in6_addr *external, uint64_t now);
/** router_tick() - what is due of it, but for questions */
void router_tick(struct upstream *up, struct router *router, uint64_t now);

/* ------------------------------------------------------------ upstream_probe.c */

void probe_start(struct upstream *up, struct router *router, enum worker_job_kind kind,
		 uint64_t now);
void probe_stop(struct router *router);
/** igd_search() - begin to look for an IGD. Return: false: it is not to be looked for
 * here */
bool igd_search(struct upstream *up, struct router *router, uint64_t now);
/** probe_is_over() - no try is left, or none is needed */
bool probe_is_over(const struct router *router, uint64_t now);
/** probe_wait() - for the answer to try @n, from 1; 0: there is no such try */
uint64_t probe_wait(enum worker_job_kind kind, unsigned int n);
void probe_answer(struct upstream *up, struct router *router,
		  const struct worker_answer *answer, uint64_t now);
/** probe_over() - the last try was not answered */
void probe_over(struct upstream *up, struct router *router, uint64_t now);

/* ------------------------------------------------------------ upstream_stun.c */

/** stun_is_wanted() - is the server to tell what it sees of the WAN? */
bool stun_is_wanted(const struct upstream *up, const struct router *router);
void stun_stop(struct router *router);
void stun_tick(struct upstream *up, struct router *router, uint64_t now);
void stun_answer(struct upstream *up, struct router *router,
		 const struct worker_answer *answer, uint64_t now);
/** stun_due() - when it is asked next, or given up */
uint64_t stun_due(const struct upstream *up, const struct router *router);

/* ------------------------------------------------------------ upstream_resolve.c */

void resolve_reset(struct upstream *up); /* to another name, or none */
/** resolve_address() - of the STUN server, for this router; NULL: not known. Borrowed
 * until the next answer */
const struct in6_addr *resolve_address(const struct upstream *up,
				       const struct router *router);
bool resolve_job(struct upstream *up, uint64_t now, struct worker_job *ret);
void resolve_unsent(struct upstream *up, uint64_t now);
/** resolve_answer() - Return: false: it is of another question */
bool resolve_answer(struct upstream *up, const struct worker_answer *answer,
		    uint64_t now);
void resolve_gone(struct upstream *up, uint64_t now); /* its worker */
void resolve_tick(struct upstream *up, uint64_t now);
uint64_t resolve_due(const struct upstream *up);
/** resolve_silent() - none of its addresses answers; resolve_heard() - one does again */
void resolve_silent(struct upstream *up, uint64_t now);
void resolve_heard(struct upstream *up);
/** resolve_again() - name servers may answer now: the WANs have changed, or somebody has
 * read the configuration again */
void resolve_again(struct upstream *up, uint64_t now);
/** resolve_problem() - see struct upstream_server_view */
const char *resolve_problem(const struct upstream *up);

/* ------------------------------------------------------------ upstream_jobs.c */

uint64_t serial_next(struct upstream *up);
void job_of(const struct router *router, enum worker_job_kind kind, uint64_t serial,
	    struct worker_job *ret);
/** flight_land() - it is under way no more */
void flight_land(struct router *router, uint64_t serial);
/** pulse_take() - the open question of @slot is answered: how fast is the router? */
void pulse_take(struct slot *slot, uint64_t now);
/** igd_fail() - what the igd worker was at is as if it were not answered */
void igd_fail(struct upstream *up, uint64_t now);

/* ------------------------------------------------------------ upstream_ask.c */

enum worker_job_kind slot_job_kind(const struct slot *slot);
/** slot_ask() - the next question of @slot, which is due
 * Return: false: there is none, it was put off */
bool slot_ask(struct upstream *up, struct slot *slot, uint64_t now,
	      struct worker_job *ret);

/* ---------------------------------------------- upstream_answer.c, upstream_igd.c */

/** address_makes_sense() - can the internet's side of a router have it? */
bool address_makes_sense(const struct slot *slot, const struct in6_addr *external);
void slot_answer_datagram(struct upstream *up, struct slot *slot,
			  const struct worker_answer *answer, uint64_t now);
void slot_answer_igd(struct upstream *up, struct slot *slot,
		     const struct worker_answer *answer, uint64_t now);

/* ------------------------------------------------------------ upstream_view.c */

/** carrier_state() - of the mapping at its @i-th carrier; @ret_slot: which decides */
enum upstream_state carrier_state(const struct followed *f, size_t i,
				  const struct slot **ret_slot);
void followed_view(const struct followed *f, struct upstream_view *ret);
bool followed_held(const struct followed *f);

/* ------------------------------------------------------------ upstream_words.c */

/** slot_words() - why it is not there */
void slot_words(const struct slot *slot, char buf[static UPSTREAM_WHY_STRLEN]);
/** speech_words() - "PCP", "NAT-PMP", "UPnP" */
const char *speech_words(enum upstream_speech speech);

/* ------------------------------------------------------------ upstream_verdict.c */

enum upstream_verdict verdict_of(const struct upstream *up, const struct router *router,
				 char why[static UPSTREAM_WHY_STRLEN]);

/* ------------------------------------------------------------ small things */

static inline uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline bool router_is_ipv4(const struct router *router)
{
	return address_is_ipv4(&router->addr);
}

/* A WAN without a gateway has nobody who could be asked. */
static inline bool router_is_anybody(const struct router *router)
{
	return !address_is_any(&router->addr);
}

static inline bool slot_is_ipv4(const struct slot *slot)
{
	return address_is_ipv4(&slot->internal);
}

static inline const struct in6_addr *any_like(const struct in6_addr *addr)
{
	return address_is_ipv4(addr) ? &address_any4 : &address_any6;
}
