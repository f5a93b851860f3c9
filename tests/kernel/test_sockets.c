/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "natd/kernel/sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/mapping.h"
#include "tests/kernel/faulty_mnl.h"
#include "tests/kernel/netns.h"

static struct sockets *sockets;
static struct listener_list list;

static void enter(void)
{
	netns_enter();
	netns_run("ip addr add 203.0.113.5/32 dev lo;"
		  "ip addr add 2001:db8:f::5/128 dev lo nodad");
	cr_assert_eq(sockets_open(&sockets), 0);
}

static void leave(void)
{
	sockets_close(sockets);
}

TestSuite(sockets, .init = enter, .fini = leave, .timeout = 60);

static void read_all(void)
{
	cr_assert_eq(sockets_read(sockets, PROTOCOL_BITS, &list), 0);
}

/* ------------------------------------------------------------ programs that listen */

/* "" = 0.0.0.0, or with AF_INET6 :: */
struct want {
	uint8_t protocol;
	int family;
	const char *local;
	uint16_t port;
	bool v6only;
};

static int type_of(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_SCTP ? SOCK_STREAM
								   : SOCK_DGRAM;
}

static socklen_t address_of(const struct want *want, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	struct in6_addr addr = IN6ADDR_ANY_INIT;

	*ret = (struct sockaddr_storage){ .ss_family = (sa_family_t)want->family };
	if (want->local[0])
		cr_assert_eq(address_parse(want->local, &addr), 0);
	v4->sin_port = htons(want->port);
	if (want->family == AF_INET6) {
		v6->sin6_addr = addr;
		return sizeof(*v6);
	}
	memcpy(&v4->sin_addr, addr.s6_addr + 12, 4);
	return sizeof(*v4);
}

/* Return: -1 where the kernel has no such protocol */
static int bound(const struct want *want)
{
	struct sockaddr_storage addr;
	const int v6only = want->v6only;
	socklen_t len = address_of(want, &addr);
	int fd;

	fd = socket(want->family, type_of(want->protocol) | SOCK_CLOEXEC, want->protocol);
	if (fd < 0 && (errno == EPROTONOSUPPORT || errno == ESOCKTNOSUPPORT))
		return -1;
	cr_assert_geq(fd, 0, "%s", strerror(errno));
	if (want->family == AF_INET6)
		cr_assert_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only,
					sizeof(v6only)),
			     0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&addr, len), 0, "%s", strerror(errno));
	return fd;
}

static int listening(const struct want *want)
{
	int fd = bound(want);

	if (fd >= 0 && type_of(want->protocol) == SOCK_STREAM)
		cr_assert_eq(listen(fd, 1), 0, "%s", strerror(errno));
	return fd;
}

static const struct listener *listener_at(uint8_t protocol, uint16_t port)
{
	const struct listener *found = NULL;

	for (size_t i = 0; i < list.n; i++) {
		if (list.listeners[i].protocol != protocol ||
		    list.listeners[i].local.port != port)
			continue;
		cr_assert_null(found, "told twice");
		found = &list.listeners[i];
	}
	return found;
}

static ino_t inode_of(int fd)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

/* ------------------------------------------------------------ what is told */

Test(sockets, where_nobody_listens_nothing_is_told)
{
	read_all();
	cr_assert_eq(list.n, 0);
}

