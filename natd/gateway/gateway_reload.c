/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * gateway_reload - from the configuration file to the table and the fixed rules
 *
 * A reload is all or nothing, and judged before anything changes. Then the fixed rules
 * are changed, since that can be taken back; then the file's forwards go through the
 * engine like every other change. What fails there brings the old configuration back.
 */

#include "natd/gateway/gateway_private.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/text.h"
#include "natd/common/kill_point.h"
#include "natd/common/log.h"
#include "natd/gateway/gateway_upstream.h"

struct reload {
	struct gateway *gw;
	struct config *old; /* NULL at start: nothing to go back to */
	gateway_done done;
	void *userdata;
};

/* One that was altered is another one where it was. */
static void count_results(const struct answer *answer, size_t *added, size_t *removed)
{
	const struct result *results;
	size_t n;

	*added = *removed = 0;
	results = plan_results(answer->plan, answer->request, &n);
	for (size_t i = 0; i < n; i++) {
		const bool altered = results[i].verdict == VERDICT_CHANGED;

		*added += altered || results[i].verdict == VERDICT_ADDED;
		*removed += altered || results[i].verdict == VERDICT_REMOVED;
	}
}

/* The table has changed since the changes were made: somebody else's do not harm these.
 */
static bool is_overtaken(const struct change *change, const struct refusal *refusal)
{
	return change->kind == CHANGE_REMOVE || refusal->verdict == VERDICT_NOT_FOUND;
}

/* A forward of the file that the table refused, with the place where it stands. */
static void explain_refusal(const struct gateway *gw, const struct config *config,
			    const struct answer *answer, struct problem *why)
{
	const struct result *result;
	const struct change *change;
	struct refusal refusal;
	struct problem inner;
	size_t n;

	result = plan_results(answer->plan, answer->request, &n);
	assert(n > 0);
	assert(result->change < answer->changes->n);
	change = &answer->changes->changes[result->change];
	plan_refusal(answer->plan, answer->request, &refusal);
	if (is_overtaken(change, &refusal)) {
		problem_set(why, VERDICT_BUSY, "Ask again.",
			    "A forward of the file was removed meanwhile.");
		return;
	}
	problem_of_refusal(&refusal, change, gateway_now(), &inner);
	problem_set(why, VERDICT_BAD_CONFIG, inner.cure, "%s:%u: %.400s", config->path,
		    gateway_line(gw, config, change), inner.detail);
}

static void go_back(struct reload *reload)
{
	struct gateway *gw = reload->gw;
	struct standing standing;
	struct ruleset_report report;
	struct ruleset_fault why;
	int r;

	if (!reload->old)
		return;
	gateway_note_standing(gw, &standing);
	config_free(gw->config);
	gw->config = TAKE(reload->old);
	r = links_configure(gw->links, gw->config);
	if (r == 0)
		r = gateway_sync(gw, &report, &why);
	gateway_tell_addresses(gw);
	gateway_tell_standing(gw, &standing);
	if (r == 0)
		return;
	snprintf(gw->sync_problem, sizeof(gw->sync_problem),
		 "The old configuration could not be put back into the kernel: %s. It is "
		 "tried again until it can.",
		 strerror(-r));
	log_error("%s", gw->sync_problem);
	gateway_catch_up(gw);
}

static void finish(struct reload *reload, size_t added, size_t removed,
		   const struct problem *why)
{
	struct gateway *gw = reload->gw;
	gateway_done done = reload->done;
	void *userdata = reload->userdata;
	char forwards[TEXT_PHRASE_STRLEN];

	if (why) {
		go_back(reload);
		log_error("The configuration was not taken: %s %s", why->detail,
			  why->cure);
		snprintf(gw->config_problem, sizeof(gw->config_problem),
			 "The configuration was not taken: %.400s", why->detail);
		events_tell_refusal(gw->events, -1, 0, why);
	} else {
		gw->config_problem[0] = 0;
		log_notice("Configuration %s is in force: %s added, %zu removed.",
			   gw->config->path, text_things(added, "forward", forwards),
			   removed);
		gateway_account(gw);
		gateway_upstream_configure(gw);
		if (gw->configured)
			gw->configured(gw->configured_userdata);
	}
	config_free(reload->old);
	if (gw->reload == reload)
		gw->reload = NULL;
	free(reload);
	done(userdata, added, removed, why);
}

static void on_answer(void *userdata, const struct answer *answer)
{
	struct reload *reload = userdata;
	struct problem why;
	size_t added, removed;

	if (answer->problem) {
		finish(reload, 0, 0, answer->problem);
	} else if (plan_refused(answer->plan, answer->request)) {
		explain_refusal(reload->gw, reload->gw->config, answer, &why);
		finish(reload, 0, 0, &why);
	} else {
		count_results(answer, &added, &removed);
		KILL_POINT(KILL_RELOAD_DONE);
		finish(reload, added, removed, NULL);
	}
}

static int submit_forwards(struct reload *reload)
{
	struct gateway *gw = reload->gw;
	struct change_list changes = { 0 };
	int r;

	r = gateway_diff(gw, gw->config, &changes);
	if (r < 0) {
		change_list_done(&changes);
		return r;
	}
	return engine_submit(gw->engine, &changes, on_answer, reload);
}

