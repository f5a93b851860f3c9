/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * image - what a table consists of, as text that can be compared
 *
 * Made from NEWSET, NEWOBJ, NEWCHAIN and NEWRULE messages: those the kernel dumps, and
 * those that would make the table as it should be. The same code reads both, so equal
 * things give equal text. Handles, counters and the sizes of sets are left out.
 */

#include "rules/batch.h"

enum part_kind { PART_SET, PART_OBJECT, PART_CHAIN, PART_RULE };

/**
 * struct part
 * @name: of the set, object or chain; of a rule, its chain's
 * @text: what it is
 * @type: of an object, NFT_OBJECT_*
 * @size: of a set, how many elements fit
 * @seq:  number of the message in a batch that makes it; 0 in a dump
 * @place: among all parts, in the order they came
 * @slot: of a rule in a chain of restricted mappings, what it stands for; or NULL
 */
struct part {
	enum part_kind kind;
	char *name;
	char *text;
	uint32_t type;
	uint32_t size;
	uint32_t seq;
	size_t place;
	struct ruleset_slot *slot;
};

/**
 * struct unnamed
 * @label: the kernel's name, or "#" and the number it has in a batch
 * @text:  its elements, sorted
 */
struct unnamed {
	char label[NFT_NAME_MAXLEN];
	char text[1024];
};

/**
 * struct image - zero-initialised it is empty; parts are in the order they came until
 * image_sort()
 * @chains: gets the chains, and their rules, that come and go with mappings; NULL: here
 *          is their place
 */
struct image {
	struct image *chains;
	bool sorted;
	struct part *parts;
	size_t n, room;
	/* unnamed sets, which rules refer to by name (the kernel) or number (a batch) */
	struct unnamed *unnamed;
	size_t n_unnamed, room_unnamed;
	size_t described; /* bytes of the batch */
	int error;
};

void image_done(struct image *image);

/**
 * image_add_batch() - describe the messages appended since the last call
 *
 * The first error stays in @image->error.
 */
void image_add_batch(struct image *image, const struct batch *b);

/**
 * image_add_rule() - describe a rule that was just appended to the batch
 *
 * From the rule and not from its message: libnftnl writes the names of objects without
 * their end, and cannot read them back from there.
 */
struct nftnl_rule;
void image_add_rule(struct image *image, const struct nftnl_rule *rule,
		    const struct batch *b);

/** image_add_message() - describe one message */
void image_add_message(struct image *image, const struct nlmsghdr *nlh);

/** image_of_kernel() - of the table as it is.
 * Return: 0; -EINTR when it changed meanwhile; -ENOENT, -ENOMEM, a netlink errno */
int image_of_kernel(struct image *ret, struct ruleset *rs);

/** image_sort() - by name, of one name a chain before its rules; needed by all below */
void image_sort(struct image *image);

/** image_find() - a set, object or chain by its name; borrowed, or NULL */
const struct part *image_find(const struct image *image, enum part_kind kind,
			      const char *name);

/** part_equal() - of the same kind and name: do they say the same? */
bool part_equal(const struct part *a, const struct part *b);

/** image_equal() - same parts with the same text, rules in the same order */
bool image_equal(const struct image *a, const struct image *b);

/**
 * image_pair_chains() - walk the chains of two images side by side
 * @on_chain: called for each name with the chain and its rules in @a, and in @b;
 *            @n_a or @n_b is 0 where it is not there
 */
typedef void (*image_on_chain)(void *userdata, const struct part *a, size_t n_a,
			       const struct part *b, size_t n_b);
void image_pair_chains(const struct image *a, const struct image *b,
		       image_on_chain on_chain, void *userdata);

/** chain_comes_and_goes() - with mappings, and not with options? By its name */
bool chain_comes_and_goes(const char *name);
