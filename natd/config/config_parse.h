/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * config_parse - natd.conf's schema: from libconfuse's blocks to struct config
 */

#include "natd/config/config.h"
#include "natd/config/config_text.h"

/**
 * struct config_reader - a configuration in the making
 * @config: what was read so far
 * @why:    the first flaw
 * @error:  0 until there is one
 * @wan_line, ...: where the block begins; 0 = none so far
 * @wan_lines, ...: of each element of the lists in @config
 * @room:   of config->forwards
 * @text:   borrowed
 * @n_closed, @n_inner: blocks of it that were read, and blocks inside of those
 */
struct config_reader {
	struct config *config;
	struct config_flaw *why;
	int error;
	unsigned int wan_line, lan_line, firewall_line;
	unsigned int ports_line, outbound_line, access_line;
	unsigned int upstream_line, url_line;
	unsigned int wan_lines[RULESET_WANS_MAX];
	unsigned int lan_lines[RULESET_LANS_MAX];
	unsigned int open_lines[RULESET_OPEN_MAX];
	unsigned int snat_lines[SNAT_MAX];
	unsigned int rule_lines[ACCESS_RULES_MAX];
	size_t room;
	const struct config_text *text;
	size_t n_closed, n_inner;
};

/** config_flaw() - "FILE:LINE: ..."; the first one stays. Return: -EINVAL */
int config_flaw(struct config_reader *reader, unsigned int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * config_parse() - read reader->text, after config_text_clean(), into reader->config
 *
 * Return: 0; -EINVAL with reader->why written; -ENOMEM. Not to be called from two threads
 * at once.
 */
int config_parse(struct config_reader *reader);

/**
 * struct config_word - one value as it stands in the file
 */
struct config_word {
	unsigned int line;
	char text[];
};

/**
 * struct config_block - the values of one block, by name
 * @title: of a forward and the like; else NULL
 * @line:  where it begins
 *
 * All borrowed; @section is libconfuse's.
 */
struct config_block {
	struct config_reader *reader;
	void *section;
	const char *title;
	unsigned int line;
};

/** config_block_word() - the @i-th value of option @name, or NULL */
const struct config_word *config_block_word(const struct config_block *block,
					    const char *name, unsigned int i);

/** config_block_has() - is option @name given, be it an empty list? */
bool config_block_has(const struct config_block *block, const char *name);

/** config_once() - is this the second block of its kind? Else remember where it stands.
 * Return: 0 or -EINVAL, here and below */
int config_once(const struct config_block *block, const char *name, unsigned int *line);
/** config_choice() - one of @words, ended by NULL; *ret keeps what it is when @word is
 * NULL */
int config_choice(struct config_reader *reader, const struct config_word *word,
		  const char *what, const char *const words[], unsigned int *ret);
/** config_yes_no() - *ret keeps what it is where there is no such word */
int config_yes_no(const struct config_block *block, const char *what, bool *ret);
/** config_ranges() - append the ranges of ports of list @what */
int config_ranges(const struct config_block *block, const char *what,
		  struct port_range *ret, size_t *ret_n, size_t max);
int config_prefix(const struct config_block *block, const struct config_word *word,
		  const char *what, struct prefix *ret);
int config_prefixes(const struct config_block *block, const char *what,
		    struct prefix *ret, size_t *ret_n, size_t max);
/** config_base_name() - of the file, without its directory; borrowed */
const char *config_base_name(const struct config *config);

/* The values of each kind of block, checked and put into the configuration. Return: 0,
 * -EINVAL with the flaw written, -ENOMEM. */
int config_take_top(const struct config_block *block);
int config_take_wan(const struct config_block *block);
int config_take_lan(const struct config_block *block);
int config_take_firewall(const struct config_block *block);
int config_take_ports(const struct config_block *block);
int config_take_outbound(const struct config_block *block);
int config_take_snat(const struct config_block *block);
int config_take_upstream(const struct config_block *block);
int config_take_access(const struct config_block *block);
int config_take_group(const struct config_block *block);
int config_take_user(const struct config_block *block);
int config_take_forward(const struct config_block *block);

/** config_check_upstream() - what only the whole shows: is it to be asked for what
 * forwards wish? */
int config_check_upstream(struct config_reader *reader);
