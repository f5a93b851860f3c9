/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/gateway/recover.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/text.h"
#include "natd/gateway/recover_slots.h"

/* as the gateway's table */
#define CAPACITY 65535

DEFINE_CLEANUP(store_close, struct store *)
DEFINE_CLEANUP(table_free, struct table *)

/**
 * struct recovery
 * @rows:  what can be read of the old store
 * @table: what the new one will hold
 * @error: of an addition to one of them, -ENOMEM
 * @has_kernel: there is a table in the kernel
 * @kernel: its sequence number; 0 = none
 * @slots: its elements
 * @n_kernel_alone, @n_lost: mappings, for the summary
 */
struct recovery {
	const struct config *config;
	uint64_t now;
	FILE *out;
	struct table *rows, *table;
	struct store_remains remains;
	struct ruleset *ruleset;
	bool has_kernel;
	uint64_t kernel;
	struct slots slots;
	size_t n_kernel_alone, n_lost;
	int error;
};

/* ------------------------------------------------------------ what is there */

static int say(struct recover_fault *why, int error, const char *what)
{
	snprintf(why->text, sizeof(why->text), "%s: %s", what, strerror(-error));
	return error;
}

static int open_kernel(struct recovery *r, struct recover_fault *why)
{
	int error;

	error = ruleset_open(&r->ruleset);
	if (error == 0)
		error = ruleset_sequence(r->ruleset, &r->kernel);
	if (error == -ENOENT)
		error = 0;
	return error < 0 ? say(why, error, "the kernel's table") : 0;
}

/* Return: 1 when there is nothing to recover, 0 when there is, -errno. */
static int is_right(struct recovery *r, const char *state, struct recover_fault *why)
{
	CLEANUP(store_close) struct store *store = NULL;
	CLEANUP(table_free) struct table *table = table_new(CAPACITY, (uint8_t[16]){ 0 });
	struct store_fault fault = { "" };
	char mappings[TEXT_PHRASE_STRLEN];
	int error;

	if (!table)
		return say(why, -ENOMEM, "the table");
	error = store_open(state, &store, &fault);
	if (error == 0)
		error = store_load(store, table, &fault);
	if (error < 0) {
		/* what natd says to people who have not come here yet */
		char *cure = error == -EUCLEAN ? strstr(fault.text, "; natd") : NULL;

		if (cure)
			strcpy(cure, ".");
		snprintf(why->text, sizeof(why->text), "%s", fault.text);
		return error == -EUCLEAN ? 0 : error;
	}
	if (r->kernel <= store_sequence(store) + 1) {
		fprintf(r->out,
			"%s/natd.db is right, and as new as the kernel's table: %s. "
			"Nothing to recover.\n",
			state, text_things(table_size(table), "mapping", mappings));
		return 1;
	}
	snprintf(why->text, sizeof(why->text),
		 "%s/natd.db is older (change %" PRIu64
		 ") than the kernel's table (change %" PRIu64 ").",
		 state, store_sequence(store), r->kernel);
	return 0;
}

static void on_row(void *userdata, const struct mapping *m)
{
	struct recovery *r = userdata;
	int error = table_load(r->rows, m);

	if (error == -ENOMEM)
		r->error = error;
}

/* ------------------------------------------------------------ what is taken */

static void tell(struct recovery *r, const char *what, const struct mapping *m,
		 const char *why)
{
	char text[MAPPING_STRLEN];

	fprintf(r->out, "%s: %s%s\n", what, mapping_describe(m, text), why);
}

/* Return: 0, or why the new table does not take it. */
static int take(struct recovery *r, const struct mapping *m)
{
	int error = table_load(r->table, m);

	if (error == -ENOMEM)
		r->error = error;
	return error;
}

/* Somebody put an old copy of the kernel's table back: natd.db is believed first. */
static bool kernel_is_older(const struct recovery *r)
{
	return r->kernel < r->remains.sequence;
}

/*
 * Nothing was changed since natd.db was written: what the kernel does not have waits for
 * its LAN's prefix.
 */
static bool may_wait(const struct recovery *r, const struct mapping *m)
{
	return m->suffix && r->remains.sequence && r->kernel <= r->remains.sequence + 1;
}

/* Whether the kernel has it, the router above us says. */
static bool is_not_held(const struct mapping *m)
{
	return m->upstream == UPSTREAM_REQUIRED && !m->held;
}

static bool is_taken(const struct recovery *r, const struct mapping *row)
{
	return table_find_id(r->table, row->id);
}

/* Those that the kernel cannot tell of; @all: every one. */
static void take_rows(struct recovery *r, bool all)
{
	const struct mapping *m;

	table_for_each (r->rows, m) {
		if ((all || !m->enabled || may_wait(r, m) || is_not_held(m)) &&
		    !is_taken(r, m) && take(r, m) == 0) {
			slots_take(&r->slots, m);
			tell(r, "taken", m, ", of natd.db");
		}
	}
}

