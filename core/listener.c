/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <stdio.h>
#include <string.h>

#include "core/listener.h"

static int order(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int compare_place(const struct listener *l, uint8_t protocol, uint16_t port)
{
	const int by_protocol = order(l->protocol, protocol);

	return by_protocol ? by_protocol : order(l->local.port, port);
}

int listener_compare(const void *a, const void *b)
{
	const struct listener *one = a, *other = b;
	const int orders[] = {
		compare_place(one, other->protocol, other->local.port),
		memcmp(&one->local.addr, &other->local.addr, sizeof(one->local.addr)),
		order(one->ifindex, other->ifindex),
		order(one->v6only, other->v6only),
		order(one->uid, other->uid),
		order(one->inode, other->inode),
	};

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		if (orders[i])
			return orders[i];
	}
	return 0;
}

bool listener_takes(const struct listener *listener, const struct in6_addr *addr,
		    const struct in6_addr *wan, size_t n_wan)
{
	const struct address_list ours = { wan, n_wan };
	const struct in6_addr *local = &listener->local.addr;
	const bool ipv4 = address_is_ipv4(addr);

	if (address_equal(local, &address_any6))
		return !ipv4 || !listener->v6only;
	if (address_is_ipv4(local) != ipv4)
		return false;
	if (address_is_any(local) || address_equal(local, addr))
		return true;
	return address_is_any(addr) && address_list_has(&ours, local);
}

/* Index of the first listener that is not before that place in the list. */
static size_t first_at(const struct listener_list *list, uint8_t protocol, uint16_t port)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (compare_place(&list->listeners[middle], protocol, port) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t listener_find(const struct listener_list *list, uint8_t protocol,
		     const struct in6_addr *addr, const struct port_range *ports,
		     const struct in6_addr *wan, size_t n_wan,
		     const struct listener **ret, size_t max)
{
	size_t n = 0;

	for (size_t i = first_at(list, protocol, ports->first); i < list->n; i++) {
		const struct listener *l = &list->listeners[i];

		if (compare_place(l, protocol, ports->last) > 0)
			break;
		if (!listener_takes(l, addr, wan, n_wan))
			continue;
		if (n < max)
			ret[n] = l;
		n++;
	}
	return n;
}

const char *listener_describe(const struct listener *listener,
			      char buf[static LISTENER_STRLEN])
{
	char local[ENDPOINT_STRLEN];

	snprintf(buf, LISTENER_STRLEN, "%s (uid %u)",
		 endpoint_format(&listener->local, local), listener->uid);
	return buf;
}
