/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * fault - which step of a transaction the kernel refused, in words
 *
 * For most faults the kernel gives no text, only the number of the message and the
 * place of the attribute within it. That is enough to name the element.
 */

#include "rules/batch.h"

/**
 * fault_describe() - "element tcp . 8080 of map forward4: File exists"
 * @nlh:    the message that was refused
 * @offset: of the attribute in @nlh, 0 when not known
 * @error:  positive errno
 * @text:   what the kernel said, or NULL
 */
void fault_describe(struct ruleset_fault *why, const struct nlmsghdr *nlh,
		    uint32_t offset, int error, const char *text);

/** fault_set() - printf into @why, which may be NULL */
void fault_set(struct ruleset_fault *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
