/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * image_compare - finds parts, and tells whether two tables are the same
 */

#include "rules/image.h"

#include <stdlib.h>
#include <string.h>

#include "rules/restricted.h"
#include "rules/usage.h"

bool chain_comes_and_goes(const char *name)
{
	struct restricted port;
	struct spare_chain spare;

	return restricted_parse(name, &port) || spare_chain_parse(name, &spare);
}

static int compare_names(const struct part *x, const struct part *y)
{
	int r = strcmp(x->name, y->name);

	return r ? r : (x->kind > y->kind) - (x->kind < y->kind);
}

/* Every chain has its rules in the order in which the table was described: so does a
 * dump, chain after chain. */
static int compare_parts(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	int r = compare_names(x, y);

	return r ? r : (x->place > y->place) - (x->place < y->place);
}

void image_sort(struct image *image)
{
	if (image->n)
		qsort(image->parts, image->n, sizeof(*image->parts), compare_parts);
	image->sorted = true;
}

static int compare_found(const void *a, const void *b)
{
	return compare_names(a, b);
}

const struct part *image_find(const struct image *image, enum part_kind kind,
			      const char *name)
{
	const struct part wanted = { .kind = kind, .name = (char *)name };

	if (!image->n)
		return NULL;
	return bsearch(&wanted, image->parts, image->n, sizeof(wanted), compare_found);
}

bool part_equal(const struct part *a, const struct part *b)
{
	return strcmp(a->text, b->text) == 0;
}

/* Sorted, equal images are equal part by part. */
bool image_equal(const struct image *a, const struct image *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (compare_names(&a->parts[i], &b->parts[i]) != 0 ||
		    a->parts[i].type != b->parts[i].type ||
		    !part_equal(&a->parts[i], &b->parts[i]))
			return false;
	return true;
}

/* How many parts from @at on have one name: a chain and its rules. */
static size_t same_name(const struct image *image, size_t at)
{
	size_t n = 0;

	while (at + n < image->n &&
	       strcmp(image->parts[at + n].name, image->parts[at].name) == 0)
		n++;
	return n;
}

static int compare_at(const struct image *a, size_t i, const struct image *b, size_t j)
{
	if (i == a->n || j == b->n)
		return i == a->n ? 1 : -1;
	return strcmp(a->parts[i].name, b->parts[j].name);
}

void image_pair_chains(const struct image *a, const struct image *b,
		       image_on_chain on_chain, void *userdata)
{
	size_t i = 0, j = 0, n_a, n_b;
	int order;

	while (i < a->n || j < b->n) {
		order = compare_at(a, i, b, j);
		n_a = order <= 0 ? same_name(a, i) : 0;
		n_b = order >= 0 ? same_name(b, j) : 0;
		on_chain(userdata, n_a ? &a->parts[i] : NULL, n_a,
			 n_b ? &b->parts[j] : NULL, n_b);
		i += n_a;
		j += n_b;
	}
}
