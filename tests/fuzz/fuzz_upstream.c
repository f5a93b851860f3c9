/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz_upstream - routers that answer anything, at any time
 *
 * The input is a list of what happens: time goes by, mappings come and go, jobs are
 * taken, answers of a valid shape come to them (or to none), the store saves or does not,
 * workers die, natd is started again from its rows, its clock being behind perhaps.
 * Whatever the answers are, jobs are such as the workers take, rows such as are read
 * again, there is an end to what is to be done at one moment, and texts are texts.
 */

#include <errno.h>
#include <string.h>

#include "core/text.h"
#include "core/upstream/upstream.h"
#include "tests/fuzz/fuzz.h"

#define JOBS	 8
#define ROWS	 64
#define MAPPINGS 6

struct input {
	const uint8_t *at, *end;
};

static struct upstream *up;
static struct upstream_options options;
static uint64_t now;
static struct worker_job jobs[JOBS];
static size_t n_jobs;
static struct upstream_row rows[ROWS];
static size_t n_rows;
static struct mapping mappings[MAPPINGS]; /* id 0: none */
static unsigned int links;

static uint8_t take(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static uint32_t take32(struct input *in)
{
	uint32_t number = 0;

	for (int i = 0; i < 4; i++)
		number = number << 8 | take(in);
	return number;
}

static void counted(void *buf, size_t n)
{
	static uint64_t counter;

	memset(buf, 0, n);
	counter += UINT64_C(0x9e3779b97f4a7c15);
	memcpy(buf, &counter, n < sizeof(counter) ? n : sizeof(counter));
}

static struct in6_addr address(const char *text)
{
	struct in6_addr addr;

	hold(address_parse(text, &addr) == 0);
	return addr;
}

/* ------------------------------------------------------------ what natd tells */

static void set_links(void)
{
	static const char *const texts[3][3] = {
		{ "wan0", "192.168.0.1", "192.168.0.2" },
		{ "wan0", "fe80::1", "2001:db8::2" },
		{ "wan1", "10.0.0.1", "10.0.0.2" },
	};
	struct upstream_link list[3];
	size_t n = 0;

	memset(list, 0, sizeof(list));
	for (unsigned int i = 0; i < 3; i++) {
		if (!(links & 1u << i))
			continue;
		strcpy(list[n].wan, texts[i][0]);
		list[n].ifindex = 2 + i;
		list[n].gateway = address(texts[i][1]);
		list[n].source = list[n].addresses[0] = address(texts[i][2]);
		list[n++].n_addresses = 1;
	}
	hold(upstream_set_links(up, list, n, now) == 0);
}

static void begin(void)
{
	hold(upstream_new(&options, counted, &up) == 0);
	for (size_t i = 0; i < n_rows; i++)
		hold(upstream_restore(up, &rows[i]) == 0);
	set_links();
	for (size_t i = 0; i < MAPPINGS; i++) {
		if (mappings[i].id)
			hold(upstream_follow(up, &mappings[i], now) == 0);
	}
	upstream_begin(up, now);
}

static void follow(struct input *in)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP,
					     IPPROTO_UDPLITE };
	const uint8_t id = take(in) % MAPPINGS, bits = take(in), port = take(in);
	struct mapping *m = &mappings[id];

	*m = (struct mapping){ .id = id + 1u };
	m->internal.addr = address(bits & 1 ? "2001:db8:5::10" : "192.168.1.10");
	m->external.addr = bits & 1 ? address_any6 : address_any4;
	m->external.port = m->internal.port = (uint16_t)(8000 + port % 4);
	m->n_ports = 1 + (port >> 2) % 3;
	m->protocol = protocols[bits >> 1 & 3];
	m->enabled = bits >> 3 & 1;
	m->auto_port = bits >> 4 & 1;
	m->upstream = bits >> 5 & 3;
	m->held = bits >> 7;
	mapping_resolve(m);
	hold(upstream_follow(up, m, now) == 0);
}

static void forget(struct input *in)
{
	const uint8_t id = take(in) % MAPPINGS;

	mappings[id].id = 0;
	upstream_forget(up, id + 1u, now);
}

