/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * upstream - the routers above us, and what is asked of them
 *
 * Finds out what the gateway of each WAN speaks (PCP, NAT-PMP, UPnP IGD, in the
 * configured order), asks it for every mapping that may go upstream, renews, notices that
 * the router has lost its table or changed its address, withdraws what goes. Decides
 * only: time and randomness are arguments, what is to be done comes out as jobs for the
 * workers, rows for the store and events for whoever listens.
 *
 *	links, options, mappings --> +----------+ --> jobs    (worker_message.h)
 *	answers of workers --------> | upstream | --> rows    (the store)
 *	rows of the last life -----> +----------+ --> events
 *
 * A slot is one port of one protocol that is asked for at one address: mappings that
 * differ in who may connect share it. The row of a slot (with its nonce) is on disk
 * before the router is asked for the first time, and goes after the router has given it
 * up or its lifetime is over: whatever happens to natd, nothing is asked twice under two
 * nonces and nothing stays behind unknown.
 *
 * Time: milliseconds of the lease clock (natd/common/lease_clock.h): goes on over
 *reboots. Addresses: those of core/endpoint.h; ports in host byte order.
 */

#include "core/host_name.h"
#include "core/mapping.h"
#include "core/worker_message.h"

enum upstream_policy {
	UPSTREAM_ALL,	 /* every mapping, but for UPSTREAM_NO */
	UPSTREAM_CHOSEN, /* UPSTREAM_YES and _REQUIRED only */
	UPSTREAM_NONE,	 /* find routers and say what they are; ask for nothing */
};

const char *upstream_policy_name(enum upstream_policy policy); /* "all", "chosen", ... */

enum upstream_speech { UPSTREAM_PCP, UPSTREAM_NATPMP, UPSTREAM_IGD };
#define UPSTREAM_SPEECHES (UPSTREAM_IGD + 1)
const char *upstream_speech_name(enum upstream_speech s); /* "pcp", "nat-pmp", "upnp" */
int upstream_speech_parse(const char *text, enum upstream_speech *ret); /* 0, -EINVAL */

/**
 * struct upstream_options - the upstream block of the configuration; a plain value
 * @enable:     false: nobody is looked for, what is held is withdrawn
 * @order:      protocols to try, each once
 * @lifetime:   seconds to ask for, 120..86400 (RFC 6887 15; RFC 6886 3.3 recommends 7200)
 * @check:      milliseconds between two looks at a router that has nothing to say:
 *              is it there, its epoch, its external address, for IGD one entry read back
 * @other_port: any mapping may have another port upstream, not only those whose port was
 *              chosen by natd
 * @url:        of the IGD's description, instead of searching; "" = search
 * @stun:       a server that tells our address; its port 0 = none
 * @stun_name:  what it is called, where its address (then 0.0.0.0) is to be asked for;
 *              "" = it is not
 */
struct upstream_options {
	bool enable;
	bool other_port;
	enum upstream_policy policy;
	uint8_t order[UPSTREAM_SPEECHES]; /* enum upstream_speech */
	uint8_t n_order;
	uint32_t lifetime;
	uint32_t check;
	struct endpoint stun;
	char stun_name[HOST_NAME_STRLEN];
	char url[WORKER_URL_MAX + 1];
};
void upstream_options_default(struct upstream_options *ret); /* not enabled */

#define UPSTREAM_LINKS_MAX	    16
#define UPSTREAM_LINK_ADDRESSES_MAX 16
/**
 * struct upstream_link - a WAN with an address, one for each family
 * @gateway: its next hop; any: it has none, and nobody is asked (a point-to-point link,
 *           or natd does not look); the WAN is judged by its addresses alone
 * @source:  our address towards it; its family is the link's
 * @addresses: all of ours of that family on that WAN, @source among them
 */
struct upstream_link {
	char wan[IFNAMSIZ];
	uint32_t ifindex;
	struct in6_addr gateway;
	struct in6_addr source;
	struct in6_addr addresses[UPSTREAM_LINK_ADDRESSES_MAX];
	size_t n_addresses;
};

