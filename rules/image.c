/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "rules/image.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter/nf_nat.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "rules/array.h"
#include "rules/attr.h"
#include "rules/elements.h"
#include "rules/objects.h"
#include "rules/restricted.h"

DEFINE_CLEANUP(nftnl_chain_free, struct nftnl_chain *)
DEFINE_CLEANUP(nftnl_rule_free, struct nftnl_rule *)
DEFINE_CLEANUP(nftnl_set_free, struct nftnl_set *)

/* longest text of one rule: a dozen expressions, an unnamed set with 8 interfaces */
#define TEXT_ROOM 4096

struct text {
	char buf[TEXT_ROOM];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void text_add(struct text *t,
							   const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->buf + t->len, sizeof(t->buf) - t->len, format, args);
	va_end(args);
	if (n > 0)
		t->len += (size_t)n;
	if (t->len >= sizeof(t->buf))
		t->len = sizeof(t->buf) - 1;
}

static void fail(struct image *image, int error)
{
	if (!image->error)
		image->error = error;
}

void image_done(struct image *image)
{
	for (size_t i = 0; i < image->n; i++) {
		free(image->parts[i].name);
		free(image->parts[i].text);
		free(image->parts[i].slot);
	}
	free(image->parts);
	free(image->unnamed);
	*image = (struct image){ 0 };
}

static struct image *place_of(struct image *image, enum part_kind kind, const char *name)
{
	bool can = kind == PART_CHAIN || kind == PART_RULE;

	return image->chains && can && chain_comes_and_goes(name) ? image->chains : image;
}

static struct part *add_part(struct image *whole, enum part_kind kind, const char *name,
			     const char *text)
{
	struct image *image = place_of(whole, kind, name);
	struct part *parts =
		array_grow(image->parts, image->n, &image->room, sizeof(*parts));
	struct part *p;

	if (!parts) {
		fail(whole, -ENOMEM);
		return NULL;
	}
	image->parts = parts;
	p = &parts[image->n];
	*p = (struct part){ .kind = kind,
			    .name = strdup(name),
			    .text = strdup(text),
			    .place = image->n };
	if (!p->name || !p->text) {
		free(p->name);
		free(p->text);
		fail(whole, -ENOMEM);
		return NULL;
	}
	image->n++;
	return p;
}

/* What has a name in every kernel so far, and is looked for by it. */
static const char *or_nothing(const char *name)
{
	return name ? name : "";
}

/* Somebody may have put things into our table that this libnftnl does not know. They are
 * not ours then, whatever they are. */
static void add_unknown(struct image *image, const struct nlmsghdr *nlh,
			enum part_kind kind, uint16_t name)
{
	const struct nlattr *attr;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) == name) {
			add_part(image, kind, attr_text(attr), "not understood");
			return;
		}
	}
}

/* ------------------------------------------------------------------ sets */

static struct unnamed *find_unnamed(struct image *image, const char *label)
{
	for (size_t i = 0; i < image->n_unnamed; i++)
		if (strcmp(image->unnamed[i].label, label) == 0)
			return &image->unnamed[i];
	return NULL;
}

/* Sets of a batch are all called "__set%d"; their numbers tell them apart. */
static void label_of(const char *name, uint32_t id, char label[static NFT_NAME_MAXLEN])
{
	if (strchr(name, '%'))
		snprintf(label, NFT_NAME_MAXLEN, "#%u", id);
	else
		snprintf(label, NFT_NAME_MAXLEN, "%s", name);
}

static void add_unnamed(struct image *image, const char *label)
{
	struct unnamed *grown = array_grow(image->unnamed, image->n_unnamed,
					   &image->room_unnamed, sizeof(*grown));

	if (!grown) {
		fail(image, -ENOMEM);
		return;
	}
	image->unnamed = grown;
	grown += image->n_unnamed++;
	grown->text[0] = '\0';
	snprintf(grown->label, sizeof(grown->label), "%s", label);
}

static void describe_set(const struct nftnl_set *set, struct text *t)
{
	uint32_t data_type = nftnl_set_get_u32(set, NFTNL_SET_DATA_TYPE);
	uint32_t data_len = nftnl_set_get_u32(set, NFTNL_SET_DATA_LEN);
	uint64_t timeout_ms = 0;

	/* of verdicts the kernel says how long it holds them itself */
	if (data_type == NFT_DATA_VERDICT)
		data_len = 0;
	if (nftnl_set_is_set(set, NFTNL_SET_TIMEOUT))
		timeout_ms = nftnl_set_get_u64(set, NFTNL_SET_TIMEOUT);
	text_add(t, "flags %x key %x %u data %x %u objects %u timeout %llu counter %d",
		 nftnl_set_get_u32(set, NFTNL_SET_FLAGS),
		 nftnl_set_get_u32(set, NFTNL_SET_KEY_TYPE),
		 nftnl_set_get_u32(set, NFTNL_SET_KEY_LEN), data_type, data_len,
		 nftnl_set_get_u32(set, NFTNL_SET_OBJ_TYPE),
		 (unsigned long long)timeout_ms,
		 nftnl_set_is_set(set, NFTNL_SET_EXPR) ||
			 nftnl_set_is_set(set, NFTNL_SET_EXPRESSIONS));
}

