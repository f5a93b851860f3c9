/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/url.h"
#include "core/worker_message.h"
#include "tests/unit/core/said.h"

Test(url, is_taken_apart)
{
	static const struct {
		const char *text, *host, *scope, *path;
	} cases[] = {
		{ "http://192.168.1.1:5000/rootDesc.xml", "192.168.1.1:5000", "",
		  "/rootDesc.xml" },
		{ "http://192.168.1.1/", "192.168.1.1:80", "", "/" },
		{ "http://192.168.1.1", "192.168.1.1:80", "", "/" },
		{ "HTTP://192.168.1.1:65535", "192.168.1.1:65535", "", "/" },
		{ "http://10.0.0.1:80/a/b?c=d&e=@:f", "10.0.0.1:80", "",
		  "/a/b?c=d&e=@:f" },
		{ "http://[2001:db8::1]:5000/x", "[2001:db8::1]:5000", "", "/x" },
		{ "http://[2001:db8::1]/x", "[2001:db8::1]:80", "", "/x" },
		{ "http://[fe80::1%25eth0]:5000/x", "[fe80::1]:5000", "eth0", "/x" },
		{ "http://[fe80::1%25br-lan.7_a]/", "[fe80::1]:80", "br-lan.7_a", "/" },
		{ "http://[fe80::1%252]", "[fe80::1]:80", "2", "/" },
		{ "http://[fe80::1]/", "[fe80::1]:80", "", "/" },
		{ "http://10.0.0.1//evil.example/", "10.0.0.1:80", "",
		  "//evil.example/" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char host[ENDPOINT_STRLEN];
		struct url url;

		cr_assert_eq(url_host(cases[i].text, &url), 0, "%s", cases[i].text);
		cr_expect_str_eq(endpoint_format(&url.host, host), cases[i].host, "%s",
				 cases[i].text);
		cr_expect_str_eq(url.scope, cases[i].scope, "%s", cases[i].text);
		cr_expect_str_eq(url.path, cases[i].path, "%s", cases[i].text);
	}
}

Test(url, says_what_is_wrong_and_leaves_the_result_alone)
{
	static const struct {
		const char *text;
		int error;
	} cases[] = {
		{ "", -EINVAL },
		{ "/rootDesc.xml", -EINVAL },
		{ "192.168.1.1", -EINVAL },
		{ "192.168.1.1:80/x", -EINVAL },
		{ "https://192.168.1.1/", -EPROTONOSUPPORT },
		{ "file:///etc/passwd", -EPROTONOSUPPORT },
		{ "httpx://192.168.1.1/", -EPROTONOSUPPORT },
		{ "htt://192.168.1.1/", -EPROTONOSUPPORT },
		{ "1http://192.168.1.1/", -EINVAL },
		{ "http:", -EINVAL },
		{ "http:/192.168.1.1/", -EINVAL },
		{ "http:192.168.1.1/", -EINVAL },
		{ "http://", -EINVAL },
		{ "http:///x", -EINVAL },
		{ "http://router.example/", -EINVAL },
		{ "http://localhost:80/", -EINVAL },
		{ "http://user@192.168.1.1/", -EINVAL },
		{ "http://192.168.1.1@evil.example/", -EINVAL },
		{ "http://192.168.1.1:80@198.51.100.1/", -EINVAL },
		{ "http://192.168.1.1?x", -EINVAL },
		{ "http://192.168.1.1/#x", -EINVAL },
		{ "http://192.168.1.1#@198.51.100.1/", -EINVAL },
		{ "http://192.168.1.1\\@198.51.100.1/", -EINVAL },
		{ "http://192.168.1.1/a b", -EINVAL },
		{ " http://192.168.1.1/", -EINVAL },
		{ "http://192.168.1.1/\r\nHost: x", -EINVAL },
		{ "http://192.168.1.1/\x7f", -EINVAL },
		{ "http://192.168.1.1/\xc3\xa4", -EINVAL },
		{ "http://192.168.1/", -EINVAL },
		{ "http://192.168.1.1.1/", -EINVAL },
		{ "http://192.168.1.01/", -EINVAL },
		{ "http://3232235777/", -EINVAL },
		{ "http://0xc0.168.1.1/", -EINVAL },
		{ "http://192.168.1.1%2e/", -EINVAL },
		{ "http://111.111.111.1111/", -EINVAL },
		{ "http://1111.1111.1111.1111/", -EINVAL },
		{ "http://192.168.1.1:/", -EINVAL },
		{ "http://192.168.1.1:x/", -EINVAL },
		{ "http://192.168.1.1:8o/", -EINVAL },
		{ "http://192.168.1.1:+80/", -EINVAL },
		{ "http://192.168.1.1:0/", -ERANGE },
		{ "http://192.168.1.1:65536/", -ERANGE },
		{ "http://[192.168.1.1]/", -EINVAL },
		{ "http://[::ffff:192.168.1.1]/", -EINVAL },
		{ "http://2001:db8::1/", -EINVAL },
		{ "http://[2001:db8::1/", -EINVAL },
		{ "http://[2001:db8::1]80/", -EINVAL },
		{ "http://[2001:db8::1]:/", -EINVAL },
		{ "http://[]/", -EINVAL },
		{ "http://[fe80::1%25]/", -EINVAL },
		{ "http://[fe80::1%eth0]/", -EINVAL },
		{ "http://[fe80::1%25eth0%25eth1]/", -EINVAL },
		{ "http://[fe80::1%25eth-far-too-long]/", -EINVAL },
		{ "http://[2001:db8::1%25eth0]/", -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct url url = { .host.port = 7, .path = "as it was" };

		cr_expect_eq(url_host(cases[i].text, &url), cases[i].error, "%s",
			     cases[i].text);
		cr_expect_eq(url.host.port, 7, "%s", cases[i].text);
		cr_expect_str_eq(url.path, "as it was", "%s", cases[i].text);
	}
}

Test(url, has_a_longest_one)
{
	char text[WORKER_URL_MAX + 2];
	struct url url;

	memset(text, 'a', sizeof(text));
	memcpy(text, "http://192.168.1.1/", strlen("http://192.168.1.1/"));
	text[WORKER_URL_MAX] = '\0';
	cr_expect_eq(url_host(text, &url), 0);
	text[WORKER_URL_MAX] = 'a';
	text[WORKER_URL_MAX + 1] = '\0';
	cr_expect_eq(url_host(text, &url), -ENAMETOOLONG);
	/* a name of that length is none either */
	memset(text + strlen("http://"), 'a', WORKER_URL_MAX - strlen("http://"));
	text[WORKER_URL_MAX] = '\0';
	cr_expect_eq(url_host(text, &url), -EINVAL);
}

Test(url, is_of_the_router_or_of_somebody_else)
{
	const struct in6_addr router = said_address("192.168.1.1");
	const struct in6_addr router6 = said_address("fe80::1");

	cr_expect(url_is_of("http://192.168.1.1:5000/x", &router));
	cr_expect(url_is_of("http://[fe80::1%25eth0]/x", &router6));
	cr_expect_not(url_is_of("http://192.168.1.2:5000/x", &router));
	cr_expect_not(url_is_of("http://[fe80::1%25eth0]/x", &router));
	cr_expect_not(url_is_of("http://192.168.1.1@192.168.1.2/", &router));
	cr_expect_not(url_is_of("https://192.168.1.1/", &router));
	cr_expect_not(url_is_of("", &router));
}
