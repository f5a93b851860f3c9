/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * select - which forwards a command means: "tcp 8080", "tcp,udp 8080", "7", "web"
 */

#include "cli/args.h"
#include "core/change.h"

/** struct selection - owner of a heap array; zero-initialised it is empty */
struct selection {
	struct selector *selectors;
	size_t n;
};

/**
 * select_read() - from the first operands
 * @tail: operands behind them that are the verb's own
 *
 * Return: 0, -EINVAL with @why written, -ENOMEM.
 */
int select_read(const struct args *args, size_t tail, struct selection *ret,
		struct flaw *why);
/** select_word() - one id or name */
int select_word(const char *word, struct selector *ret, struct flaw *why);
void selection_done(struct selection *selection);
