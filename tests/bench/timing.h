/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* timing - what the control path's clients share */

#include <stddef.h>
#include <stdint.h>

/** struct times - of one kind of operation, in nanoseconds */
struct times {
	uint64_t *ns;
	size_t n, room;
};

uint64_t now(void);
void times_add(struct times *times, uint64_t ns);

/** times_print() - "\"NAME\":median" on stdout */
void times_print(struct times *times, const char *name);
void times_done(struct times *times);

/** connect_to() - a UNIX stream socket; ends the program when nobody is there */
int connect_to(const char *path);

/** write_all(), read_some() - end the program at an error or an early end */
void write_all(int fd, const void *bytes, size_t len);
size_t read_some(int fd, void *bytes, size_t room);

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);
