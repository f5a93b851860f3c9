/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * traffic - what mappings have carried in connections that are over
 *
 * The kernel tells of each connection that ends how much went through; natd adds that to
 * its mapping's figures, which are kept in the store. What is under way is not in them:
 * see natd/gateway/counts.c. What ends while natd is not running is not counted.
 */

#include <systemd/sd-event.h>

#include "core/connection.h"
#include "natd/store/store.h"

struct meter;

/**
 * struct meter_parts - all borrowed until meter_close()
 */
struct meter_parts {
	sd_event *event;
	const struct table *table;
	struct store *store;
	struct address_list (*wan_addresses)(void *userdata);
	void *userdata;
};

/**
 * meter_open() - read what the store has, and listen
 *
 * Return: 0; -EPERM; -ENOMEM, -EMFILE, -ENFILE; what the store or sd-event say.
 */
int meter_open(const struct meter_parts *parts, struct meter **ret);
void meter_close(struct meter *meter); /* NULL is fine; it does not save */

/** meter_of() - NULL: nothing yet. Borrowed until the loop goes on */
const struct store_traffic *meter_of(const struct meter *meter, uint64_t id);

/** meter_save() - put what is new into the store, for its next store_save(); NULL is fine
 * Return: 0 or -ENOMEM */
int meter_save(struct meter *meter);

/** meter_committed() - forget the figures of what @plan removed; NULL is fine */
void meter_committed(struct meter *meter, const struct plan *plan);

/** meter_lost() - how often the kernel had more to say than there was room for */
uint64_t meter_lost(const struct meter *meter);

/**
 * connection_is_of() - did @c go through @m, the mapping at its external tuple?
 *
 * Also where the mapping led elsewhere when it began, as far as its age is known.
 */
bool connection_is_of(const struct connection *c, const struct mapping *m);
