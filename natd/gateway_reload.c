/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * gateway_reload - from the configuration file to the table and the fixed rules
 *
 * A reload is all or nothing, and judged before anything changes. Then the fixed rules
 * are changed, since that can be taken back; then the file's forwards go through the
 * engine like every other change. What fails there brings the old configuration back.
 */

#include "natd/gateway_private.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/text.h"
#include "natd/kill_point.h"
#include "natd/log.h"

struct reload {
	struct gateway *gw;
	struct config *old; /* NULL at start: nothing to go back to */
	gateway_done done;
	void *userdata;
};

static bool is_of_forward(const struct mapping *m, const struct config_forward *forward)
{
	const struct mapping *wanted = &forward->change.mapping;

	return m && m->origin == ORIGIN_CONFIG &&
	       endpoint_equal(&m->internal, &wanted->internal) &&
	       !strcmp(m->name, wanted->name);
}

static const uint8_t protocol_of_bit[] = { IPPROTO_TCP, IPPROTO_UDP };

static int compare_ids(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

/* The file's forwards that the table has as they are; their ids go to @kept. */
static int add_missing(const struct gateway *gw, const struct config *config,
		       uint64_t *kept, size_t *n_kept, struct change_list *adds)
{
	for (size_t i = 0; i < config->n_forwards; i++) {
		const struct config_forward *forward = &config->forwards[i];
		struct change change = forward->change;

		change.mapping.created = gateway_now();
		for (size_t bit = 0; bit < ARRAY_SIZE(protocol_of_bit); bit++) {
			const struct mapping *m;

			if (!(change.protocols & 1u << bit))
				continue;
			m = table_find(gw->table, protocol_of_bit[bit],
				       &change.mapping.external);
			if (!is_of_forward(m, forward))
				continue;
			kept[(*n_kept)++] = m->id;
			change.protocols &= (uint8_t)~(1u << bit);
		}
		if (change.protocols && change_list_add(adds, &change) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int remove_others(const struct gateway *gw, const uint64_t *kept, size_t n_kept,
			 struct change_list *ret)
{
	const struct mapping *m;

	table_for_each (gw->table, m) {
		struct change change = { .kind = CHANGE_REMOVE, .config_too = true };

		if (m->origin != ORIGIN_CONFIG)
			continue;
		if (bsearch(&m->id, kept, n_kept, sizeof(*kept), compare_ids))
			continue;
		change.selector.id = m->id;
		if (change_list_add(ret, &change) < 0)
			return -ENOMEM;
	}
	return 0;
}

int gateway_diff(const struct gateway *gw, const struct config *config,
		 struct change_list *ret)
{
	struct change_list adds = { 0 };
	uint64_t *kept;
	size_t n_kept = 0;
	int r;

	kept = calloc(config->n_forwards * ARRAY_SIZE(protocol_of_bit) + 1,
		      sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	r = add_missing(gw, config, kept, &n_kept, &adds);
	qsort(kept, n_kept, sizeof(*kept), compare_ids);
	if (r == 0)
		r = remove_others(gw, kept, n_kept, ret);
	for (size_t i = 0; i < adds.n && r == 0; i++)
		r = change_list_add(ret, &adds.changes[i]);
	change_list_done(&adds);
	free(kept);
	return r;
}

static void count_results(const struct answer *answer, size_t *added, size_t *removed)
{
	const struct result *results;
	size_t n;

	*added = *removed = 0;
	results = plan_results(answer->plan, answer->request, &n);
	for (size_t i = 0; i < n; i++) {
		*added += results[i].verdict == VERDICT_ADDED;
		*removed += results[i].verdict == VERDICT_REMOVED;
	}
}

static unsigned int line_of(const struct config *config, const struct mapping *wanted)
{
	for (size_t i = 0; i < config->n_forwards; i++) {
		const struct mapping *m = &config->forwards[i].change.mapping;

		if (!strcmp(m->name, wanted->name) &&
		    endpoint_equal(&m->external, &wanted->external))
			return config->forwards[i].line;
	}
	return 0;
}

/* A forward of the file that the table refused, with the place where it stands. */
static void explain_refusal(const struct config *config, const struct answer *answer,
			    struct problem *why)
{
	const struct result *refusal;
	const struct change *change;
	struct problem inner;
	size_t n;

	refusal = plan_results(answer->plan, answer->request, &n);
	assert(n > 0);
	assert(refusal->change < answer->changes->n);
	change = &answer->changes->changes[refusal->change];
	if (change->kind == CHANGE_REMOVE) {
		problem_set(why, VERDICT_BUSY, "Ask again.",
			    "A forward of the file was removed meanwhile.");
		return;
	}
	problem_of_refusal(refusal->verdict, change, &refusal->mapping,
			   !!refusal->mapping, gateway_now(), &inner);
	problem_set(why, VERDICT_BAD_CONFIG, inner.cure, "%s:%u: %.400s", config->path,
		    line_of(config, &change->mapping), inner.detail);
}

static void go_back(struct reload *reload)
{
	struct gateway *gw = reload->gw;
	struct ruleset_report report;
	struct ruleset_fault why;
	int r;

	if (!reload->old)
		return;
	config_free(gw->config);
	gw->config = TAKE(reload->old);
	r = links_configure(gw->links, gw->config);
	if (r == 0)
		r = gateway_sync(gw, &report, &why);
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
	}
	gateway_tell_addresses(gw);
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
		explain_refusal(reload->gw->config, answer, &why);
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
	size_t n = gw->n_wan;
	int r;

	gw->n_wan = 0;
	r = links_configure(gw->links, gw->config);
	if (r == 0)
		r = gateway_sync(gw, &report, &fault);
	gateway_end_missing(gw, before, r == 0 ? n : 0);
	if (r == 0) {
		gateway_forwarding(gw);
		return 0;
	}
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
 * undecided there is no second one; the engine says so.
 */
static int foresee(struct gateway *gw, const struct config *config, struct problem *why)
{
	struct change_list changes = { 0 };
	struct plan *plan = NULL;
	int r;

	if (engine_is_stuck(gw->engine))
		return 0;
	problem_set(why, VERDICT_FAULT, "The old configuration stays.",
		    "There is no memory.");
	r = gateway_diff(gw, config, &changes);
	if (r == 0)
		r = table_stage(gw->table, &changes, 1, &plan);
	if (r == 0 && plan_refused(plan, 0)) {
		const struct answer answer = { .plan = plan, .changes = &changes };

		explain_refusal(config, &answer, why);
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
