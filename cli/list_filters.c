/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/list_filters.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "cli/text.h"
#include "cli/values.h"
#include "core/api.h"
#include "core/cleanup.h"

#define VALUE_STRLEN 128

void query_begin(struct query *query, const char *resource)
{
	snprintf(query->path, sizeof(query->path), "%s", resource);
	query->mark = '?';
}

void query_add(struct query *query, const char *key, const char *value)
{
	char quoted[3 * VALUE_STRLEN];

	text_append(query->path, sizeof(query->path), "%c%s=%s", query->mark, key,
		    text_quote(value, quoted, sizeof(quoted)));
	query->mark = '&';
}

/* What each makes of an option's value goes to @ret; 0, or -EINVAL with @why written. */

static int read_name(const struct args *args, const char *text,
		     char ret[static VALUE_STRLEN], struct flaw *why)
{
	if (value_name(text, why) < 0)
		return -EINVAL;
	snprintf(ret, VALUE_STRLEN, "%s", text);
	return 0;
}

static int read_proto(const struct args *args, const char *text,
		      char ret[static VALUE_STRLEN], struct flaw *why)
{
	uint8_t protocol;

	if (protocol_parse(text, &protocol) < 0)
		return flaw_set(why, "--proto %s: give tcp, udp, sctp or udplite.",
				*text ? text : "\"\"");
	snprintf(ret, VALUE_STRLEN, "%s", text);
	return 0;
}

/* Whose services are meant; 0 = any. */
static uint8_t protocol_bits(const struct args *args)
{
	const char *text = args_option(args, "--proto");
	uint8_t protocol;

	return text && protocol_parse(text, &protocol) == 0 ? protocol_bit(protocol) : 0;
}

static int read_port(const struct args *args, const char *text,
		     char ret[static VALUE_STRLEN], struct flaw *why)
{
	uint16_t port;

	if (value_port(text, protocol_bits(args), &port, why) < 0)
		return -EINVAL;
	snprintf(ret, VALUE_STRLEN, "%u", port);
	return 0;
}

static int read_to(const struct args *args, const char *text,
		   char ret[static VALUE_STRLEN], struct flaw *why)
{
	char shown[ENDPOINT_STRLEN];
	struct target target;
	struct endpoint e;

	if (value_target(text, protocol_bits(args), &target, why) < 0)
		return -EINVAL;
	e = (struct endpoint){ .addr = target.addr, .port = target.ports.first };
	if (target.ports.first != target.ports.last)
		return flaw_set(why, "--to %s: one port of the range is enough: %u.",
				text, e.port);
	if (e.port)
		endpoint_format(&e, shown);
	else
		address_format(&e.addr, shown);
	snprintf(ret, VALUE_STRLEN, "%s", shown);
	return 0;
}

static int read_state(const struct args *args, const char *text,
		      char ret[static VALUE_STRLEN], struct flaw *why)
{
	enum mapping_condition condition;

	if (condition_parse(text, &condition) < 0)
		return flaw_set(why,
				"--state %s: give active, disabled, waiting or shadowed.",
				*text ? text : "\"\"");
	snprintf(ret, VALUE_STRLEN, "%s", text);
	return 0;
}

static bool is_number(const char *text)
{
	const size_t len = strspn(text, "0123456789");

	return len && len <= 10 && !text[len];
}

/* "config", "uid:1000", "1000", "alice" */
static int read_owner(const struct args *args, const char *text,
		      char ret[static VALUE_STRLEN], struct flaw *why)
{
	const struct passwd *user;
	const char *colon = strchr(text, ':');
	const char *digits = colon ? colon + 1 : text;

	if (is_number(digits) &&
	    (!colon || !strncmp(text, "uid:", (size_t)(digits - text)))) {
		snprintf(ret, VALUE_STRLEN, "uid:%s", digits);
		return 0;
	}
	if (!strcmp(text, "config")) {
		snprintf(ret, VALUE_STRLEN, "config");
		return 0;
	}
	user = *text ? getpwnam(text) : NULL;
	if (!user)
		return flaw_set(
			why,
			"--owner %.60s: no user of this machine is called so. Give "
			"a user's name, uid:1000, or config.",
			*text ? text : "\"\"");
	snprintf(ret, VALUE_STRLEN, "uid:%u", user->pw_uid);
	return 0;
}

static int read_problems(const struct args *args, const char *text,
			 char ret[static VALUE_STRLEN], struct flaw *why)
{
	snprintf(ret, VALUE_STRLEN, "true");
	return 0;
}

static int read_remote(const struct args *args, const char *text,
		       char ret[static VALUE_STRLEN], struct flaw *why)
{
	struct prefix prefix;

	if (value_prefix("--remote", text, &prefix, why) < 0)
		return -EINVAL;
	snprintf(ret, VALUE_STRLEN, "%s", text);
	return 0;
}

int filters_read(const struct args *args, struct query *query, struct flaw *why)
{
	static const struct {
		const char *option, *key;
		int (*read)(const struct args *args, const char *text,
			    char ret[static VALUE_STRLEN], struct flaw *why);
	} filters[] = {
		{ "--name", "name", read_name },
		{ "--to", "to", read_to },
		{ "--proto", "protocol", read_proto },
		{ "--port", "port", read_port },
		{ "--state", "state", read_state },
		{ "--owner", "owner", read_owner },
		{ "--problems", "problems", read_problems },
		{ "--remote", "remote", read_remote },
	};
	char value[VALUE_STRLEN];

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		const char *text = args_option(args, filters[i].option);

		if (!text)
			continue;
		if (filters[i].read(args, text, value, why) < 0)
			return -EINVAL;
		query_add(query, filters[i].key, value);
	}
	return 0;
}
