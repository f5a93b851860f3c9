/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * values - what people type, read strictly, refused with a sentence
 *
 * Each returns 0, or -EINVAL with @why written; @ret is written on success only.
 */

#include "cli/flaw.h"
#include "core/mapping.h"

int value_port(const char *text, uint16_t *ret, struct flaw *why);
int value_protocols(const char *text, uint8_t *ret_bits, struct flaw *why);
int value_name(const char *text, struct flaw *why);
int value_id(const char *text, uint64_t *ret, struct flaw *why);
/** value_count() - 1..@max, of @option, which the sentence names */
int value_count(const char *option, const char *text, uint64_t max, uint64_t *ret,
		struct flaw *why);
/** value_timeout() - 1..86400 seconds */
int value_timeout(const char *text, unsigned int *ret, struct flaw *why);

/**
 * value_target() - an internal host, with its port or without
 *
 * "192.168.1.10:80", "192.168.1.10", "[2001:db8::10]:443", "[2001:db8::10]",
 * "2001:db8::10". @ret->port is 0 when none was given.
 */
int value_target(const char *text, struct endpoint *ret, struct flaw *why);
/** value_host() - as value_target(), and packets can be sent on to it */
int value_host(const char *text, struct endpoint *ret, struct flaw *why);
