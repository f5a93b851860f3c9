/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * server - who comes in
 *
 * Places are counted before a byte is read: so many in all, so many for one uid, and the
 * last ones for root and natd's own user alone. Who finds none is told so.
 */

#include "natd/api/server.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "natd/api/server_private.h"
#include "natd/common/log.h"

/* taken in before the rest of the loop has its turn */
#define ACCEPT_BURST 32
/* without descriptors or memory the socket stays readable: look again after this */
#define ACCEPT_PAUSE_USEC 250000

static int open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Closes @fd. */
static void turn_away(int fd, const char *detail)
{
	struct problem problem;
	char *text;
	size_t len;

	problem_set(&problem, VERDICT_BUSY, "Try again in a moment.", "%s", detail);
	text = reply_unheard(&problem, &len);
	if (text)
		(void)!send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	free(text);
	close(fd);
}

static size_t count_of(const struct server *server, uid_t uid)
{
	const struct client *client;
	size_t n = 0;

	LIST_FOREACH(client, &server->clients, link)
	n += client->peer.uid == uid;
	return n;
}

/* The kernel gives the lowest number that is free: so a high one says that few are. */
static bool descriptors_suffice(int fd, size_t kept)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	       (rlim_t)fd + SERVER_DESCRIPTORS_KEPT + kept < limit.rlim_cur;
}

/* Return: NULL, or why there is no place. */
static const char *find_no_place(const struct server *server, int fd,
				 const struct peer *peer)
{
	const size_t kept = peer->administrator ? 0 : SERVER_CLIENTS_KEPT;

	if (server->n_clients >= SERVER_CLIENTS_MAX - kept)
		return "natd has as many clients as it takes.";
	if (!descriptors_suffice(fd, kept))
		return "natd has as many clients as its limit of open files allows.";
	if (!peer->administrator && count_of(server, peer->uid) >= SERVER_CLIENTS_PER_UID)
		return "You have as many connections to natd as one user may.";
	return NULL;
}

/* Return: there is a place; else the client was told. */
static bool has_place(struct server *server, int fd, const struct peer *peer)
{
	const char *no_place = find_no_place(server, fd, peer);

	if (no_place && !server->looked) {
		/* somebody may have left and nobody looked since */
		server->looked = true;
		http_run(server);
		no_place = find_no_place(server, fd, peer);
	}
	if (!no_place)
		return true;
	log_debug("uid %u (pid %d) was turned away: %s", peer->uid, peer->pid, no_place);
	turn_away(fd, no_place);
	return false;
}

void client_free(struct client *client)
{
	credentials_done(&client->credentials);
	free(client);
}

static void admit(struct server *server, int fd)
{
	struct credentials credentials;
	struct client *client;
	struct peer peer;
	int r;

	r = credentials_read(fd, server->gid, &server->strangers, &credentials);
	if (r < 0) {
		log_debug("A client's credentials cannot be read: %s.", strerror(-r));
		close(fd);
		return;
	}
	peer_judge(&credentials, server->uid, &gateway_config(server->gw)->access, &peer);
	if (!has_place(server, fd, &peer)) {
		credentials_done(&credentials);
		return;
	}
	client = calloc(1, sizeof(*client));
	if (!client) {
		credentials_done(&credentials);
		turn_away(fd, "There is no memory.");
		return;
	}
	client->credentials = credentials;
	client->peer = peer;
	r = http_add(server, fd, client);
	if (r < 0)
		log_warning("A client cannot be served: %s.", strerror(-r));
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct server *server = userdata;

	return sd_event_source_set_enabled(server->listening, SD_EVENT_ON);
}

/*
 * With a descriptor in reserve the one in front of the queue is told; the others wait
 * there until descriptors are free again.
 */
static int pause_accepting(struct server *server, int r)
{
	int fd;

	if (!server->out_of_descriptors)
		log_warning("No more clients can be let in for now: %s.", strerror(-r));
	server->out_of_descriptors = true;
	if (server->reserve >= 0) {
		close(server->reserve);
		fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			turn_away(fd, "natd has no file descriptors left.");
	}
	server->reserve = open_reserve();
	r = sd_event_source_set_enabled(server->listening, SD_EVENT_OFF);
	if (r < 0)
		return r;
	r = sd_event_source_set_time_relative(server->pause, ACCEPT_PAUSE_USEC);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(server->pause, SD_EVENT_ONESHOT);
}

