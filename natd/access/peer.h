/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * peer - who is at the other end of the socket, and what they may do
 *
 * What the kernel says (struct credentials) and what follows from it (struct peer) are
 * kept apart.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/**
 * struct strangers - the ids that stand for "somebody this user namespace does not know"
 *
 * The kernel shows every id that is not mapped as one number (65534), which may also be
 * the number of a real user. (uid_t)-1 and (gid_t)-1 where all ids are mapped, as outside
 * of a user namespace.
 */
struct strangers {
	uid_t uid;
	gid_t gid;
};

/** strangers_read() - of this process, from /proc; what cannot be read counts as "not all
 * are mapped" */
void strangers_read(struct strangers *ret);

/**
 * struct credentials - of the process that called connect(), at that time
 * @known:  @uid is that user, not anybody the namespace does not know
 * @member: primary or supplementary member of the group asked for
 * @groups: all of them that the namespace knows; owned
 */
struct credentials {
	pid_t pid;
	uid_t uid;
	bool known;
	bool member;
	gid_t *groups;
	size_t n_groups;
};

/**
 * credentials_read() - ask the kernel
 * @fd:    connected UNIX socket
 * @group: (gid_t)-1 = none
 * @ret:   for credentials_done(); written on success only
 *
 * Return: 0; -ENOMEM; -ENOTCONN, -ENOTSOCK, -EOPNOTSUPP: no such socket.
 */
int credentials_read(int fd, gid_t group, const struct strangers *strangers,
		     struct credentials *ret);

void credentials_done(struct credentials *credentials);
bool credentials_has_group(const struct credentials *credentials, gid_t group);

#define MAY_LOOK    (1u << 0)
#define MAY_CHANGE  (1u << 1) /* mappings, as far as struct rights goes */
#define MAY_CONTROL (1u << 2) /* everything else: reload, resync */

/**
 * struct peer
 * @may:           MAY_*, 0 = nothing
 * @administrator: root or natd's own user: some clients' places are kept for them
 */
struct peer {
	pid_t pid;
	uid_t uid;
	bool known;
	bool administrator;
	unsigned int may;
};

struct access;

/** peer_judge() - @own: natd's effective uid; @access: of the configuration in force */
void peer_judge(const struct credentials *credentials, uid_t own,
		const struct access *access, struct peer *ret);

/** peer_refusal() - the sentence and the cure for one without rights; @group may be "" */
void peer_refusal(const struct peer *peer, const char *group, char *detail,
		  size_t detail_room, char *cure, size_t cure_room);
