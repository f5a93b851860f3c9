/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/recover.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/text.h"
#include "rules/ruleset.h"

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

static bool take(struct recovery *r, const struct mapping *m)
{
	int error = table_load(r->table, m);

	if (error == -ENOMEM)
		r->error = error;
	return error == 0;
}

static void take_rows(struct recovery *r, bool enabled_too)
{
	const struct mapping *m;

	table_for_each (r->rows, m) {
		if ((enabled_too || !m->enabled) && take(r, m))
			tell(r, "taken", m, ", of natd.db");
	}
}

static bool same_ends(const struct mapping *a, const struct mapping *b)
{
	return endpoint_equal(&a->external, &b->external) &&
	       endpoint_equal(&a->internal, &b->internal);
}

static const struct config_forward *find_declared(const struct recovery *r,
						  const struct mapping *m)
{
	uint8_t bit = m->protocol == IPPROTO_TCP ? PROTOCOL_BIT_TCP : PROTOCOL_BIT_UDP;

	for (size_t i = 0; i < r->config->n_forwards; i++) {
		const struct config_forward *f = &r->config->forwards[i];

		if (f->change.protocols & bit && same_ends(&f->change.mapping, m))
			return f;
	}
	return NULL;
}

/* Only the kernel knows of it: its name and its owner are in the configuration or lost.
 */
static void take_unknown(struct recovery *r, struct mapping *m)
{
	const struct config_forward *declared = find_declared(r, m);

	m->id = table_next_id(r->table);
	m->created = r->now;
	m->origin = declared ? ORIGIN_CONFIG : ORIGIN_ADMIN;
	if (declared)
		memcpy(m->name, declared->change.mapping.name, sizeof(m->name));
	if (take(r, m)) {
		tell(r, "taken", m,
		     declared ? ", of the kernel and the configuration"
			      : ", of the kernel; its name, owner and date are lost");
		return;
	}
	m->name[0] = '\0';
	if (take(r, m))
		tell(r, "taken", m, ", of the kernel; its name is another's");
	else
		tell(r, "lost", m, ": the kernel has it, and it is no mapping of natd's");
}

static void on_element(void *userdata, uint8_t protocol, const struct endpoint *external,
		       const struct endpoint *internal)
{
	struct recovery *r = userdata;
	struct mapping m = {
		.external = *external,
		.internal = *internal,
		.protocol = protocol,
		.enabled = true,
	};
	const struct mapping *row;

	if (table_find(r->table, protocol, external))
		return;
	row = table_find(r->rows, protocol, external);
	if (!row || !row->enabled || !same_ends(row, &m))
		take_unknown(r, &m);
	else if (take(r, row))
		tell(r, "taken", row, ", of the kernel and natd.db");
}

static void tell_lost(struct recovery *r)
{
	const struct mapping *m, *now;

	table_for_each (r->rows, m) {
		now = table_find(r->table, m->protocol, &m->external);
		if (!now)
			tell(r, "lost", m,
			     ": natd.db has it, and the kernel's table does not");
		else if (!same_ends(now, m))
			tell(r, "lost", m,
			     ": the kernel's table leads that port elsewhere");
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

/* Somebody put an old copy of the kernel's table back: natd.db is believed first. */
static bool kernel_is_older(const struct recovery *r)
{
	return r->kernel < r->remains.sequence;
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
	error = r->has_kernel ? ruleset_elements(r->ruleset, on_element, r) : 0;
	if (error < 0)
		return say(why, error, "the kernel's table");
	take_rows(r, false);
	return r->error < 0 ? say(why, r->error, "the new store") : 0;
}

/* ------------------------------------------------------------ the whole */

static void note_element(void *userdata, uint8_t protocol,
			 const struct endpoint *external, const struct endpoint *internal)
{
}

static int look_at_kernel(struct recovery *r, struct recover_fault *why)
{
	int error = ruleset_elements(r->ruleset, note_element, NULL);

	r->has_kernel = error == 0;
	return error < 0 && error != -ENOENT ? say(why, error, "the kernel's table") : 0;
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
	return error;
}
