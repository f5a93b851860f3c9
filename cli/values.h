/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * values - what people type, read strictly, refused with a sentence
 *
 * Each returns 0, or -EINVAL with @why written; @ret is written on success only.
 */

#include "cli/flaw.h"
#include "core/mapping.h"
#include "core/target.h"

/**
 * value_ports() - "8080", "9000-9003", "https", "auto" or "0"
 * @protocols: bits; in all of them a service must have the same port. 0: in any
 * @ret:       of "auto" both are 0
 */
int value_ports(const char *text, uint8_t protocols, struct port_range *ret,
		struct flaw *why);
/** value_port() - as value_ports(), but one port */
int value_port(const char *text, uint8_t protocols, uint16_t *ret, struct flaw *why);
int value_protocols(const char *text, uint8_t *ret_bits, struct flaw *why);
int value_name(const char *text, struct flaw *why);
int value_comment(const char *text, struct flaw *why);
int value_id(const char *text, uint64_t *ret, struct flaw *why);
/** value_count() - 1..@max, of @option, which the sentence names */
int value_count(const char *option, const char *text, uint64_t max, uint64_t *ret,
		struct flaw *why);
/** value_timeout() - 1..86400 seconds */
int value_timeout(const char *text, unsigned int *ret, struct flaw *why);
/** value_lease() - seconds; 0 = static */
int value_lease(const char *text, uint32_t *ret, struct flaw *why);
/** value_prefix() - of @option */
int value_prefix(const char *option, const char *text, struct prefix *ret,
		 struct flaw *why);
/** value_wish() - "default", "yes", "no", "required", of @option or verb */
int value_wish(const char *option, const char *text, uint8_t *ret, struct flaw *why);
/** value_external() - an address for --at */
int value_external(const char *text, struct in6_addr *ret, struct flaw *why);

/**
 * value_target() - an internal host, with its port or ports or without
 *
 * As target_parse() reads it, and with a service's name as port, see value_ports().
 */
int value_target(const char *text, uint8_t protocols, struct target *ret,
		 struct flaw *why);
/** value_host() - as value_target(), and packets can be sent on to it */
int value_host(const char *text, uint8_t protocols, struct target *ret, struct flaw *why);
