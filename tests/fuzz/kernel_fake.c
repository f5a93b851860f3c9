/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * The sockets here come before libmnl's, since they are in the program. A record belongs
 * to a request by its place among the answers, so that what happens to one answer does
 * not shift the others. The descriptor of a socket is always readable: who looks finds
 * that there is nothing.
 *
 * Nobody may look beyond a datagram in the buffer that it was received in: what is behind
 * it is poisoned for the address sanitizer, until the buffer is used for something else.
 * And an attribute may only be asked for what it is long enough to hold: libmnl does not
 * look, so what our own objects ask of it goes through the __wrap_ functions.
 */

#include "tests/fuzz/kernel.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <sanitizer/asan_interface.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

struct mnl_socket {
	int fd, peer;
	bool listens;
};

#define SOCKETS_MAX 4

struct record {
	uint8_t kind, error;
	const uint8_t *bytes;
	size_t len;
};

/**
 * struct kernel
 * @answers, @news: where the next one may begin
 * @request: the one that is being answered: the heads of its messages
 * @answered: its answer, as far as it is recorded, has begun
 * @agreed:   it has been said that it is done
 */
static struct {
	const uint8_t *end, *answers, *news;
	uint32_t address;
	struct mnl_socket *open[SOCKETS_MAX];
	bool aside, silent, answered, agreed;
	struct nlmsghdr *request;
	size_t n_request, room_request;
	void *poisoned;
	size_t n_poisoned;
} kernel;

/* ------------------------------------------------------------ the file */

/* Return: where the record behind it begins; NULL: there is none at @at. */
static const uint8_t *record_at(const uint8_t *at, struct record *ret)
{
	struct record_head head;
	size_t left = (size_t)(kernel.end - at);

	if (left < sizeof(head))
		return NULL;
	memcpy(&head, at, sizeof(head));
	left -= sizeof(head);
	ret->kind = head.kind;
	ret->error = head.error;
	ret->bytes = at + sizeof(head);
	ret->len = head.len[0] | (size_t)head.len[1] << 8;
	if (ret->len > left)
		ret->len = left;
	return ret->bytes + ret->len;
}

void kernel_begin(const uint8_t *bytes, size_t len)
{
	struct record first;

	kernel.end = bytes + len;
	kernel.answers = kernel.news = bytes;
	kernel.address = 1;
	if (record_at(bytes, &first) && (first.kind & RECORD_KIND) == RECORD_ADDRESS &&
	    first.len >= sizeof(kernel.address))
		memcpy(&kernel.address, first.bytes, sizeof(kernel.address));
}

static void unpoison(void)
{
	if (kernel.poisoned)
		ASAN_UNPOISON_MEMORY_REGION(kernel.poisoned, kernel.n_poisoned);
	kernel.poisoned = NULL;
}

void kernel_end(void)
{
	unpoison();
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		hold(!kernel.open[i]);
	free(kernel.request);
	memset(&kernel, 0, sizeof(kernel));
}

void kernel_give_up(void)
{
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		if (kernel.open[i])
			mnl_socket_close(kernel.open[i]);
	kernel_end();
}

void kernel_aside(bool aside)
{
	kernel.aside = aside;
}

bool kernel_is_real(void)
{
	return false;
}

void kernel_meanwhile(void)
{
}

/* The next datagram of the answer, unless another answer begins before there is one. */
static bool next_of_answer(struct record *ret)
{
	const uint8_t *next;

	while (!kernel.aside && (next = record_at(kernel.answers, ret))) {
		const bool begins = (ret->kind & RECORD_KIND) == RECORD_ANSWER;
		const bool goes_on = (ret->kind & RECORD_KIND) == RECORD_MORE;

		if (begins && kernel.answered)
			return false;
		kernel.answers = next;
		if (begins)
			kernel.silent = ret->kind & RECORD_SILENT;
		kernel.answered |= begins;
		if (begins || (goes_on && kernel.answered))
			return true;
	}
	return false;
}

static bool next_news(struct record *ret)
{
	const uint8_t *next;

	while ((next = record_at(kernel.news, ret))) {
		kernel.news = next;
		if ((ret->kind & RECORD_KIND) == RECORD_NEWS)
			return true;
	}
	return false;
}

/* What is left of the answer before is for nobody. */
static void skip_answer(void)
{
	struct record rest;

	while (kernel.answered && next_of_answer(&rest))
		;
	kernel.answered = kernel.agreed = kernel.silent = false;
}