static int on_listening(sd_event_source *source, int listening, uint32_t events,
			void *userdata)
{
	struct server *server = userdata;
	int fd;

	server->looked = false;
	for (int i = 0; i < ACCEPT_BURST; i++) {
		fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			server->out_of_descriptors = false;
			admit(server, fd);
			continue;
		}
		if (errno == EAGAIN)
			break;
		if (errno != EINTR && errno != ECONNABORTED)
			return pause_accepting(server, -errno);
	}
	return 0;
}

/* ------------------------------------------------------------ start and end */

static void read_group_name(struct server *server)
{
	const struct group *group;

	group = server->gid == (gid_t)-1 ? NULL : getgrgid(server->gid);
	if (group && strlen(group->gr_name) < sizeof(server->group))
		memcpy(server->group, group->gr_name, strlen(group->gr_name) + 1);
}

/* For server_free(): a file that another natd has put there since is not ours to remove.
 */
static void remember_file(struct server *server)
{
	socklen_t len = sizeof(server->address);
	struct stat st;

	if (getsockname(server->fd, (struct sockaddr *)&server->address, &len) < 0 ||
	    len <= offsetof(struct sockaddr_un, sun_path) ||
	    !server->address.sun_path[0] || lstat(server->address.sun_path, &st) < 0)
		return;
	server->has_file = true;
	server->file_dev = st.st_dev;
	server->file_ino = st.st_ino;
}

static void remove_file(const struct server *server)
{
	const char *path = server->address.sun_path;
	struct stat st;

	if (!server->has_file || lstat(path, &st) < 0 || st.st_dev != server->file_dev ||
	    st.st_ino != server->file_ino)
		return;
	if (unlink(path) < 0)
		log_debug("%s cannot be removed: %s.", path, strerror(errno));
}

/* Return: 0, -ENOENT where the file is not ours any more, or what chmod() said. */
static int change_mode(const struct server *server, mode_t mode)
{
	char proc[sizeof("/proc/self/fd/-2147483648")];
	struct stat st;
	int fd, r = 0;

	fd = open(server->address.sun_path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (fstat(fd, &st) < 0)
		r = -errno;
	if (r == 0 && (st.st_dev != server->file_dev || st.st_ino != server->file_ino))
		r = -ENOENT;
	if (r == 0 && (st.st_mode & 07777) != mode && chmod(proc, mode) < 0)
		r = -errno;
	close(fd);
	return r;
}

static void on_configured(void *userdata)
{
	struct server *server = userdata;
	mode_t mode = server_mode(&gateway_config(server->gw)->access, server->rootless);
	int r;

	r = change_mode(server, mode);
	if (r < 0)
		log_error("%s cannot get the mode %o that the access block asks for: %s.",
			  server->address.sun_path, mode, strerror(-r));
}

void server_follow(struct server *server, bool rootless)
{
	if (!server->has_file)
		return;
	server->rootless = rootless;
	server->follows = true;
	gateway_follow(server->gw, on_configured, server);
}

static int add_sources(struct server *server)
{
	int r;

	r = sd_event_add_io(server->event, &server->listening, server->fd, EPOLLIN,
			    on_listening, server);
	if (r >= 0)
		r = sd_event_add_time(server->event, &server->pause, CLOCK_MONOTONIC, 0,
				      0, on_pause_over, server);
	if (r >= 0)
		r = sd_event_source_set_enabled(server->pause, SD_EVENT_OFF);
	return r < 0 ? r : 0;
}

static int start(struct server *server)
{
	int r;

	server->reserve = open_reserve();
	if (server->reserve < 0)
		return errno == ENFILE ? -EMFILE : -errno;
	strangers_read(&server->strangers);
	read_group_name(server);
	r = http_start(server);
	return r < 0 ? r : add_sources(server);
}

int server_new(sd_event *event, struct gateway *gw, int fd, gid_t group,
	       struct server **ret)
{
	struct server *server;
	int r;

	server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	*server = (struct server){
		.event = event,
		.gw = gw,
		.fd = -1,
		.reserve = -1,
		.gid = group,
		.uid = geteuid(),
	};
	LIST_INIT(&server->clients);
	LIST_INIT(&server->requests);
	TAILQ_INIT(&server->waiting);
	LIST_INIT(&server->feeds);
	server->fd = fd;
	r = start(server);
	if (r < 0) {
		server->fd = -1;
		server_free(server);
		return r;
	}
	remember_file(server);
	*ret = server;
	return 0;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	sd_event_source_disable_unref(server->listening);
	sd_event_source_disable_unref(server->pause);
	http_stop(server);
	if (server->follows)
		gateway_follow(server->gw, NULL, NULL);
	remove_file(server);
	if (server->reserve >= 0)
		close(server->reserve);
	if (server->fd >= 0)
		close(server->fd);
	free(server);
}