static void add_set(struct image *image, const struct nlmsghdr *nlh)
{
	CLEANUP(nftnl_set_free) struct nftnl_set *set = nftnl_set_alloc();
	char label[NFT_NAME_MAXLEN];
	struct text t = { .len = 0 };
	struct part *p;
	const char *name;

	if (!set || nftnl_set_nlmsg_parse(nlh, set) < 0) {
		add_unknown(image, nlh, PART_SET, NFTA_SET_NAME);
		return;
	}
	name = or_nothing(nftnl_set_get_str(set, NFTNL_SET_NAME));
	if (nftnl_set_get_u32(set, NFTNL_SET_FLAGS) & NFT_SET_ANONYMOUS) {
		label_of(name, nftnl_set_get_u32(set, NFTNL_SET_ID), label);
		add_unnamed(image, label);
		return;
	}
	describe_set(set, &t);
	p = add_part(image, PART_SET, name, t.buf);
	if (p)
		p->size = nftnl_set_get_u32(set, NFTNL_SET_DESC_SIZE);
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

#define ELEMENTS_MAX 16
#define ELEMENT_ROOM 48

/* A set with more is not one of ours, and need not be told apart from others like it. */
struct values_text {
	char texts[ELEMENTS_MAX][ELEMENT_ROOM];
	size_t n;
};

static int on_value(void *userdata, const struct counted *e)
{
	struct values_text *v = userdata;
	char *text = v->texts[v->n];

	if (v->n + 1 < ELEMENTS_MAX)
		v->n++;
	text[0] = '\0';
	for (uint16_t i = 0; e->key && i < e->key_len && 2 * i + 2 < ELEMENT_ROOM; i++)
		sprintf(text + 2 * i, "%02x", e->key[i]);
	return 0;
}

static void add_elements(struct image *image, const struct nlmsghdr *nlh)
{
	struct values_text v = { .n = 0 };
	const char *name = "";
	struct unnamed *unnamed;
	const struct nlattr *attr;
	char label[NFT_NAME_MAXLEN];
	uint32_t id = 0;
	size_t used;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_LIST_SET)
			name = attr_text(attr);
		else if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_LIST_SET_ID)
			id = ntohl(attr_u32(attr));
	}
	label_of(name, id, label);
	unnamed = find_unnamed(image, label);
	if (!unnamed)
		return;
	elements_each(nlh, on_value, &v);
	qsort(v.texts, v.n, ELEMENT_ROOM, compare_text);
	used = strlen(unnamed->text);
	for (size_t i = 0; i < v.n && used < sizeof(unnamed->text); i++)
		used += (size_t)snprintf(unnamed->text + used,
					 sizeof(unnamed->text) - used, " %s", v.texts[i]);
}

/* ------------------------------------------------------------------ chains and rules */

static void describe_chain(const struct nftnl_chain *chain, struct text *t)
{
	if (!nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM)) {
		text_add(t, "chain");
		return;
	}
	text_add(t, "%s hook %u priority %d policy %u",
		 nftnl_chain_get_str(chain, NFTNL_CHAIN_TYPE),
		 nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM),
		 nftnl_chain_get_s32(chain, NFTNL_CHAIN_PRIO),
		 nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY));
}

static void add_chain(struct image *image, const struct nlmsghdr *nlh)
{
	CLEANUP(nftnl_chain_free) struct nftnl_chain *chain = nftnl_chain_alloc();
	struct text t = { .len = 0 };

	if (!chain || nftnl_chain_nlmsg_parse(nlh, chain) < 0) {
		add_unknown(image, nlh, PART_CHAIN, NFTA_CHAIN_NAME);
		return;
	}
	describe_chain(chain, &t);
	add_part(image, PART_CHAIN,
		 or_nothing(nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME)), t.buf);
}

static void describe_lookup(struct image *image, struct nftnl_expr *e, struct text *t)
{
	const char *set = or_nothing(nftnl_expr_get_str(e, NFTNL_EXPR_LOOKUP_SET));
	const struct unnamed *unnamed;
	char label[NFT_NAME_MAXLEN];

	label_of(set, nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_SET_ID), label);
	unnamed = find_unnamed(image, label);
	text_add(t, "lookup %u %s%s -> %u flags %x",
		 nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_SREG), unnamed ? "one of" : set,
		 unnamed ? unnamed->text : "",
		 nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_DREG),
		 nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_FLAGS));
}

/* The kernel fills in the upper end of a range that was not given, and flags that follow
 * from the rest. */
