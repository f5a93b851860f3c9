/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The whole natd in one process, with a real store and a real kernel's table: the first,
 * the second, ... allocation of reading a configuration, of a start, of a request fails,
 * until none is left to fail. Nothing crashes, nothing leaks (the address sanitizer
 * sees), nothing is half done, and afterwards all goes on.
 */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "natd/api/server.h"
#include "natd/common/log.h"
#include "natd/gateway/gateway.h"
#include "tests/fake/alloc.h"
#include "tests/kernel/netns.h"

static const char text[] =
	"user = nobody\ngroup = nogroup\n"
	"wan { interfaces = {\"wan0\", \"ppp0\"}  mss = 1400 }\n"
	"lan { interfaces = {\"lan0\"} }\n"
	"firewall { input = drop  open = {\"tcp 22\", \"tcp,udp 53\"} }\n"
	"forward web { protocol = tcp  port = 80  to = \"192.168.1.10:8080\" }\n"
	"forward dns { protocol = \"tcp,udp\"  port = 53  to = \"192.168.1.11\" }\n"
	"forward six { protocol = tcp  port = 443  to = \"[2001:db8:1::10]:443\" }\n";

static char dir[64] = "/tmp/natd-memory-XXXXXX";
static sd_event *event;
static struct gateway *gateway;
static struct server *server;

static void set_up(void)
{
	netns_enter();
	log_level(LOG_EMERG);
	alloc_for_jansson();
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_geq(sd_event_new(&event), 0);
}

static void tear_down(void)
{
	server_free(server);
	gateway_close(gateway);
	sd_event_unref(event);
	netns_run("rm -r %s", dir);
}

TestSuite(memory_walk, .init = set_up, .fini = tear_down, .timeout = 200);

/* ------------------------------------------------------------ a configuration */

static struct config *read_config(int *ret)
{
	struct config_flaw flaw = { "" };
	struct config *config = NULL;

	*ret = config_load_buffer("natd.conf", text, strlen(text), &config, &flaw);
	return config;
}

static bool starve_config(unsigned int nth, bool lasts)
{
	struct config *config;
	bool failed;
	int r;

	alloc_fail_at(nth, lasts);
	config = read_config(&r);
	failed = alloc_fail_at(0, false) > 0;
	cr_expect_eq(r, failed ? -ENOMEM : 0, "allocation %u: %d", nth, r);
	cr_expect_eq(!config, failed);
	config_free(config);
	return failed;
}

Test(memory_walk, a_configuration_is_read)
{
	for (int lasts = 0; lasts < 2; lasts++) {
		unsigned int nth = 1;

		while (starve_config(nth, lasts))
			cr_assert_lt(++nth, 1000);
		cr_expect_gt(nth, 3, "only %u allocations", nth);
	}
}

/* ------------------------------------------------------------ a start */

static int open_gateway(void)
{
	struct gateway_fault why = { "" };
	struct config *config;
	int r;

	config = read_config(&r);
	cr_assert_eq(r, 0);
	return gateway_open(event, config, dir, NULL, &gateway, &why);
}

static bool starve_start(unsigned int nth)
{
	struct gateway_fault why = { "" };
	struct config *config;
	bool failed;
	int r;

	config = read_config(&r);
	cr_assert_eq(r, 0);
	alloc_fail_at(nth, false);
	r = gateway_open(event, config, dir, NULL, &gateway, &why);
	failed = alloc_fail_at(0, false) > 0;
	if (r < 0) {
		cr_expect(failed && r == -ENOMEM, "allocation %u: %d, %s", nth, r,
			  why.text);
		config_free(config);
	}
	gateway_close(TAKE(gateway));
	return failed;
}

Test(memory_walk, natd_starts)
{
	unsigned int nth = 1;

	while (starve_start(nth))
		cr_assert_lt(++nth, 5000);
	cr_expect_gt(nth, 50, "only %u allocations", nth);
	cr_expect_eq(open_gateway(), 0);
}

/* ------------------------------------------------------------ a request */

static bool ready;

static void on_ready(void *userdata, size_t added, size_t removed,
		     const struct problem *why)
{
	cr_expect_null(why);
	ready = true;
}

static void settle(void)
{
	int r;

	do
		r = sd_event_run(event, 1000);
	while (r > 0);
	cr_assert_geq(r, 0);
}

static void start(void)
{
	char path[96];
	struct server_fault why;
	int fd;

	cr_assert_eq(open_gateway(), 0);
	cr_assert_eq(gateway_start(gateway, on_ready, NULL), 0);
	settle();
	cr_assert(ready);
	snprintf(path, sizeof(path), "%s/api.sock", dir);
	cr_assert_eq(server_listen(path, geteuid(), getegid(), 0600, &fd, &why), 0, "%s",
		     why.text);
	cr_assert_eq(server_new(event, gateway, fd, getegid(), &server), 0);
}

