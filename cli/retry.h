/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * retry - natd has gone, and is looked for again
 *
 * The first pause is short, for a natd that is merely started anew, and each is twice as
 * long as the one before it, until one has held for a while.
 */

#include "cli/session.h"

/**
 * struct retry - zero-initialised natd is there
 * @at:    when to look next, by retry_now()
 * @pause: the last one, milliseconds
 * @gone:  that was said
 */
struct retry {
	uint64_t at;
	unsigned int pause;
	bool gone;
};

/** retry_now() - milliseconds of a clock that nobody sets */
uint64_t retry_now(void);
/** retry_is_of_use() - may what client_ask() returned pass by itself? */
bool retry_is_of_use(int error);
/** retry_later() - settle @retry->at */
void retry_later(struct retry *retry);
/** retry_anew() - all is well: the next pause is a short one */
void retry_anew(struct retry *retry);

/** retry_tell_gone(), retry_tell_back() - say so, once */
void retry_tell_gone(struct retry *retry, const struct session *session);
void retry_tell_back(struct retry *retry, const struct session *session);
