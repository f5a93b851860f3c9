/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * miniupnpc fetches and reads the description; it follows no redirect. The URLs that it
 * makes of it are used only if they name the router by its address, and are written anew
 * (igd_url()): what was checked here is what miniupnpc connects to.
 */

#include <errno.h>
#include <miniupnpc/miniwget.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/endpoint.h"
#include "natd/workers/worker_igd.h"
#include "natd/workers/worker_private.h"

#define HTTP_OK 200

DEFINE_CLEANUP(free, char *)

/* ------------------------------------------------------------ the description */

#if MINIUPNPC_API_VERSION < 19
/* Actions are sent from the address we choose: worker_igd_call.c. */
static int check_source(const struct igd_path *path, const char *own)
{
	return 0;
}
#else
static int check_source(const struct igd_path *path, const char *own)
{
	struct in6_addr addr;

	if (address_is_any(&path->source))
		return 0;
	if (address_parse(own, &addr) < 0 || !address_equal(&addr, &path->source))
		return -EADDRNOTAVAIL;
	return 0;
}
#endif

static int fetch(const struct igd_path *path, const char *text, char **ret, int *ret_len)
{
	uint32_t scope = address_is_link_local(&path->router) ? path->ifindex : 0;
	char own[64] = "", plain[IGD_URL_STRLEN];
	uint64_t began = worker_now();
	CLEANUP(free) char *body = NULL;
	struct url url;
	int status = -1, r;

	r = igd_url(text, &path->router, 0, plain);
	if (r < 0 || url_host(plain, &url) < 0)
		return r < 0 ? r : -EPROTO;
	body = miniwget_getaddr(plain, ret_len, own, sizeof(own), scope, &status);
	if (body || status > 0)
		r = check_source(path, own);
	else
		r = igd_silence(path, url.host.port, began);
	if (r < 0)
		return r;
	if (status != HTTP_OK)
		return status > 0 && status < 1000 ? status : -EPROTO;
	if (!body)
		return -EPROTO;
	*ret = TAKE(body);
	return 0;
}

static void name_of(const char *body, int len, char ret[static WORKER_TEXT_MAX + 1])
{
	struct igd_reply reply;
	const char *name;
	size_t n = igd_first(body, (size_t)len, "friendlyName");

	ret[0] = '\0';
	if (n == 0)
		return;
	ParseNameValue(body, (int)n, &reply.values);
	name = igd_value(&reply, "friendlyName");
	igd_show(name, strlen(name), ret);
	igd_reply_done(&reply);
}

/* ------------------------------------------------------------ its services */

static int service_of(const struct igd_path *path, const char *type, const char *url,
		      struct igd_service *ret)
{
	uint32_t scope = address_is_link_local(&path->router) ? path->ifindex : 0;

	if (!type[0])
		return 0;
	if (!url)
		return -ENOMEM;
	strcpy(ret->type, type);
	return igd_url(url, &path->router, scope, ret->url);
}

/* The control URL of one of both: GetUPNPUrls() looks at the first only. */
static int connection_of(const struct igd *igd, struct IGDdatas *data,
			 const struct IGDdatas_service *which, struct igd_service *wan,
			 struct igd_service *firewall)
{
	struct IGDdatas_service chosen = *which;
	struct UPNPUrls urls = { 0 };
	int r;

	data->first = chosen;
	GetUPNPUrls(&urls, data, igd->url, 0);
	r = service_of(&igd->path, chosen.servicetype, urls.controlURL, wan);
	if (r == 0)
		r = service_of(&igd->path, data->IPv6FC.servicetype, urls.controlURL_6FC,
			       firewall);
	FreeUPNPUrls(&urls);
	return r;
}

/* The one that is up; where none is, the first. */
static int choose_connection(struct igd *igd, const struct igd_service *second)
{
	bool up = false, second_up = false;
	int r = 0;

	if (igd->wan.url[0])
		r = igd_status(&igd->path, &igd->wan, &up);
	if (r < 0)
		return r;
	if (!up && second->url[0]) {
		r = igd_status(&igd->path, second, &second_up);
		if (r < 0)
			return r;
	}
	if (second_up)
		igd->wan = *second;
	if (up || second_up)
		igd->flags |= IGD_CONNECTED;
	if (igd_version(igd->wan.type) >= 2)
		igd->flags |= IGD_V2;
	return 0;
}

static int look_at_firewall(struct igd *igd)
{
	struct igd_reply reply;
	int r;

	if (!igd->firewall.url[0])
		return 0;
	r = igd_call(&igd->path, &igd->firewall, "GetFirewallStatus", NULL, &reply);
	if (r != 0)
		return r < 0 ? r : 0;
	if (igd_is_true(igd_value(&reply, "InboundPinholeAllowed")))
		igd->flags |= IGD_FIREWALL6;
	igd_reply_done(&reply);
	return 0;
}

static int read_services(struct igd *igd, struct IGDdatas *data)
{
	struct igd_service second = { 0 };
	struct IGDdatas_service first = data->first;
	char base[IGD_URL_STRLEN];
	int r = 0;

	if (data->urlbase[0])
		r = igd_url(data->urlbase, &igd->path.router, 0, base);
	if (r == 0 && data->second.servicetype[0])
		r = connection_of(igd, data, &data->second, &second, &igd->firewall);
	if (r == 0)
		r = connection_of(igd, data, &first, &igd->wan, &igd->firewall);
	if (r == 0 && !igd->wan.url[0] && !igd->firewall.url[0])
		r = -EOPNOTSUPP;
	if (r == 0)
		r = choose_connection(igd, &second);
	return r == 0 ? look_at_firewall(igd) : r;
}

static int igd_open(struct igd *igd)
{
	struct IGDdatas data = { 0 };
	CLEANUP(free) char *body = NULL;
	int len, r = fetch(&igd->path, igd->url, &body, &len);

	if (r != 0)
		return r;
	parserootdesc(body, len, &data);
	name_of(body, len, igd->name);
	return read_services(igd, &data);
}

/* ------------------------------------------------------------ what is known */

static bool is_of(const struct igd *igd, const struct worker_job *job)
{
	return igd->url[0] && !strcmp(igd->url, job->url) &&
	       igd->path.ifindex == job->ifindex &&
	       address_equal(&igd->path.router, &job->router) &&
	       address_equal(&igd->path.source, &job->source);
}

static struct igd *known(struct igds *igds, const struct worker_job *job)
{
	for (size_t i = 0; i < IGDS_MAX; i++) {
		if (is_of(&igds->list[i], job))
			return &igds->list[i];
	}
	return NULL;
}

static struct igd *least_used(struct igds *igds)
{
	struct igd *least = &igds->list[0];

	for (size_t i = 1; i < IGDS_MAX; i++) {
		if (igds->list[i].used < least->used)
			least = &igds->list[i];
	}
	return least;
}

int igd_find(struct igds *igds, const struct worker_job *job, struct igd **ret)
{
	struct igd *igd = known(igds, job);
	int r;

	if (!igd) {
		igd = least_used(igds);
		*igd = (struct igd){ .path = igd_path_of(job) };
		strcpy(igd->url, job->url);
		r = igd_open(igd);
		if (r != 0) {
			*igd = (struct igd){ 0 };
			return r;
		}
	}
	igd->used = ++igds->uses;
	*ret = igd;
	return 0;
}

void igd_forget(struct igds *igds, const struct worker_job *job)
{
	struct igd *igd = known(igds, job);

	if (igd)
		*igd = (struct igd){ 0 };
}
