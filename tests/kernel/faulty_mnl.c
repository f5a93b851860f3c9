/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "tests/kernel/faulty_mnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

static struct {
	unsigned int nth, interrupted;
	int receive_error, answer_error;
	unsigned int torn_at, dry_at;
	unsigned int send_at, refused_at;
	int send_error, refusal;
	bool met;
} faulty;

ssize_t __real_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size);
ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size);
ssize_t __real_mnl_socket_sendto(const struct mnl_socket *nl, const void *buf,
				 size_t len);
ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *nl, const void *buf,
				 size_t len);

void faulty_receive_fails(unsigned int nth, int error)
{
	faulty.nth = nth;
	faulty.receive_error = error;
}

void faulty_send_fails(unsigned int nth, int error)
{
	faulty.send_at = nth;
	faulty.send_error = error;
	faulty.met = false;
}

void faulty_send_refused(unsigned int nth, int error)
{
	faulty.refused_at = nth;
	faulty.refusal = error;
	faulty.met = false;
}

bool faulty_met(void)
{
	return faulty.met;
}

void faulty_receive_interrupted(unsigned int times)
{
	faulty.interrupted = times;
}

void faulty_receive_dry_at(unsigned int nth)
{
	faulty.dry_at = nth;
}

void faulty_dump_torn_at(unsigned int nth)
{
	faulty.torn_at = nth;
}

void faulty_answer(int error)
{
	faulty.answer_error = error;
}

static void alter(void *buf, int len)
{
	struct nlmsghdr *nlh = buf;

	if (faulty.torn_at && --faulty.torn_at == 0 && mnl_nlmsg_ok(nlh, len))
		nlh->nlmsg_flags |= NLM_F_DUMP_INTR;
	for (; faulty.answer_error && mnl_nlmsg_ok(nlh, len);
	     nlh = mnl_nlmsg_next(nlh, &len)) {
		if (nlh->nlmsg_type != NLMSG_ERROR && nlh->nlmsg_type != NLMSG_DONE)
			continue;
		memcpy(mnl_nlmsg_get_payload(nlh), &faulty.answer_error, sizeof(int));
		faulty.answer_error = 0;
	}
}

ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size)
{
	ssize_t n;

	if (faulty.interrupted) {
		faulty.interrupted--;
		errno = EINTR;
		return -1;
	}
	if (faulty.dry_at && --faulty.dry_at == 0) {
		errno = EAGAIN;
		return -1;
	}
	n = __real_mnl_socket_recvfrom(nl, buf, size);
	if (faulty.nth && --faulty.nth == 0) {
		errno = faulty.receive_error;
		return -1;
	}
	if (n > 0)
		alter(buf, (int)n);
	return n;
}

/* The length without the message that ends the transaction; 0: there is none. */
static size_t len_without_end(const void *buf, size_t len)
{
	const struct nlmsghdr *nlh = buf;
	int left = (int)len;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		if (nlh->nlmsg_type == NFNL_MSG_BATCH_END)
			return (size_t)((const char *)nlh - (const char *)buf);
	return 0;
}

/* A transaction without its end is judged, acknowledged, and not applied: the
 * acknowledgement is then given another sense. */
ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *nl, const void *buf, size_t len)
{
	size_t shorter;

	if (faulty.send_at && --faulty.send_at == 0) {
		faulty.met = true;
		errno = faulty.send_error;
		return -1;
	}
	if (faulty.refused_at && --faulty.refused_at == 0) {
		faulty.met = true;
		shorter = len_without_end(buf, len);
		if (shorter) {
			faulty_answer(-faulty.refusal);
			return __real_mnl_socket_sendto(nl, buf, shorter);
		}
	}
	return __real_mnl_socket_sendto(nl, buf, len);
}
