/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * ssdp - finding an Internet Gateway Device, UPnP Device Architecture 1.0 to 2.0
 *
 * Text of a search, and the reading of what answers it or comes unasked (section 1 of
 * each version). Only what our search needs: devices, not services; no M-SEARCH of
 * others.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/endpoint.h"
#include "core/worker_message.h"

#define SSDP_PORT	1900
#define SSDP_PACKET_MAX 2048 /* a longer one is refused */
#define SSDP_LINE_MAX	512  /* without its end; a longer one is refused */
#define SSDP_SEARCH_MAX 256  /* bytes of a search at most, NUL included */
#define SSDP_NAME_MAX	255  /* of ST, NT and USN, without NUL */

extern const struct in6_addr ssdp_group4; /* 239.255.255.250 */
extern const struct in6_addr ssdp_group6; /* ff02::c */

/**
 * ssdp_search_encode() - M-SEARCH for InternetGatewayDevice:1 or :2
 * @version: 1 or 2. Both are asked for: a device of version 2 ought to answer to 1, and
 *           not all do
 * @to:      where it will be sent: a group, which is given 2 seconds (MX), or a router
 * @buf:     NUL-terminated
 *
 * Return: bytes without NUL.
 */
size_t ssdp_search_encode(unsigned int version, const struct in6_addr *to,
			  char buf[static SSDP_SEARCH_MAX]);

/**
 * enum ssdp_kind
 * @SSDP_RESPONSE: to a search
 * @SSDP_ALIVE, @SSDP_BYEBYE: NOTIFY with that NTS
 * @SSDP_UPDATE: NOTIFY with ssdp:update: the boot id is about to change, the device stays
 */
enum ssdp_kind { SSDP_RESPONSE, SSDP_ALIVE, SSDP_BYEBYE, SSDP_UPDATE };

/**
 * struct ssdp_message - texts are printable ASCII with a NUL, "" where there is none
 * @igd:         version of InternetGatewayDevice that @target names; 0: something else
 * @has_boot_id: @boot_id is there
 * @boot_id:     BOOTID.UPNP.ORG (of SSDP_UPDATE: NEXTBOOTID.UPNP.ORG), or 01-NLS where
 *               there is none: another one after the device was started anew. A number as
 *               it is, any other text as a hash
 * @target:      ST of a response, NT of the others
 * @location:    URL of the description; never "" of SSDP_RESPONSE and SSDP_ALIVE. Whose
 *               host it names is for the caller to see: url_is_of()
 * @server:      what the device calls itself, cut to its room
 */
struct ssdp_message {
	enum ssdp_kind kind;
	unsigned int igd;
	bool has_boot_id;
	uint32_t boot_id;
	char target[SSDP_NAME_MAX + 1];
	char usn[SSDP_NAME_MAX + 1];
	char location[WORKER_URL_MAX + 1];
	char server[WORKER_TEXT_MAX + 1];
};

/**
 * ssdp_decode() - read what came to port 1900, or to the port that searched
 * @packet: @len bytes, not trusted
 * @ret:    written on success only
 *
 * Names of headers in any case, lines end with CR LF or LF; of one header twice the first
 * counts, and lines that are no headers are passed over, as is what follows the empty
 * line that must be there. Bytes that are not printable ASCII: in @server shown as \xNN,
 * in the others refused; tabs and blanks around a value are taken off.
 *
 * Return: 0; -EMSGSIZE when the packet or a line is too long, or a text too long for its
 * room (but @server's); -ENOMSG when it is neither a response 200 nor a NOTIFY of those
 * kinds; -EBADMSG when it is and cannot be read: no empty line, bytes as said, no ST or
 * NT, no LOCATION where it must be.
 */
int ssdp_decode(const void *packet, size_t len, struct ssdp_message *ret);
