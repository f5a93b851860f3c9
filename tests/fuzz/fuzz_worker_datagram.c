/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz_worker_datagram - what a router sends to the datagram worker
 *
 * The first byte chooses the job. Whatever the packet: an answer that goes to natd is one
 * that natd can read or becomes -EPROTO, names the job it is to, and no other host.
 */

#include <string.h>

#include "core/cleanup.h"
#include "core/url.h"
#include "natd/workers/worker_datagram.h"
#include "tests/fuzz/fuzz.h"

static const enum worker_job_kind kinds[] = {
	JOB_PCP_ANNOUNCE, JOB_PCP_MAP,	   JOB_NATPMP_ADDRESS,
	JOB_NATPMP_MAP,	  JOB_SSDP_SEARCH, JOB_STUN_BIND,
};

static struct worker_job job_of(enum worker_job_kind kind)
{
	struct worker_job job = {
		.serial = 7,
		.kind = kind,
		.ifindex = 2,
		.lifetime = 120,
		.router_port = 3478,
		.internal_port = 80,
		.external_port = 8080,
		.protocol = IPPROTO_TCP,
		.nonce = "nonce nonce", /* and its NUL */
	};

	hold(address_parse("192.168.1.1", &job.router) == 0);
	hold(address_parse("192.168.1.2", &job.source) == 0);
	job.internal = job.source;
	job.external = address_any4;
	return job;
}

static void check_answer(const struct worker_job *job, const void *packet, size_t len)
{
	struct worker_answer answer, same;
	enum datagram_fit fit = datagram_answer(job, packet, len, &job->router, &answer);

	hold(datagram_answer(job, packet, len, &job->source, &same) == DATAGRAM_NO);
	if (fit == DATAGRAM_NO)
		return;
	hold(answer.serial == job->serial && answer.job == job->kind);
	hold(address_equal(&answer.router, &job->router));
	hold(!answer.url[0] || url_is_of(answer.url, &job->router));
	hold(memchr(answer.text, '\0', sizeof(answer.text)));
	hold(!worker_answer_valid(&answer, sizeof(answer), &same) ||
	     memcmp(&same, &answer, sizeof(same)) == 0);
}

static void check_announcement(enum datagram_speech speech, const void *packet,
			       size_t len)
{
	struct worker_job job = job_of(JOB_LISTEN);
	struct worker_answer answer, same;

	if (!datagram_announcement(speech, packet, len, &job.router, 2, &answer))
		return;
	hold(answer.kind != ANSWER_JOB && answer.serial == 0);
	hold(worker_answer_valid(&answer, sizeof(answer), &same));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct worker_job job;
	uint8_t *exact;

	if (size == 0)
		return 0;
	job = job_of(kinds[data[0] % ARRAY_SIZE(kinds)]);
	/* so that a sanitizer sees a step beyond */
	exact = malloc(size - 1 ? size - 1 : 1);
	hold(exact);
	memcpy(exact, data + 1, size - 1);
	check_answer(&job, exact, size - 1);
	check_announcement(DATAGRAM_ANNOUNCED, exact, size - 1);
	check_announcement(DATAGRAM_NOTIFIED, exact, size - 1);
	free(exact);
	return 0;
}
