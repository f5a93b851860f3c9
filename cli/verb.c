/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/verb.h"

#include <string.h>

#include "cli/text.h"

const struct verb *const verbs[] = {
	&verb_add,    &verb_remove,	 &verb_renew,	&verb_enable,	&verb_disable,
	&verb_move,   &verb_rename,	 &verb_comment, &verb_upstream, &verb_list,
	&verb_lookup, &verb_connections, &verb_status,	&verb_resync,	&verb_reload,
	&verb_flush,  &verb_watch,	 &verb_help,	&verb_version,	NULL,
};

const char verb_common_usage[] = "[--json] [-q|--quiet] [--socket PATH] "
				 "[--timeout SECONDS] [-h|--help]";
const char verb_alone_usage[] = "[-f|--file FILE] [--atomic] [--version]";

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; verbs[i]; i++) {
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	}
	return NULL;
}

static bool is_among(const char *word, const char *words)
{
	size_t len = strlen(word);

	for (const char *at = words; *at; at += strspn(at, " ")) {
		size_t n = strcspn(at, " ");

		if (n == len && !memcmp(at, word, len))
			return true;
		at += n;
	}
	return false;
}

const struct verb *verb_nearest(const char *name)
{
	const struct verb *nearest = NULL;
	size_t least = 3;

	for (size_t i = 0; verbs[i]; i++) {
		size_t d = text_distance(name, verbs[i]->name);

		if (is_among(name, verbs[i]->also))
			return verbs[i];
		if (d < least && d < strlen(verbs[i]->name)) {
			least = d;
			nearest = verbs[i];
		}
	}
	return nearest;
}
