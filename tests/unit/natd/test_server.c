/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Who is let in, and how many. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/cleanup.h"
#include "natd/api/server_private.h"
#include "tests/unit/natd/api_fixture.h"

#define GET "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"

static struct api api;

static void start(void)
{
	fake_credentials = (struct credentials){
		.pid = 4711, .uid = 1000, .known = true, .member = true
	};
	api_start(&api);
}

static void stop(void)
{
	api_stop(&api);
}

TestSuite(server, .init = start, .fini = stop, .timeout = 60);

static void expect_refused(const char *says, const char *cure)
{
	json_t *why = api_refused(&api, "GET /v1/mappings", NULL, "not-permitted");

	cr_expect(strstr(text_of(why, "detail"), says), "%s", text_of(why, "detail"));
	cr_expect(strstr(text_of(why, "cure"), cure), "%s", text_of(why, "cure"));
	json_decref(why);
}

Test(server, who_is_neither_root_nor_member_is_told_so_and_how_to_mend_it)
{
	fake_credentials.member = false;
	expect_refused("uid 1000", "sudo");
	snprintf(api.server->group, sizeof(api.server->group), "natd");
	expect_refused("uid 1000", "Join group natd, or use sudo.");
	json_decref(
		api_refused(&api, "POST /v1/mappings", "{\"id\":1}", "not-permitted"));
	json_decref(api_refused(&api, "PUT /v9", NULL, "not-permitted"));
	cr_expect_eq(api.gw->n_submitted, 0);
	cr_expect_eq(api.gw->n_counts, 0);
}

Test(server, root_and_natds_own_user_need_no_group)
{
	const uid_t uids[] = { 0, geteuid() };

	fake_credentials.member = false;
	for (size_t i = 0; i < ARRAY_SIZE(uids); i++) {
		fake_credentials.uid = uids[i];
		json_decref(api_json(&api, "GET /v1/status", NULL, 200));
	}
}

Test(server, a_uid_that_is_not_known_is_nobody_even_when_the_number_is_ours)
{
	fake_credentials = (struct credentials){ .uid = geteuid() };
	expect_refused("user namespace", "the user who started natd");
}

Test(server, who_cannot_be_asked_is_not_served)
{
	struct conn conn;

	fake_credentials_error = -ENOMEM;
	conn_open(&api, &conn);
	cr_expect(conn_is_closed(&conn));
	conn_close(&conn);
	fake_credentials_error = 0;
	json_decref(api_json(&api, "GET /v1/status", NULL, 200));
}

/* Open @n connections, and let the server see them. */
static void open_many(struct conn *conns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		conn_open(&api, &conns[i]);
	api_settle(&api);
}

static void close_many(struct conn *conns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		conn_close(&conns[i]);
	api_settle(&api);
}

static void expect_turned_away(const char *says)
{
	struct conn conn;
	struct reply reply;
	json_t *why;

	conn_open(&api, &conn);
	conn_try_send(&conn, GET, strlen(GET));
	conn_reply(&conn, false, &reply);
	cr_expect_eq(reply.status, 503);
	why = reply_parse(&reply);
	cr_expect_str_eq(text_of(why, "code"), "busy");
	cr_expect(strstr(text_of(why, "detail"), says), "%s", text_of(why, "detail"));
	cr_expect(conn_is_closed(&conn));
	json_decref(why);
	reply_done(&reply);
	conn_close(&conn);
}

Test(server, one_user_has_a_limit_and_others_have_theirs)
{
	struct conn conns[SERVER_CLIENTS_PER_UID];

	open_many(conns, SERVER_CLIENTS_PER_UID);
	cr_expect_eq(api.server->n_clients, SERVER_CLIENTS_PER_UID);
	expect_turned_away("one user");
	fake_credentials.uid = 1001;
	json_decref(api_json(&api, "GET /v1/status", NULL, 200));
	fake_credentials.uid = 1000;
	close_many(conns, SERVER_CLIENTS_PER_UID);
	cr_expect_eq(api.server->n_clients, 0);
	json_decref(api_json(&api, "GET /v1/status", NULL, 200));
}

Test(server, the_last_places_are_kept_for_administrators)
{
	const size_t others = SERVER_CLIENTS_MAX - SERVER_CLIENTS_KEPT;
	struct conn conns[SERVER_CLIENTS_MAX];

	for (size_t i = 0; i < others; i++) {
		fake_credentials.uid = 2000 + (uid_t)(i / 50);
		open_many(&conns[i], 1);
	}
	fake_credentials.uid = 3000;
	expect_turned_away("as many clients");
	fake_credentials.uid = 0;
	json_decref(api_json(&api, "GET /v1/status", NULL, 200));
	open_many(&conns[others], SERVER_CLIENTS_KEPT);
	cr_expect_eq(api.server->n_clients, SERVER_CLIENTS_MAX);
	expect_turned_away("as many clients");
	close_many(conns, SERVER_CLIENTS_MAX);
}

Test(server, root_alone_may_have_all_places)
{
	struct conn conns[SERVER_CLIENTS_MAX];

	fake_credentials.uid = 0;
	open_many(conns, SERVER_CLIENTS_MAX);
	cr_expect_eq(api.server->n_clients, SERVER_CLIENTS_MAX);
	expect_turned_away("as many clients");
	close_many(conns, SERVER_CLIENTS_MAX);
}

