/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * stage_update - judges what is to be altered
 *
 * An altered mapping is a new one of the next generation with the same id, and the old
 * one leaves: undo and commit need to know of nothing else.
 */

#include <errno.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/stage_private.h"

DEFINE_CLEANUP(details_unref, struct details *)

static void set_lifetime(const struct staging *s, struct mapping *m, uint32_t lifetime)
{
	m->lifetime = lifetime;
	m->expires = lifetime ? s->at->lease_now + (uint64_t)lifetime * 1000 : 0;
}

static void sign(const struct staging *s, struct mapping *m)
{
	if (s->held)
		return;
	m->changed = s->at->now;
	if (s->rights && m->origin == ORIGIN_ADMIN)
		m->changed_by = s->rights->uid;
}

static int put(struct staging *s, struct mapping *m, struct node *before,
	       struct node **ret)
{
	sign(s, m);
	return staging_put(s, m, before, ret);
}

int stage_renew(struct staging *s, struct node *node, uint32_t lifetime)
{
	struct mapping m = node->mapping;
	struct denial denial;
	struct node *renewed;
	int r;

	set_lifetime(s, &m, lifetime);
	if (!staging_judge(s, &m, &node->mapping, false, &denial))
		return staging_refuse_denied(s, &denial, NULL);
	r = put(s, &m, node, &renewed);
	if (r < 0)
		return r;
	r = staging_result(s, VERDICT_CHANGED, renewed);
	if (r < 0)
		return r;
	s->plan->results[s->plan->n_results - 1].effect = s->plan->n_effects - 1;
	return 0;
}

/* ---------------------------------------------------------------- what it becomes */

/* Another host. The external address goes with it where it was the host's. */
static const char *set_internal(struct mapping *m, const struct patch *patch)
{
	if (address_is_ipv4(&patch->internal.addr) != mapping_is_ipv4(m))
		return "The internal address of a mapping stays in its family.";
	if (patch->n_ports && patch->n_ports != m->n_ports)
		return "A mapping keeps its number of ports.";
	if (mapping_is_pinhole(m))
		m->external.addr = address_any6;
	m->suffix = patch->suffix;
	m->internal.addr = patch->internal.addr;
	if (patch->internal.port)
		m->internal.port = patch->internal.port;
	return NULL;
}

/* Where packets go then; the LAN is settled. */
static const char *find_host(const struct staging *s, struct mapping *m)
{
	struct asked asked = { .mapping = m };
	const char *flaw = staging_prefix(s, m, &asked.prefix);

	*m = asked_at(&asked, m->protocol, m->external.port);
	return flaw;
}

static const char *new_comment(const struct mapping *m, const struct patch *patch)
{
	if (!(patch->set & PATCH_COMMENT))
		return mapping_comment(m);
	return patch->details ? patch->details->comment : "";
}

static const char *new_lan(const struct mapping *m, const struct patch *patch)
{
	if (!m->suffix)
		return "";
	if (patch->set & PATCH_INTERNAL && patch->details && patch->details->lan[0])
		return patch->details->lan;
	return mapping_lan(m);
}

/* Another comment, another LAN or none. @ret: a reference of the caller's, which @m
 * borrows. */
static int set_details(struct mapping *m, const struct patch *patch, struct details **ret)
{
	const char *comment = new_comment(m, patch), *lan = new_lan(m, patch);
	const struct prefix *remotes;
	size_t n;
	int r;

	if (strcmp(comment, mapping_comment(m)) == 0 && strcmp(lan, mapping_lan(m)) == 0)
		return 0;
	remotes = mapping_remotes(m, &n);
	r = details_new(lan, comment, remotes, n, ret);
	if (r == 0)
		m->details = *ret;
	return r;
}

/* @ret_flaw: why @patch cannot be, or NULL */
static int apply(const struct staging *s, const struct patch *patch, struct mapping *m,
		 struct details **ret_details, const char **ret_flaw)
{
	int r;