static void configure(struct input *in)
{
	const uint8_t bits = take(in);

	options.enable = bits & 7;
	options.policy = bits >> 3 & 1 ? UPSTREAM_CHOSEN : UPSTREAM_ALL;
	options.other_port = bits >> 4 & 1;
	options.n_order = 1 + (bits >> 5) % UPSTREAM_SPEECHES;
	for (uint8_t i = 0; i < UPSTREAM_SPEECHES; i++)
		options.order[i] = (uint8_t)((i + (bits >> 6)) % UPSTREAM_SPEECHES);
	options.stun = (struct endpoint){ address("1.1.1.1"), 3478 };
	options.stun_name[0] = '\0';
	if (bits >> 7) {
		options.stun.addr = address_any4;
		strcpy(options.stun_name, "stun.example.org");
	}
	hold(upstream_configure(up, &options, now) == 0);
}

/* ------------------------------------------------------------ the store */

static void save(const struct upstream_row *row, bool gone)
{
	size_t i = 0;

	while (i < n_rows && rows[i].id != row->id)
		i++;
	if (gone && i < n_rows)
		rows[i] = rows[--n_rows];
	if (gone)
		return;
	hold(!upstream_row_flaw(row));
	hold(i < n_rows || n_rows < ROWS);
	if (i == n_rows)
		n_rows++;
	else
		hold(memcmp(rows[i].nonce, row->nonce, sizeof(row->nonce)) == 0);
	rows[i] = *row;
}

static void take_rows(bool saving)
{
	struct upstream_row row;
	bool gone;

	while (upstream_next_row(up, &row, &gone)) {
		if (saving)
			save(&row, gone);
	}
	if (saving)
		upstream_rows_saved(up, now);
}

/* ------------------------------------------------------------ the workers */

static void take_jobs(void)
{
	struct worker_job job, copy;
	unsigned int n = 0;

	for (enum worker_role role = 0; role < WORKER_ROLES; role++) {
		while (upstream_next_job(up, role, now, &job)) {
			hold(worker_job_valid(&job, sizeof(job), &copy));
			hold(job_role(job.kind) == role);
			jobs[n_jobs++ % JOBS] = job;
			hold(++n < 64);
		}
	}
}

static int32_t take_result(struct input *in)
{
	static const int16_t results[] = {
		0,	 0,
		0,	 0,
		0,	 0,
		1,	 2,
		3,	 4,
		5,	 8,
		10,	 11,
		402,	 501,
		606,	 704,
		714,	 718,
		725,	 728,
		-EPROTO, -ETIMEDOUT,
		729,	 -ECONNREFUSED,
		-EXDEV,	 500,
		7,	 13,
		701,	 9,
	};

	return results[take(in) % (sizeof(results) / sizeof(results[0]))];
}

static struct in6_addr take_address(struct input *in)
{
	static const char *const texts[] = { "8.8.8.8",	    "8.8.8.8",	     "9.9.9.9",
					     "0.0.0.0",	    "224.0.0.1",     "100.64.0.1",
					     "192.168.0.2", "2001:db8:5::10" };

	return address(texts[take(in) % 8]);
}

static struct worker_answer fill(struct input *in, const struct worker_job *job)
{
	struct worker_answer answer = {
		.serial = job->serial,
		.kind = ANSWER_JOB,
		.job = job->kind,
		.ifindex = job->ifindex,
		.router = job->router,
		.internal = job->internal,
		.internal_port = job->internal_port,
		.protocol = job->protocol,
		.external_port = job->external_port,
		.lifetime = job->lifetime,
		.unique = job->unique ? job->unique : 1,
		.epoch = (uint32_t)(now / 1000),
	};
	const uint8_t odd = take(in);

