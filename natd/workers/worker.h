/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * worker - what runs in the workers
 *
 * Each is confined by who starts it (natd/workers/nursery_child.c), takes its end of a
 * SOCK_SEQPACKET socketpair, blocking, serves jobs until the other end is closed, and
 * returns an exit status. They log nothing and, once confined, open no file.
 */

#include "core/worker_message.h"

/* exit status: natd said what is no job. Nobody knows which question would stay open */
#define WORKER_UNREADABLE 65

/**
 * worker_datagram() - PCP, NAT-PMP, SSDP and STUN over UDP
 *
 * A job is one datagram sent, at once; it is answered by as many answers as datagrams of
 * the router asked come back, perhaps none, and by one with a negative errno where it
 * could not be sent. No timer, no repetition: natd has them. The last 64 jobs are
 * remembered, so that an answer finds its serial; what comes from any other address than
 * the router asked, or cannot be read, is dropped. JOB_LISTEN opens the sockets for
 * announcements on a link.
 */
int worker_datagram(int fd);

/**
 * worker_igd() - UPnP IGD by miniupnpc
 *
 * One job at a time, each answered exactly once. A job that takes longer than
 * WORKER_IGD_SECONDS ends the worker (SIGALRM): so does a router that sends without end.
 * Descriptions and control URLs of another host than the router's are refused
 * (-EXDEV).
 */
int worker_igd(int fd);

/**
 * worker_resolver() - addresses of a name, by the name servers of /etc/resolv.conf
 *
 * By libresolv, and by name servers alone: no /etc/hosts, no other name service. One job
 * at a time, each answered exactly once. A job that takes longer than
 * WORKER_RESOLVER_SECONDS ends the worker (SIGALRM).
 */
int worker_resolver(int fd);
/** worker_resolver_prepare() - read /etc/resolv.conf: before the worker is confined.
 * Return: 0, -ENOMEM */
int worker_resolver_prepare(void);
