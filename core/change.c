/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdlib.h>

#include "core/change.h"
#include "core/rights.h"

#define FIRST_ROOM 4

/* Where @change keeps a reference to details, or NULL. */
static struct details **details_of(struct change *change)
{
	switch (change->kind) {
	case CHANGE_ADD:
		return &change->mapping.details;
	case CHANGE_UPDATE:
		return change->patch.set & (PATCH_COMMENT | PATCH_INTERNAL)
			       ? &change->patch.details
			       : NULL;
	case CHANGE_REMOVE:
		break;
	}
	return NULL;
}

int change_list_add(struct change_list *list, const struct change *change)
{
	struct details **details;

	if (list->n == list->room) {
		size_t room = list->room ? list->room + list->room / 2 : FIRST_ROOM;
		struct change *more;

		more = reallocarray(list->changes, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		list->changes = more;
		list->room = room;
	}
	list->changes[list->n] = *change;
	details = details_of(&list->changes[list->n]);
	if (details)
		details_ref(*details);
	list->n++;
	return 0;
}

void change_done(struct change *change)
{
	struct details **details = details_of(change);

	if (!details)
		return;
	details_unref(*details);
	*details = NULL;
}

void change_list_forget(struct change_list *list)
{
	for (size_t i = 0; list->changes && i < list->n; i++)
		change_done(&list->changes[i]);
	free(list->changes);
	list->changes = NULL;
	list->room = 0;
}

void change_list_done(struct change_list *list)
{
	change_list_forget(list);
	rights_unref(list->rights);
	*list = (struct change_list){ 0 };
}

/* A pinhole that gets another port inside takes one outside. */
uint8_t change_takes_ports(const struct change *change)
{
	switch (change->kind) {
	case CHANGE_ADD:
		return change->protocols;
	case CHANGE_UPDATE:
		return change->patch.set & PATCH_INTERNAL ? PROTOCOL_BITS : 0;
	case CHANGE_REMOVE:
		break;
	}
	return 0;
}
