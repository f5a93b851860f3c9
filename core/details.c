/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/mapping.h"

DEFINE_CLEANUP(details_unref, struct details *)

static int prefix_compare(const struct prefix *a, const struct prefix *b)
{
	const int order = memcmp(&a->addr, &b->addr, sizeof(a->addr));

	return order ? order : a->len - b->len;
}

static int insert(struct details *d, const struct prefix *remote)
{
	size_t at = d->n_remotes;

	while (at > 0 && prefix_compare(&d->remotes[at - 1], remote) > 0)
		at--;
	if (at > 0 && prefix_equal(&d->remotes[at - 1], remote))
		return 0;
	if (d->n_remotes == MAPPING_REMOTES_MAX)
		return -E2BIG;
	memmove(&d->remotes[at + 1], &d->remotes[at],
		(d->n_remotes - at) * sizeof(d->remotes[0]));
	d->remotes[at] = *remote;
	d->n_remotes++;
	return 0;
}

int details_new(const char *lan, const char *comment, const struct prefix *remotes,
		size_t n, struct details **ret)
{
	const size_t room = n < MAPPING_REMOTES_MAX ? n : MAPPING_REMOTES_MAX;
	CLEANUP(details_unref) struct details *d = NULL;
	int r;

	assert(strlen(lan) < sizeof(d->lan));
	assert(strlen(comment) < sizeof(d->comment));
	if (!*lan && !*comment && n == 0) {
		*ret = NULL;
		return 0;
	}
	d = calloc(1, sizeof(*d) + room * sizeof(d->remotes[0]));
	if (!d)
		return -ENOMEM;
	d->refs = 1;
	strcpy(d->lan, lan);
	strcpy(d->comment, comment);
	for (size_t i = 0; i < n; i++) {
		r = insert(d, &remotes[i]);
		if (r < 0)
			return r;
	}
	*ret = TAKE(d);
	return 0;
}

struct details *details_ref(struct details *d)
{
	if (d)
		d->refs++;
	return d;
}

void details_unref(struct details *d)
{
	if (d && --d->refs == 0)
		free(d);
}

bool details_equal(const struct details *a, const struct details *b)
{
	if (a == b)
		return true;
	if (!a || !b || a->n_remotes != b->n_remotes)
		return false;
	for (size_t i = 0; i < a->n_remotes; i++) {
		if (!prefix_equal(&a->remotes[i], &b->remotes[i]))
			return false;
	}
	return strcmp(a->lan, b->lan) == 0 && strcmp(a->comment, b->comment) == 0;
}
