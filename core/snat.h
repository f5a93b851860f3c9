/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * snat - under which address hosts leave, where it is not plain masquerading
 *
 * Of the configuration's snat blocks. What a mapping says comes before it.
 */

#include "core/endpoint.h"

#define SNAT_MAX 256

/**
 * struct snat
 * @source:     hosts of a LAN
 * @to:         the external address they get, of the same family
 * @one_to_one: @source is one host: ports stay as they are, and what is dialled at @to
 * and is no mapping's goes to the host, whatever the protocol
 */
struct snat {
	struct prefix source;
	struct in6_addr to;
	bool one_to_one;
};

/**
 * struct snat_list - borrowed
 * @snats:        no two with the same source, no two one_to_one with the same @to; the
 *                longer source prefix has precedence
 * @untranslated: towards these destinations nothing is translated that leaves by a WAN
 */
struct snat_list {
	const struct snat *snats;
	size_t n;
	const struct prefix *untranslated;
	size_t n_untranslated;
};

/** snat_host() - the host that has @external to itself, or NULL; borrowed */
const struct in6_addr *snat_host(const struct snat_list *list,
				 const struct in6_addr *external);
/** snat_of() - what says under which address @source leaves for @remote; NULL:
 * masqueraded. @ret_untranslated: not at all */
const struct snat *snat_of(const struct snat_list *list, const struct in6_addr *source,
			   const struct in6_addr *remote, bool *ret_untranslated);
