/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/blocked.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"

/* @n counts all, @ids holds the first of them; @name is natd's sentence */
struct blocked_chain {
	char *name;
	uint64_t n;
	uint64_t ids[BLOCKED_IDS_MAX];
};

static struct blocked_chain *chain_of(struct blocked *blocked, const char *name)
{
	struct blocked_chain *chains;

	for (size_t i = 0; i < blocked->n; i++) {
		if (!strcmp(blocked->chains[i].name, name))
			return &blocked->chains[i];
	}
	chains = realloc(blocked->chains, (blocked->n + 1) * sizeof(*chains));
	if (!chains)
		return NULL;
	blocked->chains = chains;
	chains += blocked->n;
	memset(chains, 0, sizeof(*chains));
	chains->name = malloc(strlen(name) + 1);
	if (!chains->name)
		return NULL;
	strcpy(chains->name, name);
	blocked->n++;
	return chains;
}

int blocked_add(struct blocked *blocked, uint64_t id, const json_t *blocked_by)
{
	const json_t *name;
	size_t i;

	json_array_foreach (blocked_by, i, name) {
		struct blocked_chain *chain;

		if (!json_is_string(name))
			continue;
		chain = chain_of(blocked, json_string_value(name));
		if (!chain)
			return -ENOMEM;
		if (chain->n < BLOCKED_IDS_MAX)
			chain->ids[chain->n] = id;
		chain->n++;
	}
	return 0;
}

static void print_chain(const struct blocked_chain *chain, FILE *out)
{
	char more[TEXT_COUNT_STRLEN];

	fprintf(out, "blocked by: %s:", text_clean(chain->name));
	for (uint64_t i = 0; i < chain->n && i < BLOCKED_IDS_MAX; i++)
		fprintf(out, "%s %" PRIu64, i ? "," : "", chain->ids[i]);
	if (chain->n > BLOCKED_IDS_MAX)
		fprintf(out, " and %s more",
			text_count(chain->n - BLOCKED_IDS_MAX, more));
	fputc('\n', out);
}

/*
 * "ip filter FORWARD" of "ip filter FORWARD (hook forward, ...)": its length, or 0. Three
 * plain words and no more, for it goes into a command that a person may copy to a shell.
 */
static int chain_words(const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_.-";
	const char *at = name;

	for (int word = 0; word < 3; word++) {
		size_t len = strspn(at, plain);

		if (!len || at[len] != ' ')
			return 0;
		at += len + 1;
	}
	return *at == '(' ? (int)(at - 1 - name) : 0;
}

void blocked_print(const struct blocked *blocked, FILE *out)
{
	static const char unnamed[] = "FAMILY TABLE CHAIN";

	if (!blocked->n)
		return;
	fputc('\n', out);
	for (size_t i = 0; i < blocked->n; i++)
		print_chain(&blocked->chains[i], out);
	fputs("natd leaves other programs' chains alone. Let the forwards pass there, for "
	      "instance:\n",
	      out);
	for (size_t i = 0; i < blocked->n; i++) {
		const char *name = blocked->chains[i].name;
		int len = chain_words(name);

		fprintf(out, "  nft insert rule %.*s ct status dnat accept\n",
			len ? len : (int)strlen(unnamed), len ? name : unnamed);
	}
}

void blocked_done(struct blocked *blocked)
{
	for (size_t i = 0; i < blocked->n; i++)
		free(blocked->chains[i].name);
	free(blocked->chains);
	memset(blocked, 0, sizeof(*blocked));
}
