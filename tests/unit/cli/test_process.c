/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/process.h"

static uint32_t inode_of(int fd)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	return (uint32_t)st.st_ino;
}

Test(process, is_found_by_its_socket)
{
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct listener listener = { .local = { address_any4, 22 }, .uid = 7 };
	char text[PROCESS_LISTENER_STRLEN], wanted[PROCESS_LISTENER_STRLEN];
	struct process process;

	cr_assert_geq(fd, 0);
	prctl(PR_SET_NAME, "a\x1b[2J");
	listener.inode = inode_of(fd);
	cr_assert_eq(process_of_socket("/proc", listener.inode, &process), 0);
	cr_expect_eq(process.pid, getpid());
	cr_expect_str_eq(process.name, "a\x1b[2J");
	snprintf(wanted, sizeof(wanted), "0.0.0.0:22 (uid 7): a?[2J, pid %d",
		 (int)getpid());
	cr_expect_str_eq(process_describe(&listener, text), wanted);
	close(fd);
}

Test(process, that_is_not_to_be_seen_is_left_out)
{
	const struct listener listener = { .local = { address_any4, 22 },
					   .inode = UINT32_MAX };
	char text[PROCESS_LISTENER_STRLEN];
	struct process process = { .pid = 7 };

	cr_expect_eq(process_of_socket("/proc", UINT32_MAX, &process), -ENOENT);
	cr_expect_eq(process_of_socket("/nowhere", 1, &process), -ENOENT);
	cr_expect_eq(process_of_socket("/proc/version", 1, &process), -ENOTDIR);
	cr_expect_eq(process.pid, 7, "touched on failure");
	cr_expect_str_eq(process_describe(&listener, text), "0.0.0.0:22 (uid 0)");
}
