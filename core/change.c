/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdlib.h>

#include "core/change.h"

#define FIRST_ROOM 4

int change_list_add(struct change_list *list, const struct change *change)
{
	if (list->n == list->room) {
		size_t room = list->room ? list->room + list->room / 2 : FIRST_ROOM;
		struct change *more;

		more = reallocarray(list->changes, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		list->changes = more;
		list->room = room;
	}
	list->changes[list->n++] = *change;
	return 0;
}

void change_list_done(struct change_list *list)
{
	free(list->changes);
	*list = (struct change_list){ 0 };
}
