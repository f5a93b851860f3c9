/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * privileges - from root to a user who may only program the network
 */

#include <stdbool.h>
#include <sys/types.h>

struct identity {
	uid_t uid;
	gid_t gid;
	bool rootless; /* in a user namespace: stay its uid 0, trim capabilities */
};

struct privileges_fault {
	char text[256];
};

/**
 * privileges_resolve() - who natd will be
 *
 * In a user namespace where @user is not mapped natd stays the namespace's uid 0
 * (@rootless). Names "natd" that are missing outside of a user namespace are refused by
 * name. Who is not root stays who he is: he cannot become another, and
 * privileges_drop() says whether he may do natd's work.
 *
 * Return: 0; -ENOENT (@why names the user or group and the cure).
 */
int privileges_resolve(const char *user, const char *group, struct identity *ret,
		       struct privileges_fault *why);

/**
 * privileges_drop() - become @id with CAP_NET_ADMIN and nothing else, no_new_privs set
 *
 * The bounding set is emptied where CAP_SETPCAP allows, supplementary groups are given up
 * with a change of user.
 *
 * Return: 0; -EPERM (without CAP_NET_ADMIN, or the change of user was refused) or what
 * the kernel said; @why is written. After failure the process must end.
 */
int privileges_drop(const struct identity *id, struct privileges_fault *why);
/** privileges_drop_all() - the same without any capability, which needs none either */
int privileges_drop_all(const struct identity *id, struct privileges_fault *why);
