/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION 1
#include <systemd/sd-journal.h>

/* longest text of a line; what is longer is cut, and shown to be */
#define LOG_TEXT_MAX 2048

static int highest = LOG_INFO;

void log_level(int level)
{
	highest = level;
}

/*
 * Everything but printable ASCII as \xNN: what came from outside can neither begin a line
 * of its own, nor drive a terminal, nor make the journal keep the text as binary.
 */
static size_t escape(const char *text, char *ret)
{
	char *out = ret;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x20 && c < 0x7f)
			*out++ = *text;
		else
			out += sprintf(out, "\\x%02x", c);
	}
	*out = '\0';
	return (size_t)(out - ret);
}

/* systemd.exec(5): JOURNAL_STREAM tells the device and inode of the journal's stream, so
 * that a stderr which was sent elsewhere since is known. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st;
	char own[64];

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return !strcmp(stream, own);
}

/* One write(), so that lines of several processes do not mix. */
static void to_stderr(int priority, const char *text, size_t len)
{
	static const char *const words[] = {
		[LOG_EMERG] = "error: ",
		[LOG_ALERT] = "error: ",
		[LOG_CRIT] = "error: ",
		[LOG_ERR] = "error: ",
		[LOG_WARNING] = "warning: ",
		[LOG_NOTICE] = "",
		[LOG_INFO] = "",
		[LOG_DEBUG] = "debug: ",
	};
	char line[LOG_TEXT_MAX * 4 + 64];
	int n;

	n = snprintf(line, sizeof(line), "natd: %s%.*s\n", words[priority], (int)len,
		     text);
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nobody left to tell */
}

void log_line(int priority, const char *format, ...)
{
	char text[LOG_TEXT_MAX], safe[LOG_TEXT_MAX * 4 + 4];
	int saved_errno = errno;
	va_list ap;
	size_t len;
	int n;

	priority = LOG_PRI(priority);
	if (priority > highest)
		return;
	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n < 0)
		return;
	len = escape(text, safe);
	if ((size_t)n >= sizeof(text))
		len += (size_t)sprintf(safe + len, "...");
	if (!stderr_is_journal() ||
	    sd_journal_send("MESSAGE=%s", safe, "PRIORITY=%d", priority,
			    "SYSLOG_IDENTIFIER=natd", NULL) < 0)
		to_stderr(priority, safe, len);
	errno = saved_errno;
}
