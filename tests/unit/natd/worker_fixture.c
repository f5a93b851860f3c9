/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "natd/workers/confine.h"
#include "natd/workers/worker.h"
#include "tests/kernel/netns.h"

#define PATIENCE_MS 10000

static int router_ns = -1;

struct in6_addr address(const char *text)
{
	struct in6_addr addr;

	cr_assert_eq(address_parse(text, &addr), 0, "%s", text);
	return addr;
}

/* ------------------------------------------------------------ the link */

void link_up(void)
{
	netns_enter();
	router_ns = netns_new();
	netns_run("ip link add wan0 type veth peer name lan0 netns /proc/self/fd/%d &&"
		  "ip link set wan0 addrgenmode none && ip link set wan0 up &&"
		  "ip addr add 192.168.1.2/24 dev wan0 &&"
		  "ip addr add 2001:db8:1::2/64 dev wan0 nodad &&"
		  "ip addr add fe80::2/64 dev wan0 nodad &&"
		  "ip route add default via 192.168.1.1",
		  router_ns);
	on_router("sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 &&"
		  "ip link set lan0 addrgenmode none && ip link set lan0 up &&"
		  "ip addr add 192.168.1.1/24 dev lan0 &&"
		  "ip addr add 192.168.1.9/24 dev lan0 &&"
		  "ip addr add 2001:db8:1::1/64 dev lan0 nodad &&"
		  "ip addr add fe80::1/64 dev lan0 nodad &&"
		  "ip link add ext0 type veth peer name ext1 &&"
		  "ip link set ext0 up && ip link set ext1 up &&"
		  "ip addr add 203.0.113.2/24 dev ext0 &&"
		  "ip addr add 2001:db8:2::1/64 dev ext0 nodad");
}

uint32_t link_index(void)
{
	return if_nametoindex("wan0");
}

void on_router(const char *format, ...)
{
	char command[2048];
	va_list args;
	int here;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	here = netns_switch(router_ns);
	netns_run("%s", command);
	close(netns_switch(here));
	close(here);
}

/* ------------------------------------------------------------ programs */

static _Noreturn void run(const char *const argv[], int in, int out)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	closefrom(3);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

static struct program start_there(const char *const argv[])
{
	int in[2], out[2], here = netns_switch(router_ns);
	struct program program;

	cr_assert(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	fflush(NULL);
	program.pid = fork();
	if (program.pid == 0)
		run(argv, in[0], out[1]);
	cr_assert_gt(program.pid, 0);
	close(in[0]);
	close(out[1]);
	close(netns_switch(here));
	close(here);
	program.in = in[1];
	program.out = out[0];
	fcntl(program.out, F_SETFL, O_NONBLOCK);
	return program;
}

static char said[65536];

const char *program_said(const struct program *program)
{
	ssize_t n = read(program->out, said, sizeof(said) - 1);

	said[n > 0 ? n : 0] = '\0';
	return said;
}

void program_expect(const struct program *program, const char *text)
{
	struct pollfd wait = { .fd = program->out, .events = POLLIN };
	long end = netns_milliseconds() + PATIENCE_MS;
	size_t len = 0;

	said[0] = '\0';
	while (!strstr(said, text)) {
		ssize_t n;

		cr_assert_lt(netns_milliseconds(), end, "no \"%s\" in: %s", text, said);
		poll(&wait, 1, 100);
		n = read(program->out, said + len, sizeof(said) - 1 - len);
		cr_assert(n > 0 || (n < 0 && errno == EAGAIN), "it ended: %s", said);
		if (n > 0)
			len += (size_t)n;
		said[len] = '\0';
	}
}

void program_say(const struct program *program, const char *line)
{
	cr_assert_eq(write(program->in, line, strlen(line)), (ssize_t)strlen(line));
}

void program_stop(struct program *program)
{
	kill(program->pid, SIGKILL);
	waitpid(program->pid, NULL, 0);
	close(program->in);
	close(program->out);
}

static struct program python_start(const char *script, const char *options)
{
	const char *argv[16] = { "/usr/bin/python3", script };
	char words[256];
	size_t n = 2;
	struct program program;

