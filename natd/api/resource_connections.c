/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * What the filters fit is collected in one reading of the connection tracker, with the id
 * of its mapping, and then written while it is sent, or ended.
 */

#include "natd/api/resources.h"

#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_sctp.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cleanup.h"
#include "core/text.h"
#include "natd/common/log.h"

#define SECOND_NSEC UINT64_C(1000000000)

const char *const connections_filters[] = { "mapping", "name", "protocol", "remote",
					    NULL };

/** struct sought - what is not set fits everything */
struct sought {
	uint64_t id;
	char name[MAPPING_NAME_MAX + 1];
	uint8_t protocol;
	bool has_remote;
	struct prefix remote;
};

/** struct flow - a connection through a mapping */
struct flow {
	uint64_t id;
	char name[MAPPING_NAME_MAX + 1];
	struct connection connection;
};

/**
 * struct flows
 * @rights: those through others' mappings are passed over; NULL: they are not
 * @denied: one of them
 */
struct flows {
	struct sought sought;
	const struct rights *rights;
	uint64_t denied;
	struct flow *flows;
	size_t n, room, at;
	bool lines;
	uint64_t now; /* nanoseconds since 1970 */
};

static void flows_done(struct flows *flows)
{
	free(flows->flows);
	flows->flows = NULL;
}

static void flows_free(void *userdata)
{
	flows_done(userdata);
	free(userdata);
}

DEFINE_CLEANUP(rights_unref, struct rights *)

/* ------------------------------------------------------------ what is asked for */

static int read_id(const char *value, struct sought *sought)
{
	size_t digits = strspn(value, "0123456789");

	errno = 0;
	sought->id = strtoull(value, NULL, 10);
	return digits && !value[digits] && value[0] != '0' && !errno ? 0 : -EINVAL;
}

static int read_name(const char *value, struct sought *sought)
{
	if (mapping_name_flaw(value))
		return -EINVAL;
	memcpy(sought->name, value, strlen(value) + 1);
	return 0;
}

static int read_protocol(const char *value, struct sought *sought)
{
	return protocol_parse(value, &sought->protocol);
}

static int read_remote(const char *value, struct sought *sought)
{
	sought->has_remote = true;
	return prefix_parse(value, &sought->remote);
}

/* Return: how many filters there are; -EINVAL and @why. */
static int read_sought(const struct request *request, struct sought *ret,
		       struct problem *why)
{
	static const struct {
		int (*read)(const char *value, struct sought *sought);
		const char *flaw;
	} readers[] = {
		{ read_id, "is no id of a mapping" },
		{ read_name, "cannot be a mapping's name" },
		{ read_protocol, "is none of tcp, udp, sctp, udplite" },
		{ read_remote, "is neither an address nor a prefix" },
	};
	char shown[80];
	int n = 0;

	*ret = (struct sought){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		const char *value = request_parameter(request, connections_filters[i]);

		if (!value)
			continue;
		if (readers[i].read(value, ret) == 0) {
			n++;
			continue;
		}
		problem_set(why, VERDICT_BAD_REQUEST, NULL,
			    "The parameter \"%s\": \"%s\" %s.", connections_filters[i],
			    text_escape(value, strlen(value), shown, sizeof(shown)),
			    readers[i].flaw);
		return -EINVAL;
	}
	return n;
}

static bool fits(const struct sought *sought, const struct mapping *m,
		 const struct connection *c)
{
	if (sought->id && sought->id != m->id)
		return false;
	if (sought->name[0] && strcmp(sought->name, m->name) != 0)
		return false;
	if (sought->protocol && sought->protocol != c->protocol)
		return false;
	if (!sought->has_remote)
		return true;
	return prefix_is_ipv4(&sought->remote) == address_is_ipv4(&c->orig_src.addr) &&
	       address_in_prefix(&c->orig_src.addr, &sought->remote);
}

