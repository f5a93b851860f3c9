/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * memory - what natd does not use goes back to the kernel
 */

/** memory_setup() - first thing in main(), before anything was allocated */
void memory_setup(void);

/** memory_started() - what only starting needed may go */
void memory_started(void);

/** memory_trim() - after something large: a bulk leaves holes between what stays */
void memory_trim(void);