	memcpy(answer.nonce, job->nonce, sizeof(answer.nonce));
	memcpy(answer.url, job->url, sizeof(answer.url));
	if (job->kind == JOB_SSDP_SEARCH)
		strcpy(answer.url,
		       address_is_ipv4(&job->router) ? "http://192.168.0.1:5000/a" : "");
	answer.result = take_result(in);
	answer.external = take_address(in);
	answer.igd = take(in) & (IGD_V2 | IGD_CONNECTED | IGD_FIREWALL6);
	if (odd & 1)
		answer.external_port = (uint16_t)take32(in);
	if (odd & 2)
		answer.lifetime = take32(in);
	if (odd & 4)
		answer.epoch = take32(in);
	if (odd & 8)
		answer.internal = take_address(in);
	if (odd & 16)
		answer.internal_port = (uint16_t)take32(in);
	if (odd & 32)
		answer.natpmp = 1;
	if (odd & 64)
		answer.job = take(in) % JOB_KINDS;
	if (job->kind == JOB_RESOLVE) {
		answer.url[0] = '\0';
		answer.addresses[0] = take_address(in);
		answer.addresses[1] = take_address(in);
	}
	answer.boot_id = odd >> 7;
	return answer;
}

static void answer_it(struct input *in)
{
	const uint8_t which = take(in);
	struct worker_answer answer = fill(in, &jobs[which % JOBS]), copy;

	if (worker_answer_valid(&answer, sizeof(answer), &copy))
		upstream_answer(up, &copy, now);
}

static void announce(struct input *in)
{
	struct worker_answer answer = fill(in, &jobs[take(in) % JOBS]), copy;

	answer.serial = 0;
	answer.kind = take(in) % ANSWER_KINDS;
	if (worker_answer_valid(&answer, sizeof(answer), &copy))
		upstream_answer(up, &copy, now);
}

/* ------------------------------------------------------------ how it stands */

static void hold_text(const char *text, size_t size)
{
	const size_t len = strnlen(text, size);

	hold(len < size);
	for (size_t i = 0; i < len; i++)
		hold(text_is_plain(text[i]));
}

static void look(void)
{
	struct upstream_event event;
	struct upstream_link_view link;
	struct upstream_view view;
	unsigned int n = 0;

	while (upstream_next_event(up, &event)) {
		hold_text(event.why, sizeof(event.why));
		hold(++n < 64);
	}
	for (uint64_t id = 0; id <= MAPPINGS; id++) {
		upstream_view(up, id, &view);
		hold_text(view.why, sizeof(view.why));
		hold(view.state != UPSTREAM_STATE_MAPPED || view.external.port);
	}
	for (size_t i = 0; i < upstream_link_count(up); i++) {
		upstream_link_view(up, i, now, &link);
		hold_text(link.why, sizeof(link.why));
		hold_text(link.name, sizeof(link.name));
	}
}

/* The lease clock has lost its anchor, and goes by a wall clock that is behind: rows are
 * of times to come. */
static void set_back(struct input *in)
{
	now -= take32(in) % now;
}

static void happen(struct input *in)
{
	switch (take(in) % 16) {
	case 0:
		follow(in);
		break;
	case 1:
		forget(in);
		break;
	case 2:
		now += take(in);
		break;
	case 3:
		now += take32(in) % 10000000;
		break;
	case 4:
		links = take(in) & 7;
		set_links();
		break;
	case 5:
		configure(in);
		break;
	case 6:
		take_rows(false);
		break;
	case 7:
		upstream_worker_gone(up, take(in) % WORKER_ROLES, now);
		break;
	case 8:
		upstream_unsent(up, jobs[take(in) % JOBS].serial, now);
		break;
	case 9:
		announce(in);
		break;
	case 10:
		upstream_free(up);
		begin();
		break;
	case 11:
		upstream_free(up);
		set_back(in);
		begin();
		break;
	default:
		answer_it(in);
		return;
	}
	take_rows(true);
	take_jobs();
}

/* To the next thing that is due: there must be an end to what is due at once. */
static void settle(void)
{
	for (unsigned int n = 0; upstream_due(up) <= now; n++) {
		hold(n < 64);
		upstream_tick(up, now);
		take_rows(true);
		take_jobs();
		look();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };

	n_rows = n_jobs = 0;
	memset(mappings, 0, sizeof(mappings));
	memset(jobs, 0, sizeof(jobs));
	now = 1000000;
	links = 7;
	upstream_options_default(&options);
	options.enable = true;
	begin();
	while (in.at < in.end) {
		happen(&in);
		settle();
		look();
	}
	upstream_withdraw(up, now);
	settle();
	upstream_free(up);
	up = NULL;
	return 0;
}