static struct reload *reload_new(struct gateway *gw, gateway_done done, void *userdata)
{
	struct reload *reload;

	reload = calloc(1, sizeof(*reload));
	if (!reload)
		return NULL;
	reload->gw = gw;
	reload->done = done;
	reload->userdata = userdata;
	gw->reload = reload;
	return reload;
}

int gateway_start(struct gateway *gw, gateway_done done, void *userdata)
{
	struct reload *reload;
	int r;

	reload = reload_new(gw, done, userdata);
	if (!reload)
		return -ENOMEM;
	r = submit_forwards(reload);
	if (r < 0) {
		gw->reload = NULL;
		free(reload);
	}
	return r;
}

static int change_rules(struct gateway *gw, struct problem *why)
{
	struct in6_addr *before = TAKE(gw->wan);
	struct ruleset_report report;
	struct ruleset_fault fault = { "" };
	struct standing standing;
	size_t n = gw->n_wan;
	int r;

	gw->n_wan = 0;
	gateway_note_standing(gw, &standing);
	r = links_configure(gw->links, gw->config);
	if (r == 0)
		r = gateway_sync(gw, &report, &fault);
	gateway_end_missing(gw, before, r == 0 ? n : 0);
	if (r == 0) {
		gateway_forwarding(gw);
		gateway_tell_addresses(gw);
		gateway_tell_standing(gw, &standing);
		return 0;
	}
	standing_done(&standing);
	if (fault.text[0])
		problem_set(why, VERDICT_FAULT, "The old configuration stays.",
			    "The kernel refused the new rules: %s (%s).", fault.text,
			    strerror(-r));
	else
		problem_set(why, VERDICT_FAULT, "The old configuration stays.",
			    "The new rules could not be put into force: %s.",
			    strerror(-r));
	return r;
}

static void warn_of_restart(const struct config *old, const struct config *new)
{
	if (strcmp(old->user, new->user) || strcmp(old->group, new->group))
		log_warning("%s: user and group take effect when natd is started again.",
			    new->path);
}

static void refuse(struct gateway *gw, gateway_done done, void *userdata,
		   const struct problem *why)
{
	log_error("The configuration was not taken: %s", why->detail);
	snprintf(gw->config_problem, sizeof(gw->config_problem),
		 "The configuration was not taken: %.400s", why->detail);
	events_tell_refusal(gw->events, -1, 0, why);
	done(userdata, 0, 0, why);
}

/*
 * Would the table take the forwards of @config? Asked before the rules are changed: those
 * of a configuration that is refused must not be in force for a moment. While a plan is
 * open there is no second one; the engine says what it thinks of these in its turn.
 */
static int foresee(struct gateway *gw, const struct config *config, struct problem *why)
{
	struct lan_prefix lans[RULESET_LANS_MAX];
	struct change_list changes = { 0 };
	struct conditions at;
	struct plan *plan = NULL;
	int r;

	if (table_is_staged(gw->table))
		return 0;
	problem_set(why, VERDICT_FAULT, "The old configuration stays.",
		    "There is no memory.");
	gateway_foresee(gw, config, lans, &at);
	r = gateway_diff(gw, config, &changes);
	if (r == 0)
		r = table_stage(gw->table, &changes, 1, &at, &plan);
	if (r == 0 && plan_refused(plan, 0)) {
		const struct answer answer = { .plan = plan, .changes = &changes };

		explain_refusal(gw, config, &answer, why);
		r = -EINVAL;
	}
	plan_free(plan);
	change_list_done(&changes);
	return r;
}

/* A flaw may end with a sentence of its own. */
static void say_flaw(const struct config_flaw *flaw, enum verdict verdict,
		     struct problem *why)
{
	size_t len = strlen(flaw->text);

	problem_set(why, verdict, "The old configuration stays.", "%.500s%s", flaw->text,
		    len && flaw->text[len - 1] == '.' ? "" : ".");
}

int gateway_reload(struct gateway *gw, gateway_done done, void *userdata)
{
	struct config_flaw flaw = { "" };
	struct config *new = NULL;
	struct reload *reload;
	struct problem why;
	int r;

	if (gw->reload) {
		problem_set(&why, VERDICT_BUSY, "Ask again in a moment.",
			    "Another reload is under way.");
		done(userdata, 0, 0, &why);
		return 0;
	}
	r = config_load(gw->config->path, &new, &flaw);
	if (r < 0) {
		say_flaw(&flaw, r == -ENOMEM ? VERDICT_FAULT : VERDICT_BAD_CONFIG, &why);
		refuse(gw, done, userdata, &why);
		return 0;
	}
	if (foresee(gw, new, &why) < 0) {
		config_free(new);
		refuse(gw, done, userdata, &why);
		return 0;
	}
	reload = reload_new(gw, done, userdata);
	if (!reload) {
		config_free(new);
		return -ENOMEM;
	}
	warn_of_restart(gw->config, new);
	reload->old = gw->config;
	gw->config = new;
	r = change_rules(gw, &why);
	KILL_POINT(KILL_RELOAD_RULES);
	if (r == 0) {
		r = submit_forwards(reload);
		problem_set(&why, VERDICT_FAULT, "The old configuration stays.",
			    "There is no memory.");
	}
	if (r < 0)
		finish(reload, 0, 0, &why);
	return 0;
}