static int add_flow(struct flows *flows, const struct mapping *m,
		    const struct connection *c)
{
	struct flow *flow;

	if (flows->n == flows->room) {
		size_t room = flows->room ? flows->room * 2 : 64;
		struct flow *more;

		more = reallocarray(flows->flows, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		flows->flows = more;
		flows->room = room;
	}
	flow = &flows->flows[flows->n++];
	flow->id = m->id;
	flow->connection = *c;
	memcpy(flow->name, m->name, sizeof(flow->name));
	return 0;
}

static int on_connection(void *userdata, const struct mapping *m,
			 const struct connection *c)
{
	struct flows *flows = userdata;

	if (!fits(&flows->sought, m, c))
		return 0;
	if (flows->rights && !rights_own(flows->rights, m)) {
		flows->denied = m->id;
		return 0;
	}
	return add_flow(flows, m, c);
}

/* Return: 0; else it was refused, and answered */
static int collect(struct request *request, struct flows *flows)
{
	struct problem why;
	struct timespec now;
	int r;

	clock_gettime(CLOCK_REALTIME, &now);
	flows->now = (uint64_t)now.tv_sec * SECOND_NSEC + (uint64_t)now.tv_nsec;
	r = gateway_connections(request_gateway(request), on_connection, flows);
	if (r == 0)
		return 0;
	if (r == -ENOMEM) {
		reply_no_memory(request);
		return r;
	}
	problem_set(&why, VERDICT_FAULT, "Try again.",
		    "The kernel's connections could not be read: %s.", strerror(-r));
	why.index = -1;
	reply_problem(request, &why, NULL);
	return r;
}

/* ------------------------------------------------------------ as text */

static const char *state_of(const struct connection *c)
{
	static const char *const tcp[] = {
		[TCP_CONNTRACK_NONE] = "none",
		[TCP_CONNTRACK_SYN_SENT] = "syn-sent",
		[TCP_CONNTRACK_SYN_RECV] = "syn-received",
		[TCP_CONNTRACK_ESTABLISHED] = "established",
		[TCP_CONNTRACK_FIN_WAIT] = "fin-wait",
		[TCP_CONNTRACK_CLOSE_WAIT] = "close-wait",
		[TCP_CONNTRACK_LAST_ACK] = "last-ack",
		[TCP_CONNTRACK_TIME_WAIT] = "time-wait",
		[TCP_CONNTRACK_CLOSE] = "close",
		[TCP_CONNTRACK_SYN_SENT2] = "syn-sent",
	};
	static const char *const sctp[] = {
		[SCTP_CONNTRACK_NONE] = "none",
		[SCTP_CONNTRACK_CLOSED] = "closed",
		[SCTP_CONNTRACK_COOKIE_WAIT] = "cookie-wait",
		[SCTP_CONNTRACK_COOKIE_ECHOED] = "cookie-echoed",
		[SCTP_CONNTRACK_ESTABLISHED] = "established",
		[SCTP_CONNTRACK_SHUTDOWN_SENT] = "shutdown-sent",
		[SCTP_CONNTRACK_SHUTDOWN_RECD] = "shutdown-received",
		[SCTP_CONNTRACK_SHUTDOWN_ACK_SENT] = "shutdown-ack-sent",
		[SCTP_CONNTRACK_HEARTBEAT_SENT] = "heartbeat-sent",
		[SCTP_CONNTRACK_HEARTBEAT_ACKED] = "heartbeat-acked",
	};

	if (c->protocol == IPPROTO_TCP && c->state < ARRAY_SIZE(tcp))
		return tcp[c->state];
	if (c->protocol == IPPROTO_SCTP && c->state < ARRAY_SIZE(sctp))
		return sctp[c->state];
	if (!(c->status & IPS_SEEN_REPLY))
		return "unreplied";
	return c->status & IPS_ASSURED ? "assured" : "replied";
}

static void put_endpoint(struct buffer *buffer, const char *key, const struct endpoint *e)
{
	char text[ENDPOINT_STRLEN];

	buffer_put(buffer, key);
	buffer_put(buffer, endpoint_format(e, text));
}

static void put_bytes(struct buffer *buffer, const struct connection *c)
{
	if (!c->counted) {
		buffer_put(buffer, ",\"bytes_in\":null,\"bytes_out\":null}");
		return;
	}
	buffer_put(buffer, ",\"bytes_in\":");
	buffer_number(buffer, c->in.bytes);
	buffer_put(buffer, ",\"bytes_out\":");
	buffer_number(buffer, c->out.bytes);
	buffer_put(buffer, "}");
}

static void put_age(const struct flows *flows, struct buffer *buffer,
		    const struct connection *c)
{
	buffer_put(buffer, "\",\"age\":");
	if (!c->start)
		buffer_put(buffer, "null");
	else
		buffer_number(buffer, flows->now > c->start
					      ? (flows->now - c->start) / SECOND_NSEC
					      : 0);
}

/* A name needs no escaping: mapping_name_flaw(). */
static void put_flow(const struct flows *flows, const struct flow *flow,
		     struct buffer *buffer)
{
	const struct connection *c = &flow->connection;

	buffer_put(buffer, "{\"mapping\":");
	buffer_number(buffer, flow->id);
	buffer_put(buffer, flow->name[0] ? ",\"name\":\"" : ",\"name\":null");
	if (flow->name[0]) {
		buffer_put(buffer, flow->name);
		buffer_put(buffer, "\"");
	}
	buffer_put(buffer, ",\"protocol\":\"");
	buffer_put(buffer, protocol_name(c->protocol));
	put_endpoint(buffer, "\",\"remote\":\"", &c->orig_src);
	put_endpoint(buffer, "\",\"external\":\"", &c->orig_dst);
	put_endpoint(buffer, "\",\"internal\":\"", &c->reply_src);
	buffer_put(buffer, "\",\"state\":\"");
	buffer_put(buffer, state_of(c));
	put_age(flows, buffer, c);
	buffer_put(buffer, ",\"timeout\":");
	buffer_number(buffer, c->timeout);
	put_bytes(buffer, c);
}

static bool on_more(void *userdata, struct buffer *buffer)
{
	struct flows *flows = userdata;

	if (!flows->at && !flows->lines)
		buffer_put(buffer, "[");
	while (flows->at < flows->n) {
		if (flows->at && !flows->lines)
			buffer_put(buffer, ",");
		put_flow(flows, &flows->flows[flows->at++], buffer);
		if (flows->lines)
			buffer_put(buffer, "\n");
		if (buffer->len >= STREAM_BATCH || buffer->failed)
			return true;
	}
	if (!flows->lines)
		buffer_put(buffer, "]");
	return false;
}

void connections_list(struct request *request)
{
	struct flows *flows;
	struct problem why;

	flows = calloc(1, sizeof(*flows));
	if (!flows) {
		reply_no_memory(request);
		return;
	}
	if (read_sought(request, &flows->sought, &why) < 0) {
		why.index = -1;
		reply_problem(request, &why, NULL);
		flows_free(flows);
		return;
	}
	if (collect(request, flows) < 0) {
		flows_free(flows);
		return;
	}
	flows->lines = request->lines;
	reply_stream(request, MHD_HTTP_OK, flows->lines, on_more, flows, flows_free);
}

/* ------------------------------------------------------------ ending them */

/* Somebody's request for connections of another's mapping, and for no others. */
static void refuse_denied(struct request *request, const struct flows *flows)
{
	const struct change asked = { .kind = CHANGE_REMOVE,
				      .selector.id = flows->denied };
	const struct table *table = gateway_table(request_gateway(request));
	const struct mapping *m = table_find_id(table, flows->denied);
	const struct refusal refusal = {
		.verdict = VERDICT_NOT_PERMITTED,
		.holders = &m,
		.n_holders = m ? 1 : 0,
		.denial.missing = RIGHT_OWN,
	};
	struct problem why;

	problem_of_refusal(&refusal, &asked, (uint64_t)time(NULL), &why);
	why.index = -1;
	reply_problem(request, &why, NULL);
}

static int end_all(struct request *request, const struct flows *flows, size_t *ret_ended)
{
	struct gateway *gw = request_gateway(request);
	struct connection *connections;
	int r;

	*ret_ended = 0;
	if (!flows->n)
		return 0;
	connections = calloc(flows->n, sizeof(*connections));
	if (!connections)
		return -ENOMEM;
	for (size_t i = 0; i < flows->n; i++)
		connections[i] = flows->flows[i].connection;
	r = gateway_end_connections(gw, connections, flows->n, ret_ended);
	free(connections);
	return r;
}

static void end_and_answer(struct request *request, const struct flows *flows)
{
	char ended[TEXT_PHRASE_STRLEN];
	struct problem why;
	size_t n;
	int r;

	r = end_all(request, flows, &n);
	if (n)
		log_info("uid %u (pid %d): ended %s.", request->peer.uid,
			 request->peer.pid, text_things(n, "connection", ended));
	if (r < 0) {
		problem_set(&why, VERDICT_FAULT, "Try again.",
			    "%s ended; the kernel refused to end others: %s.",
			    text_things(n, "connection", ended), strerror(-r));
		why.index = -1;
		reply_problem(request, &why, NULL);
		return;
	}
	reply_json(request, MHD_HTTP_OK, json_pack("{s:I}", "ended", (json_int_t)n));
}

void connections_end(struct request *request)
{
	CLEANUP(rights_unref) struct rights *rights = NULL;
	struct flows flows = { 0 };
	struct problem why;
	int n;

	n = read_sought(request, &flows.sought, &why);
	if (n == 0)
		problem_set(&why, VERDICT_BAD_REQUEST,
			    "Say which: ?mapping=, ?name=, ?protocol= or ?remote=.",
			    "Connections are ended by a filter, and there is none.");
	if (n <= 0) {
		why.index = -1;
		reply_problem(request, &why, NULL);
		return;
	}
	if (request_rights(request, &rights) < 0) {
		reply_no_memory(request);
		return;
	}
	flows.rights = rights;
	if (collect(request, &flows) == 0) {
		if (!flows.n && flows.denied)
			refuse_denied(request, &flows);
		else
			end_and_answer(request, &flows);
	}
	flows_done(&flows);
}
