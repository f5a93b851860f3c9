/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "cli/text.h"
#include "cli/verb.h"

static int reload_print(const struct session *session, json_t *answer)
{
	json_int_t added = json_integer_value(json_object_get(answer, "added"));
	json_int_t removed = json_integer_value(json_object_get(answer, "removed"));
	char a[TEXT_PHRASE_STRLEN], r[TEXT_COUNT_STRLEN];

	if (!json_is_object(answer) || added < 0 || removed < 0)
		return -EINVAL;
	if (session->quiet)
		return 0;
	if (added || removed)
		printf("reloaded: %s added, %s removed\n",
		       text_things((uint64_t)added, "forward", a),
		       removed ? text_count((uint64_t)removed, r) : "none");
	else
		puts("reloaded: the same forwards as before");
	return 0;
}

static int reload_run(struct session *session, const struct args *args)
{
	const struct request request = { .method = "POST", .path = "/v1/reload" };

	return session_call(session, &request, reload_print);
}

const struct verb verb_reload = {
	.name = "reload",
	.also = "reread restart",
	.usage = "",
	.summary = "read the configuration file again",
	.help = "When something in the file is wrong, natd says where and the old one stays in\n"
		"force. Forwards that natctl added are not touched.\n"
		"\n"
		"  natctl reload\n",
	.run = reload_run,
};
