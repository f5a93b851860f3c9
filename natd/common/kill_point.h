/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * kill_point - places where a test kills natd
 *
 * Nothing of it is in natd: KILL_POINT() is empty but in a build of its own for the tests
 * (-DNATD_KILL_POINTS). There NATD_KILL_AT=NAME in the environment makes natd kill
 * itself when it comes by, and NATD_KILL_AT=list prints the names.
 */

enum kill_point {
	KILL_STORE_LOCKED,   /* store_open(): nothing of it has begun */
	KILL_STORE_MIGRATED, /* the schema is written, and not committed */
	KILL_STORE_BUILT,    /* a first natd.db is complete, and has another name */
	KILL_STORE_OPENED,
	KILL_RECOVERED,	      /* --recover: the new store is complete beside the old */
	KILL_LOG_REMOVED,     /* the old one's log is gone, the old one is there */
	KILL_SYNC_BEGIN,      /* at start, the kernel is as the last natd left it */
	KILL_SYNC_DONE,	      /* the kernel is in line, connections are not */
	KILL_STRAYS_ENDED,    /* connections are in line, too */
	KILL_STAGED,	      /* engine: a turn's plan stands */
	KILL_STORE_BEGUN,     /* rows are in the log, uncommitted */
	KILL_KERNEL_APPLIED,  /* the kernel has it, the store does not */
	KILL_STORE_COMMITTED, /* durable, and not in the table */
	KILL_TABLE_COMMITTED, /* connections still go their old ways */
	KILL_BARRED,	      /* the tuples are in ended4/6, the entries alive */
	KILL_ENDED,	      /* nobody has been answered */
	KILL_ANSWERED,
	KILL_RELOAD_RULES,   /* the new fixed rules are in force, the forwards not */
	KILL_RELOAD_DONE,    /* all is, and nobody was told */
	KILL_UPSTREAM_ROWS,  /* what is to be asked of a router is noted nowhere */
	KILL_UPSTREAM_SAVED, /* it is noted, and nobody was asked */
	KILL_UPSTREAM_ASKED, /* the worker has it, and may have sent it */
	KILL_UPSTREAM_TOLD,  /* the router answered, and that is noted nowhere */
};

#ifdef NATD_KILL_POINTS
void kill_point(enum kill_point point);
#define KILL_POINT(point) kill_point(point)
#else
#define KILL_POINT(point) ((void)0)
#endif