	snprintf(words, sizeof(words), "%s", options);
	for (char *word = strtok(words, " "); word && n < 15; word = strtok(NULL, " "))
		argv[n++] = word;
	program = start_there(argv);
	program_expect(&program, "ready\n");
	return program;
}

struct program router_start(const char *options)
{
	return python_start(ROUTER_PY, options);
}

struct program names_start(const char *options)
{
	return python_start(NAMES_PY, options);
}

/* Until the command succeeds there. */
static void await_there(const char *command)
{
	long end = netns_milliseconds() + PATIENCE_MS;
	int here = netns_switch(router_ns);

	while (netns_try("%s", command) != 0) {
		cr_assert_lt(netns_milliseconds(), end, "never: %s", command);
		poll(NULL, 0, 10);
	}
	close(netns_switch(here));
	close(here);
}

static const char miniupnpd_table[] =
	"nft -f - <<E\n"
	"table inet filter\n"
	"delete table inet filter\n"
	"table inet filter {\n"
	" chain miniupnpd { }\n chain prerouting_miniupnpd { }\n"
	" chain postrouting_miniupnpd { }\n"
	" chain forward { type filter hook forward priority 0; jump miniupnpd; }\n"
	" chain prerouting { type nat hook prerouting priority -100;"
	" jump prerouting_miniupnpd; }\n"
	" chain postrouting { type nat hook postrouting priority 100;"
	" jump postrouting_miniupnpd; }\n"
	"}\nE";

static const char miniupnpd_conf[] = "ext_ifname=ext0\n"
				     "ext_ip=1.2.3.4\n"
				     "listening_ip=lan0\n"
				     "http_port=5000\n"
				     "enable_upnp=yes\n"
				     "enable_natpmp=yes\n"
				     "secure_mode=yes\n"
				     "notify_interval=60\n"
				     "uuid=11111111-2222-3333-4444-555555555555\n"
				     "allow 1-65535 0.0.0.0/0 1-65535\n";

static char conf[64];

static void remove_conf(void)
{
	char pid[80];

	snprintf(pid, sizeof(pid), "%s.pid", conf);
	unlink(pid);
	unlink(conf);
}

struct program miniupnpd_start(void)
{
	const char *path = getenv("MINIUPNPD");
	char pid[80];
	const char *argv[] = { path, "-d", "-f", conf, "-P", pid, NULL };
	struct program program;
	int fd;

	if (!path)
		cr_skip_test("no miniupnpd: MINIUPNPD is not set");
	strcpy(conf, "/tmp/natd-miniupnpd-XXXXXX");
	fd = mkstemp(conf);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, miniupnpd_conf, strlen(miniupnpd_conf)),
		     (ssize_t)strlen(miniupnpd_conf));
	close(fd);
	snprintf(pid, sizeof(pid), "%s.pid", conf);
	on_router("%s", miniupnpd_table);
	program = start_there(argv);
	program_expect(&program, "Listening for NAT-PMP/PCP traffic");
	await_there("ss -Hlun | grep -F '[::]:5351' >/dev/null");
	remove_conf();
	return program;
}

/* ------------------------------------------------------------ the worker */

static const struct role {
	enum confinement confinement;
	int (*main)(int fd);
	const char *name;
	int (*prepare)(void);
} roles[] = {
	[WORKER_DATAGRAM] = { CONFINE_DATAGRAM, worker_datagram, "datagram", NULL },
	[WORKER_IGD] = { CONFINE_IGD, worker_igd, "igd", NULL },
	[WORKER_RESOLVER] = { CONFINE_RESOLVER, worker_resolver, "resolver",
			      worker_resolver_prepare },
};

/* As the nursery does: natd/workers/nursery_child.c. */
static _Noreturn void be_worker(const struct role *role, int fd)
{
	struct confine_fault why;
	struct confined confined;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(fd, 3);
	closefrom(4);
	if (role->prepare && role->prepare() < 0)
		_exit(125);
	if (confine(role->confinement, NULL, 0, &confined, &why) < 0) {
		fprintf(stderr, "%s\n", why.text);
		_exit(126);
	}
	_exit(role->main(3));
}

static _Noreturn void be_plain(const struct role *role, int fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(fd, 3);
	closefrom(4);
	execl(WORKER_ALONE, WORKER_ALONE, role->name, NULL);
	_exit(127);
}

