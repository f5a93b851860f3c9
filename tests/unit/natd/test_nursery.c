/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "box.h"
#include "core/cleanup.h"
#include "natd/workers/confine_private.h"
#include "natd/workers/nursery_private.h"
#include "nursery_fixture.h"

static bool is_status(pid_t pid, const char *name, const char *wanted)
{
	char value[128];

	return !strcmp(status_of(pid, name, value), wanted);
}

/* ------------------------------------------------------------ workers */

static int start_both(void *userdata)
{
	static const char *const names[] = { "natd-datagram", "natd-igd",
					     "natd-resolver" };
	struct nursery nursery;
	char packet[8], parent[16];

	if (begin(&nursery))
		return 1;
	snprintf(parent, sizeof(parent), "%d", nursery.pid);
	BOX_CHECK(is_status(nursery.pid, "Name", "natd-nursery"));
	for (uint32_t role = 0; role < WORKER_ROLES; role++) {
		int fd;
		pid_t pid = started(&nursery, role, &fd);

		BOX_CHECK(pid > 0);
		BOX_CHECK(is_status(pid, "PPid", parent));
		BOX_CHECK(order(fd, 'p') == 0 && heard(fd, packet, sizeof(packet)) == 1);
		BOX_CHECK(is_status(pid, "Name", names[role]));
		BOX_CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
		BOX_CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		BOX_CHECK(order(fd, 'u') == 0 && heard(fd, packet, sizeof(packet)) == 1);
		BOX_CHECK(packet[0] == 0, "%d", packet[0]);
	}
	nursery_stop(&nursery);
	BOX_CHECK(nursery.fd == -1);
	return 0;
}

Test(nursery, starts_a_worker_by_its_number_and_hands_back_its_socket)
{
	box_run(start_both, NULL);
}

static int start_twice(void *userdata)
{
	struct nursery nursery;
	char packet[8];
	int fd;

	if (begin(&nursery))
		return 1;
	BOX_CHECK(started(&nursery, WORKER_IGD, &fd) > 0);
	BOX_CHECK(failed_with(&nursery) == -EBUSY);
	BOX_CHECK(order(fd, 'p') == 0 && heard(fd, packet, sizeof(packet)) == 1);
	return 0;
}

Test(nursery, a_second_one_of_a_role_is_refused_and_the_first_lives_on)
{
	box_run(start_twice, NULL);
}

/* Return: the wait status of a worker that got @letter, or was stopped (0); -1 */
static int end_by(const struct nursery *nursery, char letter)
{
	struct nursery_report said;
	int fd, none = 0;
	pid_t pid = started(nursery, WORKER_DATAGRAM, &fd);

	if (pid < 0)
		return -1;
	if (letter)
		order(fd, letter);
	else
		nursery_ask(nursery, NURSERY_STOP, WORKER_DATAGRAM);
	if (report(nursery, &said, &none) < 0 || said.kind != NURSERY_ENDED ||
	    said.role != WORKER_DATAGRAM || said.pid != pid || none != -1)
		return -1;
	close(fd);
	return said.status;
}

static int end_in_all_ways(void *userdata)
{
	struct nursery nursery;
	int status;

	if (begin(&nursery))
		return 1;
	/* nobody is there: nothing is said */
	BOX_CHECK(nursery_ask(&nursery, NURSERY_STOP, WORKER_DATAGRAM) == 0);
	status = end_by(&nursery, '\0');
	BOX_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%d", status);
	status = end_by(&nursery, 'e');
	BOX_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7, "%d", status);
	status = end_by(&nursery, 'a');
	BOX_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%d", status);
	for (int i = 0; i < 50; i++)
		BOX_CHECK(end_by(&nursery, '\0') == SIGKILL);
	return 0;
}

Test(nursery, tells_how_a_worker_ended)
{
	box_run(end_in_all_ways, NULL);
}

static int let_go(void *userdata)
{
	struct nursery_report said;
	struct nursery nursery;
	int fd;

	if (begin(&nursery))
		return 1;
	BOX_CHECK(started(&nursery, WORKER_IGD, &fd) > 0);
	close(fd);
	BOX_CHECK(report(&nursery, &said, &fd) == 0 && said.kind == NURSERY_ENDED);
	BOX_CHECK(WIFEXITED(said.status) && WEXITSTATUS(said.status) == 0);
	return 0;
}

