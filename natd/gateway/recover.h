/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * recover - natd --recover: a new store where the present one cannot be trusted
 *
 * Of the kernel's table, where it has one: that is what is promised and kept at the
 * moment. Names, owners and dates come from rows of the damaged store that say the same,
 * else the forward becomes the file's, where the configuration has it, or an
 * administrator's. Without a kernel's table, of the rows that can still be read. What
 * neither tells (leases, what was disabled, ...) is said to be unknown.
 */

#include <stdio.h>

#include "natd/config/config.h"
#include "natd/store/store.h"

/** what does not fit into it is longer than a line of a terminal anyway */
struct recover_fault {
	char text[768];
};

/**
 * recover_store() - look, make it, and say on @out what was taken and what is lost
 *
 * A store that is right, and as new as the kernel's table, is left alone.
 *
 * Return: 0; -EBUSY when natd runs; -EPROTO when a newer natd wrote the store; what
 * store_open(), store_replace() and netlink say; @why is written.
 */
int recover_store(const struct config *config, const char *state, uint64_t now, FILE *out,
		  struct recover_fault *why);
