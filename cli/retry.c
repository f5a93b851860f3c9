/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/retry.h"

#include <errno.h>
#include <time.h>

#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 5000

uint64_t retry_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool retry_is_of_use(int error)
{
	return error == -ENOENT || error == -ECONNREFUSED || error == -EAGAIN ||
	       error == -ECONNRESET || error == -ETIMEDOUT || error == -EPIPE;
}

void retry_later(struct retry *retry)
{
	const uint64_t now = retry_now();

	/* what held for so long was no failure */
	if (now > retry->at + PAUSE_MAX_MS)
		retry_anew(retry);
	retry->pause = retry->pause ? retry->pause * 2 : PAUSE_MIN_MS;
	if (retry->pause > PAUSE_MAX_MS)
		retry->pause = PAUSE_MAX_MS;
	retry->at = now + retry->pause;
}

void retry_anew(struct retry *retry)
{
	retry->pause = 0;
}

void retry_tell_gone(struct retry *retry, const struct session *session)
{
	if (!retry->gone)
		session_fault(session,
			      "natd is gone; natctl goes on as soon as it is back.");
	retry->gone = true;
}

void retry_tell_back(struct retry *retry, const struct session *session)
{
	if (retry->gone)
		session_fault(session, "natd is back.");
	retry->gone = false;
}
