/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/flaw.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int flaw_set(struct flaw *flaw, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(flaw->text, sizeof(flaw->text), format, args);
	va_end(args);
	return -EINVAL;
}