Test(sockets, a_socket_is_told_with_all_that_is_known_of_it)
{
	static const struct {
		struct want want;
		const char *local;
	} cases[] = {
		{ { IPPROTO_TCP, AF_INET, "", 22, false }, "0.0.0.0" },
		{ { IPPROTO_TCP, AF_INET, "203.0.113.5", 80, false }, "203.0.113.5" },
		{ { IPPROTO_TCP, AF_INET6, "", 443, false }, "::" },
		{ { IPPROTO_TCP, AF_INET6, "", 444, true }, "::" },
		{ { IPPROTO_TCP, AF_INET6, "2001:db8:f::5", 445, true },
		  "2001:db8:f::5" },
		{ { IPPROTO_TCP, AF_INET6, "203.0.113.5", 446, false }, "203.0.113.5" },
		{ { IPPROTO_UDP, AF_INET, "", 53, false }, "0.0.0.0" },
		{ { IPPROTO_UDP, AF_INET, "127.0.0.1", 54, false }, "127.0.0.1" },
		{ { IPPROTO_UDP, AF_INET6, "", 55, false }, "::" },
		{ { IPPROTO_UDP, AF_INET6, "", 56, true }, "::" },
		{ { IPPROTO_UDP, AF_INET6, "2001:db8:f::5", 65535, true },
		  "2001:db8:f::5" },
		{ { IPPROTO_UDPLITE, AF_INET, "", 57, false }, "0.0.0.0" },
		{ { IPPROTO_UDPLITE, AF_INET6, "", 58, true }, "::" },
		{ { IPPROTO_SCTP, AF_INET, "", 59, false }, "0.0.0.0" },
		{ { IPPROTO_SCTP, AF_INET6, "", 60, true }, "::" },
	};
	int fds[ARRAY_SIZE(cases)];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fds[i] = listening(&cases[i].want);
		n += fds[i] >= 0;
	}
	read_all();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct want *want = &cases[i].want;
		const struct listener *l = listener_at(want->protocol, want->port);
		char local[INET6_ADDRSTRLEN];

		if (fds[i] < 0)
			continue;
		cr_assert_not_null(l, "%u is missing", want->port);
		cr_expect_str_eq(address_format(&l->local.addr, local), cases[i].local,
				 "%u: %s", want->port, local);
		cr_expect_eq(l->v6only, want->v6only, "%u", want->port);
		cr_expect_eq(l->uid, 0);
		cr_expect_eq(l->inode, inode_of(fds[i]), "%u", want->port);
		cr_expect_eq(l->ifindex, 0);
	}
	cr_expect_eq(list.n, n);
}

Test(sockets, a_socket_of_an_interface_is_told_with_it)
{
	const struct want want = { IPPROTO_UDP, AF_INET, "", 67, false };
	int fd;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0);
	{
		struct sockaddr_storage addr;
		socklen_t len = address_of(&want, &addr);

		cr_assert_eq(bind(fd, (struct sockaddr *)&addr, len), 0);
	}
	read_all();
	cr_assert_eq(list.n, 1);
	cr_assert_eq(list.listeners[0].ifindex, if_nametoindex("lo"));
}

Test(sockets, what_waits_for_nobody_is_not_told)
{
	const struct want server = { IPPROTO_TCP, AF_INET, "127.0.0.1", 80, false };
	const struct want idle = { IPPROTO_TCP, AF_INET, "127.0.0.1", 81, false };
	const struct want client = { IPPROTO_UDP, AF_INET, "127.0.0.1", 5000, false };
	struct sockaddr_storage to;
	socklen_t len;
	int fd;

	listening(&server);
	bound(&idle);
	len = address_of(&server, &to);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, len), 0);
	cr_assert_eq(connect(bound(&client), (struct sockaddr *)&to, len), 0);
	read_all();
	cr_assert_eq(list.n, 1, "bound only, connected, connecting");
	cr_assert_not_null(listener_at(IPPROTO_TCP, 80));
}

Test(sockets, each_reading_tells_what_is_so_then)
{
	const struct want first = { IPPROTO_TCP, AF_INET, "", 22, false };
	const struct want second = { IPPROTO_UDP, AF_INET, "", 53, false };
	int fd = listening(&first);

	read_all();
	cr_assert_not_null(listener_at(IPPROTO_TCP, 22));
	close(fd);
	listening(&second);
	read_all();
	cr_assert_null(listener_at(IPPROTO_TCP, 22));
	cr_assert_not_null(listener_at(IPPROTO_UDP, 53));
	cr_assert_eq(list.n, 1);
}

