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

Test(ruleset_listing, the_page_shows_what_the_kernel_holds)
{
	char *listing, *page = block(0);

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

	fixture_protection(PROTECTION_OWNED);
	fixture_sync();
	listing = fixture_listing(LISTING " | sed -e 's/natd { #.*/natd {/' "
					  "-e '/^\tflags owner/{N;d}'");
	cr_assert(strcmp(listing, page) == 0, "from here on they differ: %s",
		  first_difference(listing, page));
	free(listing);
	free(page);
}

Test(ruleset_listing, the_page_shows_what_comes_with_options)
{
	char *listing, *page;
	unsigned n = 1;

	options.protection = PROTECTION_WATCHED;
	options.input_drop = true;
	options.open[options.n_open++] = (struct open_port){ IPPROTO_TCP, 22 };
	options.mss_mode = MSS_ROUTE;
	fixture_sync();
	listing = fixture_listing(LISTING);
	for (; (page = block(n)); n++) {
		for (char *save = NULL, *part = strtok_r(page, "\n", &save); part;
		     part = strtok_r(NULL, "\n", &save))
			cr_assert(strstr(listing, part), "only on the page: %s", part);
		free(page);
	}
	cr_assert_eq(n, 3, "two blocks beside the first");
	free(listing);
}

/* nft 1.0.6 has no words for the timers of ICMP; all else it reads as it wrote it. */
Test(ruleset_listing, nft_loads_its_own_listing_but_for_the_timers_of_icmp)
{
	const char *rest = LISTING " | sed -e '/ct timeout natd_icmp/,/^\t}/d' "
				   "-e 's/ ct timeout set \"natd_icmp\".*//' | cat -s";
	char *before, *after;

	options.protection = PROTECTION_WATCHED;
	options.input_drop = true;
	options.mss_mode = MSS_FIXED;
	options.mss = 1400;
	strcpy(options.wan[options.n_wan++], "wan1");
	fixture_load("tcp 8080 192.168.1.10:80\n"
		     "udp 53 [fd00::10]:5353\n"
		     "tcp 443 [2001:db8:1::10]:443");
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
