/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/endpoint.h"
#include "natd/workers/worker_igd.h"

/* UPnP Device Architecture 2.0, 3.2.2, and WANIPConnection:2, 2.5 */
#define ERROR_INVALID_ACTION  401
#define ERROR_NOT_IMPLEMENTED 602
#define ERROR_NO_SUCH_ENTRY   714

/** struct wording - what a job says, as it stands in a request */
struct wording {
	char external_port[8], internal_port[8], lifetime[16], unique[8], protocol[8];
	char internal[INET6_ADDRSTRLEN];
	char text[IGD_XML_STRLEN];
};

static void word(const struct worker_job *job, struct wording *ret)
{
	snprintf(ret->external_port, sizeof(ret->external_port), "%" PRIu16,
		 job->external_port);
	snprintf(ret->internal_port, sizeof(ret->internal_port), "%" PRIu16,
		 job->internal_port);
	snprintf(ret->lifetime, sizeof(ret->lifetime), "%" PRIu32, job->lifetime);
	snprintf(ret->unique, sizeof(ret->unique), "%" PRIu16, job->unique);
	snprintf(ret->protocol, sizeof(ret->protocol), "%" PRIu8, job->protocol);
	address_format(&job->internal, ret->internal);
	igd_xml(job->text[0] ? job->text : "natd", ret->text);
}

static const char *transport(const struct worker_job *job)
{
	return job->protocol == IPPROTO_TCP ? "TCP" : "UDP";
}

/* ------------------------------------------------------------ the address */

/* Some say that they do not know how they are, and have an address all the same. */
static int do_address(const struct igd *igd, struct worker_answer *answer)
{
	struct in6_addr addr = address_any4;
	struct igd_reply reply;
	bool connected = false;
	int r = igd_status(&igd->path, &igd->wan, &connected);

	if (r < 0)
		return r;
	r = igd_call(&igd->path, &igd->wan, "GetExternalIPAddress", NULL, &reply);
	if (r != 0)
		return r;
	r = igd_address(igd_value(&reply, "NewExternalIPAddress"), &addr);
	igd_reply_done(&reply);
	if (r < 0)
		return r;
	answer->external = addr;
	if (connected)
		answer->igd |= IGD_CONNECTED;
	else
		answer->igd &= (uint8_t)~IGD_CONNECTED;
	return 0;
}

/* ------------------------------------------------------------ port mappings */

static int add(const struct igd *igd, const struct worker_job *job, const char *action,
	       struct igd_reply *reply)
{
	struct wording w;
	struct UPNParg args[] = {
		{ "NewRemoteHost", "" },
		{ "NewExternalPort", w.external_port },
		{ "NewProtocol", transport(job) },
		{ "NewInternalPort", w.internal_port },
		{ "NewInternalClient", w.internal },
		{ "NewEnabled", "1" },
		{ "NewPortMappingDescription", w.text },
		{ "NewLeaseDuration", w.lifetime },
		{ NULL, NULL },
	};

	word(job, &w);
	return igd_call(&igd->path, &igd->wan, action, args, reply);
}

static int add_any(const struct igd *igd, const struct worker_job *job,
		   struct worker_answer *answer)
{
	struct igd_reply reply;
	uint32_t port = 0;
	int r = add(igd, job, "AddAnyPortMapping", &reply);

	if (r != 0)
		return r;
	/* 0 is told as well: the router may hold something, and natd says what is wrong
	 */
	r = igd_number(igd_value(&reply, "NewReservedPort"), UINT16_MAX, &port);
	igd_reply_done(&reply);
	answer->external_port = (uint16_t)port;
	return r;
}

static int add_this(const struct igd *igd, const struct worker_job *job,
		    struct worker_answer *answer)
{
	struct igd_reply reply;
	int r = add(igd, job, "AddPortMapping", &reply);

	if (r != 0)
		return r;
	igd_reply_done(&reply);
	answer->external_port = job->external_port;
	return 0;
}

static int do_map(const struct igd *igd, const struct worker_job *job,
		  struct worker_answer *answer)
{
	int r = ERROR_NOT_IMPLEMENTED;

	if (igd->flags & IGD_V2 && !(job->flags & JOB_FLAG_EXACT))
		r = add_any(igd, job, answer);
	if (r == ERROR_INVALID_ACTION || r == ERROR_NOT_IMPLEMENTED)
		r = add_this(igd, job, answer);
	if (r == 0)
		answer->lifetime = job->lifetime;
	return r;
}

/* An action about the entry of an external port. */
static int call_entry(const struct igd *igd, const struct worker_job *job,
		      const char *action, struct igd_reply *reply)
{
	struct wording w;
	struct UPNParg args[] = {
		{ "NewRemoteHost", "" },
		{ "NewExternalPort", w.external_port },
		{ "NewProtocol", transport(job) },
		{ NULL, NULL },
	};

	word(job, &w);
	return igd_call(&igd->path, &igd->wan, action, args, reply);
}