static int connect_to_server(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/api.sock", dir);
	cr_assert_geq(fd, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Return: the HTTP status; 0: the connection was closed without an answer; -1: neither.
 */
static bool unknown; /* the last answer: it is not known whether it was done */

static int ask(const char *request, const char *body, unsigned int nth, bool lasts,
	       bool *ret_failed)
{
	static char reply[65536];
	char head[512];
	int fd = connect_to_server(), status = -1;
	ssize_t n;

	snprintf(head, sizeof(head),
		 "%s HTTP/1.1\r\nHost: natd\r\nContent-Length: %zu\r\n%s\r\n", request,
		 strlen(body),
		 strchr(body, '\n') ? "Content-Type: application/x-ndjson\r\n" : "");
	cr_assert_eq(send(fd, head, strlen(head), 0), (ssize_t)strlen(head));
	cr_assert_eq(send(fd, body, strlen(body), 0), (ssize_t)strlen(body));
	alloc_fail_at(nth, lasts);
	settle();
	*ret_failed = alloc_fail_at(0, false) > 0;
	settle();
	n = recv(fd, reply, sizeof(reply) - 1, 0);
	if (n > 0) {
		reply[n] = '\0';
		cr_expect_eq(sscanf(reply, "HTTP/1.1 %d", &status), 1, "%s", reply);
		unknown = strstr(reply, "outcome-unknown");
	} else if (n == 0 || errno != EAGAIN) {
		status = 0;
	}
	close(fd);
	settle();
	return status;
}

static int ask_well(const char *request, const char *body)
{
	bool failed;

	return ask(request, body, 0, false, &failed);
}

static bool has(uint16_t port)
{
	const struct endpoint external = { address_any4, port };

	return table_find(gateway_table(gateway), MAPPING_FORWARD4, IPPROTO_TCP,
			  &external);
}

#define REMOVE(port)                                                                     \
	"{\"action\":\"remove\",\"protocol\":\"tcp\",\"external\":{\"port\":" #port "}}"

/* What was answered holds. Return: was there such an allocation? */
static bool starve_request(const char *request, const char *body, bool adds,
			   unsigned int nth, bool lasts)
{
	bool failed;
	int status;

	status = ask(request, body, nth, lasts, &failed);
	cr_expect_neq(status, -1, "%s, allocation %u: no answer, and not closed", request,
		      nth);
	if (adds && status && unknown)
		cr_expect(has(7000), "%s, allocation %u: nothing is unknown", request,
			  nth);
	else if (adds && status)
		cr_expect_eq(status < 300, has(7000), "%s, allocation %u: %d", request,
			     nth, status);
	if (strchr(body, '['))
		cr_expect_eq(has(7000), has(7001), "allocation %u: half a list", nth);
	if (!failed)
		cr_expect(status >= 200 && status < 300, "%s: %d", request, status);
	if (has(7001))
		cr_expect_lt(ask_well("POST /v1/mappings", REMOVE(7001)), 300);
	if (has(7000))
		cr_expect_lt(ask_well("POST /v1/mappings", REMOVE(7000)), 300);
	cr_expect_not(has(7000));
	return failed;
}

static void walk_request(const char *request, const char *body, bool adds)
{
	for (int lasts = 0; lasts < 2; lasts++) {
		unsigned int nth = 1;

		while (starve_request(request, body, adds, nth, lasts))
			cr_assert_lt(++nth, 5000, "%s", request);
		cr_expect_gt(nth, 5, "%s: only %u allocations", request, nth);
	}
}

#define WALK_7000                                                                        \
	"{\"protocol\":\"tcp\",\"external\":{\"port\":7000},\"internal\":{\"address\":"  \
	"\"192.168.1.10\",\"port\":80},\"name\":\"walk\"}"
#define LIST                                                                             \
	"[" WALK_7000 ",{\"protocol\":\"tcp\",\"external\":{\"port\":7001},"             \
	"\"internal\":{\"address\":\"192.168.1.10\"}}]"

Test(memory_walk, a_mapping_is_added)
{
	start();
	walk_request("POST /v1/mappings", WALK_7000, true);
}

Test(memory_walk, a_list_is_added)
{
	start();
	walk_request("POST /v1/mappings", LIST, true);
}

Test(memory_walk, lines_are_added)
{
	start();
	walk_request("POST /v1/mappings", WALK_7000 "\n", true);
}

Test(memory_walk, what_natd_knows_is_read)
{
	static const char *const requests[] = {
		"GET /v1/mappings", "GET /v1/mappings/1", "GET /v1/status",
		"GET /v1/nothing",  "POST /v1/resync",
	};

	start();
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		bool failed = true;

		for (unsigned int nth = 1; failed; nth++) {
			int status = ask(requests[i], "", nth, false, &failed);

			cr_expect_neq(status, -1, "%s, allocation %u", requests[i], nth);
			cr_assert_lt(nth, 5000);
		}
	}
	cr_expect_eq(ask_well("GET /v1/status", ""), 200);
}
