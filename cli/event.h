/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * event - a line of natd's stream of events, read and put into words
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/**
 * struct event
 * @word:     "added", ...; borrowed from @json
 * @seq:      with this number the stream can be resumed behind it; 0 = it has none
 * @happened: something befell the gateway; else natd speaks of the stream itself
 * @gap:      what happened before it is not known
 * @key:      the same for all that is about one external endpoint, or of one word
 */
struct event {
	json_t *json;
	const char *word;
	uint64_t seq;
	bool happened, gap;
	uint64_t key;
};

/** event_read() - @line of @len bytes. Return: 0; -EINVAL: not understood, or no memory
 */
int event_read(const char *line, size_t len, struct event *ret);
void event_done(struct event *event);

/** event_print() - a line for people */
void event_print(const struct event *event, FILE *out);

/* a word, a number, and NUL */
#define EVENT_LABEL_STRLEN 80
/** event_label() - "added 1764000000000001"; returns @buf */
const char *event_label(const struct event *event, char buf[static EVENT_LABEL_STRLEN]);
