/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "tests/kernel/faulty_mnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <string.h>

static struct {
	unsigned int nth, interrupted;
	int receive_error, answer_error;
	unsigned int torn_at, dry_at;
} faulty;

ssize_t __real_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size);
ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size);

void faulty_receive_fails(unsigned int nth, int error)
{
	faulty.nth = nth;
	faulty.receive_error = error;
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
