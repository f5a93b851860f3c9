/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "natd/config/config.h"

/* A file from which nothing can be read, whatever would stand in it. */

Test(config_files, a_file_that_cannot_be_read_is_named)
{
	static const struct {
		const char *path;
		int error;
	} cases[] = {
		{ "/nonexistent/natd.conf", -ENOENT },
		{ "/", -EISDIR },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config_flaw flaw = { "" };
		struct config *config = NULL;

		cr_expect_eq(config_load(cases[i].path, &config, &flaw), cases[i].error);
		cr_expect_null(config);
		cr_expect(!strncmp(flaw.text, cases[i].path, strlen(cases[i].path)), "%s",
			  flaw.text);
	}
}

/* /proc/self/mem at offset 0 is a file whose read fails with EIO. */
Test(config_files, a_read_error_is_an_error_and_not_the_end)
{
	struct config_flaw flaw = { "" };
	struct config *config = NULL;

	cr_expect_eq(config_load("/proc/self/mem", &config, &flaw), -EIO);
	cr_expect_str_eq(flaw.text, "/proc/self/mem cannot be read: Input/output error");
}

Test(config_files, a_file_that_one_may_not_read_is_named)
{
	char path[] = "/tmp/natd-config-XXXXXX";
	struct config_flaw flaw = { "" };
	struct config *config = NULL;
	bool root = geteuid() == 0;
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	fchmod(fd, 0);
	close(fd);
	if (root && seteuid(65534) < 0) {
		unlink(path);
		cr_skip_test("root, and cannot be anybody else");
	}
	cr_expect_eq(config_load(path, &config, &flaw), -EACCES);
	cr_expect_not_null(strstr(flaw.text, "Permission denied"), "%s", flaw.text);
	cr_assert(!root || seteuid(0) == 0);
	unlink(path);
}

Test(config_files, a_file_without_end_is_refused)
{
	struct config_flaw flaw = { "" };
	struct config *config = NULL;

	cr_expect_eq(config_load("/dev/zero", &config, &flaw), -EINVAL);
	cr_expect_str_eq(flaw.text, "/dev/zero:1: longer than 16 MiB");
}
