/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * api_private - what the two writers of mappings must do alike
 */

#include "core/api.h"
#include "core/text.h"

/* of a sentence in blocked_by, after text_escape(): names of foreign chains are bytes */
#define BLOCKED_BY_STRLEN 512
