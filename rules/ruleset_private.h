/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * ruleset_private - what the files behind rules/ruleset.h share
 */

#include "rules/ruleset.h" /* first: linux/netfilter.h has to come behind netinet/in.h */

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

/* a table's flag that is younger than the headers we build with */
#define TABLE_F_PERSIST 0x4

#define RULESET_TABLE "natd"

struct derived;

/** struct watched - a foreign transaction that watch.c has read in part: its messages
 * come first, who committed it comes last */
struct watched {
	uint32_t portid;
	bool touched;
	bool foreign;
};

/**
 * struct ruleset
 * @nl:       writes, and dumps; owns the table in the owned protection
 * @portid:   netlink address of @nl: notifications of our own transactions carry it
 * @seq:      last netlink sequence number used
 * @watch:    subscribed to NFNLGRP_NFTABLES, non-blocking; belongs to watch.c
 * @watched:  belongs to watch.c
 * @unheard:  somebody else committed while nobody listened; belongs to watch.c
 * @can_own:  the kernel knows owner and persist
 * @synced:   a ruleset_sync() went well, so that what follows is known
 * @protocols: PROTOCOL_BIT_* that it tracks
 * @addresses: what was set last; the arrays are ours
 * @derived:  of the mappings in force
 * @options, @shape: what the rules are made for, set_bit()
 * @room:     sizes in the kernel of the sets that grow, by enum set_id
 * @barred_until: ended4 and ended6 may have elements, by CLOCK_BOOTTIME in seconds
 */
struct ruleset {
	struct mnl_socket *nl;
	uint32_t portid;
	uint32_t seq;
	struct mnl_socket *watch;
	struct watched watched;
	bool unheard;
	bool can_own;
	bool synced;
	enum protection protection;
	uint8_t protocols;
	struct ruleset_addresses addresses;
	struct derived *derived;
	size_t *room;
	int64_t barred_until;
	struct ruleset_options options;
	uint64_t shape;
};

/**
 * ruleset_get() - ask nf_tables over @rs->nl, hand each answer to @on_message
 * @type:       NFT_MSG_GETCHAIN and the like
 * @flags:      NLM_F_DUMP, or 0 for one object (then NLM_F_ACK ends the answer)
 * @table, @set: names put into the request where the message type has them, or NULL
 * @on_message: as of mnl_cb_run()
 *
 * Return: 0; -EINTR when the dump was torn by another transaction; -ENOENT; -ENOMEM;
 * another netlink errno.
 */
int ruleset_get(struct ruleset *rs, uint16_t type, uint8_t family, uint16_t flags,
		const char *table, const char *set, mnl_cb_t on_message, void *userdata);

/** watch_open() - open @rs->watch, when @rs->portid is known
 * Return: 0; -EMFILE, -ENFILE, -ENOMEM, -EPROTONOSUPPORT; another errno of the socket. */
int watch_open(struct ruleset *rs);
void watch_close(struct ruleset *rs);

/**
 * watch_pause() - hear nothing while a long transaction of our own is committed: making
 * notifications that only a filter reads costs the kernel a seventh of it
 * @ret: the generation before it; for watch_resume()
 *
 * Return: paused?
 */
bool watch_pause(struct ruleset *rs, uint32_t *ret);
/** watch_resume() - what others did meanwhile becomes an overrun, told by
 * ruleset_watch() */
void watch_resume(struct ruleset *rs, uint32_t generation, bool committed);
struct batch;
/** watch_send() - batch_send(), with a pause when it is long */
int watch_send(struct ruleset *rs, struct batch *b, struct ruleset_fault *why);

/** message_is_ours() - is it about our table? The first attribute of every message but
 * that of the generation names the table. */
bool message_is_ours(const struct nlmsghdr *nlh);

/** printable_copy() - a foreign name, for logs and JSON: a process may name itself, and a
 * table may be named, with any bytes. NULL is "" */
void printable_copy(char *to, size_t size, const char *name);

/** ruleset_remember() - copy what was set into @rs. Return: 0 or -ENOMEM */
int ruleset_remember(struct ruleset *rs, const struct ruleset_addresses *addresses);

/** ruleset_note_barred() - ended4 or ended6 has elements, or may have */
void ruleset_note_barred(struct ruleset *rs);

/** ruleset_stale() - the table is not what we think it is: looking at it again helps */
static inline int ruleset_stale(int r)
{
	return r == -ENOENT || r == -ENOBUFS ? -ESTALE : r;
}

/** ruleset_forget() - what ruleset_remember() keeps */
void ruleset_forget(struct ruleset *rs);

/**
 * ruleset_make_room() - raise the sizes of the sets where fewer than @need elements fit
 * @need: by enum set_id
 *
 * In a transaction of its own, for a new size counts from the next one on; it changes
 * nothing else. Return: 0, or what batch_send() returns.
 */
int ruleset_make_room(struct ruleset *rs, const size_t *need, struct ruleset_fault *why);
/** ruleset_room_for() - the size that set @id should have to take @need elements; 0 for
 * one without a size */
size_t ruleset_room_for(const struct ruleset *rs, unsigned id, size_t need);

/** probe_kernel() - find out @rs->can_own, @rs->protocols. Return: 0; -ENOMEM, -EPERM */
int probe_kernel(struct ruleset *rs);
