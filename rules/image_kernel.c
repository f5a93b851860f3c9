/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * image_kernel - describes the table that the kernel holds
 */

#include "core/cleanup.h"
#include "rules/image.h"

/* Asked for one table's chains, the kernel gives those of all tables of the family. */
static int on_message(const struct nlmsghdr *nlh, void *userdata)
{
	if (message_is_ours(nlh))
		image_add_message(userdata, nlh);
	return MNL_CB_OK;
}

static int get(struct image *image, struct ruleset *rs, uint16_t type)
{
	return ruleset_get(rs, type, NFPROTO_INET, NLM_F_DUMP, RULESET_TABLE, NULL,
			   on_message, image);
}

static int get_unnamed(struct image *image, struct ruleset *rs)
{
	int r;

	for (size_t i = 0; i < image->n_unnamed; i++) {
		r = ruleset_get(rs, NFT_MSG_GETSETELEM, NFPROTO_INET, NLM_F_DUMP,
				RULESET_TABLE, image->unnamed[i].label, on_message,
				image);
		if (r < 0)
			return r;
	}
	return 0;
}

int image_of_kernel(struct image *ret, struct ruleset *rs)
{
	static const uint16_t others[] = { NFT_MSG_GETOBJ, NFT_MSG_GETCHAIN,
					   NFT_MSG_GETRULE };
	int r = get(ret, rs, NFT_MSG_GETSET);

	if (r == 0)
		r = get_unnamed(ret, rs);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(others); i++)
		r = get(ret, rs, others[i]);
	return r < 0 ? r : ret->error;
}
