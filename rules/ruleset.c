/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * ruleset - opening and closing, and questions that change nothing
 */

#include "rules/ruleset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "rules/batch.h"
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

/* Asks for a table with owner and persist, in a transaction without its end. */
static int probe_owner(struct ruleset *rs)
{
	struct nlmsghdr *nlh;
	struct batch b;
	int r;

	batch_begin(&b, rs);
	nlh = batch_message(&b, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	if (nlh) {
		mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, "natd_probe");
		mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS,
				 htonl(NFT_TABLE_F_OWNER | TABLE_F_PERSIST));
	}
	batch_close(&b, nlh);
	r = batch_try(&b, rs);
	batch_done(&b);
	rs->can_own = r == 0;
	return r == -ENOMEM || r == -EPERM ? r : 0;
}

int ruleset_open(struct ruleset **ret)
{
	CLEANUP(ruleset_close) struct ruleset *rs = calloc(1, sizeof(*rs));
	int r;

	if (!rs)
		return -ENOMEM;
	r = open_writer(rs);
	if (r == 0)
		r = require_nf_tables(rs);
	if (r == 0)
		r = probe_owner(rs);
	if (r == 0)
		r = watch_open(rs);
	if (r < 0)
		return r;
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
	free(rs->wan);
	free(rs->masquerade6);
	free(rs);
}

bool ruleset_can_own(const struct ruleset *rs)
{
	return rs->can_own;
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

struct counting {
	enum mapping_kind kind;
	ruleset_count on_element;
	void *userdata;
};

static int on_counted(void *userdata, const struct counted *e)
{
	struct counting *c = userdata;
	struct endpoint external;
	uint8_t protocol;

	if (!e->key || e->key_len != set_specs[set_of_mappings(c->kind)].key_len)
		return 0;
	mapping_element_external(c->kind, e->key, &protocol, &external);
	c->on_element(c->userdata, protocol, &external, counted_packets(e));
	return 0;
}

static int on_counters(const struct nlmsghdr *nlh, void *userdata)
{
	elements_each(nlh, on_counted, userdata);
	return MNL_CB_OK;
}

int ruleset_counters(struct ruleset *rs, ruleset_count on_element, void *userdata)
{
	struct counting c = { .on_element = on_element, .userdata = userdata };
	int r = 0;

	for (c.kind = 0; r == 0 && c.kind < MAPPING_SETS; c.kind++)
		r = get_patiently(rs, NFT_MSG_GETSETELEM,
				  set_specs[set_of_mappings(c.kind)].name, on_counters,
				  &c);
	return r == -ENOENT ? -ESTALE : r;
}

struct telling {
	enum mapping_kind kind;
	ruleset_element on_element;
	void *userdata;
};

/* Somebody may have made a map of that name that is not ours: its keys are longer or
 * shorter. */
static int on_told(void *userdata, const struct counted *e)
{
	struct telling *t = userdata;
	const struct set_spec *spec = &set_specs[set_of_mappings(t->kind)];
	struct endpoint external, internal;
	uint8_t protocol;

	if (!e->key || e->flags || e->key_len != spec->key_len ||
	    e->data_len != spec->data_len)
		return 0;
	mapping_element_external(t->kind, e->key, &protocol, &external);
	mapping_element_internal(t->kind, e->key, e->data, &internal);
	t->on_element(t->userdata, protocol, &external, &internal);
	return 0;
}

static int on_tellings(const struct nlmsghdr *nlh, void *userdata)
{
	elements_each(nlh, on_told, userdata);
	return MNL_CB_OK;
}

int ruleset_elements(struct ruleset *rs, ruleset_element on_element, void *userdata)
{
	struct telling t = { .on_element = on_element, .userdata = userdata };
	int r = ruleset_get(rs, NFT_MSG_GETTABLE, NFPROTO_INET, 0, RULESET_TABLE, NULL,
			    ignore, NULL);

	for (t.kind = 0; r == 0 && t.kind < MAPPING_SETS; t.kind++) {
		r = get_patiently(rs, NFT_MSG_GETSETELEM,
				  set_specs[set_of_mappings(t.kind)].name, on_tellings,
				  &t);
		/* a set that somebody took away holds nothing */
		if (r == -ENOENT)
			r = 0;
	}
	return r;
}

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
