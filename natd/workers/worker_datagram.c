/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * One loop over poll(2): jobs come in by the message socket, datagrams by the sockets of
 * the cache. Nothing is ever waited for but in poll: an answer that natd has no room for
 * is dropped, and natd asks again. What one turn takes from each descriptor is bounded,
 * so that a router which sends without end holds up nobody; and so is what natd is told:
 * a job is answered a few times at most, and what comes unasked is counted by the clock.
 */

#include "natd/workers/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "core/pcp.h"
#include "natd/workers/worker_datagram.h"
#include "natd/workers/worker_private.h"

#define JOBS_MAX	64 /* remembered */
#define LISTENED_MAX	16
#define PER_TURN	16 /* of each descriptor */
#define ANSWERS_PER_JOB 16 /* a search has several */
#define BURST		32 /* announcements of one router at once, */
#define PER_SECOND	8  /* and for good */

struct asked {
	struct worker_job job; /* serial 0: none */
	struct datagram_key key;
	unsigned int answers;
};

struct listened {
	struct in6_addr router;
	uint32_t ifindex; /* 0: nobody */
	unsigned int tokens;
	uint64_t counted; /* ms */
};

struct datagram_worker {
	int fd;
	bool over; /* natd is gone, or cannot be understood: */
	int status;
	size_t next;
	struct asked asked[JOBS_MAX];
	struct listened listened[LISTENED_MAX];
	struct datagram_sockets sockets;
};

static void tell(struct datagram_worker *w, const struct worker_answer *answer)
{
	if (worker_answer_send(w->fd, answer, MSG_DONTWAIT) == -EPIPE)
		w->over = true;
}

static void tell_result(struct datagram_worker *w, const struct worker_job *job,
			int result)
{
	struct worker_answer answer;

	worker_answer_of(job, result, &answer);
	tell(w, &answer);
}

/* ------------------------------------------------------------ whom we listen to */

static struct listened *listened_find(struct datagram_worker *w,
				      const struct in6_addr *router, uint32_t ifindex)
{
	for (size_t i = 0; i < LISTENED_MAX; i++) {
		struct listened *l = &w->listened[i];

		if (l->ifindex == ifindex &&
		    (ifindex == 0 || address_equal(&l->router, router)))
			return l;
	}
	return NULL;
}

static bool listened_may_speak(struct listened *l)
{
	uint64_t now = worker_now(), gained = (now - l->counted) * PER_SECOND / 1000;

	if (gained > 0) {
		l->tokens = gained > BURST - l->tokens ? BURST
						       : l->tokens + (unsigned int)gained;
		l->counted = now;
	}
	if (l->tokens == 0)
		return false;
	l->tokens--;
	return true;
}

static struct datagram_key listening_key(const struct in6_addr *router, uint32_t ifindex,
					 enum datagram_speech speech)
{
	const struct in6_addr *any =
		address_is_ipv4(router) ? &address_any4 : &address_any6;

	return (struct datagram_key){
		.speech = speech,
		.port = speech == DATAGRAM_NOTIFIED ? SSDP_PORT : PCP_CLIENT_PORT,
		.ifindex = ifindex,
		.router = *any,
		.source = *any,
	};
}

/* Both are tried: the one that works is of use without the other. */
static int listening_open(struct datagram_worker *w, const struct worker_job *job)
{
	static const enum datagram_speech speeches[] = { DATAGRAM_ANNOUNCED,
							 DATAGRAM_NOTIFIED };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(speeches); i++) {
		struct datagram_key key =
			listening_key(&job->router, job->ifindex, speeches[i]);
		struct datagram_socket *sock;
		int opened = datagram_sockets_get(&w->sockets, &key, &sock);

		if (r == 0)
			r = opened;
	}
	return r;
}

static int start_listening(struct datagram_worker *w, const struct worker_job *job)
{
	struct listened *l = listened_find(w, &job->router, job->ifindex);

	if (!l)
		l = listened_find(w, NULL, 0);
	if (!l)
		return -EMFILE;
	if (l->ifindex == 0)
		*l = (struct listened){ .router = job->router,
					.ifindex = job->ifindex,
					.tokens = BURST,
					.counted = worker_now() };
	return listening_open(w, job);
}

static bool anybody_on(const struct datagram_worker *w, const struct datagram_key *key)
{
	for (size_t i = 0; i < LISTENED_MAX; i++) {
		const struct listened *l = &w->listened[i];

		if (l->ifindex == key->ifindex &&
		    address_is_ipv4(&l->router) == address_is_ipv4(&key->router))
			return true;
	}
	return false;
}

static void stop_listening(struct datagram_worker *w, const struct worker_job *job)
{
	struct listened *l = listened_find(w, &job->router, job->ifindex);

	if (l)
		*l = (struct listened){ 0 };
	for (size_t i = 0; i < DATAGRAM_SOCKETS_MAX; i++) {
		struct datagram_socket *sock = &w->sockets.list[i];

		if (sock->fd >= 0 && datagram_key_listens(&sock->key) &&
		    !anybody_on(w, &sock->key))
			datagram_socket_close(sock);
	}
}

/* ------------------------------------------------------------ what comes in */

/* Where a packet names what it answers, that job; else the last that has no answer. */
static void hear_answer(struct datagram_worker *w, const struct datagram_key *key,
			const uint8_t *packet, size_t len, const struct in6_addr *from)
{
	struct worker_answer answer, said;
	struct asked *found = NULL;
	enum datagram_fit fit = DATAGRAM_NO;

	for (size_t i = 1; i <= JOBS_MAX && fit != DATAGRAM_FITS; i++) {
		struct asked *asked = &w->asked[(w->next - i) % JOBS_MAX];

		if (asked->job.serial == 0 || !datagram_key_equal(&asked->key, key))
			continue;
		fit = datagram_answer(&asked->job, packet, len, from, &answer);
		if (fit == DATAGRAM_FITS ||
		    (fit == DATAGRAM_VAGUE && !found && asked->answers == 0)) {
			found = asked;
			said = answer;
		}
	}
	if (found && found->answers++ < ANSWERS_PER_JOB)
		tell(w, &said);
}

