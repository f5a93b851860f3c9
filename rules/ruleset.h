/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * ruleset - the table "inet natd" in the kernel
 *
 * Knows nftables, and neither clients nor files. One netlink socket writes (in the owned
 * protection the kernel refuses every other), a second one listens to what others do.
 * Every call is synchronous. Nothing here logs.
 */

#include <net/if.h>

#include "core/connection.h"
#include "core/snat.h"
#include "core/table.h"

#define RULESET_WANS_MAX 8
#define RULESET_LANS_MAX 32
#define RULESET_OPEN_MAX 64
/* elements of mappings in one transaction */
#define RULESET_ELEMENTS_MAX 65535

enum protection {
	PROTECTION_AUTO,    /* owned where the kernel can */
	PROTECTION_OWNED,   /* nobody else may touch the table (kernel 6.9) */
	PROTECTION_WATCHED, /* natd watches and repairs */
};

enum mss_mode {
	MSS_OFF,
	MSS_ROUTE, /* to the route's MTU, both directions */
	MSS_FIXED,
};

/**
 * enum symmetry - whose own outbound traffic leaves from its external port
 *
 * The host and port that a mapping leads to are recognised as a source; an element more
 * for each such mapping.
 */
enum symmetry {
	SYMMETRY_NONE,
	SYMMETRY_UDP, /* UDP and UDP-Lite: TCP servers do not dial from their port */
	SYMMETRY_ALL,
};

/** struct open_port - a port of the gateway itself that the WAN may reach */
struct open_port {
	uint8_t protocol;
	uint16_t port;
};

/**
 * struct ruleset_options - what the fixed rules depend on
 *
 * A plain value, zero-initialised before use (it is compared). When it changes, the
 * chains are rewritten in one transaction; maps keep their elements and counters.
 * @mss_mode: natd decides "auto" and says here whether to clamp
 * @mss: with MSS_FIXED, bytes
 * @input_drop: close the gateway itself to the WAN but for @open
 * @asks_routers: with @input_drop, let in what routers above us say unasked, and answer
 * to a multicast: struct ruleset_addresses has them
 * @ula_may_leave: do not drop what leaves by a WAN with a source of fc00::/7; else it is
 *                 dropped, but for what is masqueraded and for what goes to fc00::/7
 * @symmetry: see there; whatever it is, nobody else's flow is given an external port that
 *            is forwarded (as long as a block of ports is left that is not)
 */
struct ruleset_options {
	enum protection protection;
	char wan[RULESET_WANS_MAX][IFNAMSIZ];
	size_t n_wan;
	char lan[RULESET_LANS_MAX][IFNAMSIZ];
	size_t n_lan;
	bool input_drop;
	struct open_port open[RULESET_OPEN_MAX];
	size_t n_open;
	enum mss_mode mss_mode;
	uint16_t mss;
	bool ula_may_leave;
	bool asks_routers;
	enum symmetry symmetry;
};

/**
 * struct ruleset_addresses - elements that follow the interfaces and the configuration
 * @wan:         global addresses of the WANs, both families
 * @routers:     above us, both families, none twice; see @asks_routers
 * @masquerade6: IPv6 sources that are masqueraded towards a WAN; ::/0 for all
 * @snat:        who leaves otherwise
 */
struct ruleset_addresses {
	struct address_list wan;
	struct address_list routers;
	const struct prefix *masquerade6;
	size_t n_masquerade6;
	struct snat_list snat;
};

/** struct ruleset_fault - which step the kernel refused, in words: "element tcp . 8080 of
 * map forward4: File exists"; always NUL-terminated, "" when nothing is known */
struct ruleset_fault {
	char text[256];
};

struct ruleset;

/**
 * ruleset_open() - open the sockets, find out what the kernel can
 *
 * Return: 0; -EPERM without CAP_NET_ADMIN; -EPROTONOSUPPORT when the kernel has no
 * nf_tables; -ENOMEM, -EMFILE, -ENFILE.
 */
int ruleset_open(struct ruleset **ret);
void ruleset_close(struct ruleset *rs); /* NULL is fine; the kernel's table stays */

