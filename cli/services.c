/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/services.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/mapping.h"

#define SERVICES_MAX 1024
#define NAME_SHOWN   24

/* RFC 3828 section 6.1: UDP-Lite has UDP's ports */
static const char *database_protocol(uint8_t protocol)
{
	return protocol_name(protocol == IPPROTO_UDPLITE ? IPPROTO_UDP : protocol);
}

int services_port(const char *name, uint8_t protocol, uint16_t *ret)
{
	const struct servent *service =
		getservbyname(name, protocol ? database_protocol(protocol) : NULL);

	if (!service)
		return -ENOENT;
	*ret = ntohs((uint16_t)service->s_port);
	return 0;
}

struct service {
	uint16_t port;
	char protocol[8];
	char name[NAME_SHOWN];
};

/* Where a port has several names the database has the usual one first. */
static size_t read_database(struct service services[static SERVICES_MAX])
{
	const struct servent *entry;
	size_t n = 0;

	setservent(1);
	while (n < SERVICES_MAX && (entry = getservent())) {
		struct service *s = &services[n];

		if (strlen(entry->s_name) >= sizeof(s->name) ||
		    strlen(entry->s_proto) >= sizeof(s->protocol))
			continue;
		s->port = ntohs((uint16_t)entry->s_port);
		strcpy(s->protocol, entry->s_proto);
		strcpy(s->name, entry->s_name);
		n++;
	}
	endservent();
	return n;
}

const char *services_name(uint8_t protocol, uint16_t port)
{
	static struct service services[SERVICES_MAX];
	static size_t n;
	static bool read;

	if (!read)
		n = read_database(services);
	read = true;
	for (size_t i = 0; i < n; i++) {
		if (services[i].port == port &&
		    !strcmp(services[i].protocol, database_protocol(protocol)))
			return services[i].name;
	}
	return "";
}
