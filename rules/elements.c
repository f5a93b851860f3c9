/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "rules/elements.h"

#include <arpa/inet.h>
#include <endian.h>

#include "rules/attr.h"

static const struct nlattr *nested(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested (attr, nest)
		if (mnl_attr_get_type(attr) == type)
			return attr;
	return NULL;
}

static const uint8_t *value_of(const struct nlattr *nest, uint16_t *ret_len)
{
	const struct nlattr *value = nested(nest, NFTA_DATA_VALUE);

	*ret_len = value ? mnl_attr_get_payload_len(value) : 0;
	return value ? mnl_attr_get_payload(value) : NULL;
}

static void read_verdict(const struct nlattr *data, struct counted *e)
{
	const struct nlattr *verdict = nested(data, NFTA_DATA_VERDICT), *attr;

	if (!verdict)
		return;
	mnl_attr_for_each_nested (attr, verdict) {
		if (mnl_attr_get_type(attr) == NFTA_VERDICT_CODE)
			e->verdict = (int32_t)ntohl(attr_u32(attr));
		else if (mnl_attr_get_type(attr) == NFTA_VERDICT_CHAIN)
			e->chain = attr_text(attr);
	}
}

uint64_t counted_packets(const struct counted *e)
{
	const struct nlattr *data =
		e->counter ? nested(e->counter, NFTA_EXPR_DATA) : NULL;
	const struct nlattr *packets = data ? nested(data, NFTA_COUNTER_PACKETS) : NULL;

	return packets ? be64toh(attr_u64(packets)) : 0;
}

static void read_element(const struct nlattr *elem, struct counted *e)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested (attr, elem) {
		switch (mnl_attr_get_type(attr)) {
		case NFTA_SET_ELEM_KEY:
			e->key = value_of(attr, &e->key_len);
			break;
		case NFTA_SET_ELEM_KEY_END:
			e->end = value_of(attr, &e->end_len);
			break;
		case NFTA_SET_ELEM_DATA:
			e->data = value_of(attr, &e->data_len);
			read_verdict(attr, e);
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
