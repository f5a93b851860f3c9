/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * ruleset - opening and closing, and questions that change nothing
 */

#include "rules/ruleset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/rule.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "rules/derived.h"
#include "rules/elements.h"
#include "rules/objects.h"
#include "rules/smallsets.h"

DEFINE_CLEANUP(ruleset_close, struct ruleset *)

/* ------------------------------------------------------------------ open and close */

static int open_writer(struct ruleset *rs)
{
	int on = 1;

	rs->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!rs->nl || mnl_socket_bind(rs->nl, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	rs->portid = mnl_socket_get_portid(rs->nl);
	/* Without them, faults only become vaguer. */
	(void)mnl_socket_setsockopt(rs->nl, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(rs->nl, NETLINK_CAP_ACK, &on, sizeof(on));
	return 0;
}

static int ignore(const struct nlmsghdr *nlh, void *userdata)
{
	return MNL_CB_OK;
}

/* nfnetlink answers EINVAL for a subsystem it does not have. */
static int require_nf_tables(struct ruleset *rs)
{
	int r = ruleset_get(rs, NFT_MSG_GETGEN, NFPROTO_UNSPEC, 0, NULL, NULL, ignore,
			    NULL);

	return r == -EINVAL || r == -EOPNOTSUPP ? -EPROTONOSUPPORT : r;
}

int ruleset_open(struct ruleset **ret)
{
	CLEANUP(ruleset_close) struct ruleset *rs = calloc(1, sizeof(*rs));
	int r;

	if (!rs)
		return -ENOMEM;
	rs->derived = calloc(1, sizeof(*rs->derived));
	rs->room = calloc(SET_COUNT, sizeof(*rs->room));
	if (!rs->derived || !rs->room)
		return -ENOMEM;
	r = open_writer(rs);
	if (r == 0)
		r = require_nf_tables(rs);
	if (r == 0)
		r = probe_kernel(rs);
	if (r == 0)
		r = watch_open(rs);
	if (r < 0)
		return r;
	ruleset_note_barred(rs); /* by one before us */
	*ret = TAKE(rs);
	return 0;
}

void ruleset_close(struct ruleset *rs)
{
	if (!rs)
		return;
	if (rs->nl)
		mnl_socket_close(rs->nl);
	watch_close(rs);
	ruleset_forget(rs);
	if (rs->derived)
		derived_done(rs->derived);
	free(rs->derived);
	free(rs->room);
	free(rs);
}

bool ruleset_can_own(const struct ruleset *rs)
{
	return rs->can_own;
}

uint8_t ruleset_protocols(const struct ruleset *rs)
{
	return rs->protocols;
}

enum protection ruleset_protection(const struct ruleset *rs)
{
	return rs->protection;
}

/* ------------------------------------------------------------------ questions */

/* A torn dump is asked for again; so often in a row, it is an error. */
#define TORN_MAX 20

static int get_patiently(struct ruleset *rs, uint16_t type, const char *set,
			 mnl_cb_t on_message, void *userdata)
{
	int r = -EINTR;

	for (int i = 0; i < TORN_MAX && r == -EINTR; i++)
		r = ruleset_get(rs, type, NFPROTO_INET, NLM_F_DUMP, RULESET_TABLE, set,
				on_message, userdata);
	return r;
}

struct number {
	uint64_t value;
	bool found;
};

static int on_number(void *userdata, const struct counted *e)
{
	struct number *number = userdata;

	if (!e->key || e->key_len != set_specs[SET_SEQUENCE].key_len)
		return 0;
	number->value = sequence_of_key(e->key);
	number->found = true;
	return 0;
}

static int on_numbers(const struct nlmsghdr *nlh, void *userdata)
{
	elements_each(nlh, on_number, userdata);
	return MNL_CB_OK;
}

int ruleset_sequence(struct ruleset *rs, uint64_t *ret)
{
	struct number number = { 0 };
	int r = get_patiently(rs, NFT_MSG_GETSETELEM, set_specs[SET_SEQUENCE].name,
			      on_numbers, &number);

	if (r == 0 && !number.found)
		r = -ENOENT;
	if (r == 0)
		*ret = number.value;
	return r;
}

/* ------------------------------------------------------------------ slots */

struct telling {
	enum mapping_kind kind;
	ruleset_on_slot on_slot;
	void *userdata;
};

/* Somebody may have made a map of that name that is not ours: its keys are longer or
 * shorter. */
static int on_told(void *userdata, const struct counted *e)
{
	const struct telling *t = userdata;
	struct ruleset_slot slot;

	if (!mapping_element_slot(t->kind, e, &slot))
		return 0;
	slot.packets = counted_packets(e);
	t->on_slot(t->userdata, &slot);
	return 0;
}

static int on_elements(const struct nlmsghdr *nlh, void *userdata)
{
	elements_each(nlh, on_told, userdata);
	return MNL_CB_OK;
}

static int on_rule(const struct nlmsghdr *nlh, void *userdata)
{
	const struct telling *t = userdata;
	struct ruleset_slot slot;
	struct nftnl_rule *rule;

	if (!message_is_ours(nlh))
		return MNL_CB_OK;
	rule = nftnl_rule_alloc();
	if (!rule) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	if (nftnl_rule_nlmsg_parse(nlh, rule) == 0 && restricted_slot(rule, &slot))
		t->on_slot(t->userdata, &slot);
	nftnl_rule_free(rule);
	return MNL_CB_OK;
}

/* @missing: what a set that is not there is */
static int tell_slots(struct ruleset *rs, ruleset_on_slot on_slot, void *userdata,
		      int missing)
{
	struct telling t = { .on_slot = on_slot, .userdata = userdata };
	int r = 0;

	for (t.kind = 0; r == 0 && t.kind < MAPPING_KINDS; t.kind++) {
		if (kind_is_restricted(t.kind))
			continue;
		r = get_patiently(rs, NFT_MSG_GETSETELEM,
				  set_specs[set_of_mappings(t.kind)].name, on_elements,
				  &t);
		if (r == -ENOENT)
			r = missing;
	}
	return r < 0 ? r : get_patiently(rs, NFT_MSG_GETRULE, NULL, on_rule, &t);
}

int ruleset_counters(struct ruleset *rs, ruleset_on_slot on_slot, void *userdata)
{
	return ruleset_stale(tell_slots(rs, on_slot, userdata, -ENOENT));
}

int ruleset_elements(struct ruleset *rs, ruleset_on_slot on_slot, void *userdata)
{
	int r = ruleset_get(rs, NFT_MSG_GETTABLE, NFPROTO_INET, 0, RULESET_TABLE, NULL,
			    ignore, NULL);

	/* a set that somebody took away holds nothing */
	return r < 0 ? r : tell_slots(rs, on_slot, userdata, 0);
}

/* ------------------------------------------------------------------ figures */

static int on_figure(const struct nlmsghdr *nlh, void *userdata)
{
	struct ruleset_figures *f = userdata;
	const struct {
		const char *name;
		uint64_t *to;
	} figures[] = {
		{ "spoofed", &f->spoofed },
		{ "refused", &f->refused },
		{ "invalid_in", &f->invalid_in },
		{ "invalid_out", &f->invalid_out },
	};
	struct object o;

	if (object_parse(nlh, &o) < 0)
		return MNL_CB_OK;
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
		if (o.type == NFT_OBJECT_COUNTER && strcmp(o.name, figures[i].name) == 0)
			*figures[i].to = object_packets(&o);
	return MNL_CB_OK;
}

/* A dump of objects is no error where there is no table, so the table is asked for first.
 */
int ruleset_figures(struct ruleset *rs, struct ruleset_figures *ret)
{
	struct ruleset_figures figures = { 0 };
	int r = ruleset_get(rs, NFT_MSG_GETTABLE, NFPROTO_INET, 0, RULESET_TABLE, NULL,
			    ignore, NULL);

	if (r == 0)
		r = get_patiently(rs, NFT_MSG_GETOBJ, NULL, on_figure, &figures);
	if (r == 0)
		*ret = figures;
	return r == -ENOENT ? -ESTALE : r;
}

static int on_missed(const struct nlmsghdr *nlh, void *userdata)
{
	uint64_t *packets = userdata;
	struct object o;

	if (object_parse(nlh, &o) == 0 && o.type == NFT_OBJECT_COUNTER &&
	    strcmp(o.name, "missed") == 0)
		*packets = object_packets(&o);
	return MNL_CB_OK;
}

int ruleset_missed(struct ruleset *rs, uint64_t *ret)
{
	uint64_t packets = 0;
	int r = get_patiently(rs, NFT_MSG_GETOBJ, NULL, on_missed, &packets);

	if (r < 0)
		return r;
	if (!packets)
		return -ESTALE;
	*ret = packets;
	return 0;
}

int ruleset_delete(struct ruleset *rs)
{
	struct nlmsghdr *nlh;
	struct batch b;
	int r;

	batch_begin(&b, rs);
	nlh = batch_message(&b, NFT_MSG_DELTABLE, 0);
	if (nlh)
		mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, RULESET_TABLE);
	batch_close(&b, nlh);
	r = batch_send(&b, rs, NULL);
	batch_done(&b);
	if (r < 0 && r != -ENOENT)
		return r;
	rs->synced = false;
	return 0;
}
