/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "natd/kernel/links_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "core/cleanup.h"

/* A dump is torn when an address comes or goes meanwhile. */
#define TRIES 8

/* not in <net/if.h>, and <linux/if.h> does not go together with that */
#define LINK_LOWER_UP (1u << 16)

static void add_names(struct links_state *state, const char (*names)[IFNAMSIZ], size_t n,
		      bool wan)
{
	for (size_t i = 0; i < n; i++) {
		struct link *link = &state->links[state->n_links++];

		link->wan = wan;
		strncpy(link->name, names[i], sizeof(link->name) - 1);
	}
}

void links_state_name(struct links_state *state, const struct config *config)
{
	*state = (struct links_state){ .mode = config->masquerade6 };
	add_names(state, config->options.wan, config->options.n_wan, true);
	add_names(state, config->options.lan, config->options.n_lan, false);
}

void links_state_done(struct links_state *state)
{
	free(state->addresses);
	free(state->wan);
	free(state->masquerade6);
	*state = (struct links_state){ 0 };
}

static bool same_links(const struct links_state *a, const struct links_state *b)
{
	for (size_t i = 0; i < a->n_links; i++) {
		const struct link *x = &a->links[i], *y = &b->links[i];

		if (strcmp(x->name, y->name) || x->wan != y->wan ||
		    x->present != y->present || x->up != y->up || x->index != y->index ||
		    x->mtu != y->mtu ||
		    memcmp(x->gateways, y->gateways, sizeof(x->gateways)))
			return false;
	}
	return true;
}

bool links_state_equal(const struct links_state *a, const struct links_state *b)
{
	if (a->mode != b->mode || a->gateways != b->gateways ||
	    a->n_links != b->n_links || a->n_addresses != b->n_addresses ||
	    !same_links(a, b))
		return false;
	if (memcmp(a->lans, b->lans, sizeof(a->lans)) != 0)
		return false;
	return !a->n_addresses || !memcmp(a->addresses, b->addresses,
					  a->n_addresses * sizeof(*a->addresses));
}

/* --------------------------------------------------------------------- links */

/* An alternative name finds the interface as well; rules match the name alone. */
static int on_link(void *userdata, const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct link *link = userdata;
	const struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWLINK || !rtnl_has(nlh, sizeof(*ifi)))
		return 0;
	link->index = (unsigned int)ifi->ifi_index;
	link->up = ifi->ifi_flags & IFF_UP && ifi->ifi_flags & LINK_LOWER_UP;
	mnl_attr_for_each (attr, nlh, sizeof(*ifi)) {
		if (mnl_attr_get_type(attr) == IFLA_IFNAME)
			link->present = !strcmp(rtnl_text(attr), link->name);
		else if (mnl_attr_get_type(attr) == IFLA_MTU)
			link->mtu = rtnl_u32(attr);
	}
	return 0;
}

static int read_link(struct rtnl *rtnl, struct link *link)
{
	static const struct ifinfomsg any = { .ifi_family = AF_UNSPEC };
	struct link found = { .wan = link->wan };
	struct nlmsghdr *nlh;
	int r;

	memcpy(found.name, link->name, sizeof(found.name));
	nlh = rtnl_put(rtnl, RTM_GETLINK, 0, &any, sizeof(any));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, link->name);
	r = rtnl_ask(rtnl, on_link, &found);
	if (r < 0 && r != -ENODEV)
		return r;
	if (found.present)
		*link = found;
	return 0;
}

/* ----------------------------------------------------------------- addresses */

/**
 * struct choice - the best prefix so far for a LAN
 * @since: when its address came, in the kernel's hundredths of a second
 */
struct choice {
	bool found, deprecated;
	uint32_t since;
	struct in6_addr prefix;
};

struct reading {
	struct links_state *state;
	size_t room;
	uint8_t link;
	struct choice choice;
};

static int keep_address(struct reading *r, const struct in6_addr *addr,
			uint8_t prefix_len)
{
	struct links_state *state = r->state;

	if (state->n_addresses == r->room) {
		size_t room = r->room ? 2 * r->room : 16;
		void *more =
			reallocarray(state->addresses, room, sizeof(*state->addresses));

		if (!more)
			return -ENOMEM;
		state->addresses = more;
		r->room = room;
	}
	state->addresses[state->n_addresses++] = (struct link_address){
		.link = r->link,
		.prefix_len = prefix_len,
		.addr = *addr,
	};
	return 0;
}

/**
 * struct found_address - what a message says of an address
 * @own: IFA_LOCAL where there is one: on a point-to-point link IFA_ADDRESS is the peer's
 * @since: when it came, 0 = not said
 */