Test(nursery, a_worker_ends_when_its_socket_is_closed)
{
	box_run(let_go, NULL);
}

/* ------------------------------------------------------------ what they have */

static int check_confined(pid_t pid)
{
	static const char *const empty[] = { "CapInh", "CapPrm", "CapEff", "CapAmb" };
	char value[128];

	for (size_t i = 0; i < ARRAY_SIZE(empty); i++)
		BOX_CHECK(is_status(pid, empty[i], "0000000000000000"), "%s: %s",
			  empty[i], status_of(pid, empty[i], value));
	/* who could not empty it before leaves it, without any use */
	if (geteuid() == 0)
		BOX_CHECK(is_status(pid, "CapBnd", "0000000000000000"));
	BOX_CHECK(is_status(pid, "NoNewPrivs", "1") && is_status(pid, "Seccomp", "2"));
	return 0;
}

static int look(const struct nursery *nursery)
{
	char packet[8];
	int fd;
	pid_t pid;

	if (check_confined(nursery->pid))
		return 1;
	for (uint32_t role = 0; role < WORKER_ROLES; role++) {
		pid = started(nursery, role, &fd);
		BOX_CHECK(order(fd, 'p') == 0 && heard(fd, packet, sizeof(packet)) == 1);
		if (check_confined(pid))
			return 1;
	}
	return 0;
}

static int look_as_we_are(void *userdata)
{
	struct nursery nursery;

	return begin(&nursery) ? 1 : look(&nursery);
}

Test(nursery, nobody_in_it_has_a_capability)
{
	box_run(look_as_we_are, NULL);
}

Test(nursery, nobody_in_it_has_a_capability_in_a_user_namespace)
{
	box_run_alone(0, look_as_we_are, NULL);
}

static int become_nobody(void *userdata)
{
	const struct passwd *pw = getpwnam("nobody");
	const struct identity id = { .uid = pw->pw_uid, .gid = pw->pw_gid };
	struct nursery_fault why = { "" };
	struct nursery nursery;
	char wanted[64];

	if (geteuid() != 0)
		return BOX_SKIP;
	BOX_CHECK(nursery_start(&id, &nursery, &why) == 0, "%s", why.text);
	snprintf(wanted, sizeof(wanted), "%u\t%u\t%u\t%u", id.uid, id.uid, id.uid,
		 id.uid);
	BOX_CHECK(is_status(nursery.pid, "Uid", wanted));
	BOX_CHECK(is_status(nursery.pid, "Groups", ""));
	return look(&nursery);
}

Test(nursery, becomes_the_user_of_natd)
{
	box_run(become_nobody, NULL);
}

static int leak(void *userdata)
{
	struct nursery nursery;
	char packet[8];
	int fd;
	pid_t pid;

	for (int i = 0; i < 20; i++)
		BOX_CHECK(open("/proc/self/status", O_RDONLY) >= 0);
	if (begin(&nursery))
		return 1;
	if (descriptors_beyond(nursery.pid, 0) < 0)
		return BOX_SKIP;
	/* to natd, and for the ends of workers */
	BOX_CHECK(descriptors_beyond(nursery.pid, 3) == 2);
	for (uint32_t role = 0; role < WORKER_ROLES; role++) {
		pid = started(&nursery, role, &fd);
		BOX_CHECK(order(fd, 'p') == 0 && heard(fd, packet, sizeof(packet)) == 1);
		BOX_CHECK(descriptors_beyond(pid, 3) == 1);
	}
	/* it has closed the ends by the time that it listens again */
	BOX_CHECK(failed_with(&nursery) == -EBUSY);
	BOX_CHECK(descriptors_beyond(nursery.pid, 3) == 2);
	return 0;
}

Test(nursery, no_descriptor_of_natd_is_open_in_it)
{
	box_run(leak, NULL);
}

/* Where natd's own stand for one socket: once natd has closed it, nobody has it. */
static int take_standard_descriptors(void *userdata)
{
	const int last = SANITIZED ? STDOUT_FILENO : STDERR_FILENO;
	const int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	struct nursery nursery;
	int ends[2], fd;
	char byte;

	BOX_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	for (int i = STDIN_FILENO; i <= last; i++)
		BOX_CHECK(dup2(ends[1], i) == i);
	if (begin(&nursery) || started(&nursery, WORKER_IGD, &fd) < 0)
		return 1;
	BOX_CHECK(order(fd, 'p') == 0 && heard(fd, &byte, 1) == 1);
	for (int i = STDIN_FILENO; i <= last; i++)
		close(i);
	dup2(kept, STDERR_FILENO);
	close(ends[1]);
	BOX_CHECK(recv(ends[0], &byte, 1, MSG_DONTWAIT) == 0, "%m");
	return 0;
}