/**
 * struct upstream_row - what the store keeps of a slot
 * @id:       not 0, never used again
 * @speech:   what the router was asked in
 * @expires:  when the router forgets it by itself; 0: nobody knows, or never
 * @external: as assigned; any and port 0: not yet
 * @epoch:    of the router when it granted that, in seconds (RFC 6887 8.5, RFC 6886 3.6),
 *            told at @epoch_at (lease clock); both 0: not granted, or an IGD, which has
 *            none
 * @url:      of an IGD, to find it again
 */
struct upstream_row {
	uint64_t id;
	uint64_t expires;
	uint64_t epoch_at;
	uint32_t epoch;
	char wan[IFNAMSIZ];
	struct in6_addr router;
	struct in6_addr internal;
	struct in6_addr external;
	uint16_t internal_port;
	uint16_t external_port;
	uint16_t unique;
	uint8_t protocol;
	uint8_t speech; /* enum upstream_speech */
	uint8_t nonce[WORKER_NONCE_LEN];
	char url[WORKER_URL_MAX + 1];
};
/** upstream_row_flaw() - NULL, or a borrowed sentence: what is read back is not trusted
 */
const char *upstream_row_flaw(const struct upstream_row *row);

struct upstream;

/** upstream_random - fill @n bytes, for nonces: unpredictable (RFC 6887 11.2) */
typedef void (*upstream_random)(void *buf, size_t n);

/** upstream_new() - Return: 0 or -ENOMEM */
int upstream_new(const struct upstream_options *options, upstream_random random,
		 struct upstream **ret);
void upstream_free(struct upstream *up); /* NULL is fine */

/* ------------------------------------------------------------ what there is */

/** upstream_restore() - a row of the last life; before anything else. Not wanted by any
 * mapping once they are all followed and upstream_begin() is called, it is withdrawn.
 * Return: 0, -EINVAL (flawed, or its id twice), -ENOMEM */
int upstream_restore(struct upstream *up, const struct upstream_row *row);
/** upstream_begin() - links and mappings are known from now on: jobs may come out */
void upstream_begin(struct upstream *up, uint64_t now);

/** upstream_configure() - other options: what the policy no longer lets go upstream is
 * withdrawn, what it lets go now is asked for. Return: 0, -ENOMEM (as before) */
int upstream_configure(struct upstream *up, const struct upstream_options *options,
		       uint64_t now);
/** upstream_set_links() - the WANs as they are now. A router that is the same one keeps
 * its state, a new one is looked at, slots of one that is gone are forgotten when their
 * lifetime is over. Return: 0, -ENOMEM, -E2BIG (over UPSTREAM_LINKS_MAX: the first are
 * taken) */
int upstream_set_links(struct upstream *up, const struct upstream_link *links, size_t n,
		       uint64_t now);

/** upstream_follow() - @m is in the table as it is told here: new, or changed. One that
 * is disabled, has no host, or goes nowhere upstream is forgotten, or merely noted.
 * Return: 0, -ENOMEM (it is noted as not asked for: upstream_view() says so) */
int upstream_follow(struct upstream *up, const struct mapping *m, uint64_t now);
/** upstream_forget() - @id is no longer in the table: withdrawn, unless another mapping
 * has the same slot */
void upstream_forget(struct upstream *up, uint64_t id, uint64_t now);
/** upstream_withdraw() - all of it, as for natd --teardown */
void upstream_withdraw(struct upstream *up, uint64_t now);
/** upstream_pending() - slots that are still to be withdrawn; before upstream_begin() all
 * of the last life, which may have to be */
size_t upstream_pending(const struct upstream *up);
/** upstream_stranded() - ports that nobody wants any more and that cannot be given back
 * now: no link leads to their router, or it was asked in vain. They are mapped there
 * until their lifetime is over.
 * @ret_router, @ret_wan: of the first; untouched where there is none
 */