/** Does the kernel know owner + persist? */
bool ruleset_can_own(const struct ruleset *rs);
/** ruleset_protocols() - PROTOCOL_BIT_* that this kernel tracks and translates, probed by
 * ruleset_open(). UDP-Lite: provided that net.netfilter.nf_conntrack_checksum is 0 */
uint8_t ruleset_protocols(const struct ruleset *rs);
/** The protection in force after ruleset_sync(): owned or watched */
enum protection ruleset_protection(const struct ruleset *rs);

/**
 * ruleset_sequence() - the sequence number the kernel's table carries
 *
 * Return: 0; -ENOENT when there is no table or no number in it; a netlink errno.
 */
int ruleset_sequence(struct ruleset *rs, uint64_t *ret);

/**
 * struct ruleset_report - what ruleset_sync() found and did
 * @created:   there was no table
 * @replaced:  a table of the other protection, or one that could not be mended, was
 *             deleted and made anew in one transaction
 * @rewritten: rules or sets differed
 * @added, @removed: elements of mappings that were missing, or too many or different
 * @other:     elements of other sets (addresses, interfaces, sequence) that differed
 */
struct ruleset_report {
	bool created, replaced, rewritten;
	size_t added, removed, other;
};

/**
 * struct ruleset_slot - one element of a mapping, as the kernel holds it
 * @external:  address_any4/6 for any WAN address; of a pinhole the host
 * @last_port: of a range; else external.port
 * @remote:    of the _FROM kinds; else of length 0
 * @internal:  where it leads
 * @packets:   first packets it has seen
 */
struct ruleset_slot {
	enum mapping_kind kind;
	uint8_t protocol;
	uint16_t last_port;
	struct endpoint external;
	struct endpoint internal;
	struct prefix remote;
	uint64_t packets;
};

/** ruleset_on_slot - called for each; @slot is borrowed */
typedef void (*ruleset_on_slot)(void *userdata, const struct ruleset_slot *slot);

/**
 * ruleset_sync() - dump, compare, send only the difference in one transaction
 * @table:    mapping_is_live() ones have elements
 * @extra:    called for each element of the kernel's that was taken away or changed
 *            (@packets is not set), after the transaction; or NULL
 * @why:      written when the kernel refuses; may be NULL, here and below
 *
 * With nothing different nothing is sent, but in the owned protection the one NEWTABLE
 * by which this socket adopts the table (once). It comes first, in a transaction of its
 * own, and so do larger sizes of the sets of mappings.
 *
 * Return: 0; -EPERM when another live process owns the table; -EOPNOTSUPP when
 * PROTECTION_OWNED is asked for and the kernel cannot; -EMSGSIZE when the transaction is
 * larger than the socket may send (net.core.wmem_max in a user namespace; @why names both
 * numbers); -ENOMEM; else what the kernel said, with @why.
 */
int ruleset_sync(struct ruleset *rs, const struct ruleset_options *options,
		 const struct ruleset_addresses *addresses, const struct table *table,
		 uint64_t sequence, ruleset_on_slot extra, void *userdata,
		 struct ruleset_report *report, struct ruleset_fault *why);

/**
 * ruleset_apply() - the effects of a plan and the new sequence number, one transaction
 *
 * Needs a ruleset_sync() before it. Return: 0; -ESTALE when the table, one of its sets or
 * an element to be removed is not there, or the verdict was lost and it is not in force
 * (somebody else was at work: sync, then try again); -EMSGSIZE, -ENOMEM; else what
 * the kernel said, with @why. On failure nothing has changed in the kernel.
 */
int ruleset_apply(struct ruleset *rs, const struct plan *plan, uint64_t sequence,
		  struct ruleset_fault *why);

/**
 * ruleset_set_addresses() - the difference to what was set last, one transaction
 *
 * In it, what leads out under the given external address of a mapping comes or goes.
 * Return: as ruleset_apply().
 */
int ruleset_set_addresses(struct ruleset *rs, const struct ruleset_addresses *addresses,
			  struct ruleset_fault *why);

