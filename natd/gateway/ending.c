/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * A look reads the connection tracker, judges each entry (ending_judge.c), and keeps
 * those that are to end; when all is read, it ends them, a batch at a time: barred first,
 * then deleted. It can be taken in pieces, so that other work goes on in between.
 */

#include "natd/gateway/ending.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cleanup.h"
#include "natd/common/kill_point.h"
#include "natd/gateway/ending_private.h"

/* a dump that was torn is begun again this often */
#define DUMP_TRIES 3
/* ended with one transaction of ended4/ended6 */
#define BATCH_MAX 512

/**
 * struct ending_look
 * @judge:   called for each entry
 * @bar:     what came to a host of ours is kept from being made again
 * @both:    and what comes there, since the mapping still lets it in
 * @tries:   dumps begun
 * @begun:   one is under way
 * @read:    all is read; @error: what the last dump ended with
 * @at:      of the harvest: ended up to here
 * @failed:  the first fault of an ending
 * @found:   what will be remembered; @whole: may it?
 */
struct ending_look {
	struct harvest harvest;
	conntrack_entry judge;
	bool bar, both;
	unsigned int tries;
	bool begun, read;
	int error, failed;
	size_t at, ended;
	struct ending_memory found;
	bool whole;
};

DEFINE_CLEANUP(ending_free, struct ending_look *)

/* ------------------------------------------------------------------ ending them */

/* What is barred is what a connection's reply source sends to where it came from. */
static struct connection turned_round(const struct connection *c)
{
	return (struct connection){
		.protocol = c->protocol,
		.reply_src = c->orig_src,
		.orig_src = c->orig_dst,
	};
}

static int bar_return(struct ending_look *look, const struct stale *stale, size_t n)
{
	struct connection *barred;
	struct ruleset_fault why;
	size_t n_barred = 0;
	int r;

	if (!look->bar)
		return 0;
	barred = calloc(2 * n, sizeof(*barred));
	if (!barred)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (stale[i].bar)
			barred[n_barred++] = stale[i].connection;
		/* others would meet the mapping again, as a new flow may */
		if (look->both && stale[i].connection.protocol == IPPROTO_TCP)
			barred[n_barred++] = turned_round(&stale[i].connection);
	}
	r = n_barred ? ruleset_end(look->harvest.parts->ruleset, barred, n_barred, &why)
		     : 0;
	free(barred);
	return r;
}

static void note_failure(struct ending_look *look, int r)
{
	if (r < 0 && !look->failed)
		look->failed = r;
}

static void delete_one(struct ending_look *look, const struct stale *stale)
{
	size_t deleted = 0;

	note_failure(look, conntrack_delete(look->harvest.parts->conntrack,
					    &stale->connection, 1, &deleted));
	look->ended += deleted;
	if (deleted && stale->count)
		(*stale->count)++;
}

static void end_batch(struct ending_look *look)
{
	const struct stale *stale = look->harvest.stale + look->at;
	size_t n = look->harvest.n - look->at;

	if (n > BATCH_MAX)
		n = BATCH_MAX;
	/* A set that is full is no reason to let the connections live. */
	note_failure(look, bar_return(look, stale, n));
	KILL_POINT(KILL_BARRED);
	for (size_t i = 0; i < n && look->failed != -ETIMEDOUT; i++)
		delete_one(look, &stale[i]);
	/* a kernel that does not answer is not asked again */
	look->at = look->failed == -ETIMEDOUT ? look->harvest.n : look->at + n;
}

/* ------------------------------------------------------------ what is remembered */

static bool nothing_is_stale(const struct ending *ending,
			     const struct engine_parts *parts)
{
	const struct ending_memory *memory = parts->memory;
	uint64_t missed;

	if (!ending->additions || !memory || !memory->known || memory->looking ||
	    ruleset_missed(parts->ruleset, &missed) < 0 || missed != memory->missed)
		return false;
	for (size_t i = 0; i < ending->n; i++)
		if (ending_is_loose(memory, &ending->keys[i]))
			return false;
	return true;
}

bool ending_is_needed(const struct ending *ending, const struct engine_parts *parts)
{
	return ending->n && !nothing_is_stale(ending, parts);
}

/* Before the look, so that what comes during it counts. */
static void memory_begin(struct ending_look *look)
{
	struct ending_memory *memory = look->harvest.parts->memory;

	if (!memory || !look->harvest.memory)
		return;
	look->whole =
		ruleset_missed(look->harvest.parts->ruleset, &look->found.missed) == 0;
	memory->known = memory->looking = true;
}

/* Who found meanwhile that nothing is known has said so. */
static void memory_end(struct ending_look *look, bool complete)
{
	struct ending_memory *memory = look->harvest.parts->memory;

	if (!memory || !look->harvest.memory || !memory->looking)
		return;
	if (memory->known && look->whole && complete) {
		*memory = look->found;
		memory->known = true;
	} else {
		memory->known = false;
	}
	memory->looking = false;
}

/* ------------------------------------------------------------------ a look */

static int look_new(const struct engine_parts *parts, conntrack_entry judge,
		    struct ending_look **ret)
{
	struct ending_look *look;

	look = calloc(1, sizeof(*look));
	if (!look)
		return -ENOMEM;
	look->judge = judge;
	look->harvest.parts = parts;
	if (parts->wan_addresses)
		look->harvest.wan = parts->wan_addresses(parts->userdata);
	*ret = look;
	return 0;
}

/* Return: the fault of the whole, or 0 */
static int finish(struct ending_look *look)
{
	memory_end(look, look->error == 0 && look->failed == 0);
	return look->error < 0 ? look->error : look->failed;
}

