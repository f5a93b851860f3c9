/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * teardown - give back what routers above us hold, while natd is stopped
 */

#include "natd/store/store.h"
#include "natd/workers/nursery.h"

/* how long routers are waited for, altogether */
#define TEARDOWN_SECONDS 10

/**
 * teardown_withdraw() - everything that the store says was asked for
 * @ret_withdrawn, @ret_left: ports
 *
 * What no router confirmed stays in the store, and mapped there until its lifetime is
 * over.
 *
 * Return: 0, however many are left; -ENOMEM, what the store and sd-event said.
 */
int teardown_withdraw(struct store *store, const struct nursery *nursery,
		      size_t *ret_withdrawn, size_t *ret_left);
