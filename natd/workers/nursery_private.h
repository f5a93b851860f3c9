/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * nursery_private - what natd's side and the nursery itself share
 */

#include <stdbool.h>

#include "natd/workers/nursery.h"

/** struct nursery_hello - the nursery's first packet: it is ready, or why it never will
 * be
 * @error: 0, or a negative errno and @text */
struct nursery_hello {
	int32_t error;
	char text[256];
};

/** nursery_request_valid() - is a packet of @len bytes a request? Return: true, and @ret
 * is a copy */
bool nursery_request_valid(const void *packet, size_t len, struct nursery_request *ret);
/** nursery_report_valid() - the same of a report that came with @n_fds descriptors */
bool nursery_report_valid(const void *packet, size_t len, size_t n_fds,
			  struct nursery_report *ret);

/**
 * nursery_child() - what the new process does; it never returns
 * @control: the nursery's end
 * @parent:  natd: whose death is the nursery's
 * @id:      as of nursery_start()
 */
_Noreturn void nursery_child(int control, pid_t parent, const struct identity *id);
