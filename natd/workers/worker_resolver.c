/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * libresolv asks, repeats, changes to TCP, and parses (resolver(3)); it checks that an
 * answer comes from the server asked and is to the question. What it does not bound is
 * bounded here: how long a server is waited for, and by an alarm all of it. Of an answer
 * every address counts, whatever name it stands under: aliases have been followed by the
 * name server, and one that lies can do so under any name.
 */

#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/endpoint.h"
#include "natd/workers/worker.h"
#include "natd/workers/worker_private.h"

/* With three servers, and a domain tried after the name: within the alarm. */
#define WAIT_SECONDS 3
#define TRIES	     2

static struct __res_state servers;

int worker_resolver_prepare(void)
{
	if (res_ninit(&servers) < 0)
		return -ENOMEM;
	if (servers.retrans > WAIT_SECONDS)
		servers.retrans = WAIT_SECONDS;
	if (servers.retry > TRIES)
		servers.retry = TRIES;
	return 0;
}

/* That is what resolv.conf(5) makes of a file that names no server, or is not there. */
static bool is_this_machine_alone(void)
{
	const struct sockaddr_in *first = &servers.nsaddr_list[0];

	return servers.nscount == 1 && first->sin_family == AF_INET &&
	       first->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

static int failure(int error)
{
	switch (servers.res_h_errno) {
	case HOST_NOT_FOUND:
		return -ENOENT;
	case NO_DATA:
		return -ENODATA;
	case NO_RECOVERY:
		return -EPROTO;
	default:
		return error == ECONNREFUSED && is_this_machine_alone() ? -EDESTADDRREQ
									: -ETIMEDOUT;
	}
}

static bool has(const struct worker_answer *answer, size_t n, const struct in6_addr *addr)
{
	for (size_t i = 0; i < n; i++) {
		if (address_equal(&answer->addresses[i], addr))
			return true;
	}
	return false;
}

static void take_address(const ns_rr *record, struct worker_answer *answer, size_t *n)
{
	struct in6_addr addr = address_any4;

	memcpy(&addr.s6_addr[12], ns_rr_rdata(*record), sizeof(struct in_addr));
	if (*n < WORKER_ADDRESSES_MAX && !address_unusable(&addr) &&
	    !has(answer, *n, &addr))
		answer->addresses[(*n)++] = addr;
}

static bool is_address(const ns_rr *record)
{
	return ns_rr_type(*record) == ns_t_a &&
	       ns_rr_rdlen(*record) == sizeof(struct in_addr);
}

/* An answer is good as long as all of it is: aliases, too. */
static int take_answer(ns_msg *message, struct worker_answer *answer)
{
	uint32_t lifetime = UINT32_MAX;
	size_t seen = 0, n = 0;
	ns_rr record;

	for (int i = 0; i < ns_msg_count(*message, ns_s_an); i++) {
		if (ns_parserr(message, ns_s_an, i, &record) < 0)
			return -EPROTO;
		if (ns_rr_class(record) != ns_c_in)
			continue;
		if (ns_rr_ttl(record) < lifetime)
			lifetime = ns_rr_ttl(record);
		if (!is_address(&record))
			continue;
		seen++;
		take_address(&record, answer, &n);
	}
	answer->lifetime = lifetime;
	if (n > 0)
		return 0;
	return seen > 0 ? -EADDRNOTAVAIL : -ENODATA;
}

static int resolve(const char *name, struct worker_answer *answer)
{
	static uint8_t packet[NS_MAXMSG];
	ns_msg message;
	int len;

	len = res_nsearch(&servers, name, ns_c_in, ns_t_a, packet, sizeof(packet));
	if (len < 0)
		return failure(errno);
	if (len > (int)sizeof(packet) || ns_initparse(packet, len, &message) < 0)
		return -EPROTO;
	return take_answer(&message, answer);
}

/* Of a failure nothing counts but why. */
static int serve(int fd, const struct worker_job *job)
{
	struct worker_answer answer;
	int r = -EOPNOTSUPP;

	worker_answer_of(job, 0, &answer);
	if (job->kind == JOB_RESOLVE) {
		alarm(WORKER_RESOLVER_SECONDS);
		r = resolve(job->url, &answer);
		alarm(0);
	}
	if (r != 0)
		worker_answer_of(job, r, &answer);
	return worker_answer_send(fd, &answer, 0);
}

static int serve_all(int fd)
{
	struct worker_job job;
	uint8_t packet[sizeof(job) + 1];
	int r = 0;

	while (r == 0 || r == -EINTR) {
		ssize_t n = recv(fd, packet, sizeof(packet), 0);

		if (n == 0)
			return 0;
		r = n < 0 ? -errno : -EBADMSG;
		if (n > 0 && worker_job_valid(packet, (size_t)n, &job))
			r = serve(fd, &job);
	}
	return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

int worker_resolver(int fd)
{
	int r;

	worker_let_alarm_end();
	signal(SIGPIPE, SIG_IGN);
	r = serve_all(fd);
	if (r == -EBADMSG)
		return WORKER_UNREADABLE;
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
