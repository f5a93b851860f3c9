/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * upstream_slot - what is asked of a router, one port each, and for which mappings
 */

#include "core/upstream/upstream.h"
#include "core/upstream/upstream_index.h"

/* Slots wait in heaps of their router, by when something is to be done: TIMER_DATAGRAM
 * and TIMER_IGD (enum worker_role) ask, TIMER_LAPSE is the end of a lifetime, or of
 * patience. */
enum timer { TIMER_DATAGRAM, TIMER_IGD, TIMER_LAPSE };
#define TIMERS (TIMER_LAPSE + 1)

/* What the next check of the router has to do with a slot, and how many of those that it
 * holds are looked at before none is read back this time. */
enum standing { STANDING_NONE, STANDING_WAITS, STANDING_HELD };
#define STANDINGS (STANDING_HELD + 1)
#define LOOKS_MAX 16

struct slot;
struct followed;

/** struct slot_list - of one standing */
struct slot_list {
	struct slot *first, *last;
};

/** struct heap - the earliest on top */
struct heap {
	struct slot **at;
	size_t n;
};

/** struct use - that a mapping has a slot */
struct use {
	struct slot *slot;
	struct followed *mapping;
	struct use *next, **pprev; /* of the slot */
};

enum question { QUESTION_NONE, QUESTION_MAP, QUESTION_DELETE, QUESTION_READ };

/** enum why - what a refusal is about; numbers and ports beside it */
enum why {
	WHY_NONE,
	WHY_PCP,
	WHY_NATPMP,
	WHY_UPNP,
	WHY_TAKEN,    /* another client has the port */
	WHY_OFFERED,  /* another port, which is not wanted */
	WHY_PROTOCOL, /* not in this speech */
	WHY_NONSENSE_PORT,
	WHY_NONSENSE_INTERNAL,
	WHY_NONSENSE_ADDRESS,
	WHY_NONSENSE_PINHOLE,
	WHY_SILENT,
	WHY_UNASKABLE, /* a fault of natd's */
};

/**
 * struct slot - one port of one protocol, asked for at one internal address
 * @uses:      NULL: nobody wants it; then it is withdrawn
 * @speech:    what it was asked in, or is about to be
 * @id to @nonce: as in the row
 * @serial:    of the question that is open, 0 = none; with @question, @tries, @lifetime,
 *             and @asked_at, when it was sent for the first time
 * @ask_at:    when the next question is due, or the open one again
 * @give_up:   while it is withdrawn: when the router is held to have forgotten it
 * @retry:     ms to the next try after a refusal, or of a withdrawal
 * @version, @told_version: of the row; @told: the store was told of it once, @telling:
 *            when last
 * @saved:     the row on disk says what is about to be asked; @awaited: one that is to be
 *            written does not, and is counted
 * @standing:  with @stand_prev and @stand_next, in a list of its router
 * @enlisted:  it has a row
 * @asked:     the router may hold it
 * @granted:   more than one question was sent that it may have granted, or it has said so
 * @confirmed: it has said so, to this natd
 * @doubt:     the router may have lost it: asked as if it were new
 * @looked:    IGD: the entry was read back, and nobody else's
 * @verify:    IGD: it is only read back
 * @kept:      it leaves, but the router was not asked to forget it yet
 * @give_back: what the router gave is not wanted
 * @moving:    the router speaks something else now; first it is withdrawn in @speech
 * @lease_0:   IGD: the router takes no lease
 * @others:    IGD: other ports tried
 */
struct slot {
	struct place by_key, by_id, by_serial;
	struct router *router;
	struct slot *prev, *next;
	struct slot *row_prev, *row_next;
	struct slot *stand_prev, *stand_next;
	struct use *uses;
	uint64_t when[TIMERS];
	size_t position[TIMERS]; /* from 1; 0 = not there */
	uint64_t id;
	uint64_t expires, epoch_at;
	uint32_t epoch;
	struct in6_addr internal, external;
	uint16_t internal_port, external_port;
	uint16_t unique;
	uint8_t protocol;
	uint8_t speech;
	uint8_t nonce[WORKER_NONCE_LEN];
	uint64_t serial, ask_at, asked_at, renews, give_up, retry;
	uint32_t version, told_version, telling, lifetime;
	uint16_t why_code, why_port;
	uint8_t question, tries, state, why, others, standing;
	bool leaving, gone, in_rows, told, saved, awaited, enlisted, asked, granted,
		confirmed;
	bool doubt, looked, verify, kept, give_back, moving, lease_0;
};

/**
 * struct followed - a mapping
 * @other:  another port upstream is fine
 * @goes:   it is to be asked for; else @off says why not, or is NULL
 * @uses:   for each carrier (router) @n_used ports
 * @forgotten: and only there because it is @dirty
 * @told_*: by events
 */
struct followed {
	struct place by_id;
	struct followed *prev, *next; /* all of them */
	struct followed *dirty_next;  /* whose events are to be looked at */
	uint64_t id;
	struct in6_addr host, external;
	struct use *uses;
	size_t n_carriers, n_used;
	const char *off;
	struct endpoint told_external;
	uint64_t told_why;
	uint16_t port, n_ports;
	uint8_t protocol, wish, told_state;
	bool enabled, ipv4, pinhole, other, auto_port, goes, no_memory;
	bool dirty, forgotten, told_held;
};