	*ret_flaw = NULL;
	if (patch->set & PATCH_NAME)
		memcpy(m->name, patch->name, sizeof(m->name));
	if (patch->set & PATCH_ENABLED)
		m->enabled = patch->enabled;
	if (patch->set & PATCH_LIFETIME)
		set_lifetime(s, m, patch->lifetime);
	if (patch->set & PATCH_INTERNAL)
		*ret_flaw = set_internal(m, patch);
	if (patch->set & PATCH_UPSTREAM)
		m->upstream = patch->upstream;
	if (patch->set & PATCH_HELD)
		m->held = patch->held;
	m->held &= m->upstream == UPSTREAM_REQUIRED;
	r = set_details(m, patch, ret_details);
	if (r == 0 && !*ret_flaw && patch->set & PATCH_INTERNAL)
		*ret_flaw = find_host(s, m);
	return r;
}

static bool is_same(const struct mapping *a, const struct mapping *b)
{
	return strcmp(a->name, b->name) == 0 && a->enabled == b->enabled &&
	       a->lifetime == b->lifetime && a->expires == b->expires &&
	       a->suffix == b->suffix && endpoint_equal(&a->internal, &b->internal) &&
	       a->upstream == b->upstream && a->held == b->held &&
	       details_equal(a->details, b->details);
}

/* -------------------------------------------------------------------- judgement */

static int judge_name(struct staging *s, const struct mapping *m, const struct node *node)
{
	const struct node *holder;

	if (!m->name[0])
		return 0;
	holder = table_node_by_name(s->table, m->name, m->protocol, NEXT);
	if (!holder || holder == node)
		return 0;
	return staging_refuse(s, VERDICT_NAME_TAKEN, holder);
}

/* A pinhole that gets another port inside is one no more: it takes a port of the WAN. */
static int judge_listeners(struct staging *s, const struct mapping *m,
			   const struct node *node)
{
	if (!mapping_is_pinhole(&node->mapping) || mapping_is_pinhole(m) ||
	    staging_listeners(s, m, NULL, 0) == 0)
		return 0;
	return staging_refuse_listeners(s, m);
}

static int judge(struct staging *s, const struct mapping *m, const struct node *node,
		 uint32_t set)
{
	const struct denial others = { .missing = RIGHT_OWN };
	const struct node *holder;
	struct denial denial;
	const char *flaw;
	int r;

	flaw = mapping_flaw(m);
	if (flaw)
		return staging_refuse_flaw(s, flaw);
	if (m->upstream != node->mapping.upstream && staging_lacks_upstream(s, m))
		return staging_refuse(s, VERDICT_NO_UPSTREAM, NULL);
	holder = table_conflict(s->table, m, NEXT, node);
	if (holder)
		return staging_refuse(s, VERDICT_CONFLICT, holder);
	r = judge_name(s, m, node);
	if (r < 0 || staging_refused(s))
		return r;
	if (set & (PATCH_LIFETIME | PATCH_INTERNAL) &&
	    !staging_judge(s, m, &node->mapping, false, &denial))
		return staging_refuse_denied(s, &denial, NULL);
	holder = set & PATCH_INTERNAL ? staging_robbed(s, m) : NULL;
	if (holder)
		return staging_refuse_denied(s, &others, holder);
	return judge_listeners(s, m, node);
}

static int update(struct staging *s, const struct patch *patch, size_t result)
{
	CLEANUP(details_unref) struct details *details = NULL;
	struct node *node = node_of(s->plan->results[result].mapping);
	struct mapping m = node->mapping;
	struct node *altered;
	const char *flaw;
	int r;

	r = apply(s, patch, &m, &details, &flaw);
	if (r < 0)
		return r;
	if (flaw)
		return staging_refuse_flaw(s, flaw);
	if (is_same(&m, &node->mapping))
		return 0;
	r = judge(s, &m, node, patch->set);
	if (r < 0 || staging_refused(s))
		return r;
	r = put(s, &m, node, &altered);
	if (r < 0)
		return r;
	s->plan->results[result].verdict = VERDICT_CHANGED;
	s->plan->results[result].mapping = &altered->mapping;
	s->plan->results[result].effect = s->plan->n_effects - 1;
	return 0;
}

int stage_update(struct staging *s, const struct change *change)
{
	size_t n, first;
	int r;

	r = staging_selected(s, change, &n);
	if (r < 0)
		return r;
	first = s->plan->n_results - n;
	for (size_t i = 0; i < n && r == 0 && !staging_refused(s); i++)
		r = update(s, &change->patch, first + i);
	return r;
}
