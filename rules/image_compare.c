/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * image_compare - finds parts, and tells whether two tables are the same
 */

#include "rules/image.h"

#include <string.h>

const struct part *image_find(const struct image *image, enum part_kind kind,
			      const char *name)
{
	for (size_t i = 0; i < image->n; i++)
		if (image->parts[i].kind == kind &&
		    strcmp(image->parts[i].name, name) == 0)
			return &image->parts[i];
	return NULL;
}

bool part_equal(const struct part *a, const struct part *b)
{
	return strcmp(a->text, b->text) == 0;
}

/* Every chain has its rules in the order in which the table was described: so does a
 * dump, chain after chain. */
static const struct part *next_rule(const struct image *image, const struct part *prev,
				    const char *chain)
{
	const struct part *p = prev ? prev + 1 : image->parts;

	for (; p < image->parts + image->n; p++)
		if (p->kind == PART_RULE && strcmp(p->name, chain) == 0)
			return p;
	return NULL;
}

static bool same_rules(const struct image *a, const struct image *b, const char *chain)
{
	const struct part *x = NULL, *y = NULL;

	do {
		x = next_rule(a, x, chain);
		y = next_rule(b, y, chain);
		if (!x || !y)
			return x == y;
	} while (part_equal(x, y));
	return false;
}

static bool is_in(const struct part *p, const struct image *image)
{
	const struct part *other;

	if (p->kind == PART_RULE)
		return true;
	other = image_find(image, p->kind, p->name);
	return other && part_equal(p, other);
}

bool image_equal(const struct image *a, const struct image *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!is_in(&a->parts[i], b) || (a->parts[i].kind == PART_CHAIN &&
						!same_rules(a, b, a->parts[i].name)))
			return false;
	return true;
}
