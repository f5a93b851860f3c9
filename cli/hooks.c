/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/hooks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/text.h"

/* between SIGTERM and SIGKILL */
#define GRACE_MS 2000
/* when there are no processes left to be had */
#define AGAIN_MS 1000

enum stage { WAITS, RUNS, TERMINATED, KILLED };

/**
 * struct job - an event and its run
 * @due: when the next stage comes, in milliseconds; of one that WAITS: not before
 */
struct job {
	TAILQ_ENTRY(job) link;
	uint64_t key, due;
	enum stage stage;
	bool late; /* it was out of time */
	pid_t pid;
	char label[EVENT_LABEL_STRLEN], word[EVENT_LABEL_STRLEN], seq[24];
	size_t len;
	char line[];
};

TAILQ_HEAD(job_list, job);

struct hooks {
	const struct session *session;
	const char *command;
	uint64_t limit_ms;
	unsigned int seconds;
	sigset_t mask;
	struct job_list jobs;
	size_t n_waiting, n_running;
	uint64_t tended; /* when hooks_tend() looked last */
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int hooks_new(const struct session *session, const char *command, unsigned int seconds,
	      const sigset_t *mask, struct hooks **ret)
{
	struct hooks *hooks;

	hooks = calloc(1, sizeof(*hooks));
	if (!hooks)
		return -ENOMEM;
	hooks->session = session;
	hooks->command = command;
	hooks->seconds = seconds;
	hooks->limit_ms = (uint64_t)seconds * 1000;
	hooks->mask = *mask;
	TAILQ_INIT(&hooks->jobs);
	*ret = hooks;
	return 0;
}

static void forget(struct hooks *hooks, struct job *job)
{
	if (job->stage == WAITS)
		hooks->n_waiting--;
	else
		hooks->n_running--;
	TAILQ_REMOVE(&hooks->jobs, job, link);
	free(job);
}

void hooks_free(struct hooks *hooks)
{
	struct job *job;

	if (!hooks)
		return;
	while ((job = TAILQ_FIRST(&hooks->jobs))) {
		if (job->stage != WAITS) {
			kill(-job->pid, SIGKILL);
			waitpid(job->pid, NULL, 0);
		}
		forget(hooks, job);
	}
	free(hooks);
}

int hooks_put(struct hooks *hooks, const struct event *event, const char *line,
	      size_t len)
{
	struct job *job;

	job = calloc(1, sizeof(*job) + len + 1);
	if (!job)
		return -ENOMEM;
	job->key = event->key;
	event_label(event, job->label);
	snprintf(job->word, sizeof(job->word), "%s", event->word);
	snprintf(job->seq, sizeof(job->seq), "%" PRIu64, event->seq);
	memcpy(job->line, line, len);
	job->line[len] = '\n';
	job->len = len + 1;
	TAILQ_INSERT_TAIL(&hooks->jobs, job, link);
	hooks->n_waiting++;
	return 0;
}

bool hooks_full(const struct hooks *hooks)
{
	return hooks->n_waiting >= HOOKS_WAITING_MAX;
}

bool hooks_idle(const struct hooks *hooks)
{
	return TAILQ_EMPTY(&hooks->jobs);
}

/* ------------------------------------------------------------ a run begins */

/* A file in memory takes a line of any length without a reader. */
static int open_line(const struct job *job)
{
	int fd = memfd_create("event", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (write(fd, job->line, job->len) != (ssize_t)job->len ||
	    lseek(fd, 0, SEEK_SET) < 0) {
		close(fd);
		return -EIO;
	}
	return fd;
}

static void become_run(const struct hooks *hooks, const struct job *job, int input)
	__attribute__((noreturn));

static void become_run(const struct hooks *hooks, const struct job *job, int input)
{
	setpgid(0, 0);
	if (dup2(input, STDIN_FILENO) < 0 || setenv("NATD_EVENT", job->word, 1) < 0 ||
	    setenv("NATD_SEQ", job->seq, 1) < 0)
		_exit(126);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &hooks->mask, NULL);
	execl("/bin/sh", "sh", "-c", hooks->command, (char *)NULL);
	_exit(127);
}

static int start_run(const struct hooks *hooks, struct job *job)
{
	int input = open_line(job);
	pid_t pid;

	if (input < 0)
		return input;
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		become_run(hooks, job, input);
	close(input);
	if (pid < 0)
		return -errno;
	setpgid(pid, pid); /* whoever is first, it or we */
	job->pid = pid;
	return 0;
}

static void try_job(struct hooks *hooks, struct job *job, uint64_t now)
{
	int r = start_run(hooks, job);

	if (r < 0) {
		session_fault(hooks->session,
			      "the hook for %s cannot be run: %s. It is tried again.",
			      job->label, strerror(-r));
		job->due = now + AGAIN_MS;
		return;
	}
	job->stage = RUNS;
	job->due = now + hooks->limit_ms;
	hooks->n_waiting--;
	hooks->n_running++;
}

static bool is_first(const struct job *job)
{
	const struct job *other = job;

	while ((other = TAILQ_PREV(other, job_list, link)))
		if (other->key == job->key)
			return false;
	return true;
}

static void start_runs(struct hooks *hooks, uint64_t now)
{
	struct job *job;

	TAILQ_FOREACH(job, &hooks->jobs, link)
	{
		if (hooks->n_running == HOOKS_PARALLEL)
			return;
		if (job->stage == WAITS && job->due <= now && is_first(job))
			try_job(hooks, job, now);
	}
}

/* ------------------------------------------------------------ and ends */

static void tell_end(const struct hooks *hooks, const struct job *job, int status)
{
	const struct session *session = hooks->session;

	if (job->late)
		session_fault(session,
			      "the hook for %s took longer than %u seconds and "
			      "was ended.",
			      job->label, hooks->seconds);
	else if (WIFSIGNALED(status))
		session_fault(session, "the hook for %s was ended by signal %d (%s).",
			      job->label, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		session_fault(session, "the hook for %s ended with status %d.",
			      job->label, WEXITSTATUS(status));
	else if (!session->quiet && !session->json)
		printf("the hook for %s ended with status 0\n", job->label);
	fflush(stdout);
}

static void reap(struct hooks *hooks, struct job *job)
{
	siginfo_t info = { 0 };
	int status = 0;

	if (waitid(P_PID, (id_t)job->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    !info.si_pid)
		return;
	/* as long as it is not reaped, its number is nobody else's */
	if (job->stage != RUNS)
		kill(-job->pid, SIGKILL);
	waitpid(job->pid, &status, 0);
	tell_end(hooks, job, status);
	forget(hooks, job);
}

static void next_stage(struct job *job, uint64_t now)
{
	switch (job->stage) {
	case RUNS:
		kill(-job->pid, SIGTERM);
		job->stage = TERMINATED;
		job->due = now + GRACE_MS;
		break;
	case TERMINATED:
		kill(-job->pid, SIGKILL);
		job->stage = KILLED;
		job->due = UINT64_MAX;
		break;
	case WAITS:
	case KILLED:
		break;
	}
}

static void end_runs(struct hooks *hooks, uint64_t now)
{
	struct job *job, *next;

	for (job = TAILQ_FIRST(&hooks->jobs); job; job = next) {
		next = TAILQ_NEXT(job, link);
		if (job->stage == WAITS)
			continue;
		if (job->due <= now) {
			job->late |= job->stage == RUNS;
			next_stage(job, now);
		}
		reap(hooks, job);
	}
}

void hooks_tend(struct hooks *hooks)
{
	const uint64_t now = now_ms();

	hooks->tended = now;
	end_runs(hooks, now);
	start_runs(hooks, now);
}

int hooks_patience(const struct hooks *hooks)
{
	uint64_t now = now_ms(), due = UINT64_MAX;
	const struct job *job;

	TAILQ_FOREACH(job, &hooks->jobs, link)
	{
		/* what waits for a place, or for another run, is not due by itself */
		if (job->stage == WAITS && job->due <= hooks->tended)
			continue;
		if (job->due < due)
			due = job->due;
	}
	if (due == UINT64_MAX)
		return -1;
	return due <= now ? 0 : (int)(due - now);
}

void hooks_stop(struct hooks *hooks)
{
	struct job *job, *next;
	size_t n = hooks->n_waiting;
	char things[TEXT_PHRASE_STRLEN];

	for (job = TAILQ_FIRST(&hooks->jobs); job; job = next) {
		next = TAILQ_NEXT(job, link);
		if (job->stage == WAITS)
			forget(hooks, job);
		else if (job->stage == RUNS)
			next_stage(job, now_ms());
	}
	if (n)
		session_fault(hooks->session, "ending; the hook was not run for %s.",
			      text_things(n, "event", things));
}