size_t upstream_stranded(const struct upstream *up, struct in6_addr *ret_router,
			 char ret_wan[static IFNAMSIZ]);

/* ------------------------------------------------------------ what is to be done */

/**
 * upstream_next_job() - for the worker @role, where one is due at @now
 *
 * To be called until it returns false; at most 4 questions are under way to one router,
 * 20 ms apart, one to an IGD. A job that cannot be handed over now: upstream_unsent().
 *
 * Return: true: @ret is to be sent.
 */
bool upstream_next_job(struct upstream *up, enum worker_role role, uint64_t now,
		       struct worker_job *ret);
/** upstream_unsent() - the job of @serial was not sent: it is due again soon */
void upstream_unsent(struct upstream *up, uint64_t serial, uint64_t now);
/** upstream_answer() - what a worker said; anything that fits no question is dropped */
void upstream_answer(struct upstream *up, const struct worker_answer *answer,
		     uint64_t now);
/** upstream_worker_gone() - whatever it had been asked is asked again. An igd worker that
 * died of a job counts as "no answer" for what it was about */
void upstream_worker_gone(struct upstream *up, enum worker_role role, uint64_t now);
/** upstream_due() - when upstream_next_job() or upstream_tick() has something to do
 * next; UINT64_MAX: nothing by itself */
uint64_t upstream_due(const struct upstream *up);
/** upstream_tick() - what time alone changes: lifetimes that are over, routers lost */
void upstream_tick(struct upstream *up, uint64_t now);

/**
 * upstream_next_row() - what the store has to be told, from first to last
 * @ret_gone: the row is to be deleted (of @ret the id counts)
 *
 * Call until it returns false, or there are enough, write all in one transaction, then
 * upstream_rows_saved(); after a failure nothing, and no slot whose row was never saved
 * is asked for. upstream_rows_anew(): from the first again, that is not saved.
 */
void upstream_rows_anew(struct upstream *up);
bool upstream_next_row(struct upstream *up, struct upstream_row *ret, bool *ret_gone);
void upstream_rows_saved(struct upstream *up, uint64_t now);
/** upstream_waits_for_rows() - is there one of them before which its router is not asked?
 * The others have time */
bool upstream_waits_for_rows(const struct upstream *up);

/**
 * enum upstream_event_kind
 * _FOUND, _LOST: a router; _ADDRESS: its external address is another one (any: none).
 * _MAPPED: all of a mapping is there, or its external endpoint is another one than told;
 * _REFUSED: it is not, and why. _HELD: whether a mapping with UPSTREAM_REQUIRED is to be
 * in the kernel is not what was told last (upstream_follow() with the mapping's @held,
 * or the last such event).
 */
enum upstream_event_kind {
	UPSTREAM_EVENT_FOUND,
	UPSTREAM_EVENT_LOST,
	UPSTREAM_EVENT_ADDRESS,
	UPSTREAM_EVENT_MAPPED,
	UPSTREAM_EVENT_REFUSED,
	UPSTREAM_EVENT_HELD,
};

#define UPSTREAM_WHY_STRLEN 192
/** struct upstream_event - @id: the mapping, where it is about one */
struct upstream_event {
	enum upstream_event_kind kind;
	uint64_t id;
	bool held;
	char wan[IFNAMSIZ];
	struct in6_addr router;
	enum upstream_speech speech;
	struct endpoint external;
	char why[UPSTREAM_WHY_STRLEN];
};
/** upstream_next_event() - how things are, where that is not what was told: what came and
 * went in between is not told. Call until it returns false, after everything above */
bool upstream_next_event(struct upstream *up, struct upstream_event *ret);

/* ------------------------------------------------------------ how it stands */

