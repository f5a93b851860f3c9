/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/session.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "cli/atomic.h"
#include "cli/process.h"
#include "cli/text.h"
#include "core/api.h"

static void complain_at(size_t line, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void complain_at(size_t line, const char *format, va_list args)
{
	struct flaw flaw;

	vsnprintf(flaw.text, sizeof(flaw.text), format, args);
	text_clean(flaw.text);
	fflush(stdout);
	if (line)
		fprintf(stderr, "natctl: line %zu: %s\n", line, flaw.text);
	else
		fprintf(stderr, "natctl: %s\n", flaw.text);
}

int session_usage(const struct session *session, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain_at(session->line, format, args);
	va_end(args);
	return EXIT_USAGE;
}

int session_fault(const struct session *session, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain_at(session->line, format, args);
	va_end(args);
	return EXIT_NATD;
}

int session_garbled(const struct session *session)
{
	return session_fault(session,
			     "natd's answer was not understood. Are natctl (" NATD_VERSION
			     ") and natd of one version?");
}

int session_unread(const struct session *session, int error)
{
	if (error == -ENOMEM)
		return session_fault(session, "out of memory");
	return session_garbled(session);
}

/* of the UTF-8 sequence that @lead begins; 1 where it begins none */
static size_t sequence_len(unsigned char lead)
{
	return lead < 0xc2 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 1;
}

static void put_held(struct pass *pass)
{
	pass->held[pass->n_held] = '\0';
	fputs(text_clean(pass->held), stdout);
	pass->n_held = 0;
}

/* A character may come in pieces, and one byte of it says nothing. */
static void put_harmless(struct pass *pass, char byte)
{
	if (byte == '\n') {
		put_held(pass);
		putchar('\n');
		return;
	}
	if (!byte)
		byte = '?';
	pass->held[pass->n_held++] = byte;
	if (pass->n_held >= sequence_len((unsigned char)pass->held[0]))
		put_held(pass);
}

int session_pass(void *userdata, const char *bytes, size_t len)
{
	struct pass *pass = userdata;

	pass->last = bytes[len - 1];
	if (!isatty(STDOUT_FILENO)) {
		fwrite(bytes, 1, len, stdout);
		return 0;
	}
	for (size_t i = 0; i < len; i++)
		put_harmless(pass, bytes[i]);
	return 0;
}

static void pass_end(struct pass *pass)
{
	put_held(pass);
	if (pass->last != '\n')
		putchar('\n');
}

static int refusal_status(const json_t *json, const struct answer *answer,
			  const struct problem *problem)
{
	const char *code = json_string_value(json_object_get(json, "code"));
	enum verdict verdict;

	/* a newer natd may know refusals that we do not */
	if (code && outcome_by_code(code, &verdict) < 0 && answer->status / 100 == 4)
		return EXIT_REFUSED;
	return outcome_of(problem->verdict)->exit;
}

/* The sentence itself names up to four. */
static void print_holders(const json_t *json)
{
	const json_t *holders = json_object_get(json, "holders");
	char text[MAPPING_STRLEN];
	json_t *holder;
	size_t i;

	if (json_array_size(holders) <= 4)
		return;
	json_array_foreach (holders, i, holder) {
		struct mapping m;

		if (api_decode_mapping(holder, &m, NULL) < 0)
			continue;
		fprintf(stderr, "  %llu: %s\n", (unsigned long long)m.id,
			text_clean((char *)mapping_describe(&m, text)));
		details_unref(m.details);
	}
}

/* The sentence names address and user, which is all that natd may know. */
static void print_listeners(const json_t *json)
{
	const json_t *listeners = json_object_get(json, "listeners");
	char text[PROCESS_LISTENER_STRLEN];
	json_t *element;
	size_t i;

	json_array_foreach (listeners, i, element) {
		struct listener listener;

		if (api_decode_listener(element, 0, &listener) == 0)
			fprintf(stderr, "  %s\n", process_describe(&listener, text));
	}
}

static void print_problem(const struct session *session, const struct problem *problem)
{
	struct session at = *session;
	const char *gap = problem->cure[0] ? " " : "";

	if (at.atomic && problem->index >= 0)
		at.line = atomic_line(at.atomic, (size_t)problem->index);
	session_fault(&at, "%s%s%s", problem->detail, gap, problem->cure);
}

int session_refused(const struct session *session, const struct answer *answer)
{
	CLEANUP(json_decref) json_t *json = NULL;
	struct problem problem;
	struct pass pass = { 0 };

	if (answer->len)
		json = json_loadb(answer->body, answer->len, JSON_REJECT_DUPLICATES,
				  NULL);
	if (answer->status / 100 == 2 || !json || api_decode_problem(json, &problem) < 0)
		return session_fault(
			session,
			"%s answered with HTTP status %d and no reason; natd "
			"would give one. Name natd's socket with --socket PATH "
			"or NATD_SOCKET.",
			client_path(session->client), answer->status);
	if (session->json) {
		session_pass(&pass, answer->body, answer->len);
		pass_end(&pass);
	}
	print_problem(session, &problem);
	print_holders(json);
	print_listeners(json);
	return refusal_status(json, answer, &problem);
}

int session_ask(struct session *session, const struct request *request, http_sink sink,
		void *userdata, struct answer *ret)
{
	struct answer answer;
	struct flaw why;
	int r;

	r = client_ask(session->client, request, sink, userdata, &answer, &why);
	if (r == -ECANCELED)
		return EXIT_NATD;
	if (r < 0)
		return session_fault(session, "%s", why.text);
	if (!answer_is_good(&answer)) {
		r = session_refused(session, &answer);
		answer_done(&answer);
		return r;
	}
	*ret = answer;
	return EXIT_DONE;
}

static int call_json(struct session *session, const struct request *request)
{
	struct pass pass = { 0 };
	struct answer answer;
	int status = session_ask(session, request, session_pass, &pass, &answer);

	if (status == EXIT_DONE)
		answer_done(&answer);
	if (pass.last)
		pass_end(&pass);
	return status;
}

int session_read(struct session *session, const struct request *request, json_t **ret)
{
	struct answer answer = { 0 };
	json_t *json = NULL;
	int status;

	status = session_ask(session, request, NULL, NULL, &answer);
	if (status != EXIT_DONE)
		return status;
	if (answer.len)
		json = json_loadb(answer.body, answer.len, JSON_REJECT_DUPLICATES, NULL);
	answer_done(&answer);
	if (!json)
		return session_garbled(session);
	*ret = json;
	return EXIT_DONE;
}

int session_call(struct session *session, const struct request *request,
		 session_print print)
{
	CLEANUP(json_decref) json_t *json = NULL;
	int status;

	if (session->json)
		return call_json(session, request);
	status = session_read(session, request, &json);
	if (status == EXIT_DONE && print(session, json) < 0)
		return session_garbled(session);
	return status;
}
