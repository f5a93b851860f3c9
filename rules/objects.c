/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "rules/objects.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink_cttimeout.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "core/cleanup.h"
#include "rules/attr.h"

#define MISSED "missed"

static const char *const counters[] = { "spoofed", "refused", "invalid_in", "invalid_out",
					MISSED };

struct timer {
	uint16_t attr; /* CTA_TIMEOUT_* */
	uint32_t seconds;
};

#define TIMERS_MAX 7

/* What an object does not name is the kernel's default at its creation (an established
 * TCP connection: 5 days, more than the 2 h 4 min of RFC 5382 REQ-5). One object serves
 * both families, but for ICMP, which has a protocol for each. */
static const struct timeout {
	const char *name;
	uint16_t l3proto;
	uint8_t l4proto;
	struct timer timers[TIMERS_MAX];
} timeouts[] = {
	/* RFC 4787 REQ-5: 2 minutes at least, 5 recommended */
	{ "natd_udp",
	  NFPROTO_IPV4,
	  IPPROTO_UDP,
	  { { CTA_TIMEOUT_UDP_UNREPLIED, 120 }, { CTA_TIMEOUT_UDP_REPLIED, 300 } } },
	/* RFC 5382 REQ-5: transitory 4 minutes; RFC 7857 2.2: so long after RST too */
	{ "natd_tcp",
	  NFPROTO_IPV4,
	  IPPROTO_TCP,
	  { { CTA_TIMEOUT_TCP_SYN_SENT, 240 },
	    { CTA_TIMEOUT_TCP_SYN_RECV, 240 },
	    { CTA_TIMEOUT_TCP_FIN_WAIT, 240 },
	    { CTA_TIMEOUT_TCP_CLOSE_WAIT, 240 },
	    { CTA_TIMEOUT_TCP_LAST_ACK, 240 },
	    { CTA_TIMEOUT_TCP_TIME_WAIT, 240 },
	    { CTA_TIMEOUT_TCP_CLOSE, 240 } } },
	/* RFC 5508 REQ-2 */
	{ "natd_icmp", NFPROTO_IPV4, IPPROTO_ICMP, { { CTA_TIMEOUT_ICMP_TIMEOUT, 60 } } },
	{ "natd_icmp6",
	  NFPROTO_IPV6,
	  IPPROTO_ICMPV6,
	  { { CTA_TIMEOUT_ICMPV6_TIMEOUT, 60 } } },
	/* as UDP; where the kernel tracks it */
	{ "natd_udplite",
	  NFPROTO_IPV4,
	  IPPROTO_UDPLITE,
	  { { CTA_TIMEOUT_UDPLITE_UNREPLIED, 120 },
	    { CTA_TIMEOUT_UDPLITE_REPLIED, 300 } } },
};

static struct nlmsghdr *put_object(struct batch *b, const char *table, const char *name,
				   uint32_t type)
{
	struct nlmsghdr *nlh = batch_message(b, NFT_MSG_NEWOBJ, NLM_F_CREATE);

	if (!nlh)
		return NULL;
	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, name);
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(type));
	return nlh;
}

/* Whether it moved is what is asked of it. Starting somewhere, it also shows when
 * somebody has set it back, which the kernel tells nobody. */
static uint64_t missed_start(void)
{
	uint32_t start;

	if (getrandom(&start, sizeof(start), 0) != sizeof(start))
		start = (uint32_t)time(NULL);
	return (uint64_t)start << 24;
}

static void put_counter(struct batch *b, const char *name)
{
	struct nlmsghdr *nlh = put_object(b, RULESET_TABLE, name, NFT_OBJECT_COUNTER);
	struct nlattr *data;

	if (!nlh)
		return;
	data = mnl_attr_nest_start(nlh, NFTA_OBJ_DATA);
	if (strcmp(name, MISSED) == 0)
		mnl_attr_put_u64(nlh, NFTA_COUNTER_PACKETS, htobe64(missed_start()));
	mnl_attr_nest_end(nlh, data);
	batch_close(b, nlh);
}

