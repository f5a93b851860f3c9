/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * changes - asks natd for changes and prints what became of them
 */

#include "cli/session.h"
#include "core/change.h"

/**
 * changes_make() - all of them or none, in one request; with @session->atomic they are
 * only put to the others
 *
 * Return: exit status.
 */
int changes_make(struct session *session, const struct change *changes, size_t n);

/** changes_print() - a session_print for the answer to changes that add and remove */
int changes_print(const struct session *session, json_t *answer);

/** changes_warn() - where @answer says that connections may go on, so does natctl, in
 * every manner of output but --json */
void changes_warn(const struct session *session, const json_t *answer);

/** changes_ended() - ", 3 connections ended", or nothing; returns @buf */
#define CHANGES_ENDED_STRLEN 96
const char *changes_ended(uint64_t ended, char buf[static CHANGES_ENDED_STRLEN]);

/** changes_port() - the external port that mapping @id has; 0 = cannot be known */
uint16_t changes_port(const struct session *session, uint64_t id);

/** changes_describe() - mapping_describe(), harmless to a terminal, how long it is for,
 * whether it is disabled, and what is wished of the router above us; returns @buf */
#define CHANGES_MAPPING_STRLEN (MAPPING_STRLEN + 64)
const char *changes_describe(const struct mapping *m,
			     char buf[static CHANGES_MAPPING_STRLEN]);
