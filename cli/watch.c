/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * One loop waits for natd's lines, for the ends of hooks and their time limits, and for
 * the signals that end it. When natd goes away it is looked for again and again, and the
 * stream goes on behind the last number that was seen; where natd ends the stream, as it
 * does to who reads too slowly, it is asked for anew after a pause. While too many events
 * wait for their hooks nothing is read: natd keeps them, and where it cannot, says what
 * is lost.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/event.h"
#include "cli/hooks.h"
#include "cli/retry.h"
#include "cli/text.h"
#include "cli/values.h"
#include "cli/verb.h"
#include "core/ndjson.h"

#define DEFAULT_SECONDS 30

/**
 * struct watch
 * @hooks:   NULL without --exec
 * @since:   number of the last event seen, where @has_since
 * @left:    events to go
 * @began:   natd has sent a stream, if ended since
 * @waiting: there is no stream; the next attempt is at @retry.at
 * @ending:  by a signal, or a fault: no more is read
 * @status:  what it will end with
 */
struct watch {
	struct session *session;
	struct hooks *hooks;
	uint64_t since, left;
	bool has_since;
	int signals;
	struct client_stream stream;
	struct ndjson lines;
	struct retry retry;
	bool began, waiting, ending;
	int status;
};

/* ------------------------------------------------------------ lines */

static void print_line(const struct watch *w, const struct event *event, const char *line,
		       size_t len)
{
	struct pass pass = { 0 };

	if (w->session->quiet)
		return;
	if (w->session->json) {
		session_pass(&pass, line, len);
		session_pass(&pass, "\n", 1);
	} else {
		event_print(event, stdout);
	}
	fflush(stdout);
}

static int take_line(void *userdata, const char *line, size_t len)
{
	struct watch *w = userdata;
	struct event event;
	int r = 0;

	if (!w->left)
		return 0;
	if (event_read(line, len, &event) < 0)
		return -EINVAL;
	if (event.seq) {
		w->since = event.seq;
		w->has_since = true;
	}
	print_line(w, &event, line, len);
	if (w->hooks && (event.happened || event.gap))
		r = hooks_put(w->hooks, &event, line, len);
	if (event.happened)
		retry_anew(&w->retry);
	if (event.happened && w->left != UINT64_MAX)
		w->left--;
	event_done(&event);
	return r;
}

static int take_bytes(void *userdata, const char *bytes, size_t len)
{
	struct watch *w = userdata;
	int r;

	retry_tell_back(&w->retry, w->session);
	r = ndjson_feed(&w->lines, bytes, len, take_line, w);
	if (r == 0)
		return 0;
	w->status = session_unread(w->session, r);
	return -ECANCELED;
}

/* ------------------------------------------------------------ the connection */

static void ask_later(struct watch *w)
{
	ndjson_done(&w->lines);
	retry_later(&w->retry);
	w->waiting = true;
}

static void look_again(struct watch *w)
{
	retry_tell_gone(&w->retry, w->session);
	ask_later(w);
}

static void give_up(struct watch *w, int status)
{
	w->status = status;
	w->ending = true;
	if (w->hooks)
		hooks_stop(w->hooks);
}

static void connect_stream(struct watch *w)
{
	struct request request = { .method = "GET",
				   .path = "/v1/events",
				   .accept = "application/x-ndjson" };
	char path[64];
	struct flaw why;
	int r;

	if (w->has_since) {
		snprintf(path, sizeof(path), "/v1/events?since=%llu",
			 (unsigned long long)w->since);
		request.path = path;
	}
	w->stream = (struct client_stream){ 0 };
	r = client_begin(w->session->client, &request, &why);
	if (r == 0)
		w->waiting = false;
	else if (w->began && retry_is_of_use(r))
		look_again(w);
	else
		give_up(w, session_fault(w->session, "%s", why.text));
}

static void take_refusal(struct watch *w)
{
	/* all places are taken, or natd is about to end */
	if (w->began && w->stream.refusal.status == 503)
		look_again(w);
	else
		give_up(w, session_refused(w->session, &w->stream.refusal));
	answer_done(&w->stream.refusal);
}

static void take_more(struct watch *w)
{
	struct flaw why;
	int r;

	r = client_take(w->session->client, &w->stream, take_bytes, w, &why);
	if (r >= 0 && w->stream.begun) {
		w->began = true;
		retry_tell_back(&w->retry, w->session);
	}
	if (r == 0) /* dropped, and told so */
		ask_later(w);
	else if (r == -EPROTO)
		take_refusal(w);
	else if (r == -ECANCELED)
		give_up(w, w->status);
	else if (r < 0 && w->began && retry_is_of_use(r))
		look_again(w);
	else if (r < 0)
		give_up(w, session_fault(w->session, "%s", why.text));
}

/* ------------------------------------------------------------ the loop */

static void take_signals(struct watch *w)
{
	struct signalfd_siginfo info;

	while (read(w->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGCHLD && !w->ending)
			give_up(w, EXIT_DONE);
	}
}

static bool is_done(const struct watch *w)
{
	return (w->ending || !w->left) && (!w->hooks || hooks_idle(w->hooks));
}

static bool wants_lines(const struct watch *w)
{
	return !w->ending && w->left && !w->waiting &&
	       (!w->hooks || !hooks_full(w->hooks));
}

