/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * links_gateway - where the way to everywhere leads, by each WAN
 */

#include <errno.h>
#include <string.h>

#include <linux/rtnetlink.h>

#include "natd/kernel/links_state.h"

/* The kernel says by these that there is no way: none; unreachable; prohibit; blackhole,
 * or no address of that family on the interface; the interface is down, or gone. */
bool links_says_no_way(int error)
{
	return error == -ENETUNREACH || error == -EHOSTUNREACH || error == -EACCES ||
	       error == -EINVAL || error == -ENETDOWN || error == -ENODEV;
}

/*
 * An address that nobody has a route of its own for: the first of IPv4's addresses that
 * are given out, and the last of IPv6's (2000::/3).
 */
void links_somewhere(int family, struct in6_addr *ret)
{
	*ret = address_any4;
	if (family == AF_INET) {
		ret->s6_addr[12] = 1;
		return;
	}
	memset(ret, 0xff, sizeof(*ret));
	ret->s6_addr[0] = 0x3f;
}

struct way {
	struct link_gateway gateway;
	unsigned int oif;
};

static void read_address(const struct nlattr *attr, struct in6_addr *ret)
{
	const void *bytes = mnl_attr_get_payload(attr);

	switch (mnl_attr_get_payload_len(attr)) {
	case 4:
		*ret = address_any4;
		memcpy(&ret->s6_addr[12], bytes, 4);
		break;
	case sizeof(*ret):
		memcpy(ret, bytes, sizeof(*ret));
		break;
	}
}

static int on_way(void *userdata, const struct nlmsghdr *nlh)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct way *way = userdata;
	const struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWROUTE || !rtnl_has(nlh, sizeof(*rtm)) ||
	    rtm->rtm_type != RTN_UNICAST)
		return 0;
	mnl_attr_for_each (attr, nlh, sizeof(*rtm)) {
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
			way->oif = rtnl_u32(attr);
			break;
		case RTA_GATEWAY:
			read_address(attr, &way->gateway.gateway);
			break;
		case RTA_PREFSRC:
			read_address(attr, &way->gateway.source);
			break;
		}
	}
	return 0;
}

/* A next hop of the other family (RTA_VIA), or none at all, is nobody to ask. */
static bool leads_up(const struct way *way, const struct link *link, int family)
{
	const bool ipv4 = family == AF_INET;

	return way->oif == link->index && !address_is_any(&way->gateway.gateway) &&
	       address_is_ipv4(&way->gateway.gateway) == ipv4 &&
	       !address_is_any(&way->gateway.source) &&
	       address_is_ipv4(&way->gateway.source) == ipv4;
}

int links_read_gateway(struct rtnl *rtnl, const struct link *link, int family,
		       struct link_gateway *ret)
{
	const struct rtmsg to = {
		.rtm_family = (unsigned char)family,
		.rtm_dst_len = family == AF_INET ? 32 : 128,
	};
	struct nlmsghdr *nlh = rtnl_put(rtnl, RTM_GETROUTE, 0, &to, sizeof(to));
	struct way way = { .oif = 0 };
	struct in6_addr addr;
	int r;

	links_somewhere(family, &addr);
	if (family == AF_INET)
		mnl_attr_put(nlh, RTA_DST, 4, &addr.s6_addr[12]);
	else
		mnl_attr_put(nlh, RTA_DST, sizeof(addr), &addr);
	mnl_attr_put_u32(nlh, RTA_OIF, link->index);
	r = rtnl_ask(rtnl, on_way, &way);
	if (r < 0 && !links_says_no_way(r))
		return r;
	*ret = (struct link_gateway){ .gateway = in6addr_any };
	if (r == 0 && leads_up(&way, link, family))
		*ret = way.gateway;
	return 0;
}
