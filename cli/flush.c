/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "cli/changes.h"
#include "cli/text.h"
#include "cli/verb.h"

static int flush_print(const struct session *session, json_t *answer)
{
	const json_t *results = json_object_get(answer, "results");

	if (!session->quiet && json_is_array(results) && !json_array_size(results)) {
		puts("nothing to remove");
		return 0;
	}
	return changes_print(session, answer);
}

static int flush_run(struct session *session, const struct args *args)
{
	struct request request = { .method = "POST", .path = "/v1/flush" };

	if (args_has(args, "--all")) {
		request.type = "application/json";
		request.body = "{\"all\":true}";
		request.len = strlen(request.body);
	}
	return session_call(session, &request, flush_print);
}

const struct verb verb_flush = {
	.name = "flush",
	.also = "clear reset",
	.usage = "[--all]",
	.summary = "remove all forwards that are not the configuration file's",
	.help = "With --all those of the file too, until the next reload or start of natd.\n"
		"\n"
		"  natctl flush\n",
	.run = flush_run,
};
