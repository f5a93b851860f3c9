/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * One socket hears that something happened, another asks what is so. Messages are looked
 * at only to leave out those about interfaces that are none of ours (containers come and
 * go by the hundred); what is so is read anew, so that lost messages, or their order,
 * cannot leave a wrong picture.
 */

#include "natd/kernel/links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <linux/rtnetlink.h>

#include "core/cleanup.h"
#include "natd/common/log.h"
#include "natd/kernel/links_state.h"

#define FOLLOW_BUFFER (1024 * 1024)
#define DATAGRAM_MAX  (32 * 1024)
#define RETRY_USEC    1000000

struct links {
	struct rtnl *rtnl;
	struct links_state state;
	struct mnl_socket *follow;
	sd_event *event;
	sd_event_source *source;
	sd_event_source *retry;
	links_changed changed;
	void *userdata;
};

DEFINE_CLEANUP(links_close, struct links *)

/* ------------------------------------------------------------------ following */

static bool is_our_index(const struct links *links, int index)
{
	for (size_t i = 0; i < links->state.n_links; i++) {
		const struct link *link = &links->state.links[i];

		if (link->present && link->index == (unsigned int)index)
			return true;
	}
	return false;
}

static bool is_our_name(const struct links *links, const struct nlmsghdr *nlh)
{
	const struct nlattr *attr;

	mnl_attr_for_each (attr, nlh, sizeof(struct ifinfomsg)) {
		if (mnl_attr_get_type(attr) != IFLA_IFNAME)
			continue;
		for (size_t i = 0; i < links->state.n_links; i++) {
			if (!strcmp(links->state.links[i].name, rtnl_text(attr)))
				return true;
		}
	}
	return false;
}

static bool concerns_us(const struct links *links, const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);

	switch (nlh->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return rtnl_has(nlh, sizeof(*rtm)) && rtm->rtm_dst_len == 0;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return rtnl_has(nlh, sizeof(*ifi)) &&
		       (is_our_index(links, ifi->ifi_index) || is_our_name(links, nlh));
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return rtnl_has(nlh, sizeof(*ifa)) &&
		       is_our_index(links, (int)ifa->ifa_index);
	}
	return false;
}

/* Reads all messages that wait. Return: is any about our interfaces, or was one lost? */
static bool hear(struct links *links)
{
	_Alignas(struct nlmsghdr) char buf[DATAGRAM_MAX];
	const void *start = buf;
	bool concerns = false;

	for (;;) {
		ssize_t n = mnl_socket_recvfrom(links->follow, buf, sizeof(buf));
		int len = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return concerns;
		if (n < 0) {
			concerns = true;
			if (errno != ENOBUFS && errno != ENOSPC)
				return concerns;
			continue;
		}
		for (const struct nlmsghdr *nlh = start; mnl_nlmsg_ok(nlh, len);
		     nlh = mnl_nlmsg_next(nlh, &len))
			concerns = concerns || concerns_us(links, nlh);
	}
}

static void refresh(struct links *links);

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	refresh(userdata);
	return 0;
}

static void refresh_later(struct links *links, int error)
{
	log_warning("The interfaces cannot be read: %s. Trying again in a second.",
		    strerror(-error));
	links->retry = sd_event_source_unref(links->retry);
	sd_event_add_time_relative(links->event, &links->retry, CLOCK_MONOTONIC,
				   RETRY_USEC, 0, on_retry, links);
}

static void refresh(struct links *links)
{
	struct links_state now;
	int r;

	r = links_state_read(links->rtnl, &links->state, &now);
	if (r < 0) {
		refresh_later(links, r);
		return;
	}
	if (links_state_equal(&now, &links->state)) {
		links_state_done(&now);
		return;
	}
	links_state_done(&links->state);
	links->state = now;
	links->changed(links->userdata);
}

static int on_message(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct links *links = userdata;

	if (hear(links))
		refresh(links);
	return 0;
}

static int follow(struct links *links, sd_event *event)
{
	static const int size = FOLLOW_BUFFER;
	int fd;

	links->follow = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!links->follow)
		return -errno;
	fd = mnl_socket_get_fd(links->follow);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (mnl_socket_bind(links->follow,
			    RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
			    MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	links->event = sd_event_ref(event);
	return sd_event_add_io(event, &links->source, fd, EPOLLIN, on_message, links);
}

/* -------------------------------------------------------------- open and close */

int links_open(sd_event *event, const struct config *config, links_changed changed,
	       void *userdata, struct links **ret)
{
	CLEANUP(links_close) struct links *links = calloc(1, sizeof(*links));
	int r;

	if (!links)
		return -ENOMEM;
	links->changed = changed;
	links->userdata = userdata;
	r = rtnl_open(NETLINK_ROUTE, &links->rtnl);
	/* listen first, then read: what happens in between is heard */
	if (r == 0 && event)
		r = follow(links, event);
	if (r >= 0)
		r = links_configure(links, config);
	if (r < 0)
		return r;
	*ret = TAKE(links);
	return 0;
}

void links_close(struct links *links)
{
	if (!links)
		return;
	sd_event_source_disable_unref(links->retry);
	sd_event_source_disable_unref(links->source);
	sd_event_unref(links->event);
	if (links->follow)
		mnl_socket_close(links->follow);
	rtnl_close(links->rtnl);
	links_state_done(&links->state);
	free(links);
}

static int follow_routes(struct links *links)
{
	static const int groups[] = { RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE };

	for (size_t i = 0; i < ARRAY_SIZE(groups) && links->follow; i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(links->follow, NETLINK_ADD_MEMBERSHIP, &group,
					  sizeof(group)) < 0)
			return -errno;
	}
	return 0;
}

