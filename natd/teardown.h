/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * teardown - give back what routers above us hold, while natd is stopped
 */

#include "natd/store/store.h"
#include "natd/workers/nursery.h"
#include "natd/workers/reach.h"

/* how long routers are waited for, altogether */
#define TEARDOWN_SECONDS 10

/**
 * struct teardown_result - ports
 * @left:    that no router confirmed: in the store still, and mapped there until their
 *           lifetime is over
 * @damaged: that cannot be read in the store: nobody was asked
 */
struct teardown_result {
	size_t withdrawn, left, damaged;
};

/**
 * teardown_withdraw() - everything that the store says was asked for
 * @reach: this process is confined to it, as natd is while it runs, before any router is
 *         spoken with
 *
 * Return: 0, however many are left; -ENOMEM, what confine(), the store and sd-event said.
 */
int teardown_withdraw(struct store *store, const struct nursery *nursery,
		      const struct reach *reach, struct teardown_result *ret);
