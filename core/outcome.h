/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * outcome - the one table of answers
 *
 * What a verdict or a fault is called in the API (a stable code), as HTTP status and
 * as natctl's exit status (0 done, 1 refused, 2 usage, 3 natd not reachable or faulty).
 * A refusal is an answer to the client; a fault is the machine's. They never share a
 * channel: see enum verdict and the negative errno values.
 */

#include <stddef.h>
#include <stdint.h>

#include "core/listener.h"
#include "core/rights.h"

enum verdict {
	VERDICT_ADDED,
	VERDICT_REMOVED,
	VERDICT_CHANGED,
	VERDICT_UNCHANGED,     /* asked for what is already so */
	VERDICT_CONFLICT,      /* the external endpoint serves another host */
	VERDICT_NAME_TAKEN,    /* the name stands for another mapping of that protocol */
	VERDICT_NOT_FOUND,     /* nothing fits the selector */
	VERDICT_AMBIGUOUS,     /* several fit and one is needed */
	VERDICT_OF_CONFIG,     /* belongs to the configuration file */
	VERDICT_TABLE_FULL,    /* capacity reached */
	VERDICT_PORT_IN_USE,   /* a program of the gateway listens there */
	VERDICT_NO_PORT,       /* no port of the pool is free */
	VERDICT_NO_PROTOCOL,   /* the running kernel does not translate it */
	VERDICT_NO_UPSTREAM,   /* the router above us is not to be asked: switched off */
	VERDICT_BAD_REQUEST,   /* not understood: names the field */
	VERDICT_NOT_PERMITTED, /* the caller may not */
	VERDICT_NO_RESOURCE,   /* no such path */
	VERDICT_BAD_METHOD,    /* path does not take that method */
	VERDICT_TOO_LARGE,     /* body, line or list over a stated limit */
	VERDICT_BAD_CONFIG,    /* the configuration file is wrong; the old one stays */
	VERDICT_FAULT,	       /* the machine failed; nothing changed */
	VERDICT_UNKNOWN,       /* outcome unknown: the store cannot be read */
	VERDICT_BUSY,	       /* no changes are taken now (outcome of another unknown) */
};
#define VERDICT_COUNT (VERDICT_BUSY + 1)

/**
 * struct outcome
 * @code:   stable word for programs: "added", "conflict", "not-found", ...
 * @title:  short human title, RFC 9457 "title"
 * @http:   HTTP status
 * @exit:   natctl's exit status
 */
struct outcome {
	const char *code;
	const char *title;
	int http;
	int exit;
};

/** outcome_of() - borrowed for ever; never NULL */
const struct outcome *outcome_of(enum verdict verdict);
/** outcome_by_code() - the verdict with that code, or -EINVAL */
int outcome_by_code(const char *code, enum verdict *ret);

/**
 * struct problem - a refusal or fault as it travels (RFC 9457)
 * @verdict: gives code, title, status
 * @index:   which change of the list, from 0; -1 when it is not about one
 * @detail:  a sentence that names the thing
 * @cure:    a sentence that says what to do; may be empty
 */
struct problem {
	enum verdict verdict;
	int64_t index;
	char detail[512];
	char cure[256];
};

/** problem_set() - fill in; detail is printf-like, cure a plain text or NULL */
void problem_set(struct problem *p, enum verdict verdict, const char *cure,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

/**
 * struct pool_use - how an automatic port came to nothing
 * @pool:     where it was looked for
 * @n:        ports in it (without reserved ones)
 * @taken:    of them serve mappings of that protocol
 * @listened: of them are in use by programs of the gateway
 * @top, @top_n: who has most of them, as mapping_owner() says, and how many
 */
struct pool_use {
	struct port_range pool;
	size_t n;
	size_t taken;
	size_t listened;
	char top[OWNER_STRLEN];
	size_t top_n;
};

#define REFUSAL_LISTENERS_MAX 4

/**
 * struct refusal - why a change was refused, for the sentence
 * @holders:   mappings in the way (CONFLICT, NAME_TAKEN, OF_CONFIG: one; AMBIGUOUS: all
 *             that fit; NOT_PERMITTED with RIGHT_OWN: the one that is another's)
 * @listeners: PORT_IN_USE: some of them; @n_listeners: how many there are
 * @denial:    NOT_PERMITTED
 * @pool:      NO_PORT
 * @flaw:      BAD_REQUEST: what only the table could see (mapping_flaw(), no such LAN)
 * All borrowed.
 */
struct refusal {
	enum verdict verdict;
	const struct mapping *const *holders;
	size_t n_holders;
	struct listener listeners[REFUSAL_LISTENERS_MAX];
	size_t n_listeners;
	struct denial denial;
	struct pool_use pool;
	const char *flaw;
};

/**
 * problem_of_refusal() - the sentence for one refused change
 * @refusal: as plan_refusal() tells
 * @change:  what was asked
 * @now:     seconds since 1970, for "3 days ago"
 * @ret:     all but index written
 *
 * 'tcp 8080 is taken by "web" -> 192.168.1.10:80 (added by config, 3 days ago).'
 * with the cure 'Remove it first, or choose another port.'
 */
void problem_of_refusal(const struct refusal *refusal, const struct change *change,
			uint64_t now, struct problem *ret);
