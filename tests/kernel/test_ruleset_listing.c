/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kernel/netns.h"
#include "tests/kernel/ruleset_fixture.h"

TestSuite(ruleset_listing, .init = fixture_enter, .fini = fixture_leave);

#define LISTING "nft -s list table inet natd"

/* The nth block that begins with ```nft in the page, from 0; to be freed, or NULL */
static char *block(unsigned nth)
{
	FILE *page = fopen(RULESET_MD, "r");
	char line[1024], *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	unsigned seen = 0;
	bool inside = false;

	cr_assert_not_null(page, RULESET_MD);
	while (fgets(line, sizeof(line), page)) {
		if (strcmp(line, "```nft\n") == 0)
			inside = seen++ == nth;
		else if (strcmp(line, "```\n") == 0)
			inside = false;
		else if (inside)
			fputs(line, out);
	}
	fclose(page);
	fclose(out);
	if (len)
		return text;
	free(text);
	return NULL;
}

static char *first_difference(char *a, char *b)
{
	while (*a && *a == *b)
		a++, b++;
	a[strcspn(a, "\n")] = '\0';
	return a;
}

/* On a kernel without UDP-Lite there is an object less. */
static void require_udplite(void)
{
	if (!(ruleset_protocols(rs) & PROTOCOL_BIT_UDPLITE))
		cr_skip_test("the page shows the table of a kernel that tracks UDP-Lite");
}

Test(ruleset_listing, the_page_shows_what_the_kernel_holds)
{
	char *listing, *page = block(0);

	require_udplite();
	cr_assert_not_null(page);
	options.protection = PROTECTION_WATCHED;
	fixture_sync();
	listing = fixture_listing(LISTING);
	cr_assert(strcmp(listing, page) == 0, "from here on they differ: %s",
		  first_difference(listing, page));
	free(listing);
	free(page);
}

/* Owned it is the same, but for the line that says so. */
Test(ruleset_listing, the_page_shows_the_owned_table_too)
{
	char *listing, *page = block(0);

	require_udplite();
	fixture_protection(PROTECTION_OWNED);
	fixture_sync();
	listing = fixture_listing(LISTING " | sed -e 's/natd { #.*/natd {/' "
					  "-e '/^\tflags owner/{N;d}'");
	cr_assert(strcmp(listing, page) == 0, "from here on they differ: %s",
		  first_difference(listing, page));
	free(listing);
	free(page);
}

Test(ruleset_listing, the_page_shows_what_comes_with_options_and_mappings)
{
	struct snat snats[2] = { 0 };
	struct in6_addr routers[2];
	char *listing, *page;
	struct prefix vpn;
	unsigned n = 1;

	options.protection = PROTECTION_WATCHED;
	options.input_drop = true;
	options.asks_routers = true;
	cr_assert_eq(address_parse("203.0.113.1", &routers[0]), 0);
	cr_assert_eq(address_parse("fe80::1", &routers[1]), 0);
	addresses.routers = (struct address_list){ routers, 2 };
	options.open[options.n_open++] = (struct open_port){ IPPROTO_TCP, 22 };
	options.mss_mode = MSS_ROUTE;
	fixture_load("tcp 8443 192.168.1.10:443 from=198.51.100.0/24\n"
		     "tcp 8443 192.168.1.11:443 from=198.51.100.128/25\n"
		     "udp 7000 192.168.1.10:70 at=203.0.113.5\n"
		     "udp 5060 192.168.1.10:5060\n"
		     "udp 8080 192.168.1.10:80\n"
		     "udp 5000-5059 192.168.1.11:5000");
	cr_assert_eq(prefix_parse("192.168.2.0/24", &snats[0].source), 0);
	cr_assert_eq(prefix_parse("192.168.1.20/32", &snats[1].source), 0);
	snats[0].to = snats[1].to = addresses.wan.addrs[0];
	snats[1].one_to_one = true;
	cr_assert_eq(prefix_parse("10.0.0.0/8", &vpn), 0);
	addresses.snat = (struct snat_list){ snats, 2, &vpn, 1 };
	fixture_sync();
	listing = fixture_listing(LISTING);
	for (; (page = block(n)); n++) {
		for (char *save = NULL, *part = strtok_r(page, "\n", &save); part;
		     part = strtok_r(NULL, "\n", &save))
			cr_assert(strstr(listing, part), "only on the page: %s", part);
		free(page);
	}
	cr_assert_eq(n, 6, "five blocks beside the first");
	free(listing);
}

/* nft 1.0.6 has no words for the timers of ICMP; all else it reads as it wrote it. */
Test(ruleset_listing, nft_loads_its_own_listing_but_for_the_timers_of_icmp)
{
	const char *rest =
		LISTING " | sed -e '/ct timeout natd_\\(icmp\\|udplite\\)/,/^\t}/d' "
			"-e 's/ ct timeout set \"natd_icmp\".*//' | cat -s";
	char *before, *after;

	options.protection = PROTECTION_WATCHED;
	options.input_drop = options.asks_routers = true;
	options.mss_mode = MSS_FIXED;
	options.mss = 1400;
	strcpy(options.wan[options.n_wan++], "wan1");
	fixture_load("tcp 8080 192.168.1.10:80\n"
		     "udp 53 [fd00::10]:5353\n"
		     "tcp 443 [2001:db8:1::10]:443\n"
		     "udp 5060 192.168.1.10:5060\n"
		     "udp 9000-9003 192.168.1.10:8000\n"
		     "udp 5000-5100 192.168.1.11:5000\n"
		     "tcp 7000 192.168.1.10:7000 at=203.0.113.5\n"
		     "tcp 8080 192.168.1.11:80 from=198.51.100.0/24\n"
		     "tcp 8080 192.168.1.12:80 from=198.51.100.0/25 at=203.0.113.5\n"
		     "udp 6000-6100 [fd00::10]:6000\n"
		     "tcp 80 [fd00::10]:80 from=2001:db8:c::/48,2001:db8:e::/47\n"
		     "tcp 444 [2001:db8:1::10]:444 from=2001:db8:c::/48\n"
		     "tcp 5000-5100 [2001:db8:1::10]:5000");
	options.symmetry = SYMMETRY_ALL;
	fixture_sync();
	before = fixture_listing(rest);
	netns_run(
		"%s > $$.nft; nft delete table inet natd; nft -f $$.nft; r=$?; rm $$.nft; "
		"exit $r",
		rest);
	after = fixture_listing(rest);
	cr_assert(strcmp(before, after) == 0, "from here on they differ: %s",
		  first_difference(before, after));
	free(before);
	free(after);
}
