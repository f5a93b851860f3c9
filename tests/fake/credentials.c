/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fake/credentials.h"

struct credentials fake_credentials = {
	.pid = 4711, .uid = 1000, .known = true, .member = true
};
int fake_credentials_error;

void strangers_read(struct strangers *ret)
{
	*ret = (struct strangers){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
}

int credentials_read(int fd, gid_t group, const struct strangers *strangers,
		     struct credentials *ret)
{
	if (fake_credentials_error)
		return fake_credentials_error;
	*ret = fake_credentials;
	ret->groups = NULL; /* the client's own to free */
	ret->n_groups = 0;
	return 0;
}
