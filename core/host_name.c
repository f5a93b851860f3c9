/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/host_name.h"

#include <stdbool.h>
#include <string.h>

#define LABEL_MAX 63 /* RFC 1035 2.3.4 */

#define DIGITS	"0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "-"

static const char *label_flaw(const char *label, size_t len)
{
	if (len == 0)
		return "it has a dot without a name before it";
	if (len > LABEL_MAX)
		return "a part of it is longer than 63 characters";
	if (label[0] == '-' || label[len - 1] == '-')
		return "a part of it begins or ends with a hyphen";
	return NULL;
}

/* Whose last part is a number is a mistyped address. */
static bool is_number(const char *label, size_t len)
{
	return strspn(label, DIGITS) == len;
}

const char *host_name_flaw(const char *text)
{
	size_t len = strlen(text), label = 0;
	const char *flaw;

	if (len == 0)
		return "it is empty";
	if (strspn(text, LETTERS ".") < len)
		return "it has other characters than letters, digits, hyphens and dots";
	len -= text[len - 1] == '.';
	if (len > HOST_NAME_MAX_LEN)
		return "it is longer than 253 characters";
	for (const char *at = text;; at += label + 1) {
		label = strcspn(at, ".");
		flaw = label_flaw(at, label);
		if (flaw)
			return flaw;
		if (at + label >= text + len)
			return is_number(at, label)
				       ? "its last part is a number, as of an address"
				       : NULL;
	}
}
