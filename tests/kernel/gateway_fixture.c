/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "tests/kernel/gateway_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "natd/common/log.h"
#include "tests/kernel/netns.h"
#include "tests/unit/core/make.h"

#define HEAD                                                                             \
	"user = nobody\ngroup = nogroup\n"                                               \
	"wan { interfaces = {\"wan0\"} }\nlan { interfaces = {\"lan0\"} }\n"

char config_path[96];
sd_event *event;
struct gateway *gateway;
struct told told;

static char dir[64] = "/tmp/natd-gateway-XXXXXX";
static struct events_reader reader;

/* ------------------------------------------------------------ a gateway */

static void on_done(void *userdata, size_t added, size_t removed,
		    const struct problem *why)
{
	told.times++;
	told.added = added;
	told.removed = removed;
	told.why = why ? *why : (struct problem){ .detail = "" };
}

void write_config(const char *text)
{
	FILE *file = fopen(config_path, "w");

	cr_assert_not_null(file);
	cr_assert_geq(fprintf(file, HEAD "%s", text), 0);
	cr_assert_eq(fclose(file), 0);
}

void settle(void)
{
	int r;

	do
		r = sd_event_run(event, 0);
	while (r > 0);
	cr_assert_geq(r, 0);
}

static void no_wake(void *userdata)
{
}

void open_gateway(const char *text)
{
	struct gateway_fault why = { "" };
	struct config_flaw flaw = { "" };
	struct config *config = NULL;

	write_config(text);
	cr_assert_eq(config_load(config_path, &config, &flaw), 0, "%s", flaw.text);
	cr_assert_eq(gateway_open(event, config, dir, NULL, &gateway, &why), 0, "%s",
		     why.text);
	cr_assert_eq(gateway_start(gateway, on_done, NULL), 0);
	settle();
	cr_assert_eq(told.times, 1);
	cr_assert_str_eq(told.why.detail, "");
	told.times = 0;
	events_join(gateway_events(gateway), &reader, NULL, no_wake, NULL);
}

void close_gateway(void)
{
	if (gateway)
		events_leave(&reader);
	gateway_close(gateway);
	gateway = NULL;
}

void gateway_enter(void)
{
	netns_enter();
	log_level(LOG_EMERG);
	netns_run("for i in wan0 lan0; do ip link add $i type veth peer name $i-p &&"
		  "ip link set $i up && ip link set $i-p up; done");
	netns_run("ip addr add 203.0.113.5/24 dev wan0; ip addr add 192.168.1.1/24 dev "
		  "lan0");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(config_path, sizeof(config_path), "%s/natd.conf", dir);
	cr_assert_geq(sd_event_new(&event), 0);
}

void gateway_leave(void)
{
	close_gateway();
	sd_event_unref(event);
	netns_run("rm -r %s", dir);
}

void read_again(void)
{
	told.times = 0;
	cr_assert_eq(gateway_reload(gateway, on_done, NULL), 0);
	settle();
	cr_assert_eq(told.times, 1);
}

void reload(const char *text)
{
	write_config(text);
	read_again();
}

static void on_answer(void *userdata, const struct answer *answer)
{
	enum verdict *ret = userdata;
	size_t n;

	cr_assert_null(answer->problem);
	*ret = plan_results(answer->plan, answer->request, &n)->verdict;
}

/* As make_list() reads. Return: what became of the first change */
enum verdict ask_list(struct change_list *list)
{
	enum verdict verdict = VERDICT_FAULT;

	cr_assert_eq(engine_submit(gateway_engine(gateway), list, on_answer, &verdict),
		     0);
	settle();
	return verdict;
}

enum verdict ask(const char *changes)
{
	struct change_list list = make_list(changes);

	return ask_list(&list);
}

const struct mapping *named(const char *name)
{
	const struct mapping *m =
		table_find_name(gateway_table(gateway), name, IPPROTO_TCP);

	cr_assert_not_null(m, "%s", name);
	return m;
}

/* ------------------------------------------------------------ what it tells */

/* Of status: a member as text; borrowed until the next call */
const char *status(const char *member)
{
	static char text[8192];
	json_t *all = gateway_status(gateway);
	char *dump;

	cr_assert_not_null(all);
	dump = json_dumps(json_object_get(all, member), JSON_COMPACT | JSON_ENCODE_ANY);
	cr_assert_not_null(dump);
	snprintf(text, sizeof(text), "%s", dump);
	free(dump);
	json_decref(all);
	return text;
}

bool has_problem(const char *words)
{
	return strstr(status("problems"), words);
}

/* Since the last call: "waiting at, active six"; borrowed */
const char *told_events(void)
{
	static char text[1024];
	struct buffer buffer = { 0 };
	char *line, *rest;
	size_t n = 0;

	cr_assert_neq(events_read(&reader, &buffer), EVENTS_OVER);
	buffer_add(&buffer, "", 1);
	text[0] = 0;
	for (line = strtok_r(buffer.bytes, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		json_t *json = json_loads(line, 0, NULL);
		const char *kind = json_string_value(json_object_get(json, "event"));
		const char *name = json_string_value(
			json_object_get(json_object_get(json, "mapping"), "name"));

		if (kind && strcmp(kind, "start") != 0)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s%s",
					      n ? ", " : "", kind, name ? " " : "",
					      name ? name : "");
		json_decref(json);
	}
	buffer_done(&buffer);
	return text;
}

const char *host_of(const char *name)
{
	static char text[INET6_ADDRSTRLEN];

	return address_format(&named(name)->host, text);
}

bool kernel_has(const char *words)
{
	return netns_try("nft list table inet natd | grep -q '%s'", words) == 0;
}

int listen_on(uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	cr_assert_eq(listen(fd, 1), 0);
	return fd;
}
