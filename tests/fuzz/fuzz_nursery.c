/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz_nursery - what the nursery and its workers say to natd, and natd to the nursery
 *
 * The input is a play: the target is the nursery and the workers, natd's side of them
 * (workers.c, nursery.c) the other part. A step is a byte that says what, and its bytes.
 *
 * It is held that only answers of a worker that is up are handed on, and of its role;
 * that up and down take turns; that natd says nothing that the nursery would not take;
 * that no descriptor is left behind; and that whatever was said, a nursery that hangs up
 * is known to be gone.
 */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "natd/common/log.h"
#include "natd/workers/nursery_private.h"
#include "natd/workers/workers.h"
#include "tests/fuzz/fuzz.h"

#define STEPS_MAX 64
#define FDS_MAX	  8

enum step {
	SAY_REPORT,  /* what the input says, with descriptors */
	SAY_STARTED, /* rightly, of the role in the input */
	SAY_ENDED,
	SAY_ANSWER, /* what the input says, over an answer that is right */
	SAY_WORD,   /* what the input says, of any length */
	HANG_UP,    /* a worker */
	WANT,	    /* natd wants this one, or not */
	SEND,	    /* natd sends a job */
	STEPS,
};

/** struct input - what is left of it */
struct input {
	const uint8_t *bytes;
	size_t len;
};

/**
 * struct play
 * @worker:    our ends, -1 = none
 * @pid:       of the last that was started
 * @dismissed: for what it answered
 */
static struct play {
	struct nursery nursery;
	sd_event *event;
	struct workers *workers;
	int control;
	int worker[WORKER_ROLES];
	int32_t pid;
	bool up[WORKER_ROLES], dismissed[WORKER_ROLES];
} play;

static uint8_t take_byte(struct input *in)
{
	if (!in->len)
		return 0;
	in->len--;
	return *in->bytes++;
}

/* Return: how many of @size bytes were there; @ret keeps what it had beyond them. */
static size_t take(struct input *in, void *ret, size_t size)
{
	const size_t n = in->len < size ? in->len : size;

	if (n)
		memcpy(ret, in->bytes, n);
	in->bytes += n;
	in->len -= n;
	return n;
}