static void take_rows_in_kernel(struct recovery *r)
{
	const struct mapping *row;

	table_for_each (r->rows, row) {
		struct mapping m = *row;

		/* what the kernel has was switched on since, or is held since */
		m.enabled = true;
		m.held = m.upstream == UPSTREAM_REQUIRED;
		if (!is_taken(r, row) && slots_take(&r->slots, &m) && take(r, &m) == 0)
			tell(r, "taken", &m, ", of the kernel and natd.db");
	}
}

/* Only the kernel knows of it: its name and its owner are in the configuration or lost.
 */
static void take_unknown(struct recovery *r, struct mapping *m, const char *whence)
{
	int error;

	m->id = table_next_id(r->table);
	m->created = m->changed = r->now;
	error = take(r, m);
	if (error == -EEXIST && m->name[0]) {
		m->name[0] = '\0';
		whence = ", of the kernel; its name is another's";
		error = take(r, m);
	}
	if (error == 0)
		tell(r, "taken", m, whence);
	else if (error != -EEXIST)
		tell(r, "lost", m, ": the kernel has it, and it is no mapping of natd's");
	else if (!kernel_is_older(r))
		tell(r, "lost", m, ": the kernel has it, and a mapping before it, too");
}

static void take_declared(struct recovery *r, const struct config_forward *forward)
{
	for (unsigned int i = 0; i < PROTOCOL_COUNT; i++) {
		struct mapping m = forward->change.mapping;

		if (!(forward->change.protocols & 1u << i))
			continue;
		m.protocol = protocol_at(i);
		m.origin = ORIGIN_CONFIG;
		if (m.enabled && slots_take(&r->slots, &m))
			take_unknown(r, &m, ", of the kernel and the configuration");
	}
}

static void on_joined(void *userdata, struct mapping *m)
{
	struct recovery *r = userdata;
	const size_t before = table_size(r->table);

	m->origin = ORIGIN_ADMIN;
	take_unknown(r, m, ", of the kernel; its name, owner and date are lost");
	r->n_kernel_alone += table_size(r->table) - before;
}

static void tell_lost(struct recovery *r)
{
	const struct mapping *m;

	table_for_each (r->rows, m) {
		if (is_taken(r, m))
			continue;
		r->n_lost++;
		if (slots_serve(&r->slots, m))
			tell(r, "lost", m,
			     ": the kernel's table leads that port elsewhere");
		else
			tell(r, "lost", m,
			     ": natd.db has it, and the kernel's table does not");
	}
	if (r->remains.rows > (int64_t)table_size(r->rows))
		fprintf(r->out, "%" PRId64 " of %" PRId64 " rows could not be read.\n",
			r->remains.rows - (int64_t)table_size(r->rows), r->remains.rows);
	else if (r->remains.rows < 0)
		fprintf(r->out,
			"How many mappings natd.db should hold cannot be read; %zu "
			"could be.\n",
			table_size(r->rows));
}

/* ------------------------------------------------------------ what nobody knows */

/* -1: that is not known either */
static int64_t unread_rows(const struct recovery *r)
{
	return r->remains.rows < 0 ? -1 : r->remains.rows - (int64_t)table_size(r->rows);
}

/* Was natd.db changed after what there is of it? */
static bool rows_are_older(const struct recovery *r)
{
	return r->kernel > r->remains.sequence + 1;
}

static void tell_kernel_alone(const struct recovery *r)
{
	char mappings[TEXT_PHRASE_STRLEN];

	if (!r->n_kernel_alone)
		return;
	fprintf(r->out,
		"Known from the kernel alone: %s. They are static and enabled now. The "
		"kernel does not tell whether they had a lease and when it was to end, nor "
		"names, owners, comments, dates, numbers, counts, or that a host was given "
		"by its suffix; nor which ports and prefixes belonged together: they were "
		"joined where they could be one.\n",
		text_things(r->n_kernel_alone, "mapping", mappings));
}

static void tell_not_in_kernel(const struct recovery *r)
{
	const int64_t unread = unread_rows(r);
	char rows[TEXT_PHRASE_STRLEN];

	if (unread == 0 && !rows_are_older(r))
		return;
	fputs("Not in the kernel: mappings that were disabled, or waited for their LAN's "
	      "prefix. Those ",
	      r->out);
	if (unread > 0)
		fprintf(r->out, "of the %s that could not be read",
			text_things((uint64_t)unread, "row", rows));
	else if (unread == 0 && r->remains.sequence)
		fputs("that were added so, or became so, after natd.db was written",
		      r->out);
	else
		fputs("that natd.db does not show any more", r->out);
	fputs(" are lost; how many they are, and which, cannot be known.\n", r->out);
}

