/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/text.h"
#include "natd/api/server.h"
#include "natd/common/log.h"
#include "natd/common/memory.h"
#include "natd/gateway/gateway.h"
#include "natd/gateway/recover.h"
#include "natd/options.h"
#include "natd/teardown.h"
#include "natd/workers/nursery.h"
#include "natd/workers/privileges.h"
#include "natd/workers/reach.h"

struct daemon {
	const struct options *options;
	struct identity identity;
	sd_event *event;
	struct config *config; /* until the gateway takes it */
	struct gateway *gateway;
	struct server *server;
	struct nursery nursery;
	int listen_fd;
};

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

/* Workers run as natd's user, where there is one. */
static int start_teardown(struct nursery *nursery)
{
	struct identity id = { .uid = geteuid(), .gid = getegid() };
	struct privileges_fault unknown = { "" };
	struct nursery_fault why = { "" };
	int r;

	(void)privileges_resolve("natd", "natd", &id, &unknown);
	r = nursery_start(&id, nursery, &why);
	if (r < 0)
		log_error("%s.", why.text);
	return r;
}

/* Return: the exit status */
static int withdraw(const struct options *options, struct store *store,
		    const struct nursery *nursery)
{
	char text[TEXT_PHRASE_STRLEN];
	struct teardown_result done;
	struct reach reach;
	int r;

	reach_list(options->config, options->state, options->socket, &reach);
	r = teardown_withdraw(store, nursery, &reach, &done);
	if (r < 0) {
		log_error("The routers above us could not be asked to forget what they "
			  "hold: %s.",
			  strerror(-r));
		return EXIT_FAILURE;
	}
	if (done.withdrawn)
		log_notice("Withdrawn at the router above us: %s.",
			   text_things(done.withdrawn, "port", text));
	if (done.left)
		log_error("The router above us did not confirm that it has forgotten %s: "
			  "mapped there until their lifetime is over.",
			  text_things(done.left, "port", text));
	if (done.damaged)
		log_error("The store is damaged where it says what was asked of the "
			  "router above us: %s may be mapped there until their lifetime "
			  "is over.",
			  text_things(done.damaged, "port", text));
	return done.left || done.damaged ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The store's lock tells whether a natd runs: the table of the watched kind does not. */
static int teardown(const struct options *options)
{
	struct store_fault why = { "" };
	struct nursery nursery = { .fd = -1 };
	struct store *store = NULL;
	int r, status;

	if (start_teardown(&nursery) < 0)
		return EXIT_FAILURE;
	r = access(options->state, F_OK) == 0 ? store_open(options->state, &store, &why)
					      : 0;
	if (r == -EBUSY) {
		log_error("natd is running; stop it first: %s", why.text);
		nursery_stop(&nursery);
		return EXIT_FAILURE;
	}
	if (r < 0)
		log_warning("%s", why.text);
	status = delete_table();
	if (store && withdraw(options, store, &nursery) != EXIT_SUCCESS)
		status = EXIT_FAILURE;
	store_close(store);
	nursery_stop(&nursery);
	return status;
}

/* ------------------------------------------------------------ the daemon */

/* What is his already stays untouched: who confines natd may not let it give anything. */
static int give(const char *dir, const struct identity *id)
{
	struct stat st;

	if (stat(dir, &st) == 0 && st.st_uid == id->uid && st.st_gid == id->gid)
		return 0;
	return chown(dir, id->uid, id->gid);
}

static int make_state_dir(const struct daemon *d)
{
	const char *dir = d->options->state;

	if (mkdir(dir, 0750) < 0 && errno != EEXIST) {
		log_error("%s cannot be made: %s.", dir, strerror(errno));
		return -errno;
	}
	if (geteuid() == 0 && give(dir, &d->identity) < 0) {
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

/* Before there is anything that a worker should not inherit. */
static int start_nursery(struct daemon *d)
{
	struct nursery_fault why = { "" };
	int r;

	r = nursery_start(&d->identity, &d->nursery, &why);
	if (r < 0)
		log_error("%s.", why.text);
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

	r = gateway_open(d->event, d->config, d->options->state, &d->nursery, &d->gateway,
			 &why);
	if (r < 0) {
		log_error("%s", why.text);
		return r;
	}
	d->config = NULL;
	return 0;
}

/* What needs more than natd keeps has been done. */
static int start_confined(struct daemon *d)
{
	const struct options *options = d->options;
	struct confine_fault why = { "" };
	struct confined confined;
	struct reach reach;
	int r;

	reach_list(options->config, options->state, options->socket, &reach);
	r = confine(CONFINE_NATD, reach.paths, reach.n, &confined, &why);
	if (r < 0) {
		log_error("%s.", why.text);
		return r;
	}
	if (!confined.landlock)
		log_notice(
			"This kernel has no Landlock: which files natd may open is left "
			"to their permissions.");
	gateway_confined(d->gateway, &confined);
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
	nursery_stop(&d->nursery);
}

static int run(const struct options *options)
{
	static int (*const steps[])(struct daemon *) = {
		start_config,  start_identity, start_nursery,  start_event,
		start_gateway, start_confined, start_forwards,
	};
	struct daemon d = {
		.options = options,
		.nursery = { .fd = -1 },
		.listen_fd = -1,
	};
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
	status = options_parse(argc, argv, &options);
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
