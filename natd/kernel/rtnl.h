/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rtnl - asks the kernel questions by netlink and reads the answers to their end
 */

#include <libmnl/libmnl.h>
#include <stdbool.h>

struct rtnl;

/* The value of an attribute; "" or 0 of one that is too short for it. */
static inline const char *rtnl_text(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0 ? ""
								: mnl_attr_get_str(attr);
}

static inline uint32_t rtnl_u32(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_U32) < 0 ? 0 : mnl_attr_get_u32(attr);
}

/** rtnl_has() - is @nlh long enough for the @size bytes that its type begins with? */
static inline bool rtnl_has(const struct nlmsghdr *nlh, size_t size)
{
	return mnl_nlmsg_get_payload_len(nlh) >= size;
}

/** rtnl_open() - @bus: NETLINK_ROUTE, NETLINK_SOCK_DIAG. Return: 0; -ENOMEM, -EMFILE,
 * -ENFILE, -EPROTONOSUPPORT; another errno of the socket */
int rtnl_open(int bus, struct rtnl **ret);
void rtnl_close(struct rtnl *rtnl); /* NULL is fine */

/**
 * rtnl_put() - begin a request; attributes follow by mnl_attr_put()
 * @type:  RTM_GETLINK and the like
 * @flags: NLM_F_DUMP, or 0 for one object
 * @body:  struct ifinfomsg and the like, @size bytes
 *
 * Return: borrowed until rtnl_ask().
 */
struct nlmsghdr *rtnl_put(struct rtnl *rtnl, uint16_t type, uint16_t flags,
			  const void *body, size_t size);

/** rtnl_message - one message of the answer; a negative errno ends it and is returned */
typedef int (*rtnl_message)(void *userdata, const struct nlmsghdr *nlh);

/**
 * rtnl_ask() - send what rtnl_put() began, hand on each message of the answer
 *
 * Return: 0; what @on_message returned; -EINTR when a dump was torn (ask again);
 * -ETIMEDOUT when the kernel does not answer for 5 seconds; -ENOBUFS; netlink errno.
 */
int rtnl_ask(struct rtnl *rtnl, rtnl_message on_message, void *userdata);
