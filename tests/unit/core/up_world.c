/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "up_world.h"

struct up_world W;
uint64_t up_seed = 1;
static uint64_t random_state;

unsigned int up_below(unsigned int n)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return n ? (unsigned int)((z ^ z >> 31) % n) : 0;
}

static void chance(void *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)buf)[i] = (uint8_t)up_below(256);
}

/* ------------------------------------------------------------ the store */

static void take_rows(void)
{
	struct upstream_row row;
	bool gone, any = false;

	while (upstream_next_row(W.up, &row, &gone)) {
		any = true;
		if (!W.store_fails)
			up_save(&row, gone);
	}
	if (any && !W.store_fails)
		upstream_rows_saved(W.up, W.now);
}

/* ------------------------------------------------------------ what is under way */

static bool is_lost(void)
{
	return W.loss && up_below(100) < W.loss;
}

/* In order, as a wire has it. */
static struct message *put_message(uint64_t at)
{
	for (size_t i = 0; i < WORLD_MESSAGES; i++) {
		struct message *message = &W.messages[i];

		if (message->at == 0) {
			message->at = at ? at : 1;
			message->order = ++W.order;
			W.n_messages = i >= W.n_messages ? i + 1 : W.n_messages;
			return message;
		}
	}
	so(!"room for one more message");
	return NULL;
}

static struct message *first_message(void)
{
	struct message *first = NULL;

	while (W.n_messages > 0 && W.messages[W.n_messages - 1].at == 0)
		W.n_messages--;
	for (size_t i = 0; i < W.n_messages; i++) {
		struct message *message = &W.messages[i];

		if (message->at &&
		    (!first || message->at < first->at ||
		     (message->at == first->at && message->order < first->order)))
			first = message;
	}
	return first;
}

static void send_answer(const struct worker_answer *answer, uint64_t delay)
{
	struct message *message = put_message(W.now + delay);

	message->is_answer = true;
	message->answer = *answer;
}

static void send_job(const struct worker_job *job)
{
	W.last[job->kind] = *job;
	W.times[job->kind][W.jobs[job->kind]++ % WORLD_TIMES] = W.now;
	up_job_must_be_good(job);
	if (job->kind == JOB_LISTEN || job->kind == JOB_IGNORE)
		return;
	if (job_role(job->kind) == WORKER_DATAGRAM && is_lost())
		return;
	*put_message(W.now + W.delay) = (struct message){
		.at = W.now + W.delay ? W.now + W.delay : 1,
		.order = W.order,
		.job = *job,
	};
}

static void answer_stun(const struct worker_job *job)
{
	struct worker_answer answer = {
		.serial = job->serial,
		.kind = ANSWER_JOB,
		.job = JOB_STUN_BIND,
		.router = job->router,
		.external = W.stun_sees,
		.external_port = 4000,
	};

	if (!address_is_any(&W.stun_sees) &&
	    (address_is_any(&W.stun_at) || address_equal(&W.stun_at, &job->router)))
		send_answer(&answer, W.delay);
}

static void answer_name(const struct worker_job *job)
{
	struct worker_answer answer = {
		.serial = job->serial,
		.kind = ANSWER_JOB,
		.job = JOB_RESOLVE,
		.result = W.named,
		.lifetime = W.name_lifetime,
	};

	if (W.named == 0)
		memcpy(answer.addresses, W.names, sizeof(answer.addresses));
	send_answer(&answer, W.delay);
}

static void arrive_at_router(const struct worker_job *job)
{
	const bool igd = job_role(job->kind) == WORKER_IGD;
	const size_t r = up_router_of(&job->router);
	struct worker_answer answer;

	if (job->kind == JOB_STUN_BIND) {
		answer_stun(job);
		return;
	}
	if (job->kind == JOB_RESOLVE) {
		answer_name(job);
		return;
	}
	if (r == WORLD_ROUTERS || !sim_answer(&W.routers[r], job, W.now, &answer))
		return;
	if (!igd && is_lost())
		return;
	if (igd && is_lost())
		answer.result = -ETIMEDOUT;
	send_answer(&answer, answer.result == -ETIMEDOUT ? 5000 : W.delay);
}

static bool is_liar(const struct in6_addr *addr)
{
	const size_t r = up_router_of(addr);

	return r < WORLD_ROUTERS && (W.routers[r].lie_port_0 || W.routers[r].lie_address);
}

static void arrive_at_natd(const struct worker_answer *answer)
{
	struct worker_answer copy;

	so(worker_answer_valid(answer, sizeof(*answer), &copy) ||
	   is_liar(&answer->router));

	for (size_t r = 0; r < WORLD_ROUTERS; r++) {
		for (size_t i = 0; i < 64; i++) {
			if (W.sent[r][i].serial == answer->serial)
				W.sent[r][i].open = false;
		}
	}
	if (answer->serial == W.igd_busy)
		W.igd_busy = 0;
	if (W.up)
		upstream_answer(W.up, answer, W.now);
}

static void deliver(void)
{
	struct message *first = first_message();

	while (first && first->at <= W.now) {
		const struct message message = *first;

		first->at = 0;
		if (message.is_answer)
			arrive_at_natd(&message.answer);
		else
			arrive_at_router(&message.job);
		first = first_message();
	}
}

/* ------------------------------------------------------------ turns */

static void take_jobs(void)
{
	struct worker_job job;

	for (enum worker_role role = 0; role < WORKER_ROLES; role++) {
		for (unsigned int n = 0; upstream_next_job(W.up, role, W.now, &job);
		     n++) {
			so(n < 1000);
			send_job(&job);
		}
	}
}

static void take_events(void)
{
	struct upstream_event event;

	while (upstream_next_event(W.up, &event)) {
		if (W.n_events == WORLD_EVENTS)
			W.n_events = 0;
		W.events[W.n_events++] = event;
	}
}