static void tell_older(const struct recovery *r)
{
	if (r->remains.sequence && rows_are_older(r))
		fprintf(r->out,
			"Names, owners, comments and leases are those of change %" PRIu64
			", which natd.db has; what was made of them up to change %" PRIu64
			", the kernel's, cannot be known.\n",
			r->remains.sequence, r->kernel);
}

static void tell_unknown(const struct recovery *r)
{
	char mappings[TEXT_PHRASE_STRLEN];

	if (r->n_lost)
		fprintf(r->out, "Lost, of those that natd.db shows: %s.\n",
			text_things(r->n_lost, "mapping", mappings));
	if (!r->has_kernel) {
		if (unread_rows(r))
			fputs("What could not be read is lost: there is no table of "
			      "natd's in the kernel.\n",
			      r->out);
		return;
	}
	tell_kernel_alone(r);
	tell_not_in_kernel(r);
	tell_older(r);
}

static int collect(struct recovery *r, struct recover_fault *why)
{
	bool rows_first = r->has_kernel && kernel_is_older(r);
	int error;

	table_set_next_id(r->table, r->remains.next_id);
	table_set_next_id(r->table, table_next_id(r->rows));
	if (rows_first)
		fputs("The kernel's table is older than natd.db: forwards that were "
		      "removed since may be among these.\n",
		      r->out);
	if (!r->has_kernel || rows_first)
		take_rows(r, true);
	take_rows_in_kernel(r);
	for (size_t i = 0; i < r->config->n_forwards; i++)
		take_declared(r, &r->config->forwards[i]);
	error = slots_join(&r->slots, on_joined, r);
	if (error < 0)
		return say(why, error, "the kernel's table");
	take_rows(r, false);
	return r->error < 0 ? say(why, r->error, "the new store") : 0;
}

/* ------------------------------------------------------------ the whole */

static void note_slot(void *userdata, const struct ruleset_slot *slot)
{
	struct recovery *r = userdata;

	if (slots_add(&r->slots, slot) < 0)
		r->error = -ENOMEM;
}

static int look_at_kernel(struct recovery *r, struct recover_fault *why)
{
	int error = ruleset_elements(r->ruleset, note_slot, r);

	r->has_kernel = error == 0;
	if (error == 0 || error == -ENOENT)
		error = r->error;
	slots_settle(&r->slots);
	return error < 0 ? say(why, error, "the kernel's table") : 0;
}

static int replace(struct recovery *r, const char *state, struct recover_fault *why)
{
	CLEANUP(store_close) struct store *store = NULL;
	struct store_fault fault = { "" };
	uint64_t sequence;
	int error;

	error = store_salvage(state, on_row, r, &r->remains, &store, &fault);
	if (error == 0)
		error = collect(r, why);
	else
		snprintf(why->text, sizeof(why->text), "%s", fault.text);
	if (error < 0)
		return error;
	tell_lost(r);
	tell_unknown(r);
	sequence = r->kernel > r->remains.sequence ? r->kernel : r->remains.sequence;
	error = store_replace(store, r->table, sequence + 1, &fault);
	if (error < 0)
		snprintf(why->text, sizeof(why->text), "%s", fault.text);
	return error;
}

static int recover(struct recovery *r, const char *state, struct recover_fault *why)
{
	char mappings[TEXT_PHRASE_STRLEN];
	int error;

	error = open_kernel(r, why);
	if (error == 0)
		error = is_right(r, state, why);
	if (error)
		return error < 0 ? error : 0;
	fprintf(r->out, "%s\n", why->text);
	error = look_at_kernel(r, why);
	if (error == 0)
		error = replace(r, state, why);
	if (error < 0)
		return error;
	fprintf(r->out, "%s/natd.db is new: %s, of %s.\n", state,
		text_things(table_size(r->table), "mapping", mappings),
		r->has_kernel ? "the kernel's table" : "the rows that can be read");
	if (r->remains.aside[0])
		fprintf(r->out, "The old one is %s/%s.\n", state, r->remains.aside);
	fputs("natd can be started.\n", r->out);
	return 0;
}

int recover_store(const struct config *config, const char *state, uint64_t now, FILE *out,
		  struct recover_fault *why)
{
	CLEANUP(table_free) struct table *rows = table_new(CAPACITY, (uint8_t[16]){ 0 });
	CLEANUP(table_free) struct table *table = table_new(CAPACITY, (uint8_t[16]){ 0 });
	struct recovery r = {
		.config = config,
		.now = now,
		.out = out,
		.rows = rows,
		.table = table,
	};
	int error;

	if (!rows || !table)
		return say(why, -ENOMEM, "the table");
	error = recover(&r, state, why);
	ruleset_close(r.ruleset);
	slots_done(&r.slots);
	return error;
}
