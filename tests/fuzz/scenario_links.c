/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * scenario_links - interfaces are read, change, and are read again; or programs that
 * listen are
 */

#include <string.h>

#include "natd/common/log.h"
#include "natd/kernel/links.h"
#include "natd/kernel/sockets.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/kernel.h"

#define MASQUERADE 0x03
#define RENAMED	   0x04 /* the configuration is another in the end */
#define LISTENERS  0x08 /* not the interfaces */

#define TURNS_MAX 4

static void on_changed(void *userdata)
{
}

static struct config *make_config(uint8_t how)
{
	struct config *config = calloc(1, sizeof(*config));

	hold(config);
	config->masquerade6 = (how & MASQUERADE) % (MASQUERADE6_NO + 1);
	strcpy(config->options.wan[0], "wan0");
	config->options.n_wan = 1;
	strcpy(config->options.lan[0], "lan0");
	config->options.n_lan = 1;
	return config;
}

static void check_list(const struct links *links)
{
	size_t n;
	const struct link *list = links_list(links, &n);

	hold(n == 2 && list[0].wan && !list[1].wan);
	for (size_t i = 0; i < n; i++)
		hold(!list[i].up || list[i].present);
}

static void check_addresses(const struct links *links)
{
	struct address_list wan = links_wan_addresses(links);
	struct in6_addr some[2];
	size_t n;
	const struct prefix *sources = links_masquerade6(links, &n);

	for (size_t i = 0; i < wan.n; i++) {
		hold(!address_is_link_local(&wan.addrs[i]));
		hold(i == 0 || memcmp(&wan.addrs[i - 1], &wan.addrs[i], 16) < 0);
	}
	for (size_t i = 0; i < n; i++)
		hold(sources[i].len <= 128);
	hold(links_addresses(links, "lan0", some, 2) <= 2);
	(void)links_mtu_differs(links);
}

static void check_prefixes(const struct links *links)
{
	struct lan_prefix_list list = links_lan_prefixes(links);

	hold(list.n == 1 && list.lans[0].lan[0]);
	for (size_t i = 8; i < sizeof(list.lans[0].prefix); i++)
		hold(!list.lans[0].prefix.s6_addr[i]);
	hold(!address_is_ula(&list.lans[0].prefix));
}

static void ask_routes(struct links *links)
{
	char name[IFNAMSIZ] = "";
	struct in6_addr addr;

	hold(address_parse("198.51.100.7", &addr) == 0);
	hold(links_route_is_wan(links, &addr) <= 1);
	hold(address_parse("2001:db8::7", &addr) == 0);
	hold(links_is_local(links, &addr) <= 1);
	hold(links_stray_route(links, AF_INET, name) <= 1);
	hold(links_stray_route(links, AF_INET6, name) <= 1);
	hold(memchr(name, '\0', sizeof(name)));
}

static void play(struct links *links, sd_event *event, struct config *config, uint8_t how)
{
	check_list(links);
	check_addresses(links);
	check_prefixes(links);
	kernel_meanwhile();
	for (int i = 0; i < TURNS_MAX; i++)
		hold(sd_event_run(event, 0) >= 0);
	check_list(links);
	check_addresses(links);
	check_prefixes(links);
	ask_routes(links);
	if (!(how & RENAMED))
		return;
	strcpy(config->options.lan[0], "lan1");
	hold(links_configure(links, config) <= 0);
	check_list(links);
}

static void read_listeners(struct sockets *sockets)
{
	struct listener_list list = { .n = 0 };

	if (sockets_read(sockets, PROTOCOL_BITS, &list) < 0)
		hold(list.n == 0);
	for (size_t i = 0; i < list.n; i++) {
		hold(list.listeners[i].local.port);
		hold(i == 0 ||
		     listener_compare(&list.listeners[i - 1], &list.listeners[i]) <= 0);
	}
}

static void play_listeners(void)
{
	struct sockets *sockets = NULL;

	if (sockets_open(&sockets) == 0) {
		read_listeners(sockets);
		kernel_meanwhile();
		read_listeners(sockets);
	}
	sockets_close(sockets);
}

static void play_links(uint8_t how)
{
	struct config *config = make_config(how);
	struct links *links = NULL;
	sd_event *event;

	hold(sd_event_new(&event) >= 0);
	if (links_open(event, config, on_changed, NULL, &links) == 0)
		play(links, event, config, how);
	links_close(links);
	sd_event_unref(event);
	free(config);
}

void scenario_links(uint8_t how)
{
	log_level(LOG_EMERG);
	if (how & LISTENERS)
		play_listeners();
	else
		play_links(how);
}