static struct worker start(enum worker_role role,
			   void (*be)(const struct role *role, int fd))
{
	struct worker worker;
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	fflush(NULL);
	worker.pid = fork();
	cr_assert_geq(worker.pid, 0);
	if (worker.pid == 0) {
		close(ends[0]);
		be(&roles[role], ends[1]);
	}
	close(ends[1]);
	worker.fd = ends[0];
	return worker;
}

struct worker worker_start(enum worker_role role)
{
	return start(role, be_worker);
}

struct worker worker_start_plain(enum worker_role role)
{
	return start(role, be_plain);
}

bool worker_lives(const struct worker *worker)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)worker->pid, &info, WEXITED | WNOHANG | WNOWAIT) ==
		       0 &&
	       info.si_pid == 0;
}

int worker_wait(struct worker *worker, int seconds)
{
	long end = netns_milliseconds() + seconds * 1000L;
	int status = 0;

	while (waitpid(worker->pid, &status, WNOHANG) == 0) {
		cr_assert_lt(netns_milliseconds(), end, "the worker lives on");
		poll(NULL, 0, 10);
	}
	close(worker->fd);
	return status;
}

void worker_stop(struct worker *worker)
{
	int status;

	shutdown(worker->fd, SHUT_RDWR);
	status = worker_wait(worker, 10);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "it ended with %#x",
		  (unsigned int)status);
}

long worker_peak(const struct worker *worker)
{
	char path[64], line[256];
	long peak = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", worker->pid);
	file = fopen(path, "re");
	cr_assert_not_null(file, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "VmPeak: %ld kB", &peak) == 1)
			break;
	}
	fclose(file);
	return peak;
}

/* ------------------------------------------------------------ jobs */

struct worker_job job_of(enum worker_job_kind kind)
{
	static uint64_t serial = 100;
	struct worker_job job = {
		.serial = ++serial,
		.kind = kind,
		.ifindex = link_index(),
		.router = address(ROUTER_ADDRESS),
		.source = address(OUR_ADDRESS),
		.internal = address(OUR_ADDRESS),
		.external = address_any4,
		.lifetime = 120,
		.router_port = 3478,
		.internal_port = 8080,
		.external_port = 8080,
		.protocol = IPPROTO_TCP,
		.url = ROUTER_URL,
		.text = "web",
	};

	if (kind == JOB_RESOLVE) {
		job.ifindex = 0;
		job.router = address_any6;
		strcpy(job.url, "well.example.org");
	}
	for (size_t i = 0; i < sizeof(job.nonce); i++)
		job.nonce[i] = (uint8_t)(serial * 7 + i);
	return job;
}

void worker_ask(const struct worker *worker, const struct worker_job *job)
{
	struct worker_job same;

	cr_assert(worker_job_valid(job, sizeof(*job), &same), "natd would not ask so");
	cr_assert_eq(send(worker->fd, job, sizeof(*job), MSG_NOSIGNAL),
		     (ssize_t)sizeof(*job), "%s", strerror(errno));
}

bool worker_hear(const struct worker *worker, int ms, struct worker_answer *ret)
{
	struct pollfd wait = { .fd = worker->fd, .events = POLLIN };
	uint8_t packet[sizeof(*ret) + 1];
	ssize_t n;

	if (poll(&wait, 1, ms) != 1)
		return false;
	n = recv(worker->fd, packet, sizeof(packet), MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return false;
	cr_assert_gt(n, 0, "%s", strerror(errno));
	cr_assert(worker_answer_valid(packet, (size_t)n, ret),
		  "natd would not read that");
	return true;
}

struct worker_answer worker_answers(const struct worker *worker,
				    const struct worker_job *job)
{
	struct worker_answer answer;

	worker_ask(worker, job);
	cr_assert(worker_hear(worker, 30000, &answer), "no answer to a job of kind %u",
		  job->kind);
	cr_assert_eq(answer.kind, ANSWER_JOB);
	cr_assert_eq(answer.serial, job->serial, "answered is %lu, not %lu",
		     (unsigned long)answer.serial, (unsigned long)job->serial);
	cr_assert_eq(answer.job, job->kind);
	return answer;
}

void worker_silent(const struct worker *worker, const struct worker_job *job)
{
	struct worker_answer answer;

	worker_ask(worker, job);
	cr_assert(!worker_hear(worker, 500, &answer), "an answer to a job of kind %u: %d",
		  job->kind, answer.result);
	cr_assert(worker_lives(worker));
}