static int read_now(struct ending_look *look)
{
	struct harvest *h = &look->harvest;
	int r = 0;

	for (look->tries = 0; look->tries < DUMP_TRIES; look->tries++) {
		h->n = 0;
		r = conntrack_dump(h->parts->conntrack, look->judge, h);
		if (r != -EINTR && r != -ENOBUFS)
			break;
	}
	return r;
}

/* All at once. @ret_ended: written always */
static int run(struct ending_look *look, size_t *ret_ended)
{
	look->error = read_now(look);
	while (look->at < look->harvest.n)
		end_batch(look);
	*ret_ended = look->ended;
	return finish(look);
}

int ending_begin(struct ending *ending, const struct engine_parts *parts, bool everywhere,
		 struct ending_look **ret)
{
	struct ending_look *look;
	int r;

	r = look_new(parts, ending_judge, &look);
	if (r < 0)
		return r;
	if (ending) {
		ending_sort(ending);
		look->harvest.memory = &look->found;
	}
	look->harvest.ending = ending;
	look->harvest.everywhere = everywhere || !ending;
	look->bar = true;
	memory_begin(look);
	*ret = look;
	return 0;
}

int ending_run(struct ending *ending, const struct engine_parts *parts, bool everywhere,
	       size_t *ret_ended)
{
	CLEANUP(ending_free) struct ending_look *look = NULL;
	int r;

	*ret_ended = 0;
	if (!everywhere && !ending_is_needed(ending, parts))
		return 0;
	r = ending_begin(ending, parts, everywhere, &look);
	return r < 0 ? r : run(look, ret_ended);
}

/* ------------------------------------------------------------------ in pieces */

static int begin_dump(struct ending_look *look)
{
	int r;

	look->harvest.n = 0;
	look->tries++;
	r = conntrack_begin(look->harvest.parts->conntrack);
	look->begun = r == 0;
	return r == 0 ? CONNTRACK_MORE : r;
}

static int read_some(struct ending_look *look, uint64_t usec)
{
	struct conntrack *ct = look->harvest.parts->conntrack;
	int r;

	r = look->begun ? 0 : begin_dump(look);
	if (r >= 0)
		r = conntrack_step(ct, usec, look->judge, &look->harvest);
	if (r > 0)
		return r;
	look->begun = false;
	if ((r == -EINTR || r == -ENOBUFS) && look->tries < DUMP_TRIES)
		return CONNTRACK_MORE;
	look->read = true;
	look->error = r;
	return 0;
}

int ending_step(struct ending_look *look, uint64_t usec)
{
	const struct engine_parts *parts = look->harvest.parts;
	int r;

	/* what was borrowed is good until the loop goes on */
	look->harvest.wan = parts->wan_addresses(parts->userdata);

	if (!look->read) {
		r = read_some(look, usec);
		if (r > 0)
			return r;
		/* few are ended at once */
		if (look->harvest.n > BATCH_MAX)
			return CONNTRACK_MORE;
	}
	if (look->at < look->harvest.n)
		end_batch(look);
	return look->at < look->harvest.n ? CONNTRACK_MORE : finish(look);
}

size_t ending_ended(const struct ending_look *look)
{
	return look->ended;
}

void ending_free(struct ending_look *look)
{
	if (!look)
		return;
	if (look->begun)
		conntrack_give_up(look->harvest.parts->conntrack);
	memory_end(look, false); /* finish() has done it where it was called */
	free(look->harvest.stale);
	free(look);
}

/* ------------------------------------------------------------ for other reasons */

int ending_kill(const struct engine_parts *parts, const struct connection *connections,
		size_t n, size_t *ret_ended)
{
	CLEANUP(ending_free) struct ending_look *look = NULL;
	struct harvest *h;
	int r;

	*ret_ended = 0;
	r = look_new(parts, NULL, &look);
	if (r < 0)
		return r;
	h = &look->harvest;
	h->stale = calloc(n + 1, sizeof(*h->stale));
	if (!h->stale)
		return -ENOMEM;
	for (h->n = 0; h->n < n; h->n++)
		h->stale[h->n] = (struct stale){
			.connection = connections[h->n],
			.bar = !address_list_has(&h->wan,
						 &connections[h->n].reply_src.addr),
		};
	look->bar = look->both = true;
	while (look->at < h->n)
		end_batch(look);
	*ret_ended = look->ended;
	return look->failed;
}

int ending_of_address(const struct engine_parts *parts, const struct address_list *lost,
		      size_t *ret_ended)
{
	CLEANUP(ending_free) struct ending_look *look = NULL;
	int r;

	*ret_ended = 0;
	r = look_new(parts, ending_judge_lost, &look);
	if (r < 0)
		return r;
	look->harvest.lost = lost;
	return run(look, ret_ended);
}

static int end_judged(const struct engine_parts *parts, conntrack_entry judge, bool bar,
		      size_t *ret_ended)
{
	CLEANUP(ending_free) struct ending_look *look = NULL;
	size_t ended = 0;
	int r;

	r = look_new(parts, judge, &look);
	if (r < 0)
		return r;
	look->bar = bar;
	r = run(look, &ended);
	*ret_ended += ended;
	return r;
}

int ending_of_unruled(const struct engine_parts *parts, size_t *ret_ended)
{
	int r, other;

	*ret_ended = 0;
	r = end_judged(parts, ending_judge_unasked, true, ret_ended);
	other = end_judged(parts, ending_judge_untranslated, false, ret_ended);
	return r < 0 ? r : other;
}
