/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * log - one line per happening, on stderr or in the journal
 *
 * To the journal natively when stderr is connected to it (JOURNAL_STREAM), else to
 * stderr as "natd: warning: ...". Logged once, where an error stops travelling.
 */

#include <syslog.h>

/** log_level() - lines of a priority (LOG_ERR, ...) beyond @level are dropped; LOG_INFO
 * unless set */
void log_level(int level);
void log_line(int priority, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...)	 log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)	 log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)	 log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	 log_line(LOG_DEBUG, __VA_ARGS__)
