/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/select.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/values.h"
#include "cli/verb.h"

void selection_done(struct selection *selection)
{
	free(selection->selectors);
	*selection = (struct selection){ 0 };
}

/* How much of @usage is the operands of its first alternative. */
static int operands_len(const char *usage)
{
	const char *options = strstr(usage, " [-"), *others = strstr(usage, " | ");

	if (options && (!others || options < others))
		return (int)(options - usage);
	return others ? (int)(others - usage) : (int)strlen(usage);
}

static int flaw_ports(const struct args *args, struct flaw *why)
{
	const char *verb = args->verb->name, *usage = args->verb->usage;
	const int shown = operands_len(usage);

	return flaw_set(why, "%s: %s is one word too many. Usage: natctl %s %.*s", verb,
			args->operands[2], verb, shown, usage);
}

static int read_ports(const struct args *args, size_t n, struct selection *ret,
		      struct flaw *why)
{
	uint8_t bits;
	uint16_t port;

	if (n != 2)
		return flaw_ports(args, why);
	if (value_protocols(args->operands[0], &bits, why) < 0 ||
	    value_port(args->operands[1], bits, &port, why) < 0)
		return -EINVAL;
	for (unsigned int i = 0; i < PROTOCOL_COUNT; i++) {
		struct selector *s = &ret->selectors[ret->n];

		if (!(bits & 1u << i))
			continue;
		s->protocol = protocol_at(i);
		s->port = port;
		ret->n++;
	}
	return 0;
}

int select_word(const char *word, struct selector *ret, struct flaw *why)
{
	struct selector selector = { 0 };

	if (isdigit((unsigned char)*word)) {
		if (value_id(word, &selector.id, why) < 0)
			return -EINVAL;
	} else {
		if (value_name(word, why) < 0)
			return -EINVAL;
		snprintf(selector.name, sizeof(selector.name), "%s", word);
	}
	*ret = selector;
	return 0;
}

static int read_words(const struct args *args, size_t n, struct selection *ret,
		      struct flaw *why)
{
	for (; ret->n < n; ret->n++) {
		if (select_word(args->operands[ret->n], &ret->selectors[ret->n], why) < 0)
			return -EINVAL;
	}
	return 0;
}

int select_read(const struct args *args, size_t tail, struct selection *ret,
		struct flaw *why)
{
	const size_t n = args->n_operands - tail;
	struct selection selection = { 0 };
	uint8_t bits;
	int r;

	selection.selectors = calloc(n + PROTOCOL_COUNT, sizeof(*selection.selectors));
	if (!selection.selectors) {
		flaw_set(why, "out of memory");
		return -ENOMEM;
	}
	r = protocols_parse(args->operands[0], &bits) == 0
		    ? read_ports(args, n, &selection, why)
		    : read_words(args, n, &selection, why);
	if (r < 0)
		selection_done(&selection);
	else
		*ret = selection;
	return r;
}