static int count_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void limit_descriptors(rlim_t n)
{
	struct rlimit limit;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = n;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void start_connecting(struct conn *conn)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", api.path);
	cr_assert_eq(connect(conn->fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

/* Turns of the loop in @milliseconds. */
static unsigned int count_turns(unsigned int milliseconds)
{
	uint64_t start, now;
	unsigned int n = 0;

	sd_event_now(api.event, CLOCK_MONOTONIC, &start);
	do {
		n += sd_event_run(api.event, 10000) > 0;
		sd_event_now(api.event, CLOCK_MONOTONIC, &now);
	} while (now - start < milliseconds * 1000ULL);
	return n;
}

Test(server, without_descriptors_it_waits_and_does_not_spin)
{
	struct conn conns[3] = { 0 };
	struct reply reply;

	for (size_t i = 0; i < ARRAY_SIZE(conns); i++) {
		conns[i].api = &api;
		conns[i].fd =
			socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		cr_assert_geq(conns[i].fd, 0);
	}
	api_settle(&api);
	/* all numbers below are taken, so that the limit bites at once */
	limit_descriptors((rlim_t)conns[2].fd + 1);
	while (count_descriptors() <= conns[2].fd)
		cr_assert_geq(dup(0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(conns); i++)
		start_connecting(&conns[i]);
	cr_expect_lt(count_turns(200), 10);
	conn_reply(&conns[0], false, &reply);
	cr_expect_eq(reply.status, 503);
	cr_expect(strstr(reply.body, "descriptors"));
	reply_done(&reply);
	cr_expect(api.server->out_of_descriptors);
	limit_descriptors(1024);
	conn_say(&conns[2], "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
	conn_reply(&conns[2], false, &reply);
	cr_expect_eq(reply.status, 200);
	reply_done(&reply);
	cr_expect_not(api.server->out_of_descriptors);
	cr_expect_geq(api.server->reserve, 0);
	close_many(conns, ARRAY_SIZE(conns));
}

static void limit_descriptors_above(int fd)
{
	limit_descriptors((rlim_t)fd + 1 + SERVER_DESCRIPTORS_KEPT + SERVER_CLIENTS_KEPT);
}

/* Of what the limit leaves some are for administrators, and some for nobody. */
Test(server, clients_do_not_take_the_last_descriptors)
{
	struct conn conns[2];
	int client = dup(0), server = dup(0);

	close(client);
	close(server);
	/* room for one client, which takes two: his own end is in this process too */
	limit_descriptors_above(server);
	open_many(conns, 1);
	cr_expect_eq(api.server->n_clients, 1);
	expect_turned_away("open files");
	fake_credentials.uid = 0;
	open_many(&conns[1], 1);
	cr_expect_eq(api.server->n_clients, 2, "%zu", api.server->n_clients);
	json_decref(api_json(&api, "GET /v1/status", NULL, 200));
	limit_descriptors(1024);
	close_many(conns, 2);
}

Test(server, a_socket_file_that_is_another_ones_is_left_there)
{
	struct server_fault why;
	int fd;

	/* as when another natd took over the path */
	cr_assert_eq(unlink(api.path), 0);
	cr_assert_eq(server_listen(api.path, geteuid(), getegid(), 0600, &fd, &why), 0,
		     "%s", why.text);
	server_free(api.server);
	api.server = NULL;
	cr_expect_eq(access(api.path, F_OK), 0);
	close(fd);
	unlink(api.path);
}

static mode_t mode_of_socket(void)
{
	struct stat st;

	cr_assert_eq(stat(api.path, &st), 0);
	return st.st_mode & 07777;
}

Test(server, the_mode_of_the_socket_file_follows_the_configuration)
{
	struct access *access = &api.gw->config.access;

	server_follow(api.server, false);
	*access = (struct access){ .given = true, .look = true };
	api.gw->configured(api.gw->configured_userdata);
	cr_expect_eq(mode_of_socket(), 0666);
	*access = (struct access){ .given = true };
	api.gw->configured(api.gw->configured_userdata);
	cr_expect_eq(mode_of_socket(), 0660);
	server_follow(api.server, true);
	api.gw->configured(api.gw->configured_userdata);
	cr_expect_eq(mode_of_socket(), 0600);
}

Test(server, the_mode_of_another_ones_file_is_left_alone)
{
	int fd;

	server_follow(api.server, false);
	cr_assert_eq(unlink(api.path), 0);
	api.gw->configured(api.gw->configured_userdata);
	fd = open(api.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	close(fd);
	api.gw->configured(api.gw->configured_userdata);
	cr_expect_eq(mode_of_socket(), 0600);
	cr_expect_eq(unlink(api.path), 0);
}

Test(server, nobody_follows_the_configuration_when_it_is_gone)
{
	server_follow(api.server, false);
	cr_expect_not_null(api.gw->configured);
	server_free(api.server);
	api.server = NULL;
	cr_expect_null(api.gw->configured);
}

Test(server, start_fails_without_descriptors_and_keeps_nothing)
{
	struct server *server;
	int fd;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	limit_descriptors(0);
	cr_expect_eq(server_new(api.event, api.gw, fd, (gid_t)-1, &server), -EMFILE);
	limit_descriptors(1024);
	cr_expect_geq(fcntl(fd, F_GETFD), 0, "the descriptor is still the caller's");
	close(fd);
}

/* With one descriptor for the reserve and none for epoll. */
Test(server, start_fails_when_there_is_no_descriptor_for_http)
{
	struct server *server;
	int fd, lowest;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	lowest = fcntl(fd, F_DUPFD, 0);
	close(lowest);
	limit_descriptors((rlim_t)lowest + 1);
	cr_expect_eq(server_new(api.event, api.gw, fd, (gid_t)-1, &server), -EMFILE);
	limit_descriptors(1024);
	cr_expect_eq(fcntl(lowest, F_GETFD), -1, "the reserve is given back");
	close(fd);
}