enum upstream_state {
	UPSTREAM_STATE_OFF,	   /* does not go upstream */
	UPSTREAM_STATE_NO_ROUTER,  /* nobody answers, or there is no default route */
	UPSTREAM_STATE_ASKING,	   /* asked, or about to be */
	UPSTREAM_STATE_MAPPED,	   /* the router has it */
	UPSTREAM_STATE_REFUSED,	   /* and says why */
	UPSTREAM_STATE_UNANSWERED, /* the router does not answer this question */
};
#define UPSTREAM_STATES (UPSTREAM_STATE_UNANSWERED + 1)
/* "off", "no-router", "asking", "mapped", "refused", "unanswered" */
const char *upstream_state_name(enum upstream_state state);
int upstream_state_parse(const char *text, enum upstream_state *ret); /* 0 or -EINVAL */

/**
 * struct upstream_view - of one mapping, by the WAN where it stands best
 * @external: as the internet sees it: the router's external address (any: not known) and
 *            the first port; of _MAPPED
 * @expires, @renews: lease clock, 0 = never or not known
 * @why:      of _REFUSED and _UNANSWERED, and of _OFF where the mapping cannot go: a
 *            sentence without full stop: "port 8080 is taken by another client of the
 *            router (718)"
 */
struct upstream_view {
	enum upstream_state state;
	char wan[IFNAMSIZ];
	enum upstream_speech speech;
	struct endpoint external;
	uint64_t expires, renews;
	char why[UPSTREAM_WHY_STRLEN];
};
/** upstream_view() - of one that is not followed: _OFF */
void upstream_view(const struct upstream *up, uint64_t id, struct upstream_view *ret);

/**
 * enum upstream_verdict - can the internet reach this WAN?
 *
 * Told, never acted upon. PUBLIC: our address is a global one, and nobody (router, STUN)
 * says otherwise. MAPPED: it is not, but the router above holds what we asked for, and
 * its own address is global. BEHIND_NAT: anything else that is known. UNKNOWN: no
 * address, no answer yet.
 */
enum upstream_verdict {
	UPSTREAM_PUBLIC,
	UPSTREAM_MAPPED,
	UPSTREAM_BEHIND_NAT,
	UPSTREAM_UNKNOWN,
};
/* "public", "mapped", "behind-nat", "unknown" */
const char *upstream_verdict_name(enum upstream_verdict verdict);
int upstream_verdict_parse(const char *text, enum upstream_verdict *ret);

/**
 * struct upstream_link_view - one link and its router
 * @found:    it answers, in @speech
 * @name:     what an IGD calls itself
 * @external: the address the router says it has; any = not known
 * @stun:     the address that the server saw; any = not known
 * @verdict:  of the WAN, IPv4 links only; UNKNOWN of others
 * @why:      the verdict in words, a sentence without full stop; of a router that is not
 *            found what was tried
 * @answered: when it said something last, 0 = never; @renews: when the next of its slots
 *            is renewed, 0 = none; @tries: when it is looked for next, 0 = found
 */
struct upstream_link_view {
	char wan[IFNAMSIZ];
	struct in6_addr gateway;
	struct in6_addr source;
	bool found;
	enum upstream_speech speech;
	char name[WORKER_TEXT_MAX + 1];
	struct in6_addr external;
	struct in6_addr stun;
	enum upstream_verdict verdict;
	char why[UPSTREAM_WHY_STRLEN];
	uint64_t answered, renews, tries;
	size_t held, refused, asking; /* slots */
};
size_t upstream_link_count(const struct upstream *up);
void upstream_link_view(const struct upstream *up, size_t i, uint64_t now,
			struct upstream_link_view *ret);

/**
 * struct upstream_server_view - the STUN server
 * @addrs:   @n; 0: not known (yet)
 * @problem: why, a borrowed phrase: "there is no such name"; NULL: none that is known of
 */
struct upstream_server_view {
	struct in6_addr addrs[WORKER_ADDRESSES_MAX];
	size_t n;
	const char *problem;
};
/** upstream_server_view() - Return: false: there is none */
bool upstream_server_view(const struct upstream *up, struct upstream_server_view *ret);
