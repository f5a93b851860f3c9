/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "cli/text.h"
#include "cli/verb.h"

static int version_print(const struct session *session, json_t *answer)
{
	const char *version = json_string_value(json_object_get(answer, "version"));
	char text[64];

	if (!version)
		return -EINVAL;
	snprintf(text, sizeof(text), "%s", version);
	printf("natd %s\n", text_clean(text));
	return 0;
}

/* natctl's own stands on the first line, whether natd answers or not */
static int version_run(struct session *session, const struct args *args)
{
	const struct request request = { .method = "GET", .path = "/v1/status" };

	if (!session->json)
		puts("natctl " NATD_VERSION);
	return session_call(session, &request, version_print);
}

const struct verb verb_version = {
	.name = "version",
	.also = "",
	.usage = "",
	.summary = "versions of natctl and of the natd that runs",
	.help = "  natctl version\n",
	.run = version_run,
};
