/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "natd/peer.h"

#include <stdio.h>

void peer_judge(const struct credentials *credentials, uid_t own, struct peer *ret)
{
	*ret = (struct peer){
		.pid = credentials->pid,
		.uid = credentials->uid,
		.known = credentials->known,
	};
	ret->administrator = ret->known && (ret->uid == 0 || ret->uid == own);
	if (ret->administrator || credentials->member)
		ret->rights = RIGHT_LOOK | RIGHT_CHANGE;
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
	snprintf(detail, detail_room, "uid %u may not talk to natd.", peer->uid);
	if (group[0])
		snprintf(cure, cure_room, "Join group %s, or use sudo.", group);
	else
		snprintf(cure, cure_room, "Use sudo.");
}
