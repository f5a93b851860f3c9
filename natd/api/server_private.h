/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * server_private - what accepting (server.c) and HTTP (http.c) share, and the limits
 */

#include <sys/un.h>

#include "natd/api/http.h"
#include "natd/api/server.h"

/* Each costs a descriptor and up to SERVER_CONNECTION_MEMORY. */
#define SERVER_CLIENTS_MAX 256
/* of them only root and natd's own user get the last: they can always look and mend */
#define SERVER_CLIENTS_KEPT 16
/* of one uid that is neither; one program that leaks connections is not all of them */
#define SERVER_CLIENTS_PER_UID 64
/* without a byte either way; natctl -f - and people with curl need less */
#ifndef SERVER_IDLE_SECONDS /* a test has less time */
#define SERVER_IDLE_SECONDS 30
#endif
/* for a request to be whole, however diligently its bytes drip in */
#ifndef SERVER_REQUEST_SECONDS
#define SERVER_REQUEST_SECONDS 120
#endif
/* What requests of others than administrators may take of one turn of the loop */
#define SERVER_TURN_USEC 5000
/* Descriptors that no client gets: natd opens sockets, files and its store with them. */
#define SERVER_DESCRIPTORS_KEPT 16
/* So many clients, once they are gone, leave a heap with holes behind. */
#define SERVER_CROWD 32
/* A request with more changes leaves a heap with holes behind. */
#define SERVER_LARGE_CHANGES 1000
/* request line and headers; curl's are 100 bytes */
#define SERVER_HEAD_MAX (16 * 1024)
/* Streams of events: each is a client that stays. Bounded as clients are. */
#define SERVER_FEEDS_MAX     128
#define SERVER_FEEDS_KEPT    16
#define SERVER_FEEDS_PER_UID 32
/* head and what is read ahead or written at one go */
#define SERVER_CONNECTION_MEMORY (32 * 1024)

/**
 * struct client - a connection
 * @peer:  as judged when it came; each request is judged anew
 * @since: when it may have begun with its request, CLOCK_MONOTONIC
 * @asked: the request is whole
 * @turn:  in which one of its requests was begun last
 */
struct client {
	LIST_ENTRY(client) link;
	struct credentials credentials;
	struct peer peer;
	int fd;
	uint64_t since;
	bool asked;
	uint64_t turn;
};

LIST_HEAD(client_list, client);

struct feed;
LIST_HEAD(feed_list, feed);

/**
 * struct server
 * @arriving: handed to libmicrohttpd, not yet taken up by it
 * @bodies:   bytes that bodies being read hold
 * @group:    name, for the cure of a refusal; may be ""
 */
struct server {
	sd_event *event;
	struct gateway *gw;
	int fd, reserve;
	bool out_of_descriptors; /* said so in the log */
	bool looked;		 /* whether somebody has left, in this turn */

	struct sockaddr_un address;
	bool has_file; /* at @address, and it is ours as long as it is this one: */
	dev_t file_dev;
	ino_t file_ino;
	bool rootless, follows; /* its mode does */

	gid_t gid;
	uid_t uid;
	char group[64];
	struct strangers strangers;

	struct client_list clients;
	struct client *arriving;
	size_t n_clients;
	bool crowded; /* there were SERVER_CROWD, and what they held is not given back */
	struct request_list requests;
	struct request_queue waiting; /* for their turn, the oldest first */
	uint64_t turn;
	uint64_t turn_start, turn_usec; /* of this turn, the last one's length */
	unsigned int begun, quota;	/* requests in this turn, and how many may be */
	size_t bodies;
	struct feed_list feeds; /* resource_events.c */
	size_t n_feeds;

	struct MHD_Daemon *mhd;
	struct MHD_Response *no_memory, *untold;
	sd_event_source *listening, *pause;  /* server.c */
	sd_event_source *io, *again, *timer; /* http.c */
	uint64_t deadline;
	uint64_t next_look; /* at clients that take too long */
};

void client_free(struct client *client);

/** http_start() - Return: 0, -ENOMEM, -EMFILE */
int http_start(struct server *server);
/** http_stop() - hang up on everybody */
void http_stop(struct server *server);
/** http_run() - let libmicrohttpd do what is due. Return: 0, or what sd-event said */
int http_run(struct server *server);
/** http_add() - a client's descriptor, taken over also on failure. Return: 0, -ENOMEM */
int http_add(struct server *server, int fd, struct client *client);