Test(sockets, sockets_of_other_networks_are_not_told)
{
	const struct want want = { IPPROTO_TCP, AF_INET, "", 22, false };
	int other = netns_new(), ours;

	ours = netns_switch(other);
	listening(&want);
	netns_switch(ours);
	read_all();
	cr_assert_eq(list.n, 0);
}

Test(sockets, hundreds_are_told_sorted)
{
	for (uint16_t i = 0; i < 400; i++) {
		const struct want want = {
			i % 2 ? IPPROTO_TCP : IPPROTO_UDP,
			i % 3 ? AF_INET : AF_INET6,
			"",
			(uint16_t)(20000 - i * 7 % 400),
			true,
		};

		listening(&want);
	}
	read_all();
	cr_assert_eq(list.n, 400);
	for (size_t i = 1; i < list.n; i++)
		cr_assert_leq(
			listener_compare(&list.listeners[i - 1], &list.listeners[i]), 0);
}

/* ------------------------------------------------------------ faults */

Test(sockets, a_protocol_that_the_kernel_cannot_tell_of_has_no_sockets)
{
	const struct want want = { IPPROTO_UDP, AF_INET, "", 53, false };

	listening(&want);
	faulty_answer(-ENOENT); /* tcp, IPv4 */
	read_all();
	cr_assert_not_null(listener_at(IPPROTO_UDP, 53));
}

Test(sockets, a_torn_answer_is_taken_as_it_is)
{
	const struct want want = { IPPROTO_TCP, AF_INET, "", 22, false };

	listening(&want);
	faulty_dump_torn_at(1);
	read_all();
	cr_assert_not_null(listener_at(IPPROTO_TCP, 22));
}

Test(sockets, only_those_of_the_protocols_asked_for_are_read)
{
	const struct want tcp = { IPPROTO_TCP, AF_INET, "", 22, false };
	const struct want udp = { IPPROTO_UDP, AF_INET6, "", 53, false };

	listening(&tcp);
	listening(&udp);
	cr_assert_eq(sockets_read(sockets, PROTOCOL_BIT_TCP, &list), 0);
	cr_expect_not_null(listener_at(IPPROTO_TCP, 22));
	cr_expect_null(listener_at(IPPROTO_UDP, 53));
	cr_assert_eq(sockets_read(sockets, PROTOCOL_BIT_UDP, &list), 0);
	cr_expect_null(listener_at(IPPROTO_TCP, 22));
	cr_expect_not_null(listener_at(IPPROTO_UDP, 53));
	cr_assert_eq(sockets_read(sockets, 0, &list), 0);
	cr_expect_eq(list.n, 0);
}

Test(sockets, what_the_kernel_refuses_is_said_and_the_next_reading_is_whole)
{
	const struct want want = { IPPROTO_TCP, AF_INET, "", 22, false };
	const struct listener_list before = list;

	listening(&want);
	faulty_answer(-ENOMEM);
	cr_assert_eq(sockets_read(sockets, PROTOCOL_BITS, &list), -ENOMEM);
	faulty_receive_fails(1, ENOBUFS);
	cr_assert_eq(sockets_read(sockets, PROTOCOL_BITS, &list), -ENOBUFS);
	faulty_receive_fails(2, EAGAIN);
	cr_assert_eq(sockets_read(sockets, PROTOCOL_BITS, &list), -ETIMEDOUT);
	cr_assert_arr_eq(&list, &before, sizeof(list), "it was not written");
	read_all();
	cr_assert_eq(list.n, 1);
}

Test(sockets, no_descriptors_left_is_said)
{
	struct sockets *more = NULL;
	int r;

	netns_forbid_descriptors(true);
	r = sockets_open(&more);
	netns_forbid_descriptors(false);
	cr_assert_eq(r, -EMFILE);
	cr_assert_null(more);
}

Test(sockets, closing_nothing_is_fine)
{
	sockets_close(NULL);
}