/* ------------------------------------------------------------ datagrams */

/*
 * Numbers in a file count from the request's. And no message is longer than 2 GiB:
 * mnl_nlmsg_ok() takes such a length for a negative one, and so for a good one.
 */
static void number(uint8_t *bytes, size_t len, uint32_t first)
{
	struct nlmsghdr nlh;

	for (size_t at = 0; at + sizeof(nlh) <= len; at += MNL_ALIGN(nlh.nlmsg_len)) {
		memcpy(&nlh, bytes + at, sizeof(nlh));
		nlh.nlmsg_seq += first;
		nlh.nlmsg_len &= INT32_MAX;
		memcpy(bytes + at, &nlh, sizeof(nlh));
		if (nlh.nlmsg_len < sizeof(nlh) || nlh.nlmsg_len > len - at)
			return;
	}
}

static ssize_t deliver(void *buf, size_t size, const void *bytes, size_t len, int error)
{
	size_t whole = MNL_ALIGN(len);

	if (error || len > size) {
		errno = error ? error : ENOSPC;
		return -1;
	}
	memcpy(buf, bytes, len);
	if (size > whole) {
		kernel.poisoned = (char *)buf + whole;
		kernel.n_poisoned = size - whole;
		ASAN_POISON_MEMORY_REGION(kernel.poisoned, kernel.n_poisoned);
	}
	return (ssize_t)len;
}

static ssize_t deliver_record(void *buf, size_t size, const struct record *record,
			      uint32_t first)
{
	ssize_t n = deliver(buf, size, record->bytes, record->len, record->error);

	if (n > 0)
		number(buf, (size_t)n, first);
	return n;
}

/* The last word of an answer: done, or no error, for each message that asks for it. */
static ssize_t agree(void *buf, size_t size)
{
	struct {
		struct nlmsghdr nlh;
		struct nlmsgerr err;
	} words[256];
	size_t n = 0;

	memset(words, 0, sizeof(words));
	for (size_t i = 0; i < kernel.n_request && n < 256; i++) {
		const struct nlmsghdr *asked = &kernel.request[i];
		const bool dump = !(asked->nlmsg_flags & NLM_F_ACK);

		if (dump && (asked->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
			continue;
		words[n].nlh = (struct nlmsghdr){
			.nlmsg_len = sizeof(words[n]),
			.nlmsg_type = dump ? NLMSG_DONE : NLMSG_ERROR,
			.nlmsg_seq = asked->nlmsg_seq,
			.nlmsg_pid = kernel.address,
		};
		words[n++].err.msg = *asked;
	}
	kernel.agreed = true;
	return deliver(buf, size, words, n * sizeof(words[0]), n ? 0 : EAGAIN);
}

static void remember(const uint8_t *bytes, size_t len)
{
	struct nlmsghdr nlh;

	kernel.n_request = 0;
	while (len >= sizeof(nlh)) {
		memcpy(&nlh, bytes, sizeof(nlh));
		hold(nlh.nlmsg_len >= sizeof(nlh) && nlh.nlmsg_len <= len);
		if (kernel.n_request == kernel.room_request) {
			kernel.room_request = kernel.room_request * 2 + 64;
			kernel.request = reallocarray(kernel.request, kernel.room_request,
						      sizeof(nlh));
			hold(kernel.request);
		}
		kernel.request[kernel.n_request++] = nlh;
		bytes += MNL_ALIGN(nlh.nlmsg_len);
		len -= MNL_ALIGN(nlh.nlmsg_len) < len ? MNL_ALIGN(nlh.nlmsg_len) : len;
	}
	hold(kernel.n_request && len == 0);
}

/* ------------------------------------------------------------ in place of libmnl's */

static void replace_open(const struct mnl_socket *from, struct mnl_socket *to)
{
	size_t i = 0;

	while (i < SOCKETS_MAX && kernel.open[i] != from)
		i++;
	hold(i < SOCKETS_MAX);
	kernel.open[i] = to;
}

struct mnl_socket *mnl_socket_open2(int bus, int flags)
{
	struct mnl_socket *nl = calloc(1, sizeof(*nl));
	int fds[2];

	hold(nl && socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) == 0);
	hold(send(fds[1], "", 1, MSG_NOSIGNAL) == 1);
	nl->fd = fds[0];
	nl->peer = fds[1];
	replace_open(NULL, nl);
	return nl;
}

int mnl_socket_close(struct mnl_socket *nl)
{
	unpoison();
	close(nl->fd);
	close(nl->peer);
	replace_open(nl, NULL);
	free(nl);
	return 0;
}

int mnl_socket_bind(struct mnl_socket *nl, unsigned int groups, pid_t pid)
{
	nl->listens |= groups != 0;
	return 0;
}

int mnl_socket_setsockopt(const struct mnl_socket *nl, int type, void *buf, socklen_t len)
{
	if (type == NETLINK_ADD_MEMBERSHIP)
		((struct mnl_socket *)(uintptr_t)nl)->listens = true;
	return 0;
}

int mnl_socket_get_fd(const struct mnl_socket *nl)
{
	return nl->fd;
}

unsigned int mnl_socket_get_portid(const struct mnl_socket *nl)
{
	return kernel.address;
}

ssize_t mnl_socket_sendto(const struct mnl_socket *nl, const void *buf, size_t len)
{
	hold(!nl->listens);
	unpoison();
	skip_answer();
	remember(buf, len);
	return (ssize_t)len;
}

ssize_t mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size)
{
	struct record record;

	unpoison();
	if (nl->listens) {
		if (next_news(&record))
			return deliver_record(buf, size, &record, 0);
	} else if (next_of_answer(&record)) {
		return deliver_record(buf, size, &record, kernel.request[0].nlmsg_seq);
	} else if (!kernel.agreed && !kernel.silent) {
		return agree(buf, size);
	}
	errno = EAGAIN;
	return -1;
}

