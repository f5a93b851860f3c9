/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/access/peer.h"

#include "natd/access/access.h"

#include <stdio.h>

static unsigned int judge_other(const struct credentials *credentials,
				const struct access *access)
{
	bool spoken_of = access_speaks_of(access, credentials);

	if (credentials->member && !spoken_of)
		return MAY_LOOK | MAY_CHANGE | MAY_CONTROL;
	if (spoken_of)
		return MAY_LOOK | MAY_CHANGE;
	return access->given && access->look ? MAY_LOOK : 0;
}

void peer_judge(const struct credentials *credentials, uid_t own,
		const struct access *access, struct peer *ret)
{
	*ret = (struct peer){
		.pid = credentials->pid,
		.uid = credentials->uid,
		.known = credentials->known,
	};
	ret->administrator = ret->known && (ret->uid == 0 || ret->uid == own);
	ret->may = ret->administrator ? MAY_LOOK | MAY_CHANGE | MAY_CONTROL
				      : judge_other(credentials, access);
}

void peer_refusal(const struct peer *peer, const char *group, char *detail,
		  size_t detail_room, char *cure, size_t cure_room)
{
	if (!peer->known) {
		snprintf(
			detail, detail_room,
			"natd cannot tell who you are: your user is not mapped into the user "
			"namespace that natd runs in.");
		snprintf(cure, cure_room, "Ask as the user who started natd.");
		return;
	}
	if (peer->may) {
		snprintf(detail, detail_room, "uid %u may %s, but may not do that.",
			 peer->uid,
			 peer->may & MAY_CHANGE ? "look and change mappings" : "look");
		snprintf(cure, cure_room, "%s",
			 peer->may & MAY_CHANGE
				 ? "Ask as root: use sudo."
				 : "Use sudo, or have it allowed in the access block of "
				   "natd.conf.");
		return;
	}
	snprintf(detail, detail_room, "uid %u may not talk to natd.", peer->uid);
	if (group[0])
		snprintf(cure, cure_room, "Join group %s, or use sudo.", group);
	else
		snprintf(cure, cure_room, "Use sudo.");
}