/**
 * ruleset_end() - put connections into ended4/ended6, so that the inner host's next
 * segment does not make them again (5 minutes); before conntrack_delete()
 *
 * Return: as ruleset_apply(); -ENFILE when the set is full.
 */
int ruleset_end(struct ruleset *rs, const struct connection *connections, size_t n,
		struct ruleset_fault *why);

/**
 * ruleset_lift() - take out of ended4/ended6 what keeps hosts that @plan's mappings lead
 * to, new or again, from sending datagrams; after ruleset_apply()
 *
 * A stream that was ended stays so. Return: 0; -ESTALE when a set is not there, or others
 * were at work all the time; -ENOMEM; else what the kernel said, with @why.
 */
int ruleset_lift(struct ruleset *rs, const struct plan *plan, struct ruleset_fault *why);

/** ruleset_counters() - read the counters of every mapping's element
 *
 * When somebody writes meanwhile it is read again, and elements are told twice: the last
 * word counts.
 * Return: 0; -ESTALE when the table is not there; -ENOMEM; a netlink errno. */
int ruleset_counters(struct ruleset *rs, ruleset_on_slot on_slot, void *userdata);

/** ruleset_elements() - tell every mapping that the kernel's table has, whoever wrote it
 *
 * When somebody writes meanwhile elements are told twice: the last word counts.
 * Return: 0; -ENOENT when there is no table; -ENOMEM; a netlink errno. */
int ruleset_elements(struct ruleset *rs, ruleset_on_slot on_slot, void *userdata);

/** The named counters of the fixed rules. Return: as ruleset_counters() */
struct ruleset_figures {
	uint64_t spoofed, refused, invalid_in, invalid_out; /* packets */
};
int ruleset_figures(struct ruleset *rs, struct ruleset_figures *ret);

/**
 * ruleset_missed() - a number that moves with every connection to an external address
 * that no mapping serves, and when the table is made anew
 *
 * Return: 0; -ESTALE when the table has no such counter, or somebody has set it back; as
 * ruleset_counters().
 */
int ruleset_missed(struct ruleset *rs, uint64_t *ret);

/** ruleset_delete() - take the table out of the kernel (--teardown)
 * Return: 0, also when there was none; -EPERM when a live natd owns it; netlink errno. */
int ruleset_delete(struct ruleset *rs);

/* ------------------------------------------------------------ what others do */

/** struct culprit - who committed a transaction, as far as the kernel says */
struct culprit {
	uint32_t pid;  /* as the first pid namespace counts; 0 = unknown */
	char name[16]; /* "" = unknown */
};

/** what ruleset_watch() saw since the last call */
struct ruleset_news {
	bool touched;	   /* somebody else altered or deleted our table: sync */
	bool foreign;	   /* base chains of other tables came, went or changed */
	bool overrun;	   /* notifications were lost: sync, and look at foreign chains */
	struct culprit by; /* of the last transaction that touched ours */
};

/** ruleset_fd() - to be polled for reading; ruleset_watch() then tells what came */
int ruleset_fd(const struct ruleset *rs);

/**
 * ruleset_watch() - read all notifications that wait; our own are left out
 *
 * Return: 0, or a netlink errno other than ENOBUFS (that is @overrun).
 */
int ruleset_watch(struct ruleset *rs, struct ruleset_news *ret);

/** struct foreign_chain - a base chain of another table with policy drop, on a hook that
 * what we accept must still pass */
struct foreign_chain {
	uint8_t family; /* NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_INET */
	uint8_t hook;	/* NF_INET_FORWARD, NF_INET_LOCAL_IN */
	char table[64];
	char chain[64];
};

#define FOREIGN_CHAIN_STRLEN 192
/** "ip filter FORWARD (hook forward, policy drop)"; returns @buf */
const char *foreign_chain_format(const struct foreign_chain *chain,
				 char buf[static FOREIGN_CHAIN_STRLEN]);

/**
 * ruleset_foreign() - list them (chains only, never foreign rules or sets)
 * @ret: at most @max written
 * Return: their number, 0 or more, at most @max; or a netlink errno.
 */
int ruleset_foreign(struct ruleset *rs, struct foreign_chain *ret, size_t max);
