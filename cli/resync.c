/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "cli/text.h"
#include "cli/verb.h"

static const struct {
	const char *key;
	const char *sentence;
} repairs[] = {
	{ "created", "the table was gone: made anew" },
	{ "replaced", "the table was another's: replaced" },
	{ "rewritten", "rules or sets were altered: written anew" },
};

static const struct {
	const char *key;
	const char *thing;
	const char *sentence;
} counted[] = {
	{ "added", "forward", "missing: added" },
	{ "removed", "forward", "too many: removed" },
	{ "other", "other element", "wrong: mended" },
};

static int resync_print(const struct session *session, json_t *answer)
{
	char things[TEXT_PHRASE_STRLEN];
	bool mended = false;

	if (!json_is_object(answer))
		return -EINVAL;
	if (session->quiet)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(repairs); i++) {
		if (!json_is_true(json_object_get(answer, repairs[i].key)))
			continue;
		mended = true;
		puts(repairs[i].sentence);
	}
	for (size_t i = 0; i < ARRAY_SIZE(counted); i++) {
		json_int_t n =
			json_integer_value(json_object_get(answer, counted[i].key));

		if (n <= 0)
			continue;
		mended = true;
		printf("%s %s\n", text_things((uint64_t)n, counted[i].thing, things),
		       counted[i].sentence);
	}
	if (!mended)
		puts("nothing differed");
	return 0;
}

static int resync_run(struct session *session, const struct args *args)
{
	const struct request request = { .method = "POST", .path = "/v1/resync" };

	return session_call(session, &request, resync_print);
}

const struct verb verb_resync = {
	.name = "resync",
	.also = "sync repair",
	.usage = "",
	.summary = "compare the kernel with the table, mend what differs",
	.help = "natd does so by itself when it starts and when its table is touched; this is\n"
		"for when you want to see it.\n"
		"\n"
		"  natctl resync\n",
	.run = resync_run,
};
