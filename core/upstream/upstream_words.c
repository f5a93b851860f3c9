/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * upstream_words - why a router does not hold a port, for people
 */

#include <stdio.h>

#include "core/cleanup.h"
#include "core/natpmp.h"
#include "core/pcp.h"
#include "core/upstream/upstream_private.h"

const char *speech_words(enum upstream_speech speech)
{
	static const char *const words[] = {
		[UPSTREAM_PCP] = "PCP",
		[UPSTREAM_NATPMP] = "NAT-PMP",
		[UPSTREAM_IGD] = "UPnP",
	};

	static_assert(ARRAY_SIZE(words) == UPSTREAM_SPEECHES, "a word for each");
	return words[speech];
}

/** struct upnp_code - an errorCode of UPnP Device Architecture 3.2.2, WANIPConnection:2
 * 2.5 or WANIPv6FirewallControl:1 2.5, or a status of HTTP in the place of one */
struct upnp_code {
	uint16_t code;
	const char *text;
};

static const struct upnp_code upnp_codes[] = {
	{ 401, "the router does not know this action" },
	{ 402, "the router does not take what it is asked for" },
	{ 404, "the router does not know this action" },
	{ 500, "the router fails" },
	{ 501, "the router fails at it" },
	{ 600, "the router does not take a value of it" },
	{ 601, "the router does not take a value of it" },
	{ 602, "the router does not offer it" },
	{ 603, "the router has no memory left" },
	{ 604, "a person must decide it at the router" },
	{ 605, "the router finds a text too long" },
	{ 606, "the router does not allow it" },
	{ 701, "the router has no room for another pinhole" },
	{ 702, "the router's firewall for IPv6 is switched off" },
	{ 703, "the router does not allow pinholes" },
	{ 704, "the router does not know the pinhole" },
	{ 705, "the router does not do this protocol" },
	{ 706, "the router wants a port inside" },
	{ 707, "the router wants a protocol" },
	{ 708, "the router wants a remote host" },
	{ 709, "the router does not know traffic of the pinhole" },
	{ 714, "the router does not know the mapping" },
	{ 715, "the router wants a remote host" },
	{ 716, "the router wants a port outside" },
	{ 718, "the port is taken by another client of the router" },
	{ 724, "the router wants the same port inside and outside" },
	{ 725, "the router makes mappings without an end only" },
	{ 726, "the router makes mappings for any remote host only" },
	{ 727, "the router makes mappings for all ports outside only" },
	{ 728, "the router has no free port" },
	{ 729, "the router itself, or another protocol of it, has the port" },
	{ 732, "the router wants a port inside" },
	{ 733, "the router finds its parameters inconsistent" },
};

static const char *upnp_text(unsigned int code)
{
	for (size_t i = 0; i < ARRAY_SIZE(upnp_codes); i++) {
		if (upnp_codes[i].code == code)
			return upnp_codes[i].text;
	}
	return "the router gives a reason that UPnP does not know";
}

#define SENSELESS "the router's answer makes no sense: "

static void result_words(const char *text, const struct slot *slot,
			 char buf[static UPSTREAM_WHY_STRLEN])
{
	snprintf(buf, UPSTREAM_WHY_STRLEN, "%s (%s %u)", text, speech_words(slot->speech),
		 slot->why_code);
}

static void taken_words(const struct slot *slot, char buf[static UPSTREAM_WHY_STRLEN])
{
	char code[16] = "";

	if (slot->why_code)
		snprintf(code, sizeof(code), " (%u)", slot->why_code);
	snprintf(buf, UPSTREAM_WHY_STRLEN,
		 "port %u is taken by another client of the router%s", slot->why_port,
		 code);
}

static const char *plain_words(enum why why)
{
	static const char *const words[] = {
		[WHY_NONE] = "",
		[WHY_NONSENSE_PORT] = SENSELESS "port 0",
		[WHY_NONSENSE_INTERNAL] = SENSELESS "an internal port that is not ours",
		[WHY_NONSENSE_ADDRESS] =
			SENSELESS "an external address that no router can have",
		[WHY_NONSENSE_PINHOLE] = SENSELESS "a pinhole without a number",
		[WHY_SILENT] = "the router does not answer this question",
		[WHY_UNASKABLE] =
			"natd cannot put this question to the router; its log says more",
	};

	return why < ARRAY_SIZE(words) ? words[why] : "";
}

void slot_words(const struct slot *slot, char buf[static UPSTREAM_WHY_STRLEN])
{
	switch ((enum why)slot->why) {
	case WHY_PCP:
		result_words(pcp_result_text(slot->why_code), slot, buf);
		break;
	case WHY_NATPMP:
		result_words(natpmp_result_text(slot->why_code), slot, buf);
		break;
	case WHY_UPNP:
		result_words(upnp_text(slot->why_code), slot, buf);
		break;
	case WHY_TAKEN:
		taken_words(slot, buf);
		break;
	case WHY_OFFERED:
		snprintf(buf, UPSTREAM_WHY_STRLEN,
			 "the router offers port %u instead of %u", slot->why_code,
			 slot->internal_port);
		break;
	case WHY_PROTOCOL:
		snprintf(buf, UPSTREAM_WHY_STRLEN, "%s has no mappings of %s",
			 speech_words(slot->router->speech),
			 protocol_name(slot->protocol));
		break;
	case WHY_NONE:
	case WHY_NONSENSE_PORT:
	case WHY_NONSENSE_INTERNAL:
	case WHY_NONSENSE_ADDRESS:
	case WHY_NONSENSE_PINHOLE:
	case WHY_SILENT:
	case WHY_UNASKABLE:
		snprintf(buf, UPSTREAM_WHY_STRLEN, "%s", plain_words(slot->why));
		break;
	}
}
