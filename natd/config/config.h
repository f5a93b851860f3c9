/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * config - natd.conf, read whole and checked whole
 *
 *	user = natd                     group = natd
 *	table-protection = auto         # auto | owned | watched
 *	wan { interfaces = {"wan0"}  mss = auto }           # auto | off | 536..65535
 *	lan { interfaces = {"lan0"}  masquerade6 = auto }   # auto | yes | no
 *	firewall { input = accept  open = {"tcp 22"} }      # accept | drop
 *	accounting = no                 # yes | no: bytes of each mapping
 *	ports { pool = {"49152-65535"}  reserved = {"60000-60010"} }
 *	outbound { symmetry = udp       # none | udp | all
 *	           untranslated = {"10.0.0.0/8"} }
 *	snat office { source = "192.168.2.0/24"  to = "203.0.113.7"  one-to-one = no }
 *	upstream { enable = yes         # no | yes
 *	           policy = all         # all | chosen | none
 *	           protocols = {"pcp", "nat-pmp", "upnp"}
 *	           lifetime = 2h        # 2m..24h
 *	           check = 1m           # 1s..1h
 *	           other-port = no      # yes | no
 *	           url = "http://192.168.0.1:5000/rootDesc.xml"
 *	           stun = "203.0.113.9:3478" }          # an address, no name
 *	access { ... }                  # see natd/access/access.h
 *	forward web { protocol = tcp  port = 8080  to = "192.168.1.10:80"
 *	              at = "203.0.113.7"  from = {"198.51.100.0/24"}  force = no
 *	              enabled = yes  upstream = yes  comment = "..." }
 *	# port = "9000-9003" is a range; to = "192.168.1.10:8000"; to = "[::10%lan0]:443"
 *
 * natd.conf(5) is the contract. An unknown word, a value out of range, a name or external
 * endpoint given twice, an interface that is WAN and LAN at once: an error with file and
 * line, and no configuration.
 */

#include "core/conditions.h"
#include "core/upstream/upstream.h"
#include "natd/access/access.h"
#include "rules/ruleset.h"

#define CONFIG_RANGES_MAX   32
#define CONFIG_PREFIXES_MAX 64

enum masquerade6 { MASQUERADE6_AUTO, MASQUERADE6_YES, MASQUERADE6_NO };
enum mss_setting { MSS_SETTING_AUTO, MSS_SETTING_OFF, MSS_SETTING_FIXED };

/**
 * struct config_forward - one forward block
 * @change: CHANGE_ADD, origin ORIGIN_CONFIG, mapping resolved, created 0
 * @line:   of the block in the file
 * @upstream_line: of its word "upstream"; 0 where there is none
 */
struct config_forward {
	struct change change;
	unsigned int line;
	unsigned int upstream_line;
};

/**
 * struct config
 * @options: all set but mss_mode and ula_may_leave, which the gateway decides from
 *           @mss_setting and @masquerade6
 */
struct config {
	char path[4096];
	char user[64], group[64];
	struct ruleset_options options;
	enum mss_setting mss_setting;
	enum masquerade6 masquerade6;
	bool accounting;
	struct port_range pool[CONFIG_RANGES_MAX]; /* none: the default */
	size_t n_pool;
	struct port_range reserved[CONFIG_RANGES_MAX];
	size_t n_reserved;
	struct snat snat[SNAT_MAX]; /* in order of the file */
	size_t n_snat;
	struct prefix untranslated[CONFIG_PREFIXES_MAX];
	size_t n_untranslated;
	struct access access;
	struct upstream_options upstream;
	struct config_forward *forwards;
	size_t n_forwards;
};

/** struct config_flaw - "/etc/natd/natd.conf:12: what is wrong, and what would be right"
 */
struct config_flaw {
	char text[512];
};

/**
 * config_load()
 * @ret: owned by the caller; written on success only
 * @why: written on failure
 *
 * Return: 0; -EINVAL when something in it is wrong; -ENOENT, -EACCES, -EISDIR, -EIO when
 * it cannot be read; -ENOMEM.
 */
int config_load(const char *path, struct config **ret, struct config_flaw *why);
/** config_load_buffer() - the same of @len bytes; @path is what flaws are said of */
int config_load_buffer(const char *path, const void *bytes, size_t len,
		       struct config **ret, struct config_flaw *why);
void config_free(struct config *config); /* NULL is fine */

/** config_asks_upstream() - may mappings be asked of the router above us at all? */
bool config_asks_upstream(const struct config *config);

/** config_line() - the line of the forward that made @m; 0 = no longer in the file */
unsigned int config_line(const struct config *config, const struct mapping *m);
