/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz_worker_message - what natd and its workers say to each other, both ways
 *
 * The first byte of the input says which way, the rest is the packet: as it is, and once
 * more with the length that a packet has. Beside what the sanitizers see it is held that
 * what is taken is a copy of the packet, and safe to be used without a further look:
 * numbers that index tables, texts that end, a URL of the router.
 */

#include <limits.h>
#include <string.h>

#include "core/address_kind.h"
#include "core/host_name.h"
#include "core/text.h"
#include "core/url.h"
#include "core/worker_message.h"
#include "tests/fuzz/fuzz.h"

static void hold_text(const char *text, size_t size)
{
	const size_t len = strnlen(text, size);

	hold(len < size);
	for (size_t i = 0; i < len; i++)
		hold(text_is_plain(text[i]));
}

static void take_job(const uint8_t *packet, size_t len)
{
	struct worker_job job;

	if (!worker_job_valid(packet, len, &job))
		return;
	hold(len == sizeof(job) && memcmp(&job, packet, len) == 0);
	hold(job.serial && job.ifindex <= INT_MAX);
	hold((job.ifindex != 0) == (job.kind != JOB_RESOLVE));
	hold(job.kind < JOB_KINDS);
	hold(worker_role_name(job_role(job.kind))[0]);
	hold(address_kind(&job.router) != ADDRESS_MULTICAST);
	hold(address_is_any(&job.router) == (job.kind == JOB_RESOLVE));
	hold_text(job.url, sizeof(job.url));
	hold_text(job.text, sizeof(job.text));
	if (job_role(job.kind) == WORKER_IGD)
		hold(url_is_of(job.url, &job.router));
	if (job_role(job.kind) == WORKER_RESOLVER)
		hold(!host_name_flaw(job.url) && strlen(job.url) < HOST_NAME_STRLEN);
}

static void take_answer(const uint8_t *packet, size_t len)
{
	struct worker_answer answer;

	if (!worker_answer_valid(packet, len, &answer))
		return;
	hold(len == sizeof(answer) && memcmp(&answer, packet, len) == 0);
	hold(answer.kind < ANSWER_KINDS && answer.job < JOB_KINDS);
	hold((answer.serial != 0) == (answer.kind == ANSWER_JOB));
	hold_text(answer.url, sizeof(answer.url));
	hold_text(answer.text, sizeof(answer.text));
	hold(!answer.url[0] || url_is_of(answer.url, &answer.router));
	for (size_t i = 0; i < WORKER_ADDRESSES_MAX; i++)
		hold(address_is_any(&answer.addresses[i]) ||
		     (answer.job == JOB_RESOLVE &&
		      !address_unusable(&answer.addresses[i])));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t whole[sizeof(struct worker_job) + sizeof(struct worker_answer)] = { 0 };
	size_t len;

	if (size == 0)
		return 0;
	len = size - 1 < sizeof(whole) ? size - 1 : sizeof(whole);
	memcpy(whole, data + 1, len);
	if (data[0] & 1) {
		take_job(data + 1, size - 1);
		take_job(whole, sizeof(struct worker_job));
	} else {
		take_answer(data + 1, size - 1);
		take_answer(whole, sizeof(struct worker_answer));
	}
	return 0;
}
