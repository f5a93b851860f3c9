/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rawnl - elements of "inet hand forward" by libmnl and nothing else: the least that a
 * program can do
 */

#include <stdint.h>

#include <libmnl/libmnl.h>

struct rawnl {
	struct mnl_socket *nl;
	char *buf;
	size_t len, room;
	uint32_t seq;
};

/** rawnl_open() - ends the program when it cannot */
void rawnl_open(struct rawnl *raw);
void rawnl_close(struct rawnl *raw);

/**
 * rawnl_change() - one transaction of @n elements
 * @type: NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM
 * @n:    ports from @port on; from 65536 on they are UDP's
 */
void rawnl_change(struct rawnl *raw, uint16_t type, unsigned int port, unsigned int n);

/** rawnl_dump() - Return: elements */
unsigned int rawnl_dump(struct rawnl *raw);