static void put_timeout(struct batch *b, const char *table, const struct timeout *t)
{
	struct nlmsghdr *nlh = put_object(b, table, t->name, NFT_OBJECT_CT_TIMEOUT);
	struct nlattr *data, *policy;

	if (!nlh)
		return;
	data = mnl_attr_nest_start(nlh, NFTA_OBJ_DATA);
	mnl_attr_put_u16(nlh, NFTA_CT_TIMEOUT_L3PROTO, htons(t->l3proto));
	mnl_attr_put_u8(nlh, NFTA_CT_TIMEOUT_L4PROTO, t->l4proto);
	policy = mnl_attr_nest_start(nlh, NFTA_CT_TIMEOUT_DATA);
	for (size_t i = 0; i < TIMERS_MAX && t->timers[i].attr; i++)
		mnl_attr_put_u32(nlh, t->timers[i].attr, htonl(t->timers[i].seconds));
	mnl_attr_nest_end(nlh, policy);
	mnl_attr_nest_end(nlh, data);
	batch_close(b, nlh);
}

void object_put_timeout(struct batch *b, const char *table, const char *name,
			uint8_t protocol)
{
	put_timeout(b, table,
		    &(struct timeout){
			    .name = name, .l3proto = NFPROTO_IPV4, .l4proto = protocol });
}

void objects_put(struct batch *b, uint8_t protocols)
{
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		put_counter(b, counters[i]);
	for (size_t i = 0; i < ARRAY_SIZE(timeouts); i++)
		if (timeouts[i].l4proto != IPPROTO_UDPLITE ||
		    protocols & PROTOCOL_BIT_UDPLITE)
			put_timeout(b, RULESET_TABLE, &timeouts[i]);
}

void object_delete(struct batch *b, const char *name, uint32_t type)
{
	struct nlmsghdr *nlh = batch_message(b, NFT_MSG_DELOBJ, 0);

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, RULESET_TABLE);
	mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, name);
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(type));
	batch_close(b, nlh);
}

int object_parse(const struct nlmsghdr *nlh, struct object *ret)
{
	struct object o = { 0 };
	const struct nlattr *attr;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) == NFTA_OBJ_NAME)
			o.name = attr_text(attr);
		else if (mnl_attr_get_type(attr) == NFTA_OBJ_TYPE)
			o.type = ntohl(attr_u32(attr));
		else if (mnl_attr_get_type(attr) == NFTA_OBJ_DATA)
			o.data = attr;
	}
	if (!o.name || !o.type)
		return -EINVAL;
	*ret = o;
	return 0;
}

static const struct nlattr *find_nested(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *attr;

	if (!nest)
		return NULL;
	mnl_attr_for_each_nested (attr, nest)
		if (mnl_attr_get_type(attr) == type)
			return attr;
	return NULL;
}

static const struct timeout *timeout_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(timeouts); i++)
		if (strcmp(timeouts[i].name, name) == 0)
			return &timeouts[i];
	return NULL;
}

/* The kernel tells all timers of the protocol, its defaults among them; ours count. */
static void describe_timeout(const struct object *o, char *buf, size_t room)
{
	const struct nlattr *l4proto = find_nested(o->data, NFTA_CT_TIMEOUT_L4PROTO);
	const struct nlattr *l3proto = find_nested(o->data, NFTA_CT_TIMEOUT_L3PROTO);
	const struct nlattr *policy = find_nested(o->data, NFTA_CT_TIMEOUT_DATA);
	const struct timeout *ours = timeout_by_name(o->name);
	const struct nlattr *timer;
	size_t used;

	used = (size_t)snprintf(buf, room, "ct timeout %u %u",
				l3proto ? ntohs(attr_u16(l3proto)) : 0,
				l4proto ? attr_u8(l4proto) : 0);
	for (size_t i = 0; ours && i < TIMERS_MAX && ours->timers[i].attr; i++) {
		timer = find_nested(policy, ours->timers[i].attr);
		if (used < room)
			used += (size_t)snprintf(buf + used, room - used, " %u:%u",
						 ours->timers[i].attr,
						 timer ? ntohl(attr_u32(timer)) : 0);
	}
}

const char *object_describe(const struct object *o, char *buf, size_t room)
{
	if (o->type == NFT_OBJECT_CT_TIMEOUT)
		describe_timeout(o, buf, room);
	else
		snprintf(buf, room, "object type %u", o->type);
	return buf;
}

uint64_t object_packets(const struct object *o)
{
	const struct nlattr *packets = NULL;

	if (o->type == NFT_OBJECT_COUNTER)
		packets = find_nested(o->data, NFTA_COUNTER_PACKETS);
	return packets ? be64toh(attr_u64(packets)) : 0;
}
