/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * kinds - every kind of mapping there is, for tests
 */

#include "core/change.h"

/** kinds_list() - to add them all; suffixes are in lan0 and lan1 */
struct change_list kinds_list(void);
/** kinds_patch() - to alter what @name stands for */
struct change_list kinds_patch(const char *name, const struct patch *patch);
