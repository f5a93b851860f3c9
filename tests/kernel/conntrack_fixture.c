/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "tests/kernel/conntrack_fixture.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>

#include "tests/kernel/netns.h"

struct conntrack *ct;
struct entries entries;

void conntrack_enter(void)
{
	netns_enter();
	cr_assert_eq(conntrack_open(&ct), 0);
}

void conntrack_leave(void)
{
	conntrack_close(ct);
	free(entries.c);
}

static int keep(void *userdata, const struct connection *c)
{
	struct entries *e = userdata;

	if (e->n == e->room) {
		e->room = e->room ? 2 * e->room : 64;
		e->c = reallocarray(e->c, e->room, sizeof(*e->c));
		cr_assert_not_null(e->c);
	}
	e->c[e->n++] = *c;
	return 0;
}

int dump(void)
{
	entries.n = 0;
	return conntrack_dump(ct, keep, &entries);
}

static size_t find_source_port(uint16_t port)
{
	size_t i = 0;

	while (i < entries.n && entries.c[i].orig_src.port != port)
		i++;
	return i;
}

bool has_source_port(uint16_t port)
{
	return find_source_port(port) < entries.n;
}

struct connection of_source_port(uint16_t port)
{
	cr_assert(has_source_port(port), "no entry of source port %u", port);
	return entries.c[find_source_port(port)];
}

/* a forward's entry: 198.51.100.7:@port dialled 203.0.113.5:8080, served by .10:80 */
void insert_forward(unsigned int port, const char *more)
{
	netns_run(
		"conntrack -I -p tcp -s 198.51.100.7 -d 203.0.113.5 --sport %u --dport 8080 "
		"-r 192.168.1.10 -q 198.51.100.7 --reply-port-src 80 --reply-port-dst %u "
		"--state ESTABLISHED -t 100 -u ASSURED %s 2>/dev/null",
		port, port, more);
}

static size_t put_new(char *buf, unsigned int i)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	struct nf_conntrack *entry = nfct_new();

	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL;
	nfg->nfgen_family = AF_INET;
	nfct_set_attr_u8(entry, ATTR_L3PROTO, AF_INET);
	nfct_set_attr_u8(entry, ATTR_L4PROTO, IPPROTO_UDP);
	nfct_set_attr_u32(entry, ATTR_IPV4_SRC, htonl(0x0a000000 + i));
	nfct_set_attr_u32(entry, ATTR_IPV4_DST, htonl(0xcb007105));
	nfct_set_attr_u16(entry, ATTR_PORT_SRC, htons(4000));
	nfct_set_attr_u16(entry, ATTR_PORT_DST, htons(8080));
	nfct_setobjopt(entry, NFCT_SOPT_SETUP_REPLY);
	nfct_set_attr_u32(entry, ATTR_TIMEOUT, 600);
	cr_assert_eq(nfct_nlmsg_build(nlh, entry), 0);
	nfct_destroy(entry);
	return NLMSG_ALIGN(nlh->nlmsg_len);
}

void insert_many(unsigned int n)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_NETFILTER);
	char buf[32768];
	size_t len = 0;

	for (unsigned int i = 0; i < n; i++) {
		len += put_new(buf + len, i);
		if (len < sizeof(buf) - 512 && i + 1 < n)
			continue;
		cr_assert_eq(mnl_socket_sendto(nl, buf, len), (ssize_t)len);
		len = 0;
	}
	mnl_socket_close(nl);
}
