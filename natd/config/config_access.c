/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * config_access - who may do what
 */

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/duration.h"
#include "natd/config/config_parse.h"

/* Digits are an id; whether anybody has it is nobody's business. Return: false: none. */
static bool parse_id(const char *text, uint32_t *ret)
{
	unsigned long long number;
	char *end;

	if (!text[0] || strspn(text, "0123456789") != strlen(text))
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || number >= UINT32_MAX)
		return false;
	*ret = (uint32_t)number;
	return true;
}

/* Return: 0; -ENOENT; -errno of a database that cannot be asked. */
static int find_group(const char *name, uint32_t *ret)
{
	const struct group *group;

	errno = 0;
	group = getgrnam(name);
	if (!group)
		return errno ? -errno : -ENOENT;
	*ret = group->gr_gid;
	return 0;
}

static int find_user(const char *name, uint32_t *ret)
{
	const struct passwd *user;

	errno = 0;
	user = getpwnam(name);
	if (!user)
		return errno ? -errno : -ENOENT;
	*ret = user->pw_uid;
	return 0;
}

static int take_who(const struct config_block *block, struct access_rule *rule)
{
	const char *kind = rule->is_group ? "group" : "user";
	int r;

	if (parse_id(block->title, &rule->id))
		return 0;
	r = rule->is_group ? find_group(block->title, &rule->id)
			   : find_user(block->title, &rule->id);
	if (r < 0)
		return config_flaw(block->reader, block->line,
				   "there is no %s \"%.64s\" on this machine%s%s", kind,
				   block->title, r == -ENOENT ? "" : ": ",
				   r == -ENOENT ? "" : strerror(-r));
	return 0;
}

static int refuse_same(const struct config_block *block, const struct access_rule *rule)
{
	const struct access *access = &block->reader->config->access;

	for (size_t i = 0; i < access->n; i++) {
		const struct access_rule *other = &access->rules[i];

		if (other->is_group == rule->is_group && other->id == rule->id)
			return config_flaw(block->reader, block->line,
					   "%s %s has a rule already (line %u)",
					   rule->is_group ? "group" : "user",
					   block->title, block->reader->rule_lines[i]);
	}
	return 0;
}

static int take_quota(const struct config_block *block, uint32_t *ret)
{
	const struct config_word *word = config_block_word(block, "quota", 0);

	if (!word || !strcmp(word->text, "unlimited"))
		return 0;
	if (!parse_id(word->text, ret))
		return config_flaw(block->reader, word->line,
				   "quota = \"%.64s\" is none of: unlimited, a number of "
				   "mappings",
				   word->text);
	return 0;
}

static int take_max_lease(const struct config_block *block, uint32_t *ret)
{
	const struct config_word *word = config_block_word(block, "max-lease", 0);

	if (!word || !strcmp(word->text, "unlimited"))
		return 0;
	if (duration_parse(word->text, ret) < 0 || *ret == 0 ||
	    *ret > MAPPING_LIFETIME_MAX)
		return config_flaw(block->reader, word->line,
				   "max-lease = \"%.64s\" is none of: unlimited, a time "
				   "like 90s, 1h, 7d",
				   word->text);
	return 0;
}

static int take_grant(const struct config_block *block, struct grant *grant)
{
	int r;

	grant->quota = grant->max_lifetime = GRANT_UNLIMITED;
	r = config_ranges(block, "map", grant->map, &grant->n_map, GRANT_RANGES_MAX);
	if (r == 0)
		r = config_prefixes(block, "internal", grant->internal,
				    &grant->n_internal, GRANT_PREFIXES_MAX);
	if (r == 0)
		r = config_yes_no(block, "privileged", &grant->privileged);
	if (r == 0)
		r = take_quota(block, &grant->quota);
	if (r == 0)
		r = take_max_lease(block, &grant->max_lifetime);
	return r;
}

static int take_rule(const struct config_block *block, bool is_group)
{
	struct config_reader *reader = block->reader;
	struct access *access = &reader->config->access;
	struct access_rule rule = { .is_group = is_group };
	int r;

	if (access->n == ACCESS_RULES_MAX)
		return config_flaw(reader, block->line, "more than %d rules of access",
				   ACCESS_RULES_MAX);
	r = take_who(block, &rule);
	if (r == 0)
		r = refuse_same(block, &rule);
	if (r == 0)
		r = take_grant(block, &rule.grant);
	if (r < 0)
		return r;
	snprintf(rule.grant.rule, sizeof(rule.grant.rule), "%s \"%.40s\" (%.24s:%u)",
		 is_group ? "group" : "user", block->title,
		 config_base_name(reader->config), block->line);
	reader->rule_lines[access->n] = block->line;
	access->rules[access->n++] = rule;
	return 0;
}

int config_take_group(const struct config_block *block)
{
	return take_rule(block, true);
}

int config_take_user(const struct config_block *block)
{
	return take_rule(block, false);
}

/* Its rules were taken when they closed. */
int config_take_access(const struct config_block *block)
{
	struct access *access = &block->reader->config->access;
	int r;

	r = config_once(block, "access", &block->reader->access_line);
	if (r == 0)
		r = config_yes_no(block, "look", &access->look);
	access->given = true;
	return r;
}
