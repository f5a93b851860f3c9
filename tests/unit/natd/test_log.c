/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "box.h"
#include "core/cleanup.h"
#include "natd/common/log.h"

static int read_end = -1;

/* From here on standard error is a pipe that written() reads. */
static void take_stderr(void)
{
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	cr_assert_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	close(ends[1]);
	read_end = ends[0];
}

static const char *written(void)
{
	static char text[65536];
	ssize_t n = read(read_end, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

TestSuite(log, .init = take_stderr);

Test(log, a_line_says_how_bad_it_is)
{
	log_level(LOG_DEBUG);
	log_error("one %d", 1);
	cr_expect_str_eq(written(), "natd: error: one 1\n");
	log_warning("two");
	cr_expect_str_eq(written(), "natd: warning: two\n");
	log_notice("three");
	cr_expect_str_eq(written(), "natd: three\n");
	log_info("four");
	cr_expect_str_eq(written(), "natd: four\n");
	log_debug("five");
	cr_expect_str_eq(written(), "natd: debug: five\n");
	log_line(LOG_EMERG, "six");
	cr_expect_str_eq(written(), "natd: error: six\n");
}

Test(log, what_is_below_the_level_is_dropped)
{
	log_debug("not unless asked for");
	cr_expect_str_eq(written(), "");
	log_level(LOG_WARNING);
	log_notice("not now");
	cr_expect_str_eq(written(), "");
	log_warning("this");
	cr_expect_str_eq(written(), "natd: warning: this\n");
}

Test(log, no_text_can_forge_a_line_or_drive_a_terminal)
{
	static const struct {
		const char *text, *line;
	} cases[] = {
		{ "a\nnatd: b", "natd: a\\x0anatd: b\n" },
		{ "\r\t\x1b[2J\x7f", "natd: \\x0d\\x09\\x1b[2J\\x7f\n" },
		{ "\xc2\x9b", "natd: \\xc2\\x9b\n" },
		{ "\xff", "natd: \\xff\n" },
		{ "", "natd: \n" },
		{ "100 % sure", "natd: 100 % sure\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		log_info("%s", cases[i].text);
		cr_expect_str_eq(written(), cases[i].line);
	}
}

Test(log, a_long_text_is_cut_and_shown_to_be)
{
	static const char fill[] = { 'x', '\n' };
	char text[5000];
	const char *line;
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(fill); i++) {
		memset(text, fill[i], sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		log_info("%s", text);
		line = written();
		len = strlen(line);
		cr_assert_gt(len, 2000);
		cr_expect_str_eq(line + len - 4, "...\n");
		cr_expect_eq(strchr(line, '\n'), line + len - 1);
	}
}

Test(log, errno_stays)
{
	errno = EXDEV;
	log_info("%m");
	cr_expect_eq(errno, EXDEV);
	cr_expect_str_eq(written(), "natd: Invalid cross-device link\n");
}

static int say_journal_is(int fd, ino_t off)
{
	char stream[64];
	struct stat st;

	BOX_CHECK(fstat(fd, &st) == 0, "%m");
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)(st.st_ino + off));
	return setenv("JOURNAL_STREAM", stream, 1);
}

/* A socket where sd_journal_send(3) expects the journal's. */
static int play_journal(int *ret)
{
	struct sockaddr_un address = {
		.sun_family = AF_UNIX,
		.sun_path = "/run/systemd/journal/socket",
	};

	*ret = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	BOX_CHECK(mount("tmpfs", "/run", "tmpfs", 0, NULL) == 0, "%m");
	BOX_CHECK(mkdir("/run/systemd", 0755) == 0, "%m");
	BOX_CHECK(mkdir("/run/systemd/journal", 0755) == 0, "%m");
	BOX_CHECK(bind(*ret, (struct sockaddr *)&address, sizeof(address)) == 0, "%m");
	return 0;
}

static int with_journal(void *userdata)
{
	static const char *const fields[] = {
		"MESSAGE=a\\x0ab\n",
		"PRIORITY=4\n",
		"SYSLOG_IDENTIFIER=natd\n",
	};
	char got[4096] = "";
	int journal;

	if (play_journal(&journal) || say_journal_is(STDERR_FILENO, 0))
		return 1;
	log_warning("a\nb");
	BOX_CHECK(recv(journal, got, sizeof(got) - 1, 0) > 0, "%m");
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		BOX_CHECK(strstr(got, fields[i]), "%s is not in:\n%s", fields[i], got);
	BOX_CHECK(!strstr(got, "CODE_FILE"), "%s", got);
	return 0;
}

Test(log, goes_to_the_journal_with_fields_when_stderr_is_its_stream)
{
	box_run_alone(CLONE_NEWNS, with_journal, NULL);
	cr_expect_str_eq(written(), "");
}

static int with_journal_elsewhere(void *userdata)
{
	static const char *const streams[] = { "", "x", "1:2", "1:2x", "1" };
	int journal;
	char got[16];

	if (play_journal(&journal) || say_journal_is(STDERR_FILENO, 1))
		return 1;
	log_warning("here");
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		setenv("JOURNAL_STREAM", streams[i], 1);
		log_warning("%s", streams[i]);
	}
	BOX_CHECK(recv(journal, got, sizeof(got), 0) < 0);
	return 0;
}

Test(log, goes_to_stderr_when_that_was_sent_elsewhere)
{
	box_run_alone(CLONE_NEWNS, with_journal_elsewhere, NULL);
	cr_expect_str_eq(written(), "natd: warning: here\nnatd: warning: \n"
				    "natd: warning: x\nnatd: warning: 1:2\n"
				    "natd: warning: 1:2x\nnatd: warning: 1\n");
}

Test(log, a_stderr_that_is_gone_does_not_matter)
{
	close(STDERR_FILENO);
	errno = 0;
	log_warning("nobody hears this");
	cr_expect_eq(errno, 0);
}