static int read_as(struct links *links, const struct links_state *names)
{
	struct links_state now;
	int r = 0;

	/* listen first, then read */
	if (names->gateways && !links->state.gateways)
		r = follow_routes(links);
	if (r == 0)
		r = links_state_read(links->rtnl, names, &now);
	if (r < 0)
		return r;
	links_state_done(&links->state);
	links->state = now;
	return 0;
}

int links_configure(struct links *links, const struct config *config)
{
	struct links_state names;

	links_state_name(&names, config);
	/* once followed they are: what was asked of them is yet to be withdrawn */
	names.gateways = links->state.gateways || config->upstream.enable;
	return read_as(links, &names);
}

int links_follow_gateways(struct links *links)
{
	struct links_state names = links->state;

	names.gateways = true;
	return read_as(links, &names);
}

/* -------------------------------------------------------------------- telling */

const struct link *links_list(const struct links *links, size_t *ret_n)
{
	*ret_n = links->state.n_links;
	return links->state.links;
}

struct address_list links_wan_addresses(const struct links *links)
{
	return (struct address_list){ .addrs = links->state.wan,
				      .n = links->state.n_wan };
}

size_t links_addresses(const struct links *links, const char *name, struct in6_addr *ret,
		       size_t max)
{
	const struct links_state *state = &links->state;
	size_t n = 0;

	for (size_t i = 0; i < state->n_addresses && n < max; i++) {
		if (!strcmp(state->links[state->addresses[i].link].name, name))
			ret[n++] = state->addresses[i].addr;
	}
	return n;
}

const struct prefix *links_masquerade6(const struct links *links, size_t *ret_n)
{
	*ret_n = links->state.n_masquerade6;
	return links->state.masquerade6;
}

struct lan_prefix_list links_lan_prefixes(const struct links *links)
{
	return (struct lan_prefix_list){
		.lans = links->state.lans,
		.n = links->state.n_lans,
	};
}

bool links_mtu_differs(const struct links *links)
{
	unsigned int wan = UINT32_MAX, lan = 0;

	for (size_t i = 0; i < links->state.n_links; i++) {
		const struct link *link = &links->state.links[i];

		if (!link->present)
			continue;
		if (link->wan && link->mtu < wan)
			wan = link->mtu;
		else if (!link->wan && link->mtu > lan)
			lan = link->mtu;
	}
	return wan < lan;
}

/* --------------------------------------------------------------------- routes */

struct route {
	unsigned int oif;
	unsigned char type;
};

static int on_route(void *userdata, const struct nlmsghdr *nlh)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct route *route = userdata;
	const struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWROUTE || !rtnl_has(nlh, sizeof(*rtm)))
		return 0;
	route->type = rtm->rtm_type;
	mnl_attr_for_each (attr, nlh, sizeof(*rtm)) {
		if (mnl_attr_get_type(attr) == RTA_OIF)
			route->oif = rtnl_u32(attr);
	}
	return 0;
}

static int ask_route(struct links *links, const struct in6_addr *addr, struct route *ret)
{
	bool v4 = address_is_ipv4(addr);
	const struct rtmsg to = {
		.rtm_family = v4 ? AF_INET : AF_INET6,
		.rtm_dst_len = v4 ? 32 : 128,
	};
	struct nlmsghdr *nlh = rtnl_put(links->rtnl, RTM_GETROUTE, 0, &to, sizeof(to));
	int r;

	*ret = (struct route){ .type = RTN_UNREACHABLE };
	if (v4)
		mnl_attr_put(nlh, RTA_DST, 4, &addr->s6_addr[12]);
	else
		mnl_attr_put(nlh, RTA_DST, sizeof(*addr), addr);
	r = rtnl_ask(links->rtnl, on_route, ret);
	return links_says_no_way(r) ? 0 : r;
}

static bool leaves_by_wan(const struct links *links, const struct route *route)
{
	for (size_t i = 0; i < links->state.n_links; i++) {
		const struct link *link = &links->state.links[i];

		if (link->wan && link->present && link->index == route->oif)
			return true;
	}
	return false;
}

int links_route_is_wan(struct links *links, const struct in6_addr *addr)
{
	struct route route;
	int r;

	r = ask_route(links, addr, &route);
	if (r < 0 || route.type != RTN_UNICAST)
		return r;
	return leaves_by_wan(links, &route);
}

int links_stray_route(struct links *links, int family, char ret[static IFNAMSIZ])
{
	char name[IFNAMSIZ];
	struct in6_addr to;
	struct route route;
	int r;

	links_somewhere(family, &to);
	r = ask_route(links, &to, &route);
	if (r < 0 || route.type != RTN_UNICAST || leaves_by_wan(links, &route) ||
	    !if_indextoname(route.oif, name))
		return r;
	memcpy(ret, name, sizeof(name));
	return 1;
}

int links_is_local(struct links *links, const struct in6_addr *addr)
{
	struct route route;
	int r;

	r = ask_route(links, addr, &route);
	return r < 0 ? r : route.type == RTN_LOCAL;
}