static void describe_nat(const struct nftnl_expr *e, struct text *t)
{
	static const uint16_t ends[][2] = {
		{ NFTNL_EXPR_NAT_REG_ADDR_MIN, NFTNL_EXPR_NAT_REG_ADDR_MAX },
		{ NFTNL_EXPR_NAT_REG_PROTO_MIN, NFTNL_EXPR_NAT_REG_PROTO_MAX },
	};
	const uint32_t implied = NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED;
	uint32_t min, max;

	text_add(t, "nat %u family %u flags %x",
		 nftnl_expr_get_u32(e, NFTNL_EXPR_NAT_TYPE),
		 nftnl_expr_get_u32(e, NFTNL_EXPR_NAT_FAMILY),
		 nftnl_expr_get_u32(e, NFTNL_EXPR_NAT_FLAGS) & ~implied);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		min = nftnl_expr_get_u32(e, ends[i][0]);
		max = nftnl_expr_get_u32(e, ends[i][1]);
		text_add(t, " %u-%u", min, max ? max : min);
	}
}

static void describe_masquerade(const struct nftnl_expr *e, struct text *t)
{
	uint32_t min = nftnl_expr_get_u32(e, NFTNL_EXPR_MASQ_REG_PROTO_MIN);
	uint32_t max = nftnl_expr_get_u32(e, NFTNL_EXPR_MASQ_REG_PROTO_MAX);

	text_add(t, "masq flags %x %u-%u", nftnl_expr_get_u32(e, NFTNL_EXPR_MASQ_FLAGS),
		 min, max ? max : min);
}

struct describing {
	struct image *image;
	struct text *text;
};

static int describe_expr(struct nftnl_expr *e, void *userdata)
{
	struct describing *to = userdata;
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);
	struct text *t = to->text;
	int n;

	if (strcmp(name, "lookup") == 0) {
		describe_lookup(to->image, e, t);
	} else if (strcmp(name, "nat") == 0) {
		describe_nat(e, t);
	} else if (strcmp(name, "masq") == 0) {
		describe_masquerade(e, t);
	} else if (strcmp(name, "counter") == 0) {
		text_add(t, "counter");
	} else {
		text_add(t, "%s ", name);
		n = nftnl_expr_snprintf(t->buf + t->len, sizeof(t->buf) - t->len, e,
					NFTNL_OUTPUT_DEFAULT, 0);
		if (n > 0 && (size_t)n < sizeof(t->buf) - t->len)
			t->len += (size_t)n;
	}
	text_add(t, "; ");
	return 0;
}

/* Which restricted mapping is it, where it is one? */
static void note_slot(struct image *image, struct part *p, const struct nftnl_rule *rule)
{
	struct ruleset_slot slot;

	if (!p || !image->chains || !restricted_slot(rule, &slot))
		return;
	p->slot = malloc(sizeof(slot));
	if (p->slot)
		*p->slot = slot;
	else
		fail(image, -ENOMEM);
}

static struct part *describe_rule(struct image *image, const struct nftnl_rule *rule)
{
	struct part *p;

	struct text t = { .len = 0 };
	struct describing to = { image, &t };

	t.buf[0] = '\0';
	nftnl_expr_foreach((struct nftnl_rule *)rule, describe_expr, &to);
	p = add_part(image, PART_RULE,
		     or_nothing(nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN)), t.buf);
	note_slot(image, p, rule);
	return p;
}

static void add_rule(struct image *image, const struct nlmsghdr *nlh)
{
	CLEANUP(nftnl_rule_free) struct nftnl_rule *rule = nftnl_rule_alloc();

	if (!rule || nftnl_rule_nlmsg_parse(nlh, rule) < 0)
		add_unknown(image, nlh, PART_RULE, NFTA_RULE_CHAIN);
	else
		describe_rule(image, rule);
}

static void add_object(struct image *image, const struct nlmsghdr *nlh)
{
	char text[256];
	struct object o;
	struct part *p;

	if (object_parse(nlh, &o) < 0) {
		add_unknown(image, nlh, PART_OBJECT, NFTA_OBJ_NAME);
		return;
	}
	p = add_part(image, PART_OBJECT, o.name, object_describe(&o, text, sizeof(text)));
	if (p)
		p->type = o.type;
}

void image_add_message(struct image *image, const struct nlmsghdr *nlh)
{
	switch (nlh->nlmsg_type & 0xff) {
	case NFT_MSG_NEWSET:
		add_set(image, nlh);
		break;
	case NFT_MSG_NEWSETELEM:
		add_elements(image, nlh);
		break;
	case NFT_MSG_NEWOBJ:
		add_object(image, nlh);
		break;
	case NFT_MSG_NEWCHAIN:
		add_chain(image, nlh);
		break;
	case NFT_MSG_NEWRULE:
		add_rule(image, nlh);
		break;
	default:
		break;
	}
}

void image_add_batch(struct image *image, const struct batch *b)
{
	const struct nlmsghdr *nlh;
	size_t before;

	while (image->described < b->len) {
		nlh = (const void *)(b->data + image->described);
		before = image->n;
		image_add_message(image, nlh);
		if (image->n > before)
			image->parts[before].seq = nlh->nlmsg_seq;
		image->described += NLMSG_ALIGN(nlh->nlmsg_len);
	}
}

void image_add_rule(struct image *image, const struct nftnl_rule *rule,
		    const struct batch *b)
{
	const struct nlmsghdr *nlh = (const void *)(b->data + b->last);
	struct part *p = describe_rule(image, rule);

	if (p)
		p->seq = nlh->nlmsg_seq;
	image->described = b->len;
}
