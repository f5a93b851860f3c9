/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * gateway_watch - what other programs do to nftables, and how natd answers
 */

#include "natd/gateway/gateway_private.h"

#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/text.h"
#include "natd/common/log.h"

/*
 * Somebody who changes our table again and again is answered at once the first time and
 * then at most this often, so that two programs that quarrel do not take the machine.
 */
#define REPAIR_PAUSE_USEC 200000
/* What the kernel refused is tried again after this. */
#define REPAIR_RETRY_USEC 1000000

static bool is_among(const struct foreign_chain *chains, size_t n,
		     const struct foreign_chain *chain)
{
	for (size_t i = 0; i < n; i++)
		if (!memcmp(&chains[i], chain, sizeof(*chain)))
			return true;
	return false;
}

static void welcome_foreign(struct gateway *gw, const struct foreign_chain *chain)
{
	char text[FOREIGN_CHAIN_STRLEN];

	log_warning(
		"Chain %s drops what no rule of its own accepts, and so may block what "
		"natd lets in. Accept there what has \"ct status dnat\", or change its "
		"policy.",
		foreign_chain_format(chain, text));
	gateway_tell_foreign(gw, chain, true);
}

void gateway_scan_foreign(struct gateway *gw)
{
	struct foreign_chain found[GATEWAY_FOREIGN_MAX];
	int n;

	memset(found, 0, sizeof(found));
	n = ruleset_foreign(gw->ruleset, found, ARRAY_SIZE(found));
	if (n < 0) {
		log_warning("Other programs' chains could not be listed: %s.",
			    strerror(-n));
		return;
	}
	for (size_t i = 0; i < gw->n_foreign; i++)
		if (!is_among(found, (size_t)n, &gw->foreign[i]))
			gateway_tell_foreign(gw, &gw->foreign[i], false);
	for (size_t i = 0; i < (size_t)n; i++)
		if (!is_among(gw->foreign, gw->n_foreign, &found[i]))
			welcome_foreign(gw, &found[i]);
	memcpy(gw->foreign, found, sizeof(found));
	gw->n_foreign = (size_t)n;
}

static const char *name_culprit(const struct culprit *by, char *buf, size_t room)
{
	if (by->pid || by->name[0])
		snprintf(buf, room, "%s (pid %u)", by->name[0] ? by->name : "unknown",
			 by->pid);
	else
		snprintf(buf, room, "unknown");
	return buf;
}

static int repair(struct gateway *gw)
{
	struct ruleset_report report;
	struct ruleset_fault why;
	char who[64], mappings[TEXT_PHRASE_STRLEN];
	int r;

	name_culprit(&gw->suspect, who, sizeof(who));
	r = gateway_sync(gw, &report, &why);
	if (r < 0) {
		log_error("The kernel's table was changed by %s and cannot be mended: %s "
			  "(%s).",
			  who, why.text, strerror(-r));
		return r;
	}
	if (report_is_empty(&report))
		return 0;
	gw->repair.count++;
	gw->repair.at = gateway_now();
	gw->repair.by = gw->suspect;
	log_warning(
		"The kernel's table was %s by %s; repaired: %s put back, %zu taken away%s.",
		report.created ? "deleted" : "changed", who,
		text_things(report.added, "mapping", mappings), report.removed,
		report.rewritten ? ", rules rewritten" : "");
	gateway_tell_repair(gw, &report, &gw->suspect);
	return 0;
}

static int on_repair_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	if (repair(userdata) == 0)
		return 0;
	sd_event_source_set_time(source, usec + REPAIR_RETRY_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int schedule_repair(struct gateway *gw)
{
	uint64_t now, due = 0;
	int r, enabled = SD_EVENT_OFF;

	if (gw->repair_timer) {
		sd_event_source_get_enabled(gw->repair_timer, &enabled);
		if (enabled != SD_EVENT_OFF)
			return 0;
		sd_event_source_get_time(gw->repair_timer, &due);
		gw->repair_timer = sd_event_source_unref(gw->repair_timer);
	}
	r = sd_event_now(gw->event, CLOCK_MONOTONIC, &now);
	if (r < 0)
		return r;
	if (due + REPAIR_PAUSE_USEC > now && due)
		now = due + REPAIR_PAUSE_USEC;
	return sd_event_add_time(gw->event, &gw->repair_timer, CLOCK_MONOTONIC, now, 1000,
				 on_repair_due, gw);
}

static int on_watch(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct gateway *gw = userdata;
	struct ruleset_news news = { 0 };
	int r;

	r = ruleset_watch(gw->ruleset, &news);
	if (r < 0) {
		log_warning("What others do to nftables cannot be watched: %s.",
			    strerror(-r));
		news.overrun = true;
	}
	if (news.touched || news.overrun) {
		gw->suspect = news.by;
		r = schedule_repair(gw);
		if (r < 0)
			log_error("A repair could not be scheduled: %s.", strerror(-r));
	}
	if (news.foreign || news.overrun)
		gateway_scan_foreign(gw);
	return 0;
}

/* ------------------------------------------------------------ catching up */

static int on_catch_up(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct gateway *gw = userdata;
	bool known = gw->sync_problem[0];
	struct standing standing;
	struct ruleset_report report;
	struct ruleset_fault why;
	int r;

	gateway_note_standing(gw, &standing);
	r = links_configure(gw->links, gw->config);
	if (r == 0)
		r = gateway_sync(gw, &report, &why);
	if (r < 0) {
		log_debug("The kernel's table is not in force yet: %s.", strerror(-r));
		standing_done(&standing);
		gateway_catch_up(gw);
		return 0;
	}
	if (known)
		log_notice("The kernel's table is what the configuration says, again.");
	gateway_forwarding(gw);
	gateway_tell_addresses(gw);
	gateway_tell_standing(gw, &standing);
	return 0;
}

/* A source that is there can always be switched on. */
void gateway_catch_up(struct gateway *gw)
{
	sd_event_source_set_time_relative(gw->catch_up, REPAIR_RETRY_USEC);
	sd_event_source_set_enabled(gw->catch_up, SD_EVENT_ONESHOT);
}

int gateway_watch(struct gateway *gw)
{
	int r;

	r = sd_event_add_time(gw->event, &gw->catch_up, CLOCK_MONOTONIC, 0, 0,
			      on_catch_up, gw);
	if (r >= 0)
		r = sd_event_source_set_enabled(gw->catch_up, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_io(gw->event, &gw->watch, ruleset_fd(gw->ruleset),
				    EPOLLIN, on_watch, gw);
	return r;
}