struct found_address {
	const struct nlattr *own;
	uint32_t flags;
	uint32_t since;
};

static uint32_t since_of(const struct nlattr *attr)
{
	struct ifa_cacheinfo info;

	if (mnl_attr_get_payload_len(attr) < sizeof(info))
		return 0;
	memcpy(&info, mnl_attr_get_payload(attr), sizeof(info));
	return info.cstamp;
}

static struct found_address parse_address(const struct nlmsghdr *nlh)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct found_address found = { .flags = ifa->ifa_flags };
	const struct nlattr *attr;

	mnl_attr_for_each (attr, nlh, sizeof(*ifa)) {
		uint16_t type = mnl_attr_get_type(attr);

		if (type == IFA_LOCAL || (type == IFA_ADDRESS && !found.own))
			found.own = attr;
		else if (type == IFA_FLAGS)
			found.flags = rtnl_u32(attr);
		else if (type == IFA_CACHEINFO)
			found.since = since_of(attr);
	}
	return found;
}

static bool scope_counts(const struct ifaddrmsg *ifa)
{
	if (ifa->ifa_family == AF_INET)
		return ifa->ifa_scope <= RT_SCOPE_SITE;
	return ifa->ifa_family == AF_INET6 && ifa->ifa_scope == RT_SCOPE_UNIVERSE;
}

/* Return: false when @found holds no address of the family. */
static bool read_address(const struct ifaddrmsg *ifa, const struct found_address *found,
			 struct in6_addr *ret)
{
	const size_t skip = ifa->ifa_family == AF_INET ? 12 : 0;
	const size_t len = sizeof(*ret) - skip;

	if (!found->own || mnl_attr_get_payload_len(found->own) < len ||
	    ifa->ifa_prefixlen > 8 * len)
		return false;
	*ret = address_any4;
	memcpy(&ret->s6_addr[skip], mnl_attr_get_payload(found->own), len);
	return true;
}

static bool is_global_unicast(const struct in6_addr *addr)
{
	return (addr->s6_addr[0] & 0xe0) == 0x20; /* 2000::/3, RFC 4291 2.4 */
}

static bool is_better(const struct choice *a, const struct choice *b)
{
	if (!b->found || a->deprecated != b->deprecated)
		return !b->found || !a->deprecated;
	if (a->since != b->since)
		return a->since > b->since;
	return memcmp(&a->prefix, &b->prefix, sizeof(a->prefix)) < 0;
}

/* Hosts choose the last 64 bits of their address (RFC 4291 2.5.1), so a longer prefix has
 * none that could be one of theirs. */
static void consider_prefix(struct reading *r, const struct in6_addr *addr,
			    const struct found_address *found, uint8_t prefix_len)
{
	struct choice choice = {
		.found = true,
		.deprecated = found->flags & IFA_F_DEPRECATED,
		.since = found->since,
		.prefix = *addr,
	};

	if (!is_global_unicast(addr) || prefix_len > 64)
		return;
	memset(choice.prefix.s6_addr + 8, 0, 8);
	if (is_better(&choice, &r->choice))
		r->choice = choice;
}

static int on_address(void *userdata, const struct nlmsghdr *nlh)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct found_address found;
	struct reading *r = userdata;
	struct in6_addr addr;

	if (nlh->nlmsg_type != RTM_NEWADDR || !rtnl_has(nlh, sizeof(*ifa)))
		return 0;
	found = parse_address(nlh);
	if (!scope_counts(ifa) || ifa->ifa_index != r->state->links[r->link].index ||
	    found.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED) ||
	    !read_address(ifa, &found, &addr) || address_is_link_local(&addr))
		return 0;
	consider_prefix(r, &addr, &found, ifa->ifa_prefixlen);
	return keep_address(r, &addr, ifa->ifa_prefixlen);
}

static int read_addresses(struct rtnl *rtnl, struct reading *reading)
{
	struct ifaddrmsg of = { .ifa_family = AF_UNSPEC };
	size_t before = reading->state->n_addresses;
	int r = -EINTR;

	of.ifa_index = reading->state->links[reading->link].index;
	for (int i = 0; i < TRIES && r == -EINTR; i++) {
		reading->state->n_addresses = before;
		reading->choice = (struct choice){ .found = false };
		rtnl_put(rtnl, RTM_GETADDR, NLM_F_DUMP, &of, sizeof(of));
		r = rtnl_ask(rtnl, on_address, reading);
	}
	/* the interface went while we asked */
	return r == -ENODEV ? 0 : r;
}

static int by_link_and_address(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct link_address));
}

/* ------------------------------------------------------------- what follows */

static int by_bytes16(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct in6_addr));
}