static void hear_announcement(struct datagram_worker *w, const struct datagram_key *key,
			      const uint8_t *packet, size_t len,
			      const struct in6_addr *from)
{
	struct listened *l = listened_find(w, from, key->ifindex);
	struct worker_answer answer;

	if (l &&
	    datagram_announcement(key->speech, packet, len, from, key->ifindex,
				  &answer) &&
	    listened_may_speak(l))
		tell(w, &answer);
}

/* What ICMP says is about what was sent last. */
static void hear_error(struct datagram_worker *w, const struct datagram_key *key,
		       int error)
{
	for (size_t i = 1; i <= JOBS_MAX; i++) {
		struct asked *asked = &w->asked[(w->next - i) % JOBS_MAX];

		if (asked->job.serial == 0 || asked->answers > 0 ||
		    !datagram_key_equal(&asked->key, key))
			continue;
		asked->answers++;
		tell_result(w, &asked->job, error);
		return;
	}
}

static void hear(struct datagram_worker *w, const struct datagram_socket *sock)
{
	uint8_t packet[DATAGRAM_MAX];
	struct in6_addr from;

	for (unsigned int i = 0; i < PER_TURN; i++) {
		ssize_t n = datagram_socket_receive(sock, packet, &from);

		if (n == -EAGAIN)
			return;
		if (n == -EMSGSIZE || n == -EXDEV || n == -EINTR)
			continue;
		if (n < 0)
			hear_error(w, &sock->key, (int)n);
		else if (datagram_key_listens(&sock->key))
			hear_announcement(w, &sock->key, packet, (size_t)n, &from);
		else
			hear_answer(w, &sock->key, packet, (size_t)n, &from);
	}
}

/* ------------------------------------------------------------ jobs */

/* An error that is there before is one of the question before. */
static int send_request(struct datagram_worker *w, const struct datagram_socket *sock,
			const struct datagram_request *request)
{
	int r = datagram_socket_send(sock, request);

	if (r == -ECONNREFUSED || r == -EHOSTUNREACH) {
		hear_error(w, &sock->key, r);
		r = datagram_socket_send(sock, request);
	}
	return r;
}

static void remember(struct datagram_worker *w, const struct worker_job *job,
		     const struct datagram_key *key)
{
	w->asked[w->next] = (struct asked){ .job = *job, .key = *key };
	w->next = (w->next + 1) % JOBS_MAX;
}

/* Of a search it is enough that one of its datagrams has left. */
static int ask(struct datagram_worker *w, const struct worker_job *job)
{
	struct datagram_key key = datagram_key_of(job);
	struct datagram_requests requests;
	struct datagram_socket *sock;
	int r = datagram_requests(job, &requests), sent = -EAGAIN;

	if (r == 0)
		r = datagram_sockets_get(&w->sockets, &key, &sock);
	if (r != 0)
		return r;
	for (size_t i = 0; i < requests.n; i++) {
		r = send_request(w, sock, &requests.list[i]);
		if (sent != 0)
			sent = r;
	}
	if (sent < 0)
		datagram_socket_close(sock);
	else
		remember(w, job, &key);
	return sent;
}

static void do_job(struct datagram_worker *w, const struct worker_job *job)
{
	int r;

	if (job_role(job->kind) != WORKER_DATAGRAM) {
		r = -EOPNOTSUPP;
	} else if (job->kind == JOB_LISTEN) {
		r = start_listening(w, job);
	} else if (job->kind == JOB_IGNORE) {
		stop_listening(w, job);
		r = 0;
	} else {
		r = ask(w, job);
	}
	if (r < 0)
		tell_result(w, job, r);
}

static void take_jobs(struct datagram_worker *w)
{
	struct worker_job job;
	uint8_t packet[sizeof(job) + 1];

	for (unsigned int i = 0; i < PER_TURN && !w->over; i++) {
		ssize_t n = recv(w->fd, packet, sizeof(packet), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n > 0 && worker_job_valid(packet, (size_t)n, &job)) {
			do_job(w, &job);
			continue;
		}
		w->over = true;
		w->status = n > 0 ? WORKER_UNREADABLE : EXIT_SUCCESS;
	}
}

static void turn(struct datagram_worker *w)
{
	struct pollfd fds[1 + DATAGRAM_SOCKETS_MAX];

	for (size_t i = 0; i < DATAGRAM_SOCKETS_MAX; i++)
		fds[i + 1] =
			(struct pollfd){ .fd = w->sockets.list[i].fd, .events = POLLIN };
	fds[0] = (struct pollfd){ .fd = w->fd, .events = POLLIN };
	if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
		return;
	if (fds[0].revents)
		take_jobs(w);
	for (size_t i = 0; i < DATAGRAM_SOCKETS_MAX; i++) {
		struct datagram_socket *sock = &w->sockets.list[i];

		if (fds[i + 1].revents && sock->fd >= 0)
			hear(w, sock);
	}
}

int worker_datagram(int fd)
{
	struct datagram_worker *w = calloc(1, sizeof(*w));
	int status;

	if (!w)
		return EXIT_FAILURE;
	w->fd = fd;
	datagram_sockets_init(&w->sockets);
	while (!w->over)
		turn(w);
	for (size_t i = 0; i < DATAGRAM_SOCKETS_MAX; i++)
		datagram_socket_close(&w->sockets.list[i]);
	status = w->status;
	free(w);
	return status;
}
