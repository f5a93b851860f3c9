/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * array - room for one more in a growing array
 */

#include <stdlib.h>

/**
 * array_grow()
 * @array: of @n elements of @size bytes, room for *@room
 *
 * Return: the array, moved perhaps, with room for one more; NULL when there is no memory,
 * then @array is as it was.
 */
static inline void *array_grow(void *array, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 64;
	void *grown;

	if (n < *room)
		return array;
	grown = reallocarray(array, more, size);
	if (grown)
		*room = more;
	return grown;
}
