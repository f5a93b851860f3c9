/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * worker_private - what the workers share
 */

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include "core/worker_message.h"

/** worker_answer_of() - an answer to @job that says @result and nothing else yet */
void worker_answer_of(const struct worker_job *job, int result,
		      struct worker_answer *ret);

/**
 * worker_answer_send() - to natd
 * @flags: of send(2); MSG_NOSIGNAL is always meant
 *
 * What natd could not read (worker_answer_valid()) a router has made up: it becomes
 * -EPROTO, or is dropped where it is no answer to a job.
 *
 * Return: 0; -EAGAIN with MSG_DONTWAIT, -EPIPE (natd is gone).
 */
int worker_answer_send(int fd, const struct worker_answer *answer, int flags);

union worker_sockaddr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/** worker_sockaddr() - @ifindex: the scope of link-local and multicast addresses; returns
 * the length */
socklen_t worker_sockaddr(const struct in6_addr *addr, uint16_t port, uint32_t ifindex,
			  union worker_sockaddr *ret);

/** worker_let_alarm_end() - from now on SIGALRM ends the worker, whoever started it */
void worker_let_alarm_end(void);

/** worker_now() - milliseconds of CLOCK_MONOTONIC */
uint64_t worker_now(void);
