/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * workers - workers that do not exist: what they are sent is shown to the test
 */

#include "natd/workers/workers.h"

/**
 * struct fake_workers
 * @take:    a job; 0, or what workers_send() is to say
 * @parts:   of the last workers_new(): answers go to @parts.answer, from the loop
 */
struct fake_workers {
	int (*take)(enum worker_role role, const struct worker_job *job);
	struct workers_parts parts;
};

extern struct fake_workers fake_workers;
