/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <string.h>

#include "core/conditions.h"

const struct lan_prefix *lan_prefix_find(const struct lan_prefix_list *list,
					 const char *lan)
{
	if (!*lan)
		return list->n == 1 ? &list->lans[0] : NULL;
	for (size_t i = 0; i < list->n; i++) {
		if (strcmp(list->lans[i].lan, lan) == 0)
			return &list->lans[i];
	}
	return NULL;
}
