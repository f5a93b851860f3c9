/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rtnl - asks rtnetlink questions and reads the answers to their end
 */

#include <libmnl/libmnl.h>

struct rtnl;

/** rtnl_open() - Return: 0; -ENOMEM, -EMFILE, -ENFILE; another errno of the socket */
int rtnl_open(struct rtnl **ret);
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
