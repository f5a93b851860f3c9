/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * change - what a request asks of the table
 *
 * The only way to alter the table, the store or the kernel. A plain value.
 */

#include "core/mapping.h"

enum change_kind { CHANGE_ADD, CHANGE_REMOVE };

/**
 * struct selector - which mappings are meant; fields that are set must all fit
 * @id:       0 = any
 * @protocol: 0 = any
 * @port:     external port, 0 = any
 * @name:     "" = any
 *
 * With @id or @name, all that fit are meant (a name stands for all its mappings).
 * With neither, exactly one must fit.
 */
struct selector {
	uint64_t id;
	uint16_t port;
	uint8_t protocol;
	char name[MAPPING_NAME_MAX + 1];
};

/**
 * struct change
 * @kind:       what to do
 * @protocols:  CHANGE_ADD: PROTOCOL_BIT_*, one mapping for each, in that order
 * @config_too: CHANGE_REMOVE: may remove mappings of ORIGIN_CONFIG
 * @mapping:    CHANGE_ADD: the mapping wanted; id, protocol are not looked at
 * @selector:   CHANGE_REMOVE
 */
struct change {
	enum change_kind kind;
	uint8_t protocols;
	bool config_too;
	union {
		struct mapping mapping;
		struct selector selector;
	};
};

/**
 * struct change_list - a request: all of it or nothing
 *
 * Owner of a heap array; zero-initialised it is empty.
 */
struct change_list {
	struct change *changes;
	size_t n;
	size_t room;
};

/** change_list_add() - append a copy. Return: 0 or -ENOMEM */
int change_list_add(struct change_list *list, const struct change *change);
/** change_list_done() - free the array; the list is empty again */
void change_list_done(struct change_list *list);