static bool wants_natd(const struct watch *w)
{
	return !w->ending && w->left && w->waiting;
}

static int patience(const struct watch *w)
{
	const int hooks = w->hooks ? hooks_patience(w->hooks) : -1;
	const uint64_t now = retry_now();
	int natd;

	if (!wants_natd(w))
		return hooks;
	natd = w->retry.at > now ? (int)(w->retry.at - now) : 0;
	return hooks < 0 || natd < hooks ? natd : hooks;
}

static void turn(struct watch *w)
{
	struct pollfd polled[] = {
		{ .fd = w->signals, .events = POLLIN },
		{ .fd = wants_lines(w) ? client_fd(w->session->client) : -1,
		  .events = POLLIN },
	};

	if (poll(polled, ARRAY_SIZE(polled), patience(w)) < 0)
		return; /* EINTR */
	if (polled[0].revents)
		take_signals(w);
	if (polled[1].revents && !w->ending)
		take_more(w);
	else if (wants_natd(w) && retry_now() >= w->retry.at)
		connect_stream(w);
	if (w->hooks)
		hooks_tend(w->hooks);
}

static int watch_until_done(struct watch *w)
{
	connect_stream(w);
	while (!is_done(w))
		turn(w);
	client_end(w->session->client);
	ndjson_done(&w->lines);
	return w->status;
}

/* ------------------------------------------------------------ what was asked */

struct wishes {
	const char *command;
	uint64_t number, seconds, since;
	bool has_since;
};

static int read_since(const char *text, struct wishes *ret, struct flaw *why)
{
	if (!text)
		return 0;
	ret->has_since = true;
	if (!strcmp(text, "0"))
		return 0;
	return value_count("--since", text, UINT64_MAX, &ret->since, why);
}

static int read_number(const struct args *args, struct wishes *ret, struct flaw *why)
{
	const char *text = args_option(args, "--number");

	if (text && args_has(args, "--once"))
		return flaw_set(why,
				"--once and --number exclude each other. Leave one out.");
	if (args_has(args, "--once"))
		ret->number = 1;
	return text ? value_count("--number", text, UINT64_MAX - 1, &ret->number, why)
		    : 0;
}

static int read_wishes(const struct args *args, struct wishes *ret, struct flaw *why)
{
	const char *seconds = args_option(args, "--timeout-exec");
	int r;

	*ret = (struct wishes){ .command = args_option(args, "--exec"),
				.number = UINT64_MAX,
				.seconds = DEFAULT_SECONDS };
	if (ret->command && !ret->command[0])
		return flaw_set(why, "--exec \"\": give a command.");
	if (seconds && !ret->command)
		return flaw_set(why, "--timeout-exec goes with --exec only.");
	r = read_since(args_option(args, "--since"), ret, why);
	if (r == 0)
		r = read_number(args, ret, why);
	if (r == 0 && seconds)
		r = value_count("--timeout-exec", seconds, 86400, &ret->seconds, why);
	return r;
}

static int watch_with(struct watch *w, const struct wishes *wishes)
{
	sigset_t ours, before;
	int status;

	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGCHLD);
	sigprocmask(SIG_BLOCK, &ours, &before);
	w->signals = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
	if (w->signals < 0)
		return session_fault(w->session, "signals: %s", strerror(errno));
	if (wishes->command &&
	    hooks_new(w->session, wishes->command, (unsigned int)wishes->seconds, &before,
		      &w->hooks) < 0)
		status = session_fault(w->session, "out of memory");
	else
		status = watch_until_done(w);
	hooks_free(w->hooks);
	close(w->signals);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}

static int watch_run(struct session *session, const struct args *args)
{
	struct wishes wishes;
	struct watch w = { .session = session };
	struct flaw why;

	if (read_wishes(args, &wishes, &why) < 0)
		return session_usage(session, "%s", why.text);
	w.left = wishes.number;
	w.since = wishes.since;
	w.has_since = wishes.has_since;
	return watch_with(&w, &wishes);
}

const struct verb verb_watch = {
	.name = "watch",
	.also = "events monitor tail follow",
	.usage = "[--since SEQ] [-n|--number N] [--once] [--exec CMD] "
		 "[--timeout-exec SECONDS]",
	.summary = "show what happens, or run a command for it",
	.help = "A line for each forward that is added, changed, removed or expired, or whose\n"
		"address or host comes (active) or goes (waiting), for each change that is\n"
		"refused, when the WAN's addresses change, when another program's doing is\n"
		"repaired, and when its chains begin or cease to be in the way. When natd is\n"
		"started anew natctl goes on; with --since it begins behind an event seen\n"
		"before.\n"
		"\n"
		"CMD is run by /bin/sh with the event's JSON on its standard input, its word "
		"in\nNATD_EVENT and its number in NATD_SEQ. Events of one forward are handed "
		"on one\nafter the other; a CMD that takes too long is killed with all that it "
		"started.\n"
		"\n"
		"  natctl watch\n"
		"  natctl watch --json | jq -r 'select(.event == \"added\").mapping.name'\n"
		"  natctl watch --exec 'jq -c . >>/var/log/forwards'\n",
	.run = watch_run,
};
