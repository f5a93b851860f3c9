/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * miniupnpc writes the request and reads the response. What it does not do is done here:
 * it connects from where the kernel likes, while a router grants mappings to the address
 * that asks; and it takes whatever has no errorCode for success, also the "500 Internal
 * Server Error" of a router's web server. From API 19 on it takes no connection of
 * ours any more; then the description tells where we come from (worker_igd_open.c).
 */

#include "natd/workers/worker_igd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/endpoint.h"
#include "natd/workers/worker_private.h"

struct igd_path igd_path_of(const struct worker_job *job)
{
	return (struct igd_path){ job->router, job->source, job->ifindex };
}

/* ------------------------------------------------------------ the connection */

static int wait_connected(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	int error = 0, n = poll(&wait, 1, IGD_CONNECT_SECONDS * 1000);
	socklen_t len = sizeof(error);

	if (n <= 0)
		return n < 0 ? -errno : -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

/* Kernels before 5.7 bind to an interface for privileged processes only: then the route
 * decides, as it does for everybody. */
static int reach(int fd, const struct igd_path *path, uint16_t port)
{
	int ifindex = (int)path->ifindex;
	union worker_sockaddr sa;
	socklen_t len = worker_sockaddr(&path->source, 0, path->ifindex, &sa);

	if (setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &ifindex, sizeof(ifindex)) < 0 &&
	    errno != EPERM && errno != ENOPROTOOPT)
		return -errno;
	if (!address_is_any(&path->source) && bind(fd, &sa.sa, len) < 0)
		return -errno;
	len = worker_sockaddr(&path->router, port, path->ifindex, &sa);
	if (connect(fd, &sa.sa, len) < 0 && errno != EINPROGRESS)
		return -errno;
	return wait_connected(fd);
}

int igd_connect(const struct igd_path *path, uint16_t port)
{
	int family = address_is_ipv4(&path->router) ? AF_INET : AF_INET6;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	int r;

	if (fd < 0)
		return -errno;
	r = reach(fd, path, port);
	if (r == 0 && fcntl(fd, F_SETFL, 0) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

int igd_silence(const struct igd_path *path, uint16_t port, uint64_t began)
{
	uint64_t took = worker_now() - began;
	int fd = igd_connect(path, port);

	if (fd < 0)
		return fd;
	close(fd);
	return took >= IGD_SILENCE_SECONDS * 1000 ? -ETIMEDOUT : -EPROTO;
}

/* ------------------------------------------------------------ the action */

#if MINIUPNPC_API_VERSION < 19
/* The connection is closed in any case. */
static int post(const struct igd_path *path, uint16_t port,
		const struct igd_service *service, const char *action,
		struct UPNParg *args, char **ret, int *ret_len)
{
	uint64_t began = worker_now();
	int fd = igd_connect(path, port);

	if (fd < 0)
		return fd;
	*ret = simpleUPnPcommand(fd, service->url, service->type, action, args, ret_len);
	if (*ret)
		return 0;
	return worker_now() - began >= IGD_SILENCE_SECONDS * 1000 ? -ETIMEDOUT : -EPROTO;
}
#else
static int post(const struct igd_path *path, uint16_t port,
		const struct igd_service *service, const char *action,
		struct UPNParg *args, char **ret, int *ret_len)
{
	uint64_t began = worker_now();

	*ret = simpleUPnPcommand(service->url, service->type, action, args, ret_len);
	return *ret ? 0 : igd_silence(path, port, began);
}
#endif

static int outcome_of(struct igd_reply *reply, bool response)
{
	const char *code = igd_value(reply, "errorCode");
	uint32_t n;

	if (!*code)
		return response ? 0 : -EPROTO;
	if (igd_number(code, UINT16_MAX, &n) < 0 || n == 0)
		return -EPROTO;
	return (int)n;
}

int igd_call(const struct igd_path *path, const struct igd_service *service,
	     const char *action, struct UPNParg *args, struct igd_reply *ret)
{
	struct url url;
	bool response;
	char *body;
	int len, r;

	if (!service->url[0] || url_host(service->url, &url) < 0)
		return -EOPNOTSUPP;
	r = post(path, url.host.port, service, action, args, &body, &len);
	if (r < 0)
		return r;
	response = igd_is_response(body, (size_t)len, action);
	ParseNameValue(body, len, &ret->values);
	free(body);
	r = outcome_of(ret, response);
	if (r != 0)
		igd_reply_done(ret);
	return r;
}

void igd_reply_done(struct igd_reply *reply)
{
	ClearNameValueList(&reply->values);
}

const char *igd_value(struct igd_reply *reply, const char *name)
{
	const char *value = GetValueFromNameValueList(&reply->values, name);

	return value ? value : "";
}

int igd_status(const struct igd_path *path, const struct igd_service *service,
	       bool *ret_connected)
{
	struct igd_reply reply;
	const char *status;
	int r = igd_call(path, service, "GetStatusInfo", NULL, &reply);

	if (r != 0)
		return r;
	status = igd_value(&reply, "NewConnectionStatus");
	*ret_connected = !strcmp(status, "Connected") || !strcmp(status, "Up");
	igd_reply_done(&reply);
	return 0;
}