/* The kernel gives the lowest number that is free: what is left open is not. */
static int first_free(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

/* ------------------------------------------------------------ natd's callbacks */

static void on_answer(void *userdata, enum worker_role role,
		      const struct worker_answer *answer)
{
	struct worker_answer again;

	hold(play.up[role] && !play.dismissed[role]);
	hold(worker_answer_valid(answer, sizeof(*answer), &again));
	hold(answer->kind != ANSWER_JOB || job_role(answer->job) == role);
	if (answer->epoch % 2) {
		play.dismissed[role] = true;
		workers_want(play.workers, role, false);
	}
}

static void on_state(void *userdata, enum worker_role role, bool up)
{
	hold(play.up[role] != up);
	play.up[role] = up;
	play.dismissed[role] = false;
}

/* ------------------------------------------------------------ steps */

static void say(const void *packet, size_t len, const int *fds, size_t n_fds)
{
	struct iovec part = { (void *)packet, len };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control = { .header = { CMSG_LEN(n_fds * sizeof(int)), SOL_SOCKET,
				  SCM_RIGHTS } };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (n_fds) {
		memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	}
	(void)sendmsg(play.control, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void say_report(struct input *in)
{
	struct nursery_report report = { 0 };
	int fds[FDS_MAX] = { 0 };
	char packet[2 * sizeof(report)] = { 0 };
	const size_t n_fds = take_byte(in) % (FDS_MAX + 1);
	const size_t len = take_byte(in) % sizeof(packet) + 1;

	(void)take(in, packet, len);
	if (nursery_report_valid(packet, len, n_fds, &report)) {
		hold(report.role < WORKER_ROLES && n_fds <= 1);
		hold((report.kind == NURSERY_STARTED) == (n_fds == 1));
	}
	say(packet, len, fds, n_fds);
}

static void hang_up(enum worker_role role)
{
	if (play.worker[role] >= 0)
		close(play.worker[role]);
	play.worker[role] = -1;
}

static void say_started(enum worker_role role)
{
	struct nursery_report report = { .kind = NURSERY_STARTED, .role = role };
	int ends[2];

	hold(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	report.pid = ++play.pid;
	say(&report, sizeof(report), &ends[0], 1);
	close(ends[0]);
	hang_up(role);
	play.worker[role] = ends[1];
}

static void say_ended(enum worker_role role, uint8_t status)
{
	const struct nursery_report report = {
		.kind = NURSERY_ENDED,
		.role = role,
		.pid = play.pid ? play.pid : 1,
		.status = status,
	};

	say(&report, sizeof(report), NULL, 0);
}

static void say_answer(enum worker_role role, struct input *in)
{
	static const enum worker_job_kind jobs[] = {
		[WORKER_DATAGRAM] = JOB_LISTEN,
		[WORKER_IGD] = JOB_IGD_UNMAP,
		[WORKER_RESOLVER] = JOB_RESOLVE,
	};
	struct worker_answer answer = {
		.serial = 1,
		.job = jobs[role],
		.router = { { { [10] = 0xff, 0xff, 192, 0, 2, 1 } } },
	};
	const size_t at = take_byte(in) * 3u % sizeof(answer);

	if (role == WORKER_RESOLVER) {
		answer.addresses[0] = answer.router;
		answer.router = in6addr_any;
	}
	(void)take(in, (char *)&answer + at, take_byte(in) % (sizeof(answer) - at));
	(void)send(play.worker[role], &answer, sizeof(answer),
		   MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void say_word(enum worker_role role, struct input *in)
{
	char packet[2 * sizeof(struct worker_answer)] = { 0 };
	const size_t len = take_byte(in) * 4u % sizeof(packet);

	(void)take(in, packet, len);
	(void)send(play.worker[role], packet, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void send_job(enum worker_role role)
{
	const struct worker_job job = { .serial = 1,
					.kind = JOB_RESOLVE,
					.url = "a.example" };
	int r = workers_send(play.workers, role, &job);

	hold((r == -EINVAL) == (role != WORKER_RESOLVER));
	hold(r == 0 || r == -EINVAL || r == -ENOTCONN || r == -EAGAIN);
}

/* What natd has asked for is what the nursery would take. */
static void hear_natd(void)
{
	char packet[2 * sizeof(struct nursery_request)];
	struct nursery_request request;
	ssize_t n;

	while ((n = recv(play.control, packet, sizeof(packet), MSG_DONTWAIT)) > 0)
		hold(nursery_request_valid(packet, (size_t)n, &request));
}

static void step(struct input *in)
{
	const uint8_t what = take_byte(in);
	const enum worker_role role = what / STEPS % WORKER_ROLES;

	switch ((enum step)(what % STEPS)) {
	case SAY_REPORT:
		say_report(in);
		break;
	case SAY_STARTED:
		say_started(role);
		break;
	case SAY_ENDED:
		say_ended(role, take_byte(in));
		break;
	case SAY_ANSWER:
		say_answer(role, in);
		break;
	case SAY_WORD:
		say_word(role, in);
		break;
	case HANG_UP:
		hang_up(role);
		break;
	case WANT:
		workers_want(play.workers, role, take_byte(in) & 1);
		break;
	case SEND:
		send_job(role);
		break;
	case STEPS:
		break;
	}
	while (sd_event_run(play.event, 0) > 0)
		;
	hear_natd();
}

/* ------------------------------------------------------------ a play */

static void raise_curtain(void)
{
	struct workers_parts parts = { .answer = on_answer, .state = on_state };
	int ends[2];

	play = (struct play){ .worker = { -1, -1, -1 } };
	hold(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	play.nursery = (struct nursery){ .fd = ends[0] };
	play.control = ends[1];
	hold(sd_event_new(&play.event) == 0);
	parts.event = play.event;
	parts.nursery = &play.nursery;
	hold(workers_new(&parts, &play.workers) == 0);
}

static void drop_curtain(void)
{
	close(play.control);
	while (workers_nursery_lives(play.workers))
		hold(sd_event_run(play.event, 1000000) > 0);
	for (size_t i = 0; i < WORKER_ROLES; i++) {
		hold(!play.up[i]);
		hang_up(i);
	}
	workers_free(play.workers);
	sd_event_unref(play.event);
	close(play.nursery.fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int before = first_free();
	struct nursery_request request;
	struct input in = { data, size };

	if (nursery_request_valid(data, size, &request))
		hold(request.kind <= NURSERY_STOP && request.role < WORKER_ROLES);
	log_level(LOG_EMERG);
	raise_curtain();
	for (int i = 0; i < STEPS_MAX && in.len; i++)
		step(&in);
	drop_curtain();
	hold(first_free() == before);
	return 0;
}
