/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * session - what the commands of one natctl share: the connection, the manner of output
 *
 * Complaints go to stderr, one line each, "natctl: " before it and "line N: " when a file
 * of commands is read; functions that complain return the exit status that goes with it.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "cli/client.h"

enum exit_status {
	EXIT_DONE,
	EXIT_REFUSED,
	EXIT_USAGE,
	EXIT_NATD, /* not reachable or faulty */
};

struct atomic;

/**
 * struct session
 * @client: owned by whoever made the session
 * @atomic: NULL, or where changes are gathered instead of sent
 * @line:   of the file of commands; 0 = none
 * @json:   print natd's answers as they are
 * @quiet:  print ids at most
 */
struct session {
	struct client *client;
	struct atomic *atomic;
	size_t line;
	bool json, quiet;
};

DEFINE_CLEANUP(json_decref, json_t *)

/** session_usage() - complain. Return: EXIT_USAGE */
int session_usage(const struct session *session, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** session_fault() - complain. Return: EXIT_NATD */
int session_fault(const struct session *session, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** session_garbled() - natd said what it never should. Return: EXIT_NATD */
int session_garbled(const struct session *session);
/** session_unread() - an answer could not be read: -ENOMEM, or it was garbled. Return:
 * EXIT_NATD */
int session_unread(const struct session *session, int error);

/**
 * session_ask() - ask natd; a refusal or fault is printed
 * @sink: as in client_ask(); when it stops it has complained, and EXIT_NATD is returned
 * @ret:  answer_done() frees it; written on EXIT_DONE only
 */
int session_ask(struct session *session, const struct request *request, http_sink sink,
		void *userdata, struct answer *ret);

/** session_refused() - print an answer that is not good. Return: exit status */
int session_refused(const struct session *session, const struct answer *answer);

/** session_print - print an answer. Return: 0, or -EINVAL when it is not understood */
typedef int (*session_print)(const struct session *session, json_t *answer);

/**
 * session_call() - ask natd and print its answer: as it is with --json, else by @print
 *
 * Return: exit status.
 */
int session_call(struct session *session, const struct request *request,
		 session_print print);

/** session_read() - ask natd for one JSON document. Return: exit status; *@ret is a new
 * reference on EXIT_DONE only */
int session_read(struct session *session, const struct request *request, json_t **ret);

/** session_pass() - an http_sink that writes to stdout as it is, but on a terminal as
 * text_clean() leaves it; @userdata is a struct pass, zero-initialised */
struct pass {
	char last;
	char held[5]; /* of a character whose end has not come */
	size_t n_held;
};
int session_pass(void *userdata, const char *bytes, size_t len);
