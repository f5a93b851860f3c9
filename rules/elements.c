/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "rules/elements.h"

#include <arpa/inet.h>
#include <endian.h>

#include "rules/attr.h"

static const struct nlattr *value_of(const struct nlattr *nest)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested (attr, nest)
		if (mnl_attr_get_type(attr) == NFTA_DATA_VALUE)
			return attr;
	return NULL;
}

uint64_t counted_packets(const struct counted *e)
{
	const struct nlattr *attr, *data = NULL;

	if (!e->counter)
		return 0;
	mnl_attr_for_each_nested (attr, e->counter)
		if (mnl_attr_get_type(attr) == NFTA_EXPR_DATA)
			data = attr;
	if (!data)
		return 0;
	mnl_attr_for_each_nested (attr, data)
		if (mnl_attr_get_type(attr) == NFTA_COUNTER_PACKETS)
			return be64toh(attr_u64(attr));
	return 0;
}

static void read_element(const struct nlattr *elem, struct counted *e)
{
	const struct nlattr *attr, *value;

	mnl_attr_for_each_nested (attr, elem) {
		switch (mnl_attr_get_type(attr)) {
		case NFTA_SET_ELEM_KEY:
			value = value_of(attr);
			e->key = value ? mnl_attr_get_payload(value) : NULL;
			e->key_len = value ? mnl_attr_get_payload_len(value) : 0;
			break;
		case NFTA_SET_ELEM_DATA:
			value = value_of(attr);
			e->data = value ? mnl_attr_get_payload(value) : NULL;
			e->data_len = value ? mnl_attr_get_payload_len(value) : 0;
			break;
		case NFTA_SET_ELEM_FLAGS:
			e->flags = ntohl(attr_u32(attr));
			break;
		case NFTA_SET_ELEM_EXPR:
			e->counter = attr;
			break;
		default:
			break;
		}
	}
}

int elements_each(const struct nlmsghdr *nlh,
		  int (*on_element)(void *userdata, const struct counted *e),
		  void *userdata)
{
	const struct nlattr *attr, *elem;
	struct counted e;
	int r;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested (elem, attr) {
			e = (struct counted){ 0 };
			read_element(elem, &e);
			r = on_element(userdata, &e);
			if (r)
				return r;
		}
	}
	return 0;
}
