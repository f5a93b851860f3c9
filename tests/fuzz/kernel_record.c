/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * record - plays a scenario in front of the real kernel and writes down what that says
 *
 *	record ruleset|conntrack|links HOW FILE COMMAND
 *
 * HOW is the first byte of FILE, as a character; COMMAND is what others do meanwhile, for
 * a shell. To be run by tests/fuzz/record, in a network namespace that may be spoilt.
 * Linked with --wrap for sending and receiving.
 */

#include <errno.h>
#include <libmnl/libmnl.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/kernel.h"

static struct {
	FILE *file;
	const char *command;
	bool aside, unanswered;
	const struct mnl_socket *asked;
	uint32_t first, address;
} to;

ssize_t __real_mnl_socket_sendto(const struct mnl_socket *nl, const void *buf,
				 size_t len);
ssize_t __real_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size);
ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *nl, const void *buf,
				 size_t len);
ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size);

void kernel_aside(bool aside)
{
	to.aside = aside;
}

bool kernel_is_real(void)
{
	return true;
}

void kernel_meanwhile(void)
{
	hold(system(to.command) == 0);
}

static void put(uint8_t kind, int error, const void *bytes, size_t len)
{
	const struct record_head head = {
		.kind = kind,
		.error = (uint8_t)error,
		.len = { (uint8_t)len, (uint8_t)(len >> 8) },
	};

	hold(len <= UINT16_MAX);
	fwrite(&head, sizeof(head), 1, to.file);
	fwrite(bytes, 1, len, to.file);
}

static void put_address(const struct mnl_socket *nl)
{
	if (to.address)
		return;
	to.address = mnl_socket_get_portid(nl);
	put(RECORD_ADDRESS, 0, &to.address, sizeof(to.address));
}

/* A request that nobody waited on keeps its place. */
static void end_answer(void)
{
	if (to.unanswered)
		put(RECORD_ANSWER | RECORD_SILENT, EAGAIN, "", 0);
	to.unanswered = false;
}

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *nl, const void *buf, size_t len)
{
	const struct nlmsghdr *nlh = buf;

	to.asked = nl;
	to.first = nlh->nlmsg_seq;
	if (!to.aside) {
		put_address(nl);
		end_answer();
		to.unanswered = true;
	}
	return __real_mnl_socket_sendto(nl, buf, len);
}

static void put_datagram(uint8_t kind, const void *bytes, int len)
{
	char *copy = malloc((size_t)len);
	struct nlmsghdr *nlh = (void *)copy;
	int left = len;

	hold(copy);
	memcpy(copy, bytes, (size_t)len);
	for (; kind != RECORD_NEWS && mnl_nlmsg_ok(nlh, left);
	     nlh = mnl_nlmsg_next(nlh, &left))
		nlh->nlmsg_seq -= to.first;
	put(kind, 0, copy, (size_t)len);
	free(copy);
}

ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size)
{
	ssize_t n = __real_mnl_socket_recvfrom(nl, buf, size);
	uint8_t kind = RECORD_NEWS;

	if (to.aside || (n < 0 && errno == EAGAIN))
		return n;
	if (nl == to.asked)
		kind = to.unanswered ? RECORD_ANSWER : RECORD_MORE;
	if (kind == RECORD_ANSWER)
		to.unanswered = false;
	if (n < 0)
		put(kind, errno, "", 0);
	else
		put_datagram(kind, buf, (int)n);
	return n;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*play)(uint8_t how);
	} scenarios[] = {
		{ "ruleset", scenario_ruleset },
		{ "conntrack", scenario_conntrack },
		{ "links", scenario_links },
	};

	hold(argc == 5);
	to.file = fopen(argv[3], "wb");
	to.command = argv[4];
	hold(to.file);
	fputc(argv[2][0], to.file);
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		if (!strcmp(scenarios[i].name, argv[1]))
			scenarios[i].play((uint8_t)argv[2][0]);
	end_answer();
	hold(fclose(to.file) == 0);
	return 0;
}
