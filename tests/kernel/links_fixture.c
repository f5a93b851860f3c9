/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "tests/kernel/links_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kernel/netns.h"

struct config *config;
struct links *links;
static sd_event *event;
static int changes;

void count_change(void *userdata)
{
	changes++;
}

void name_wan(const char *name)
{
	strcpy(config->options.wan[config->options.n_wan++], name);
}

void name_lan(const char *name)
{
	strcpy(config->options.lan[config->options.n_lan++], name);
}

void links_enter(void)
{
	netns_enter();
	config = calloc(1, sizeof(*config));
	cr_assert_not_null(config);
	name_wan("wan0");
	name_lan("lan0");
}

void links_leave(void)
{
	links_close(links);
	sd_event_unref(event);
	free(config);
}

/* the state as it is now */
void read_links(void)
{
	links_close(links);
	links = NULL;
	cr_assert_eq(links_open(NULL, config, count_change, NULL, &links), 0);
}

void follow_links(void)
{
	cr_assert_geq(sd_event_new(&event), 0);
	cr_assert_eq(links_open(event, config, count_change, NULL, &links), 0);
}

/* The kernel tells before the command that made it do so has ended. */
int changes_now(void)
{
	int n;

	while (sd_event_run(event, 0) > 0)
		;
	n = changes;
	changes = 0;
	return n;
}

void wait_for_change(void)
{
	long end = netns_milliseconds() + 10000;

	while (!changes && netns_milliseconds() < end)
		cr_assert_geq(sd_event_run(event, 100000), 0);
	cr_assert_gt(changes, 0, "no change was told");
	changes = 0;
}

/* with a peer NAME-p; waits until the kernel has told that the carrier is there */
void make_veth(const char *name, const char *more)
{
	netns_run("ip link add %s type veth peer name %s-p && ip link set %s-p up && "
		  "ip link set %s up %s",
		  name, name, name, name, more);
	netns_run(
		"timeout 10 sh -c 'until ip link show %s | grep -q \"state UP\"; do :; done'",
		name);
}

struct link link_named(const char *name)
{
	size_t n;
	const struct link *list = links_list(links, &n);

	for (size_t i = 0; i < n; i++) {
		if (!strcmp(list[i].name, name))
			return list[i];
	}
	cr_assert_fail("%s is not listed", name);
	return (struct link){ 0 };
}

/* addresses as one text, blanks between */
const char *as_text(const struct in6_addr *addrs, size_t n)
{
	static char text[4096];
	char one[INET6_ADDRSTRLEN];
	size_t len = 0;

	text[0] = 0;
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
					i ? " " : "", address_format(&addrs[i], one));
	return text;
}

const char *wan_addresses(void)
{
	struct address_list list = links_wan_addresses(links);

	return as_text(list.addrs, list.n);
}

const char *masquerade6(void)
{
	static char text[1024];
	char one[INET6_ADDRSTRLEN];
	size_t n, len = 0;
	const struct prefix *list = links_masquerade6(links, &n);

	text[0] = 0;
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s/%u",
					i ? " " : "", address_format(&list[i].addr, one),
					list[i].len);
	return text;
}

struct in6_addr addr(const char *text)
{
	struct in6_addr a;

	cr_assert_eq(address_parse(text, &a), 0, "%s", text);
	return a;
}
