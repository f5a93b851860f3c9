/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/text.h"
#include "natd/gateway.h"
#include "natd/log.h"
#include "natd/memory.h"
#include "natd/privileges.h"
#include "natd/recover.h"
#include "natd/server.h"

enum task { TASK_RUN, TASK_CHECK, TASK_TEARDOWN, TASK_RECOVER };

/* 0 done, 1 natd could not do its work, 2 wrong usage or configuration */
#define EXIT_USAGE 2
/* ... and -1 no exit status: natd goes on */
#define GO_ON (-1)

/* beyond every letter that getopt returns */
#define FIRST_WORD 256

struct options {
	enum task task;
	const char *config, *state, *socket;
};

struct daemon {
	const struct options *options;
	struct identity identity;
	sd_event *event;
	struct config *config; /* until the gateway takes it */
	struct gateway *gateway;
	struct server *server;
	int listen_fd;
};

static const char usage[] =
	"usage: natd [--config FILE] [--state DIR] [--socket PATH] [--verbose]\n"
	"       natd --check [--config FILE]\n"
	"       natd --teardown [--state DIR]\n"
	"       natd --recover [--config FILE] [--state DIR]\n"
	"\n"
	"NAT gateway whose port forwards are what they are listed as. See natd(8).\n"
	"\n"
	"  --config FILE   configuration (/etc/natd/natd.conf)\n"
	"  --state DIR     where natd.db is kept (/var/lib/natd)\n"
	"  --socket PATH   where natctl finds natd (/run/natd/api.sock)\n"
	"  --check         say whether the configuration is right, and end\n"
	"  --teardown      take natd's table out of the kernel while natd is stopped\n"
	"  --recover       make a new natd.db where it is damaged or too old, and end\n"
	"  --verbose       log more\n"
	"  --version       print the version, and end\n"
	"  --help          print this, and end\n";

static int print_version(void)
{
	puts("natd " NATD_VERSION);
	return EXIT_SUCCESS;
}

static int print_usage(void)
{
	fputs(usage, stdout);
	return EXIT_SUCCESS;
}

static int log_more(void)
{
	log_level(LOG_DEBUG);
	return GO_ON;
}

/**
 * struct word - an option
 * @text: where in struct options its argument goes; 0: it takes none
 * @act:  done at once. Return: GO_ON, or the exit status
 * @task: with neither of them, which it asks for
 */
static const struct word {
	const char *name;
	size_t text;
	enum task task;
	int (*act)(void);
} words[] = {
	{ .name = "config", .text = offsetof(struct options, config) },
	{ .name = "state", .text = offsetof(struct options, state) },
	{ .name = "socket", .text = offsetof(struct options, socket) },
	{ .name = "check", .task = TASK_CHECK },
	{ .name = "teardown", .task = TASK_TEARDOWN },
	{ .name = "recover", .task = TASK_RECOVER },
	{ .name = "verbose", .act = log_more },
	{ .name = "version", .act = print_version },
	{ .name = "help", .act = print_usage },
};

static int take_word(const struct word *word, struct options *ret)
{
	if (word->text)
		memcpy((char *)ret + word->text, &optarg, sizeof(optarg));
	else if (word->act)
		return word->act();
	else
		ret->task = word->task;
	return GO_ON;
}

static void list_words(struct option ret[static ARRAY_SIZE(words) + 1])
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		ret[i] = (struct option){
			.name = words[i].name,
			.has_arg = words[i].text ? required_argument : no_argument,
			.val = FIRST_WORD + (int)i,
		};
	ret[ARRAY_SIZE(words)] = (struct option){ 0 };
}

