/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What must be so with every row that is saved and every job that is sent.
 */

#include <string.h>

#include "up_world.h"

/* ------------------------------------------------------------ the store */

static struct upstream_row *row_by_id(uint64_t id)
{
	for (size_t i = 0; i < W.n_rows; i++) {
		if (W.rows[i].id == id)
			return &W.rows[i];
	}
	return NULL;
}

static bool row_is_of(const struct upstream_row *row, const struct worker_job *job)
{
	return row->protocol == job->protocol &&
	       row->internal_port == job->internal_port &&
	       address_equal(&row->internal, &job->internal) &&
	       address_equal(&row->router, &job->router);
}

const struct upstream_row *up_row(uint8_t protocol, uint16_t port)
{
	for (size_t i = 0; i < W.n_rows; i++) {
		if (W.rows[i].protocol == protocol && W.rows[i].internal_port == port)
			return &W.rows[i];
	}
	return NULL;
}

void up_save(const struct upstream_row *row, bool gone)
{
	struct upstream_row *at = row_by_id(row->id);

	if (gone) {
		if (at)
			*at = W.rows[--W.n_rows];
		return;
	}
	so(upstream_row_flaw(row) == NULL);
	so(at || W.n_rows < WORLD_ROWS);
	so(!at || memcmp(at->nonce, row->nonce, sizeof(row->nonce)) == 0);
	*(at ? at : &W.rows[W.n_rows++]) = *row;
}

/* ------------------------------------------------------------ what must be so */

size_t up_router_of(const struct in6_addr *addr)
{
	for (size_t i = 0; i < W.n_routers; i++) {
		if (address_equal(&W.routers[i].addr, addr))
			return i;
	}
	return WORLD_ROUTERS;
}

static enum upstream_speech speech_of(const struct worker_job *job)
{
	if (job_role(job->kind) == WORKER_IGD)
		return UPSTREAM_IGD;
	return job->kind == JOB_PCP_MAP ? UPSTREAM_PCP : UPSTREAM_NATPMP;
}

static void row_must_be_saved(const struct worker_job *job)
{
	const struct upstream_row *row = NULL;

	for (size_t i = 0; i < W.n_rows; i++) {
		if (row_is_of(&W.rows[i], job)) {
			so(row == NULL);
			row = &W.rows[i];
		}
	}
	so(row != NULL);
	so(row->speech == speech_of(job));
	if (job->kind == JOB_PCP_MAP)
		so(memcmp(row->nonce, job->nonce, sizeof(job->nonce)) == 0);
	if (job->kind == JOB_IGD_MAP && job->flags & JOB_FLAG_EXACT)
		so(job->external_port ==
		   (row->external_port ? row->external_port : row->internal_port));
}

/* A question without an answer is under way until it is asked again, 3 s at most. */
static void pace_must_be_kept(const struct worker_job *job)
{
	const size_t r = up_router_of(&job->router);
	const uint64_t patience = job->kind == JOB_PCP_MAP ? 2700 : 250;
	struct sent *sent = W.sent[r], *at = NULL;
	size_t under_way = 0;

	so(r < WORLD_ROUTERS);
	so(!W.last_sent[r] || W.now >= W.last_sent[r] + 20);
	W.last_sent[r] = W.now;
	for (size_t i = 0; i < 64; i++) {
		if (sent[i].serial == job->serial || (!at && !sent[i].open))
			at = &sent[i];
		if (sent[i].open && sent[i].until <= W.now)
			sent[i].open = false;
		under_way += sent[i].open && sent[i].serial != job->serial;
	}
	so(under_way < 4);
	if (at)
		*at = (struct sent){ job->serial, W.now + patience, true };
}

static bool is_datagram_question(const struct worker_job *job)
{
	return job_role(job->kind) == WORKER_DATAGRAM && job->kind != JOB_LISTEN &&
	       job->kind != JOB_IGNORE && job->kind != JOB_STUN_BIND;
}

void up_job_must_be_good(const struct worker_job *job)
{
	struct worker_job copy;

	so(worker_job_valid(job, sizeof(*job), &copy));
	if (job_role(job->kind) == WORKER_IGD) {
		so(W.igd_busy == 0);
		W.igd_busy = job->serial;
	} else if (is_datagram_question(job)) {
		pace_must_be_kept(job);
	}
	if (job->kind == JOB_PCP_MAP || job->kind == JOB_NATPMP_MAP ||
	    job->kind == JOB_IGD_MAP || job->kind == JOB_IGD_PINHOLE)
		row_must_be_saved(job);
}
