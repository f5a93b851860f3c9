/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * worker_igd - the pieces of the igd worker
 *
 *	job -> igd_find() -> igd_call() for each action -> answer
 *
 * What miniupnpc hands over are texts of the router's making: everything here reads them
 * strictly. Results are those of struct worker_answer: 0, > 0 what the router's protocol
 * says, a negative errno.
 */

#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpreplyparse.h>

#include "core/worker_message.h"
#include "natd/workers/worker_igd_text.h"

#define IGD_CONNECT_SECONDS 3
#define IGD_SILENCE_SECONDS 5 /* miniupnpc's own: nothing received for so long */

/** struct igd_path - how the router is reached */
struct igd_path {
	struct in6_addr router;
	struct in6_addr source;
	uint32_t ifindex;
};
struct igd_path igd_path_of(const struct worker_job *job);

/* ------------------------------------------------------------ calls */

/** struct igd_service - @url "": there is none; its host is the router */
struct igd_service {
	char url[IGD_URL_STRLEN];
	char type[MINIUPNPC_URL_MAXSIZE];
};

/** igd_connect() - a connection from @path's source over its interface. Return: the
 * descriptor, blocking; -ETIMEDOUT, -ECONNREFUSED, -EADDRNOTAVAIL, what else connect(2)
 * says */
int igd_connect(const struct igd_path *path, uint16_t port);
/** igd_silence() - why nothing came back that could be read, of what was begun at @began
 * (worker_now()). Return: -ETIMEDOUT, -EPROTO, or why the router cannot be reached */
int igd_silence(const struct igd_path *path, uint16_t port, uint64_t began);

/** struct igd_reply - values by name; to be done with igd_reply_done() after success */
struct igd_reply {
	struct NameValueParserData values;
};

/**
 * igd_call() - one action of a service
 * @args: ended by one without name; values as they stand in XML
 *
 * Return: 0; > 0: the router's errorCode; -EOPNOTSUPP (no such service), -EPROTO (neither
 * a response to @action nor an error), as igd_connect() and igd_silence().
 */
int igd_call(const struct igd_path *path, const struct igd_service *service,
	     const char *action, struct UPNParg *args, struct igd_reply *ret);
void igd_reply_done(struct igd_reply *reply);
/** igd_value() - "" where there is none; borrowed from the reply */
const char *igd_value(struct igd_reply *reply, const char *name);

/* ------------------------------------------------------------ devices */

#define IGDS_MAX 8

/**
 * struct igd - a description that was read
 * @url:      "": nothing here
 * @wan:      WANIPConnection or WANPPPConnection, the connected one
 * @firewall: WANIPv6FirewallControl
 * @flags:    IGD_*
 * @used:     the larger the later
 */
struct igd {
	char url[WORKER_URL_MAX + 1];
	struct igd_path path;
	struct igd_service wan;
	struct igd_service firewall;
	uint8_t flags;
	char name[WORKER_TEXT_MAX + 1];
	uint64_t used;
};

struct igds {
	struct igd list[IGDS_MAX];
	uint64_t uses;
};

/** igd_find() - the device of @job's URL, read where it is not known. @ret is borrowed
 * until the next call. Return: 0; the HTTP status, where it is not 200; -EXDEV (a URL
 * of another host), -EOPNOTSUPP (no service of ours), -EPROTO, as igd_connect() */
int igd_find(struct igds *igds, const struct worker_job *job, struct igd **ret);
/** igd_forget() - the next igd_find() reads it anew */
void igd_forget(struct igds *igds, const struct worker_job *job);

/** igd_status() - GetStatusInfo. Return: as igd_call(), -EPROTO */
int igd_status(const struct igd_path *path, const struct igd_service *service,
	       bool *ret_connected);

/** igd_do() - @job, with @igd; @answer has its head. Return: the result */
int igd_do(const struct igd *igd, const struct worker_job *job,
	   struct worker_answer *answer);