Test(nursery, nobody_in_it_can_write_where_natd_writes)
{
	box_run(take_standard_descriptors, NULL);
}

/* ------------------------------------------------------------ ends of all kinds */

/* Somebody else's children come to us. */
static int become_natd(int pipe_fd)
{
	struct nursery nursery;
	pid_t pids[3];
	int fd;

	if (begin(&nursery))
		return 1;
	pids[0] = nursery.pid;
	pids[1] = started(&nursery, WORKER_DATAGRAM, &fd);
	pids[2] = started(&nursery, WORKER_IGD, &fd);
	BOX_CHECK(write(pipe_fd, pids, sizeof(pids)) == sizeof(pids));
	for (;;)
		pause();
}

static int kill_natd(void *userdata)
{
	pid_t pids[3], natd;
	int ends[2];

	BOX_CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && pipe2(ends, O_CLOEXEC) == 0);
	natd = fork();
	if (natd == 0)
		_exit(become_natd(ends[1]));
	BOX_CHECK(read(ends[0], pids, sizeof(pids)) == sizeof(pids));
	kill(natd, SIGKILL);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		BOX_CHECK(pids[i] > 0 && is_gone(pids[i]), "%zu", i);
	return 0;
}

Test(nursery, dies_with_natd_and_so_do_its_workers, .timeout = 30)
{
	box_run(kill_natd, NULL);
}

static int kill_nursery(void *userdata)
{
	struct nursery_report said;
	struct nursery nursery;
	char packet[8];
	pid_t pid;
	int fd, none;

	BOX_CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	if (begin(&nursery))
		return 1;
	pid = started(&nursery, WORKER_IGD, &fd);
	kill(nursery.pid, SIGKILL);
	BOX_CHECK(is_gone(pid));
	BOX_CHECK(heard(fd, packet, sizeof(packet)) == 0);
	BOX_CHECK(report(&nursery, &said, &none) == -EPIPE);
	BOX_CHECK(nursery_ask(&nursery, NURSERY_START, WORKER_IGD) == -EPIPE);
	nursery_stop(&nursery);
	return 0;
}

Test(nursery, its_workers_die_with_it, .timeout = 30)
{
	box_run(kill_nursery, NULL);
}

static int signal_group(void *userdata)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE };
	struct nursery nursery;
	char packet[8];
	pid_t pid;
	int fd;

	if (begin(&nursery))
		return 1;
	pid = started(&nursery, WORKER_DATAGRAM, &fd);
	BOX_CHECK(order(fd, 'p') == 0 && heard(fd, packet, sizeof(packet)) == 1);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		BOX_CHECK(kill(nursery.pid, signals[i]) == 0 &&
			  kill(pid, signals[i]) == 0);
	BOX_CHECK(order(fd, 'p') == 0 && heard(fd, packet, sizeof(packet)) == 1);
	BOX_CHECK(started(&nursery, WORKER_IGD, &fd) > 0);
	nursery_stop(&nursery);
	BOX_CHECK(is_gone(pid));
	return 0;
}

Test(nursery, signals_to_the_whole_group_are_for_natd_alone, .timeout = 30)
{
	box_run(signal_group, NULL);
}

static int stop_stopped(void *userdata)
{
	struct nursery nursery;
	time_t began = time(NULL);
	pid_t pid;

	if (begin(&nursery))
		return 1;
	pid = nursery.pid;
	kill(pid, SIGSTOP);
	nursery_stop(&nursery);
	BOX_CHECK(kill(pid, 0) < 0 && errno == ESRCH);
	BOX_CHECK(time(NULL) - began < 8);
	return 0;
}

Test(nursery, one_that_does_not_end_is_killed, .timeout = 30)
{
	box_run(stop_stopped, NULL);
}

Test(nursery, stopping_one_that_was_never_started_is_fine)
{
	struct nursery none = { .fd = -1 };

	nursery_stop(&none);
	cr_expect_eq(none.fd, -1);
}
