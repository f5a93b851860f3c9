/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * kernel - netlink out of a file, and into one
 *
 * kernel_fake.c stands in for libmnl's sockets: what is asked is answered from a file,
 * and where the file ends, with what an empty kernel that agrees to everything would say.
 * kernel_record.c lets the real kernel answer, and writes such a file.
 *
 * A file is a list of records: a head of four bytes and a datagram. Numbers of messages
 * count from that of the first message of the request.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum record_kind {
	RECORD_ANSWER,	/* the first datagram of the answer to the next request */
	RECORD_MORE,	/* another one of the same answer */
	RECORD_NEWS,	/* a notification */
	RECORD_ADDRESS, /* four bytes: the netlink address of the sockets */
};

#define RECORD_KIND   0x03
#define RECORD_SILENT 0x04 /* of an answer: nothing follows what stands in the file */

/**
 * struct record_head
 * @kind:  enum record_kind, RECORD_SILENT; other bits mean nothing
 * @error: an errno that receiving fails with, in place of the datagram; 0 = none
 * @len:   of the datagram, lower byte first; what is beyond the file is cut off
 */
struct record_head {
	uint8_t kind;
	uint8_t error;
	uint8_t len[2];
};

/** kernel_begin() - answer from this file; borrowed until kernel_end() */
void kernel_begin(const uint8_t *bytes, size_t len);
/** kernel_end() - every socket must be closed by now */
void kernel_end(void);
/** kernel_give_up() - the same, and close what is open */
void kernel_give_up(void);

/** kernel_aside() - what is asked now is in no file: an empty kernel answers (or, when
 * recording, it is not recorded) */
void kernel_aside(bool aside);
/** kernel_is_real() - is it recorded? */
bool kernel_is_real(void);
/** kernel_meanwhile() - the moment for others to change things; nobody does here */
void kernel_meanwhile(void);

/* What is played in front of either: the first byte of a file says how. */
void scenario_ruleset(uint8_t how);
void scenario_conntrack(uint8_t how);
void scenario_links(uint8_t how);
