/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * services - ports by the names that the system's services database has for them
 */

#include <stdint.h>

/**
 * services_port() - the port of "https"
 * @protocol: IPPROTO_*, or 0 for whichever has it; UDP-Lite has the names of UDP
 *
 * Return: 0, or -ENOENT.
 */
int services_port(const char *name, uint8_t protocol, uint16_t *ret);

/** services_name() - of a port, or "". The database is read once, at the first call;
 * borrowed for ever */
const char *services_name(uint8_t protocol, uint16_t port);