/* ------------------------------------------------------------ libmnl, strictly */

struct nlmsghdr *__real_mnl_nlmsg_put_header(void *buf);
uint8_t __real_mnl_attr_get_u8(const struct nlattr *attr);
uint16_t __real_mnl_attr_get_u16(const struct nlattr *attr);
uint32_t __real_mnl_attr_get_u32(const struct nlattr *attr);
uint64_t __real_mnl_attr_get_u64(const struct nlattr *attr);
const char *__real_mnl_attr_get_str(const struct nlattr *attr);

struct nlmsghdr *__wrap_mnl_nlmsg_put_header(void *buf);
uint8_t __wrap_mnl_attr_get_u8(const struct nlattr *attr);
uint16_t __wrap_mnl_attr_get_u16(const struct nlattr *attr);
uint32_t __wrap_mnl_attr_get_u32(const struct nlattr *attr);
uint64_t __wrap_mnl_attr_get_u64(const struct nlattr *attr);
const char *__wrap_mnl_attr_get_str(const struct nlattr *attr);

/* A request is written into the buffer that the last answer was in. */
struct nlmsghdr *__wrap_mnl_nlmsg_put_header(void *buf)
{
	unpoison();
	return __real_mnl_nlmsg_put_header(buf);
}

uint8_t __wrap_mnl_attr_get_u8(const struct nlattr *attr)
{
	hold(mnl_attr_get_payload_len(attr) >= sizeof(uint8_t));
	return __real_mnl_attr_get_u8(attr);
}

uint16_t __wrap_mnl_attr_get_u16(const struct nlattr *attr)
{
	hold(mnl_attr_get_payload_len(attr) >= sizeof(uint16_t));
	return __real_mnl_attr_get_u16(attr);
}

uint32_t __wrap_mnl_attr_get_u32(const struct nlattr *attr)
{
	hold(mnl_attr_get_payload_len(attr) >= sizeof(uint32_t));
	return __real_mnl_attr_get_u32(attr);
}

uint64_t __wrap_mnl_attr_get_u64(const struct nlattr *attr)
{
	hold(mnl_attr_get_payload_len(attr) >= sizeof(uint64_t));
	return __real_mnl_attr_get_u64(attr);
}

/*
 * For the libraries, which take the kernel's word: libnftnl 1.2.4 asks for the name of an
 * expression that has none, and for the end of a name that has none.
 */
const char *mnl_attr_get_str(const struct nlattr *attr)
{
	size_t len = attr ? mnl_attr_get_payload_len(attr) : 0;
	char *text;

	if (!len)
		return "";
	text = mnl_attr_get_payload(attr);
	if (!memchr(text, '\0', len))
		text[len - 1] = '\0';
	return text;
}

const char *__wrap_mnl_attr_get_str(const struct nlattr *attr)
{
	hold(memchr(mnl_attr_get_payload(attr), '\0', mnl_attr_get_payload_len(attr)));
	return __real_mnl_attr_get_str(attr);
}
