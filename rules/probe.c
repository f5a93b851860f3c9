/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * probe - finds out what this kernel can
 *
 * In transactions without their end: they are judged and not applied.
 */

#include <arpa/inet.h>
#include <errno.h>

#include "rules/batch.h"
#include "rules/objects.h"

#define PROBE "natd_probe"

static void put_table(struct batch *b, uint32_t flags)
{
	struct nlmsghdr *nlh = batch_message(b, NFT_MSG_NEWTABLE, NLM_F_CREATE);

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, PROBE);
	mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, htonl(flags));
	batch_close(b, nlh);
}

static int judge(struct batch *b, struct ruleset *rs, bool *ret)
{
	int r = batch_try(b, rs);

	batch_done(b);
	*ret = r == 0;
	return r == -ENOMEM || r == -EPERM ? r : 0;
}

static int probe_owner(struct ruleset *rs)
{
	struct batch b;

	batch_begin(&b, rs);
	put_table(&b, NFT_TABLE_F_OWNER | TABLE_F_PERSIST);
	return judge(&b, rs, &rs->can_own);
}

/* The kernel has timers for what it tracks, and translates what it tracks. */
static int probe_protocol(struct ruleset *rs, uint8_t protocol, bool *ret)
{
	struct batch b;

	batch_begin(&b, rs);
	put_table(&b, 0);
	object_put_timeout(&b, PROBE, "timers", protocol);
	return judge(&b, rs, ret);
}

static int probe_protocols(struct ruleset *rs)
{
	bool can;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < PROTOCOL_COUNT; i++) {
		if (rs->protocols & 1u << i)
			continue;
		r = probe_protocol(rs, protocol_at(i), &can);
		if (r == 0 && can)
			rs->protocols |= (uint8_t)(1u << i);
	}
	return r;
}

static int probe_all(struct ruleset *rs, bool *ret)
{
	struct batch b;

	batch_begin(&b, rs);
	put_table(&b, NFT_TABLE_F_OWNER | TABLE_F_PERSIST);
	for (unsigned i = 0; i < PROTOCOL_COUNT; i++)
		if (!(rs->protocols & 1u << i))
			object_put_timeout(&b, PROBE, protocol_name(protocol_at(i)),
					   protocol_at(i));
	return judge(&b, rs, ret);
}

/* To take a transaction back the kernel waits until no processor looks at it any more,
 * 10 milliseconds and more: so first all in one. */
int probe_kernel(struct ruleset *rs)
{
	int r;

	rs->protocols = PROTOCOL_BIT_TCP | PROTOCOL_BIT_UDP;
	r = probe_all(rs, &rs->can_own);
	if (r < 0)
		return r;
	if (rs->can_own) {
		rs->protocols = PROTOCOL_BITS;
		return 0;
	}
	r = probe_owner(rs);
	return r < 0 ? r : probe_protocols(rs);
}