/* Return: GO_ON, or the exit status. */
static int parse_options(int argc, char *argv[], struct options *ret)
{
	struct option known[ARRAY_SIZE(words) + 1];
	int c, status = GO_ON;

	list_words(known);
	while (status == GO_ON && (c = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (c == 'h')
			return print_usage();
		if (c < FIRST_WORD) { /* getopt has said which */
			fputs("natd --help lists the options.\n", stderr);
			return EXIT_USAGE;
		}
		status = take_word(&words[c - FIRST_WORD], ret);
	}
	if (status != GO_ON || optind == argc)
		return status;
	fprintf(stderr, "natd: takes no operand, and got \"%s\".\n", argv[optind]);
	return EXIT_USAGE;
}

/* ------------------------------------------------------------ the one-shot tasks */

static int load_config(const struct options *options, struct config **ret)
{
	struct config_flaw flaw = { "" };
	int r;

	r = config_load(options->config, ret, &flaw);
	if (r < 0)
		log_error("%s", flaw.text);
	return r;
}

static int check(const struct options *options)
{
	char wans[TEXT_PHRASE_STRLEN], lans[TEXT_PHRASE_STRLEN];
	char forwards[TEXT_PHRASE_STRLEN];
	struct config *config = NULL;

	if (load_config(options, &config) < 0)
		return EXIT_USAGE;
	printf("%s: right: %s, %s, %s\n", config->path,
	       text_things(config->options.n_wan, "WAN interface", wans),
	       text_things(config->options.n_lan, "LAN interface", lans),
	       text_things(config->n_forwards, "forward", forwards));
	config_free(config);
	return EXIT_SUCCESS;
}

static int delete_table(void)
{
	struct ruleset *ruleset = NULL;
	int r;

	r = ruleset_open(&ruleset);
	if (r == 0)
		r = ruleset_delete(ruleset);
	ruleset_close(ruleset);
	if (r < 0) {
		log_error("The kernel's table could not be deleted: %s.", strerror(-r));
		return EXIT_FAILURE;
	}
	log_notice("The kernel's table is gone. Forwarding stays as it is: sysctl "
		   "net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 switch it off.");
	return EXIT_SUCCESS;
}

/* The store's lock tells whether a natd runs: the table of the watched kind does not. */
static int teardown(const struct options *options)
{
	struct store_fault why = { "" };
	struct store *store = NULL;
	int r;

	r = access(options->state, F_OK) == 0 ? store_open(options->state, &store, &why)
					      : 0;
	if (r == -EBUSY) {
		log_error("natd is running; stop it first: %s", why.text);
		return EXIT_FAILURE;
	}
	if (r < 0)
		log_warning("%s", why.text);
	r = delete_table();
	store_close(store);
	return r;
}

/* ------------------------------------------------------------ the daemon */

static int make_state_dir(const struct daemon *d)
{
	const char *dir = d->options->state;

	if (mkdir(dir, 0750) < 0 && errno != EEXIST) {
		log_error("%s cannot be made: %s.", dir, strerror(errno));
		return -errno;
	}
	if (geteuid() == 0 && chown(dir, d->identity.uid, d->identity.gid) < 0) {
		log_error("%s cannot be given to user %s: %s.", dir, d->config->user,
			  strerror(errno));
		return -errno;
	}
	return 0;
}

static int start_config(struct daemon *d)
{
	return load_config(d->options, &d->config);
}

/* What needs root, then no root any more. */
static int start_identity(struct daemon *d)
{
	struct privileges_fault why = { "" };
	struct server_fault busy = { "" };
	int r;

	r = privileges_resolve(d->config->user, d->config->group, &d->identity, &why);
	if (r < 0) {
		log_error("%s", why.text);
		return r;
	}
	r = make_state_dir(d);
	if (r < 0)
		return r;
	r = server_listen(d->options->socket, d->identity.uid, d->identity.gid,
			  server_mode(&d->config->access, d->identity.rootless),
			  &d->listen_fd, &busy);
	if (r < 0) {
		log_error("%s", busy.text);
		return r;
	}
	r = privileges_drop(&d->identity, &why);
	if (r < 0)
		log_error("%s", why.text);
	return r;
}

static void on_reloaded(void *userdata, size_t added, size_t removed,
			const struct problem *why)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", why ? why->detail : "Forwarding.");
}

static void reload(struct daemon *d)
{
	int r;

	sd_notify(0, "RELOADING=1");
	r = gateway_reload(d->gateway, on_reloaded, d);
	if (r < 0) {
		log_error("The configuration could not be read again: %s.", strerror(-r));
		sd_notify(0, "READY=1");
	}
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info,
		     void *userdata)
{
	struct daemon *d = userdata;

	if (info->ssi_signo == SIGHUP) {
		reload(d);
		return 0;
	}
	log_notice("Ending; the forwards stay in place.");
	sd_notify(0, "STOPPING=1");
	return sd_event_exit(d->event, EXIT_SUCCESS);
}

