/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_resolve - the name of the STUN server, and where that is
 *
 * One question for all routers, asked when the first of them wants the server. It is
 * asked again when the answer is no longer good, when no address of it answers (which
 * says nothing new to a name that has not moved: so with growing distance), and after a
 * failure, for ever. What was known stays in use until name servers say otherwise: that
 * they are silent is no news of the server.
 */

#include <errno.h>

#include "core/upstream/upstream_private.h"

#define WAIT_LEAST SECONDS(10)
#define WAIT_MOST  MINUTES(15)
#define GOOD_LEAST SECONDS(60)
#define GOOD_MOST  HOURS(24)
#define UNSENT_MS  100
/* longer than the worker takes at most, and its start */
#define OPEN_MS SECONDS(WORKER_RESOLVER_SECONDS + 10)

static bool is_needed(const struct upstream *up)
{
	if (!up->options.stun_name[0])
		return false;
	for (const struct router *router = up->routers; router; router = router->next) {
		if (stun_is_wanted(up, router))
			return true;
	}
	return false;
}

void resolve_reset(struct upstream *up)
{
	up->server = (struct server){ .wait = WAIT_LEAST };
}

const struct in6_addr *resolve_address(const struct upstream *up,
				       const struct router *router)
{
	const struct server *server = &up->server;

	if (!up->options.stun_name[0])
		return &up->options.stun.addr;
	return server->n ? &server->addrs[router->stun_at % server->n] : NULL;
}

/* ------------------------------------------------------------ asking */

bool resolve_job(struct upstream *up, uint64_t now, struct worker_job *ret)
{
	struct server *server = &up->server;

	if (server->serial || server->due > now || !is_needed(up))
		return false;
	server->serial = serial_next(up);
	server->asked_at = now;
	server->due = now + OPEN_MS;
	memset(ret, 0, sizeof(*ret));
	ret->serial = server->serial;
	ret->kind = JOB_RESOLVE;
	memcpy(ret->url, up->options.stun_name, sizeof(up->options.stun_name));
	return true;
}

void resolve_unsent(struct upstream *up, uint64_t now)
{
	up->server.serial = 0;
	up->server.due = now + UNSENT_MS;
}

uint64_t resolve_due(const struct upstream *up)
{
	return up->server.serial || is_needed(up) ? up->server.due : NEVER;
}

/* Since the last question, whatever became of it. */
static void hurry(struct server *server, uint64_t now)
{
	if (!server->serial)
		server->due =
			earlier(server->due, later(now, server->asked_at + server->wait));
}

void resolve_silent(struct upstream *up, uint64_t now)
{
	up->server.silent = true;
	hurry(&up->server, now);
}

void resolve_heard(struct upstream *up)
{
	up->server.silent = false;
	up->server.wait = WAIT_LEAST;
}

void resolve_again(struct upstream *up, uint64_t now)
{
	if (!up->server.problem)
		return;
	up->server.wait = WAIT_LEAST;
	hurry(&up->server, now);
}

/* ------------------------------------------------------------ what comes of it */

static void wait_longer(struct server *server)
{
	server->wait = chance_double(server->wait, WAIT_LEAST, WAIT_MOST);
}

static size_t rank_of(const struct worker_answer *answer, const struct in6_addr *addr)
{
	size_t i = 0;

	while (i < WORKER_ADDRESSES_MAX && !address_equal(&answer->addresses[i], addr))
		i++;
	return i;
}

/* Name servers tell the addresses of a name in any order. */
static void lead_to(struct upstream *up, struct router *router,
		    const struct worker_answer *answer, uint64_t now)
{
	const struct in6_addr *before = resolve_address(up, router);
	const size_t rank = before ? rank_of(answer, before) : WORKER_ADDRESSES_MAX;

	if (rank < WORKER_ADDRESSES_MAX) {
		router->stun_at = (uint8_t)rank;
		return;
	}
	router->stun_at = 0;
	router->stun_misses = 0;
	router->stun = (struct probe){ .due = now };
}

static void known(struct upstream *up, const struct worker_answer *answer, uint64_t now)
{
	const uint64_t good = SECONDS(answer->lifetime);
	struct server *server = &up->server;

	if (server->silent)
		wait_longer(server);
	else
		server->wait = WAIT_LEAST;
	for (struct router *router = up->routers; router; router = router->next)
		lead_to(up, router, answer, now);
	server->n = 0;
	while (server->n < WORKER_ADDRESSES_MAX &&
	       !address_is_any(&answer->addresses[server->n])) {
		server->addrs[server->n] = answer->addresses[server->n];
		server->n++;
	}
	server->problem = 0;
	server->silent = false;
	server->due = now + earlier(later(good, GOOD_LEAST), GOOD_MOST);
}

/* Of a name that is not there, or leads nowhere, nothing is believed any more. */
static bool is_final(int problem)
{
	return problem == -ENOENT || problem == -ENODATA || problem == -EADDRNOTAVAIL;
}

static void unknown(struct upstream *up, int problem, uint64_t now)
{
	struct server *server = &up->server;

	server->serial = 0;
	server->problem = problem;
	server->due = now + server->wait;
	wait_longer(server);
	if (!is_final(problem) || server->n == 0)
		return;
	server->n = 0;
	for (struct router *router = up->routers; router; router = router->next)
		stun_stop(router);
}

bool resolve_answer(struct upstream *up, const struct worker_answer *answer, uint64_t now)
{
	if (up->server.serial != answer->serial)
		return false;
	if (answer->job != JOB_RESOLVE)
		return true;
	up->server.serial = 0;
	if (answer->result == 0)
		known(up, answer, now);
	else
		unknown(up, answer->result, now);
	return true;
}

void resolve_gone(struct upstream *up, uint64_t now)
{
	if (up->server.serial)
		unknown(up, -ETIMEDOUT, now);
}

void resolve_tick(struct upstream *up, uint64_t now)
{
	if (up->server.due <= now)
		resolve_gone(up, now);
}

/* ------------------------------------------------------------ how it stands */

static const char *problem_words(int problem)
{
	switch (problem) {
	case -ENOENT:
		return "there is no such name";
	case -ENODATA:
		return "it has no IPv4 address";
	case -EADDRNOTAVAIL:
		return "it has no address that a server can have";
	case -EDESTADDRREQ:
		return "no name server is set up";
	case -EPROTO:
		return "the name server's answer cannot be read";
	default:
		return "no name server answers";
	}
}

const char *resolve_problem(const struct upstream *up)
{
	if (!up->server.problem || up->server.n || !is_needed(up))
		return NULL;
	return problem_words(up->server.problem);
}

bool upstream_server_view(const struct upstream *up, struct upstream_server_view *ret)
{
	const struct server *server = &up->server;

	if (!up->options.stun.port)
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->problem = resolve_problem(up);
	ret->n = server->n;
	memcpy(ret->addrs, server->addrs, sizeof(ret->addrs));
	if (!up->options.stun_name[0]) {
		ret->addrs[0] = up->options.stun.addr;
		ret->n = 1;
	}
	return true;
}