static int derive_wan(struct links_state *state)
{
	size_t n = 0;

	state->wan = calloc(state->n_addresses + 1, sizeof(*state->wan));
	if (!state->wan)
		return -ENOMEM;
	for (size_t i = 0; i < state->n_addresses; i++) {
		if (state->links[state->addresses[i].link].wan)
			state->wan[n++] = state->addresses[i].addr;
	}
	qsort(state->wan, n, sizeof(*state->wan), by_bytes16);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || !address_equal(&state->wan[i], &state->wan[i - 1]))
			state->wan[state->n_wan++] = state->wan[i];
	}
	return 0;
}

static bool has_global_unicast(const struct links_state *state, uint8_t link)
{
	for (size_t i = 0; i < state->n_addresses; i++) {
		if (state->addresses[i].link == link &&
		    is_global_unicast(&state->addresses[i].addr))
			return true;
	}
	return false;
}

static struct prefix prefix_of(const struct link_address *a)
{
	struct prefix prefix = { .addr = a->addr, .len = a->prefix_len };

	for (unsigned int bit = prefix.len; bit < 128; bit++)
		prefix.addr.s6_addr[bit / 8] &= (uint8_t)~(0x80u >> bit % 8);
	return prefix;
}

static void add_prefix(struct links_state *state, const struct prefix *prefix)
{
	for (size_t i = 0; i < state->n_masquerade6; i++) {
		if (address_equal(&state->masquerade6[i].addr, &prefix->addr) &&
		    state->masquerade6[i].len == prefix->len)
			return;
	}
	state->masquerade6[state->n_masquerade6++] = *prefix;
}

static int by_prefix(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct prefix));
}

static int derive_masquerade6(struct links_state *state)
{
	static const struct prefix everything = { .len = 0 };

	state->masquerade6 = calloc(state->n_addresses + 1, sizeof(*state->masquerade6));
	if (!state->masquerade6)
		return -ENOMEM;
	switch (state->mode) {
	case MASQUERADE6_NO:
		return 0;
	case MASQUERADE6_YES:
		add_prefix(state, &everything);
		return 0;
	case MASQUERADE6_AUTO:
		break;
	}
	for (size_t i = 0; i < state->n_addresses; i++) {
		const struct link_address *a = &state->addresses[i];
		struct prefix prefix = prefix_of(a);

		if (!state->links[a->link].wan && address_is_ula(&a->addr) &&
		    !has_global_unicast(state, a->link))
			add_prefix(state, &prefix);
	}
	qsort(state->masquerade6, state->n_masquerade6, sizeof(*state->masquerade6),
	      by_prefix);
	return 0;
}

static void keep_choice(struct links_state *state, const struct link *link,
			const struct choice *choice)
{
	struct lan_prefix *lan;

	if (link->wan)
		return;
	lan = &state->lans[state->n_lans++];
	memcpy(lan->lan, link->name, sizeof(lan->lan));
	lan->prefix = choice->prefix;
}

static int read_gateways(struct rtnl *rtnl, struct link *link)
{
	int r;

	r = links_read_gateway(rtnl, link, AF_INET, &link->gateways[0]);
	return r < 0 ? r : links_read_gateway(rtnl, link, AF_INET6, &link->gateways[1]);
}

static int read_all(struct rtnl *rtnl, struct links_state *state)
{
	struct reading reading = { .state = state };
	int r = 0;

	for (size_t i = 0; i < state->n_links && r == 0; i++) {
		r = read_link(rtnl, &state->links[i]);
		reading.link = (uint8_t)i;
		reading.choice = (struct choice){ .found = false };
		if (r == 0 && state->links[i].present)
			r = read_addresses(rtnl, &reading);
		if (r == 0 && state->gateways && state->links[i].wan &&
		    state->links[i].present)
			r = read_gateways(rtnl, &state->links[i]);
		keep_choice(state, &state->links[i], &reading.choice);
	}
	if (r < 0)
		return r;
	if (state->n_addresses)
		qsort(state->addresses, state->n_addresses, sizeof(*state->addresses),
		      by_link_and_address);
	r = derive_wan(state);
	return r < 0 ? r : derive_masquerade6(state);
}

int links_state_read(struct rtnl *rtnl, const struct links_state *names,
		     struct links_state *ret)
{
	struct links_state state = { .mode = names->mode, .gateways = names->gateways };
	int r;

	for (size_t i = 0; i < names->n_links; i++)
		add_names(&state, &names->links[i].name, 1, names->links[i].wan);
	r = read_all(rtnl, &state);
	if (r < 0) {
		links_state_done(&state);
		return r;
	}
	*ret = state;
	return 0;
}