static int start_event(struct daemon *d)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&mask, signals[i]);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	r = sd_event_default(&d->event);
	for (size_t i = 0; i < ARRAY_SIZE(signals) && r >= 0; i++)
		r = sd_event_add_signal(d->event, NULL, signals[i], on_signal, d);
	if (r >= 0)
		r = sd_event_set_watchdog(d->event, true);
	if (r < 0)
		log_error("The event loop could not be made: %s.", strerror(-r));
	return r < 0 ? r : 0;
}

static int start_gateway(struct daemon *d)
{
	struct gateway_fault why = { "" };
	int r;

	r = gateway_open(d->event, d->config, d->options->state, &d->gateway, &why);
	if (r < 0) {
		log_error("%s", why.text);
		return r;
	}
	d->config = NULL;
	return 0;
}

/* The file's forwards are in the kernel, or refused and logged: natd can be used. */
static void on_ready(void *userdata, size_t added, size_t removed,
		     const struct problem *why)
{
	struct daemon *d = userdata;

	if (!d->server && server_new(d->event, d->gateway, d->listen_fd, d->identity.gid,
				     &d->server) < 0) {
		log_error("The API cannot be served.");
		sd_event_exit(d->event, EXIT_FAILURE);
		return;
	}
	d->listen_fd = -1;
	server_follow(d->server, d->identity.rootless);
	memory_started();
	log_notice("natd " NATD_VERSION " is ready.");
	sd_notifyf(0, "READY=1\nSTATUS=%s", why ? why->detail : "Forwarding.");
}

static int start_forwards(struct daemon *d)
{
	return gateway_start(d->gateway, on_ready, d);
}

static void stop(struct daemon *d)
{
	server_free(d->server);
	if (d->listen_fd >= 0) {
		close(d->listen_fd);
		unlink(d->options->socket);
	}
	gateway_close(d->gateway);
	config_free(d->config);
	sd_event_unref(d->event);
}

static int run(const struct options *options)
{
	static int (*const steps[])(struct daemon *) = {
		start_config, start_identity, start_event, start_gateway, start_forwards,
	};
	struct daemon d = { .options = options, .listen_fd = -1 };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(steps) && r == 0; i++)
		r = steps[i](&d);
	if (r == 0)
		r = sd_event_loop(d.event);
	stop(&d);
	if (r < 0)
		return r == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
	return r;
}

/* As the user that natd runs as: the files are his. */
static int start_recovery(struct daemon *d)
{
	struct privileges_fault why = { "" };
	int r;

	r = privileges_resolve(d->config->user, d->config->group, &d->identity, &why);
	if (r == 0)
		r = make_state_dir(d);
	if (r == 0)
		r = privileges_drop(&d->identity, &why);
	if (r < 0 && why.text[0])
		log_error("%s", why.text);
	return r;
}

static int recover(const struct options *options)
{
	struct daemon d = { .options = options, .listen_fd = -1 };
	struct recover_fault why = { "" };
	int r;

	if (start_config(&d) < 0)
		return EXIT_USAGE;
	r = start_recovery(&d);
	if (r == 0) {
		r = recover_store(d.config, options->state, (uint64_t)time(NULL), stdout,
				  &why);
		if (r < 0)
			log_error("%s", why.text);
	}
	config_free(d.config);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	struct options options = {
		.config = "/etc/natd/natd.conf",
		.state = "/var/lib/natd",
		.socket = "/run/natd/api.sock",
	};
	int status;

	memory_setup();
	umask(0027);
	status = parse_options(argc, argv, &options);
	if (status != GO_ON)
		return status;
	switch (options.task) {
	case TASK_CHECK:
		return check(&options);
	case TASK_TEARDOWN:
		return teardown(&options);
	case TASK_RECOVER:
		return recover(&options);
	case TASK_RUN:
		return run(&options);
	}
	return EXIT_FAILURE;
}