/* What one worker is to do may need a row first: as the loop, as long as there is
 * something. */
void up_turn(void)
{
	unsigned int n = 0;

	deliver();
	do {
		upstream_tick(W.up, W.now);
		take_rows();
		take_jobs();
		take_events();
		so(++n < 100);
	} while (upstream_due(W.up) <= W.now);
}

static uint64_t next_moment(void)
{
	const struct message *first = first_message();
	const uint64_t due = upstream_due(W.up);

	return first && first->at < due ? first->at : due;
}

bool up_run_until(bool (*is_so)(void), uint64_t ms)
{
	const uint64_t end = W.now + ms;
	uint64_t next;

	up_turn();
	while (!(is_so && is_so()) && (next = next_moment()) <= end) {
		W.now = next > W.now ? next : W.now;
		up_turn();
	}
	if (is_so && is_so())
		return true;
	W.now = end;
	return false;
}

void up_run(uint64_t ms)
{
	up_run_until(NULL, ms);
	up_turn();
}

/* ------------------------------------------------------------ beginning and end */

struct upstream_link *up_link(const char *wan, uint32_t ifindex, const char *gateway,
			      const char *source)
{
	struct upstream_link *link = &W.links[W.n_links++];

	memset(link, 0, sizeof(*link));
	snprintf(link->wan, sizeof(link->wan), "%s", wan);
	link->ifindex = ifindex;
	so(address_parse(gateway, &link->gateway) == 0);
	so(address_parse(source, &link->source) == 0);
	link->addresses[link->n_addresses++] = link->source;
	return link;
}

void up_links_changed(void)
{
	so(upstream_set_links(W.up, W.links, W.n_links, W.now) == 0);
}

void up_kill(void)
{
	upstream_free(W.up);
	W.up = NULL;
	for (size_t i = 0; i < WORLD_MESSAGES; i++) {
		if (W.messages[i].is_answer)
			W.messages[i].at = 0;
	}
	memset(W.sent, 0, sizeof(W.sent));
	memset(W.last_sent, 0, sizeof(W.last_sent));
	W.igd_busy = 0;
}

void up_start(const struct mapping *mappings, size_t n)
{
	so(upstream_new(&W.options, chance, &W.up) == 0);
	for (size_t i = 0; i < W.n_rows; i++)
		so(upstream_restore(W.up, &W.rows[i]) == 0);
	up_links_changed();
	for (size_t i = 0; i < n; i++)
		up_follow(&mappings[i]);
	upstream_begin(W.up, W.now);
	up_turn();
}

void up_world_prepare(unsigned int speaks)
{
	const char *seed = getenv("NATD_TEST_SEED");

	if (seed)
		up_seed = strtoull(seed, NULL, 0);
	random_state = up_seed;
	free(W.messages);
	memset(&W, 0, sizeof(W));
	W.messages = calloc(WORLD_MESSAGES, sizeof(*W.messages));
	cr_assert_not_null(W.messages);
	W.now = 1000000;
	W.delay = 2;
	W.stun_sees = address_any4;
	upstream_options_default(&W.options);
	W.options.enable = true;
	sim_init(&W.routers[W.n_routers++], "192.168.0.1", "8.8.8.8", speaks);
	up_link("wan0", 2, "192.168.0.1", "192.168.0.2");
}

void up_world_begin(unsigned int speaks)
{
	up_world_prepare(speaks);
	up_start(NULL, 0);
}

void up_world_end(void)
{
	upstream_free(W.up);
	free(W.messages);
	W.up = NULL;
	W.messages = NULL;
}

/* ------------------------------------------------------------ asking and looking */

struct mapping up_mapping(uint64_t id, uint8_t protocol, uint16_t port, uint16_t n)
{
	struct mapping m = {
		.id = id, .protocol = protocol, .n_ports = n, .enabled = true
	};

	m.external.port = port;
	m.external.addr = address_any4;
	address_parse("192.168.1.10", &m.internal.addr);
	m.internal.port = port;
	mapping_resolve(&m);
	return m;
}

void up_follow(const struct mapping *m)
{
	so(upstream_follow(W.up, m, W.now) == 0);
}

void up_forget(uint64_t id)
{
	upstream_forget(W.up, id, W.now);
}

struct upstream_view up_view(uint64_t id)
{
	struct upstream_view view;

	upstream_view(W.up, id, &view);
	return view;
}

struct upstream_link_view up_link_view(size_t i)
{
	struct upstream_link_view view;

	upstream_link_view(W.up, i, W.now, &view);
	return view;
}

bool up_is(struct in6_addr addr, const char *text)
{
	struct in6_addr other;

	return address_parse(text, &other) == 0 && address_equal(&addr, &other);
}

void up_announce(enum worker_answer_kind kind, const struct sim_router *router)
{
	struct worker_answer answer = {
		.kind = kind,
		.ifindex = router->ifindex,
		.router = router->addr,
		.external = router->external,
		.epoch = sim_epoch(router, W.now),
		.boot_id = router->boot_id,
	};

	if (kind == ANSWER_SSDP_ALIVE)
		memcpy(answer.url, router->url, sizeof(answer.url));
	send_answer(&answer, 0);
	up_turn();
}

size_t up_count(enum upstream_event_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < W.n_events; i++)
		n += W.events[i].kind == kind;
	return n;
}

const struct upstream_event *up_last(enum upstream_event_kind kind)
{
	for (size_t i = W.n_events; i-- > 0;) {
		if (W.events[i].kind == kind)
			return &W.events[i];
	}
	return NULL;
}

void up_forget_events(void)
{
	W.n_events = 0;
}
