/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * spawn HOST N CMD... [-- UNDO...]
 *
 * Runs CMD on HOST N times, each time UNDO after it, and prints the medians of CMD's wall
 * and CPU time in nanoseconds, from before its fork to after its end. What it prints is
 * thrown away.
 */

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/timing.h"

static uint64_t cpu_of(const struct rusage *usage)
{
	uint64_t us =
		(uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000 +
		(uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);

	return us * 1000;
}

static void run(char **words, struct rusage *ret)
{
	pid_t pid = vfork();
	int status;

	if (pid == 0) {
		execvp(words[0], words);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, ret) < 0 || status)
		die("%s %s failed", words[0], words[1] ? words[1] : "");
}

static void enter_host(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		die("no host %s", name);
	close(fd);
}

static char **find_undo(char **words)
{
	for (; *words; words++)
		if (!strcmp(*words, "--")) {
			*words = NULL;
			return words + 1;
		}
	return NULL;
}

static void silence(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
		die("/dev/null");
}

int main(int argc, char *argv[])
{
	struct times wall = { 0 }, cpu = { 0 };
	struct rusage usage;
	char **undo;
	int n, out;

	if (argc < 4)
		die("spawn HOST N CMD... [-- UNDO...]");
	enter_host(argv[1]);
	n = atoi(argv[2]);
	undo = find_undo(argv + 3);
	out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	silence();
	for (int i = 0; i < n; i++) {
		uint64_t begun = now();

		run(argv + 3, &usage);
		times_add(&wall, now() - begun);
		times_add(&cpu, cpu_of(&usage));
		if (undo)
			run(undo, &usage);
	}
	dup2(out, STDOUT_FILENO);
	putchar('{');
	times_print(&wall, "wall");
	putchar(',');
	times_print(&cpu, "cpu");
	puts("}");
	times_done(&wall);
	times_done(&cpu);
	return EXIT_SUCCESS;
}
