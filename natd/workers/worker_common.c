/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "core/endpoint.h"
#include "natd/workers/worker_private.h"

void worker_answer_of(const struct worker_job *job, int result, struct worker_answer *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->serial = job->serial;
	ret->kind = ANSWER_JOB;
	ret->job = job->kind;
	ret->result = result;
	ret->ifindex = job->ifindex;
	ret->router = job->router;
	ret->internal = job->internal;
	ret->internal_port = job->internal_port;
	ret->protocol = job->protocol;
	memcpy(ret->nonce, job->nonce, sizeof(ret->nonce));
}

static void make_unreadable(const struct worker_answer *from, struct worker_answer *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->serial = from->serial;
	ret->kind = ANSWER_JOB;
	ret->job = from->job;
	ret->result = -EPROTO;
	ret->ifindex = from->ifindex;
	ret->router = from->router;
}

int worker_answer_send(int fd, const struct worker_answer *answer, int flags)
{
	struct worker_answer said;

	if (!worker_answer_valid(answer, sizeof(*answer), &said)) {
		if (answer->kind != ANSWER_JOB)
			return 0;
		make_unreadable(answer, &said);
	}
	if (send(fd, &said, sizeof(said), flags | MSG_NOSIGNAL) >= 0)
		return 0;
	return errno == ECONNRESET ? -EPIPE : -errno;
}

socklen_t worker_sockaddr(const struct in6_addr *addr, uint16_t port, uint32_t ifindex,
			  union worker_sockaddr *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (address_is_ipv4(addr)) {
		ret->in.sin_family = AF_INET;
		ret->in.sin_port = htons(port);
		memcpy(&ret->in.sin_addr, &addr->s6_addr[12], sizeof(ret->in.sin_addr));
		return sizeof(ret->in);
	}
	ret->in6.sin6_family = AF_INET6;
	ret->in6.sin6_port = htons(port);
	ret->in6.sin6_addr = *addr;
	if (address_is_link_local(addr) || IN6_IS_ADDR_MULTICAST(addr))
		ret->in6.sin6_scope_id = ifindex;
	return sizeof(ret->in6);
}

void worker_let_alarm_end(void)
{
	sigset_t set;

	signal(SIGALRM, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

uint64_t worker_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}
