/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "rules/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rules/attr.h"
#include "rules/sets.h"

void fault_set(struct ruleset_fault *why, const char *format, ...)
{
	va_list args;

	if (!why)
		return;
	va_start(args, format);
	vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
}

static const struct nlattr *find_attr(const struct nlmsghdr *nlh, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == type)
			return attr;
	return NULL;
}

static const char *find_name(const struct nlmsghdr *nlh, uint16_t type)
{
	const struct nlattr *attr = find_attr(nlh, type);

	return attr ? attr_text(attr) : NULL;
}

/* The value of the key of the element that covers @offset. */
static const struct nlattr *find_key(const struct nlmsghdr *nlh, uint32_t offset)
{
	const struct nlattr *list = find_attr(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	const char *wanted = (const char *)nlh + offset;
	const struct nlattr *elem, *attr;

	if (!list || !offset)
		return NULL;
	mnl_attr_for_each_nested (elem, list) {
		if (wanted < (const char *)elem ||
		    wanted >= (const char *)elem + MNL_ALIGN(elem->nla_len))
			continue;
		mnl_attr_for_each_nested (attr, elem)
			if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_KEY)
				return mnl_attr_get_payload(attr);
	}
	return NULL;
}

static void describe_elements(const struct nlmsghdr *nlh, uint32_t offset, char *buf,
			      size_t room)
{
	const char *name = find_name(nlh, NFTA_SET_ELEM_LIST_SET);
	const struct set_spec *spec = name ? set_by_name(name) : NULL;
	const struct nlattr *key = find_key(nlh, offset);
	const char *what = spec && spec->data_len ? "map" : "set";
	char text[KEY_STRLEN];

	if (!key || !spec) {
		snprintf(buf, room, "elements of %s %s", what, name ? name : "?");
		return;
	}
	set_key_format(spec, mnl_attr_get_payload(key), mnl_attr_get_payload_len(key),
		       text);
	snprintf(buf, room, "element %s of %s %s", text, what, name);
}

static void describe_named(const char *kind, const char *name, char *buf, size_t room)
{
	snprintf(buf, room, "%s %s", kind, name ? name : "?");
}

static void describe_message(const struct nlmsghdr *nlh, uint32_t offset, char *buf,
			     size_t room)
{
	switch (nlh->nlmsg_type & 0xff) {
	case NFT_MSG_NEWSETELEM:
	case NFT_MSG_DELSETELEM:
		describe_elements(nlh, offset, buf, room);
		break;
	case NFT_MSG_NEWSET:
	case NFT_MSG_DELSET:
		describe_named("set", find_name(nlh, NFTA_SET_NAME), buf, room);
		break;
	case NFT_MSG_NEWCHAIN:
	case NFT_MSG_DELCHAIN:
		describe_named("chain", find_name(nlh, NFTA_CHAIN_NAME), buf, room);
		break;
	case NFT_MSG_NEWRULE:
	case NFT_MSG_DELRULE:
		describe_named("a rule of chain", find_name(nlh, NFTA_RULE_CHAIN), buf,
			       room);
		break;
	case NFT_MSG_NEWOBJ:
	case NFT_MSG_DELOBJ:
		describe_named("object", find_name(nlh, NFTA_OBJ_NAME), buf, room);
		break;
	default:
		describe_named("table inet", RULESET_TABLE, buf, room);
	}
}

void fault_describe(struct ruleset_fault *why, const struct nlmsghdr *nlh,
		    uint32_t offset, int error, const char *text)
{
	char what[KEY_STRLEN + 64];

	describe_message(nlh, offset, what, sizeof(what));
	fault_set(why, "%s: %s%s%s", what, strerror(error), text ? ", " : "",
		  text ? text : "");
}
