/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * load MODE ROUNDS CONTENDER...
 *
 * A round takes every contender once, beginning with another one each time. What is
 * printed is a line of JSON per sample.
 */

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/bench/load.h"

static const struct mode *find_mode(const char *name)
{
	for (const struct mode *mode = modes; mode->name; mode++)
		if (!strcmp(mode->name, name))
			return mode;
	die("no mode %s", name);
}

/* Client, gateway and server share a processor, as they share the thread. */
static void stay_here(void)
{
	cpu_set_t here;
	int cpu = sched_getcpu();

	CPU_ZERO(&here);
	CPU_SET(cpu < 0 ? 0 : cpu, &here);
	sched_setaffinity(0, sizeof(here), &here);
}

static void allow_descriptors(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void take(const struct mode *mode, struct contender *c, int round)
{
	struct sample s = { 0 };

	enter(c->client_ns);
	contender_flush(c);
	if (mode->prepare)
		mode->prepare(c);
	mode->run(c, &s);
	contender_flush(c);
	printf("{\"bench\":\"%s\",\"contender\":\"%s\",\"round\":%d,\"units\":%u,"
	       "\"cpu_ns\":%.1f,\"wall_ns\":%.1f",
	       mode->name, c->name, round, c->units, (double)s.cpu / c->units,
	       (double)s.wall / c->units);
	if (s.p50)
		printf(",\"p50_ns\":%lu,\"p99_ns\":%lu", s.p50, s.p99);
	puts("}");
	fflush(stdout);
}

int main(int argc, char *argv[])
{
	const struct mode *mode;
	struct contender *contenders;
	int n = argc - 3, rounds;

	if (n < 1)
		die("load MODE ROUNDS CONTENDER...");
	mode = find_mode(argv[1]);
	rounds = atoi(argv[2]);
	contenders = calloc((size_t)n, sizeof(*contenders));
	if (!contenders)
		die("no memory");
	allow_descriptors();
	for (int i = 0; i < n; i++)
		contender_open(&contenders[i], argv[3 + i], contenders, (size_t)i);
	stay_here();
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < n; i++)
			take(mode, &contenders[(i + round) % n], round);
	free(contenders);
	return EXIT_SUCCESS;
}