static int do_unmap(const struct igd *igd, const struct worker_job *job)
{
	struct igd_reply reply;
	int r = call_entry(igd, job, "DeletePortMapping", &reply);

	if (r == 0)
		igd_reply_done(&reply);
	return r;
}

static int entry_of(struct igd_reply *reply, struct worker_answer *answer)
{
	const char *text = igd_value(reply, "NewPortMappingDescription");
	struct in6_addr internal = address_any4;
	int r = igd_address(igd_value(reply, "NewInternalClient"), &internal);

	if (r == 0)
		r = igd_port(igd_value(reply, "NewInternalPort"), &answer->internal_port);
	if (r == 0)
		r = igd_number(igd_value(reply, "NewLeaseDuration"), UINT32_MAX,
			       &answer->lifetime);
	if (r < 0)
		return r;
	/* An entry that is switched off leads nowhere. */
	if (!igd_is_true(igd_value(reply, "NewEnabled")))
		return ERROR_NO_SUCH_ENTRY;
	answer->internal = internal;
	igd_show(text, strlen(text), answer->text);
	return 0;
}

static int do_read(const struct igd *igd, const struct worker_job *job,
		   struct worker_answer *answer)
{
	struct igd_reply reply;
	int r = call_entry(igd, job, "GetSpecificPortMappingEntry", &reply);

	if (r != 0)
		return r;
	r = entry_of(&reply, answer);
	igd_reply_done(&reply);
	if (r == 0)
		answer->external_port = job->external_port;
	return r;
}

/* ------------------------------------------------------------ pinholes */

static int pinhole_add(const struct igd *igd, const struct worker_job *job,
		       struct worker_answer *answer)
{
	struct wording w;
	struct UPNParg args[] = {
		{ "RemoteHost", "" },
		{ "RemotePort", "0" },
		{ "InternalClient", w.internal },
		{ "InternalPort", w.internal_port },
		{ "Protocol", w.protocol },
		{ "LeaseTime", w.lifetime },
		{ NULL, NULL },
	};
	struct igd_reply reply;
	uint32_t unique;
	int r;

	word(job, &w);
	r = igd_call(&igd->path, &igd->firewall, "AddPinhole", args, &reply);
	if (r != 0)
		return r;
	r = igd_number(igd_value(&reply, "UniqueID"), UINT16_MAX, &unique);
	igd_reply_done(&reply);
	if (r < 0 || unique == 0) /* nothing could be done with it */
		return -EPROTO;
	answer->unique = (uint16_t)unique;
	return 0;
}

static int pinhole_update(const struct igd *igd, const struct worker_job *job)
{
	struct wording w;
	struct UPNParg args[] = {
		{ "UniqueID", w.unique },
		{ "NewLeaseTime", w.lifetime },
		{ NULL, NULL },
	};
	struct igd_reply reply;
	int r;

	word(job, &w);
	r = igd_call(&igd->path, &igd->firewall, "UpdatePinhole", args, &reply);
	if (r == 0)
		igd_reply_done(&reply);
	return r;
}

static int do_pinhole(const struct igd *igd, const struct worker_job *job,
		      struct worker_answer *answer)
{
	int r = job->unique ? pinhole_update(igd, job) : pinhole_add(igd, job, answer);

	if (r != 0)
		return r;
	if (job->unique)
		answer->unique = job->unique;
	answer->external = job->internal;
	answer->external_port = job->internal_port;
	answer->lifetime = job->lifetime;
	return 0;
}

static int do_unpinhole(const struct igd *igd, const struct worker_job *job)
{
	struct wording w;
	struct UPNParg args[] = { { "UniqueID", w.unique }, { NULL, NULL } };
	struct igd_reply reply;
	int r;

	word(job, &w);
	r = igd_call(&igd->path, &igd->firewall, "DeletePinhole", args, &reply);
	if (r == 0)
		igd_reply_done(&reply);
	return r;
}

/* ------------------------------------------------------------ all of them */

int igd_do(const struct igd *igd, const struct worker_job *job,
	   struct worker_answer *answer)
{
	answer->igd = igd->flags;
	switch ((enum worker_job_kind)job->kind) {
	case JOB_IGD_OPEN:
		memcpy(answer->text, igd->name, sizeof(answer->text));
		return 0;
	case JOB_IGD_ADDRESS:
		return do_address(igd, answer);
	case JOB_IGD_READ:
		return do_read(igd, job, answer);
	case JOB_IGD_MAP:
		return do_map(igd, job, answer);
	case JOB_IGD_UNMAP:
		return do_unmap(igd, job);
	case JOB_IGD_PINHOLE:
		return do_pinhole(igd, job, answer);
	case JOB_IGD_UNPINHOLE:
		return do_unpinhole(igd, job);
	case JOB_LISTEN:
	case JOB_IGNORE:
	case JOB_PCP_ANNOUNCE:
	case JOB_PCP_MAP:
	case JOB_NATPMP_ADDRESS:
	case JOB_NATPMP_MAP:
	case JOB_SSDP_SEARCH:
	case JOB_STUN_BIND:
	case JOB_RESOLVE:
		break;
	}
	return -EOPNOTSUPP;
}
