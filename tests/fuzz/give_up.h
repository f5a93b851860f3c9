/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * give_up - goes on where a library ends the process
 *
 * libnftnl and libnetfilter_conntrack call exit() when an attribute is shorter than its
 * type ("kernel ABI is broken"). For a daemon that is as good as another end, since the
 * kernel keeps its word; for a fuzz target it is not an end at all.
 */

#include <stdbool.h>

/**
 * give_up_or() - call @play
 *
 * Where exit() is called in it, @undo is called, and then all that was allocated in @play
 * and is still there is freed, but for what the C library allocated for itself.
 *
 * Return: true; false when it was given up.
 */
bool give_up_or(void (*play)(void *userdata), void *userdata, void (*undo)(void));
