/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <string.h>
#include <time.h>

#include "core/api.h"
#include "core/cleanup.h"
#include "core/text.h"

/* 9999-12-31T23:59:59Z: RFC 3339 has no later second */
#define TIME_MAX    UINT64_C(253402300799)
#define TIME_FORMAT "%Y-%m-%dT%H:%M:%SZ"

/** struct scan - where a look at the brackets of a document has come to */
struct scan {
	size_t line, column;
	unsigned int depth;
	bool in_string, escaped;
};

static void scan_byte(struct scan *s, char c)
{
	s->column++;
	if (c == '\n') {
		s->line++;
		s->column = 0;
	}
	if (s->in_string) {
		if (!s->escaped && c == '"')
			s->in_string = false;
		s->escaped = !s->escaped && c == '\\';
	} else if (c == '"') {
		s->in_string = true;
	} else if (c == '[' || c == '{') {
		s->depth++;
	} else if ((c == ']' || c == '}') && s->depth > 0) {
		s->depth--;
	}
}

/* A bracket within a string counts as well: these are no fewer than there are levels. */
static size_t count_brackets(const char *bytes, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += (bytes[i] == '[') + (bytes[i] == '{');
	return n;
}

/* Before parsing, since the parser recurses. What is no JSON may be miscounted here: then
 * the parser stops at the same place or before. */
static int check_depth(const char *bytes, size_t len, struct problem *why)
{
	struct scan s = { .line = 1 };

	if (count_brackets(bytes, len) <= API_DEPTH_MAX)
		return 0;
	for (size_t i = 0; i < len; i++) {
		scan_byte(&s, bytes[i]);
		if (s.depth > API_DEPTH_MAX) {
			problem_set(why, VERDICT_BAD_REQUEST, NULL,
				    "line %zu, column %zu: nested deeper than %d levels.",
				    s.line, s.column, API_DEPTH_MAX);
			return -EINVAL;
		}
	}
	return 0;
}

/* jansson's "... near 'TEXT'", where the text is short enough for it to say so: TEXT */
static const char *text_near(const json_error_t *error, char *buf, size_t size)
{
	static const char near[] = " near '";
	const char *start = strstr(error->text, near);

	if (!start)
		return NULL;
	start += strlen(near);
	return text_escape(start, strlen(start) - 1, buf, size);
}

/* In our words where the parser's speak of its own options. */
static void explain(const json_error_t *error, struct problem *why)
{
	static const struct {
		enum json_error_code code;
		const char *text;
	} words[] = {
		{ json_error_invalid_utf8, "not valid UTF-8" },
		{ json_error_premature_end_of_input, "the text ends too early" },
		{ json_error_end_of_input_expected, "something follows the end" },
		{ json_error_null_character, "a NUL character" },
		{ json_error_null_byte_in_key, "a NUL character in a key" },
		{ json_error_numeric_overflow, "a number that is too large" },
	};
	const enum json_error_code code = json_error_code(error);
	char buf[JSON_ERROR_TEXT_LENGTH * 2];
	const char *text;

	text = text_escape(error->text, strlen(error->text), buf, sizeof(buf));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (code == words[i].code)
			text = words[i].text;
	}
	if (code == json_error_duplicate_key) {
		text = text_near(error, buf, sizeof(buf));
		problem_set(why, VERDICT_BAD_REQUEST, NULL,
			    "line %d, column %d: the key %s is given twice.", error->line,
			    error->column, text ? text : "in front of it");
		return;
	}
	problem_set(why, VERDICT_BAD_REQUEST, NULL, "line %d, column %d: %s.",
		    error->line, error->column, text);
}

int api_parse(const char *bytes, size_t len, json_t **ret, struct problem *why)
{
	json_error_t error;
	json_t *json;
	int r;

	if (len > API_DOCUMENT_MAX) {
		problem_set(why, VERDICT_TOO_LARGE, "Send long lists as NDJSON.",
			    "The document has %zu bytes; at most %d are taken.", len,
			    API_DOCUMENT_MAX);
		return -EMSGSIZE;
	}
	r = check_depth(bytes, len, why);
	if (r < 0)
		return r;
	json = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &error);
	if (json) {
		*ret = json;
		return 0;
	}
	/* out of memory is the one failure that jansson says nothing about */
	if (!error.text[0])
		return -ENOMEM;
	explain(&error, why);
	return -EINVAL;
}

static const char *const conditions[] = {
	[CONDITION_ACTIVE] = "active",
	[CONDITION_DISABLED] = "disabled",
	[CONDITION_WAITING] = "waiting",
	[CONDITION_SHADOWED] = "shadowed",
};

const char *condition_name(enum mapping_condition condition)
{
	return conditions[condition];
}

int condition_parse(const char *text, enum mapping_condition *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(conditions); i++) {
		if (strcmp(text, conditions[i]) != 0)
			continue;
		*ret = (enum mapping_condition)i;
		return 0;
	}
	return -EINVAL;
}

static char *two_digits(int n, char *at)
{
	*at++ = (char)('0' + n / 10);
	*at++ = (char)('0' + n % 10);
	return at;
}

/* As TIME_FORMAT says; long lists have two times in each line, and strftime() takes most
 * of theirs. */
const char *api_time_format(uint64_t seconds, char buf[static API_TIME_STRLEN])
{
	const time_t t = (time_t)(seconds < TIME_MAX ? seconds : TIME_MAX);
	char *at = buf;
	struct tm tm;

	gmtime_r(&t, &tm);
	at = two_digits((tm.tm_year + 1900) / 100, at);
	at = two_digits((tm.tm_year + 1900) % 100, at);
	*at++ = '-';
	at = two_digits(tm.tm_mon + 1, at);
	*at++ = '-';
	at = two_digits(tm.tm_mday, at);
	*at++ = 'T';
	at = two_digits(tm.tm_hour, at);
	*at++ = ':';
	at = two_digits(tm.tm_min, at);
	*at++ = ':';
	at = two_digits(tm.tm_sec, at);
	*at++ = 'Z';
	*at = '\0';
	return buf;
}

int api_time_parse(const char *text, uint64_t *ret)
{
	char again[API_TIME_STRLEN];
	struct tm tm = { 0 };
	const char *end;
	time_t t;

	end = strptime(text, TIME_FORMAT, &tm);
	if (!end || *end)
		return -EINVAL;
	t = timegm(&tm);
	/* strptime() takes blanks, short fields and the 31st of any month */
	if (t < 0 || strcmp(api_time_format((uint64_t)t, again), text) != 0)
		return -EINVAL;
	*ret = (uint64_t)t;
	return 0;
}
