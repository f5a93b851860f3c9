/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Requests as files, tests/cases/api: a folder for each with "input", the bytes of a
 * request, and either "output", the changes it asks for, one a line as natd itself would
 * write them, or "error", the sentence that refuses it.
 */

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/api.h"

#define CASES_MAX 512
/* of what an answer has at most */
#define ANSWER_MAX 4096

struct api_case {
	char name[128];
};

static int is_case(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void free_cases(struct criterion_test_params *cases)
{
	cr_free(cases->params);
}

ParameterizedTestParameters(api_case, is_answered_as_written)
{
	struct dirent **entries;
	struct api_case *cases;
	const int n = scandir(API_CASES, &entries, is_case, alphasort);

	if (n < 1 || n > CASES_MAX) {
		perror(API_CASES);
		abort();
	}
	cases = cr_malloc((size_t)n * sizeof(*cases));
	for (int i = 0; i < n; i++) {
		snprintf(cases[i].name, sizeof(cases[i].name), "%.127s",
			 entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return cr_make_param_array(struct api_case, cases, (size_t)n, free_cases);
}

/* The whole file, or NULL when there is none; @ret_len may be NULL. */
static char *read_case(const struct api_case *c, const char *file, size_t *ret_len)
{
	char path[512], *bytes;
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/%s", API_CASES, c->name, file);
	f = fopen(path, "r");
	if (!f)
		return NULL;
	/* of exactly its size, so that a sanitizer sees a read beyond it */
	fseek(f, 0, SEEK_END);
	len = (size_t)ftell(f);
	rewind(f);
	bytes = malloc(ret_len ? len : len + 1);
	cr_assert_eq(fread(bytes, 1, len, f), len, "%s", path);
	fclose(f);
	if (ret_len)
		*ret_len = len;
	else
		bytes[len] = '\0';
	return bytes;
}

static int decode(const char *bytes, size_t len, struct change_list *list,
		  struct problem *why)
{
	json_t *json;
	int r;

	r = api_parse(bytes, len, &json, why);
	if (r < 0)
		return r;
	r = api_decode_changes(json, list, why);
	json_decref(json);
	return r;
}

static void tell_changes(const struct change_list *list, char answer[ANSWER_MAX])
{
	size_t at = 0;

	for (size_t i = 0; i < list->n; i++) {
		json_t *json = api_encode_change(&list->changes[i]);
		char *text = json_dumps(json, JSON_COMPACT);

		cr_assert_not_null(text);
		at += (size_t)snprintf(answer + at, ANSWER_MAX - at, "%s\n", text);
		free(text);
		json_decref(json);
	}
}

static void tell_problem(int r, const struct problem *why, char answer[ANSWER_MAX])
{
	char where[32] = "";

	cr_expect_eq(why->verdict,
		     r == -EMSGSIZE ? VERDICT_TOO_LARGE : VERDICT_BAD_REQUEST);
	if (why->index >= 0)
		snprintf(where, sizeof(where), "change %d: ", (int)why->index);
	snprintf(answer, ANSWER_MAX, "%s%s\n", where, why->detail);
	for (const char *c = why->detail; *c; c++)
		cr_expect(*c >= ' ' && *c <= '~', "raw byte %#x", (unsigned char)*c);
}

ParameterizedTest(struct api_case *c, api_case, is_answered_as_written)
{
	struct change_list list = { 0 };
	struct problem why = { 0 };
	char answer[ANSWER_MAX] = "", *input, *output, *error;
	size_t len;
	int r;

	input = read_case(c, "input", &len);
	output = read_case(c, "output", NULL);
	error = read_case(c, "error", NULL);
	cr_assert(input && !output == !!error, "%s: an input, and an output or an error",
		  c->name);

	r = decode(input, len, &list, &why);
	if (r == 0)
		tell_changes(&list, answer);
	else
		tell_problem(r, &why, answer);
	cr_expect_eq(r == 0, output != NULL, "%s: %s", c->name, answer);
	cr_expect_str_eq(answer, output ? output : error, "%s: %s", c->name, answer);
	cr_expect(r == 0 || list.n == 0, "%s: something was appended", c->name);
	change_list_done(&list);
	free(input);
	free(output);
	free(error);
}
