/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Files within reach of a confined process, and out of it, and how much it may have of
 * what is bounded: asked of the kernel.
 */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"
#include "core/cleanup.h"
#include "natd/workers/confine.h"
#include "natd/workers/landlock.h"
#include "natd/workers/reach.h"

static char dir[] = "/tmp/natd-confine-XXXXXX";

static void path_of(const char *name, char ret[static 128])
{
	snprintf(ret, 128, "%s/%s", dir, name);
}

static void make_file(const char *name)
{
	char path[128];
	int fd;

	path_of(name, path);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	cr_assert_eq(write(fd, "text", 4), 4);
	close(fd);
}

static void make_files(void)
{
	char path[128];

	cr_assert_not_null(mkdtemp(dir));
	path_of("read", path);
	cr_assert_eq(mkdir(path, 0755), 0);
	path_of("write", path);
	cr_assert_eq(mkdir(path, 0755), 0);
	make_file("read/a");
	make_file("write/a");
	make_file("outside");
	make_file("single");
}

static void remove_files(void)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_expect_eq(system(command), 0);
}

TestSuite(confine_files, .init = make_files, .fini = remove_files);

static int made(long r)
{
	return r < 0 ? errno : 0;
}

static int confine_as(enum confinement who, const struct confine_path *paths, size_t n)
{
	struct confine_fault why = { "" };
	struct confined confined;

	BOX_CHECK(confine(who, paths, n, &confined, &why) == 0, "%s", why.text);
	BOX_CHECK(confined.landlock == (confined.landlock_abi > 0));
	return 0;
}

static int open_of(const char *name, int flags)
{
	char path[128];
	int fd;

	path_of(name, path);
	fd = open(path, flags | O_CLOEXEC, 0644);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int remove_of(const char *name)
{
	char path[128];

	path_of(name, path);
	return made(unlink(path));
}

static int rename_of(const char *from, const char *to)
{
	char a[128], b[128];

	path_of(from, a);
	path_of(to, b);
	return made(rename(a, b));
}

static int touch_files(void *userdata)
{
	char readable[128], writable[128], single[128], missing[128];
	const struct confine_path paths[] = {
		{ readable, false }, { writable, true },    { single, false },
		{ missing, true },   { "/dev/null", true }, { "/proc", false },
	};

	path_of("read", readable);
	path_of("write", writable);
	path_of("single", single);
	path_of("missing", missing);
	if (!landlock_abi())
		return BOX_SKIP;
	if (confine_as(CONFINE_NATD, paths, ARRAY_SIZE(paths)))
		return 1;
	BOX_CHECK(open_of("read/a", O_RDONLY) == 0 && open_of("single", O_RDONLY) == 0);
	BOX_CHECK(open_of("read", O_RDONLY | O_DIRECTORY) == 0);
	BOX_CHECK(open_of("read/a", O_RDWR) == EACCES);
	BOX_CHECK(open_of("read/new", O_CREAT | O_WRONLY) == EACCES);
	BOX_CHECK(remove_of("read/a") == EACCES);
	BOX_CHECK(open_of("single", O_WRONLY) == EACCES);
	BOX_CHECK(open_of("outside", O_RDONLY) == EACCES);
	BOX_CHECK(open_of(".", O_RDONLY | O_DIRECTORY) == EACCES);
	BOX_CHECK(open_of("missing", O_CREAT | O_WRONLY) == EACCES);
	BOX_CHECK(open_of("write/new", O_CREAT | O_EXCL | O_RDWR) == 0);
	BOX_CHECK(open_of("write/a", O_RDWR | O_TRUNC) == 0);
	BOX_CHECK(rename_of("write/new", "write/a") == 0 && remove_of("write/a") == 0);
	BOX_CHECK(open("/dev/null", O_RDWR) >= 0 &&
		  open("/proc/self/stat", O_RDONLY) >= 0);
	return 0;
}

Test(confine_files, files_are_reached_where_they_are_needed_only)
{
	box_run(touch_files, NULL);
}

/* An editor writes another file, and renames it over the old one. */
static int read_what_was_put_there(void *userdata)
{
	char readable[128];
	const struct confine_path paths[] = { { readable, false } };
	pid_t pid;

	path_of("read", readable);
	pid = fork();
	if (pid == 0) {
		if (confine_as(CONFINE_NATD, paths, ARRAY_SIZE(paths)))
			_exit(1);
		while (open_of("read/c", O_RDONLY) == ENOENT)
			usleep(1000);
		_exit(open_of("read/c", O_RDONLY));
	}
	make_file("read/b");
	BOX_CHECK(rename_of("read/b", "read/c") == 0);
	BOX_CHECK(waitpid(pid, (int *)userdata, 0) == pid);
	BOX_CHECK(*(int *)userdata == 0);
	return 0;
}

Test(confine_files, a_file_that_came_later_is_read, .timeout = 20)
{
	box_run(read_what_was_put_there, &(int){ 0 });
}

static int listen_somewhere(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP), error;

	error = listen(fd, 1) < 0 ? errno : 0;
	close(fd);
	return error;
}

static int listen_tcp(void *userdata)
{
	BOX_CHECK(listen_somewhere() == 0);
	if (confine_as(CONFINE_IGD, NULL, 0))
		return 1;
	BOX_CHECK(listen_somewhere() == EPERM);
	return 0;
}

Test(confine_files, a_worker_listens_on_no_tcp_port)
{
	box_run(listen_tcp, NULL);
}

/* ------------------------------------------------------------ limits */

static int look_at_limits(void *userdata)
{
	static const struct {
		int resource;
		rlim_t value;
	} limits[] = {
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_FSIZE, 0 },
		{ RLIMIT_NOFILE, 32 },
	};
	struct rlimit now;
	const size_t who = *(size_t *)userdata;
	const int protocol = who == CONFINE_RESOLVER ? 0 : IPPROTO_TCP;
	int fd = -1, last = -1;

	if (confine_as(CONFINE_NURSERY, NULL, 0))
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		BOX_CHECK(getrlimit(limits[i].resource, &now) == 0);
		BOX_CHECK(now.rlim_cur == limits[i].value &&
			  now.rlim_max == now.rlim_cur);
	}
	if (confine_as(who, NULL, 0))
		return 1;
	while ((fd = socket(AF_INET, SOCK_STREAM, protocol)) >= 0)
		last = fd;
	BOX_CHECK(errno == EMFILE && last == 31, "%d: %m", last);
	BOX_CHECK(mmap(NULL, 100 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			  MAP_FAILED &&
		  errno == ENOMEM);
	return 0;
}

Test(confine_files, descriptors_files_and_memory_are_bounded)
{
	box_run(look_at_limits, &(size_t){ CONFINE_IGD });
	box_run(look_at_limits, &(size_t){ CONFINE_RESOLVER });
}

static int have_less(void *userdata)
{
	const struct rlimit less = { 24, 24 };
	struct rlimit now;

	BOX_CHECK(setrlimit(RLIMIT_NOFILE, &less) == 0);
	if (confine_as(CONFINE_NURSERY, NULL, 0))
		return 1;
	BOX_CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_max == 24);
	return 0;
}

Test(confine_files, who_has_less_keeps_it)
{
	box_run(have_less, NULL);
}

/* ------------------------------------------------------------ what natd reaches */

static bool is_reached(const struct reach *reach, const char *path, bool write)
{
	for (size_t i = 0; i < reach->n; i++)
		if (!strcmp(reach->paths[i].path, path) && reach->paths[i].write == write)
			return true;
	return false;
}

Test(reach, directories_of_what_natd_was_given)
{
	static struct reach reach;

	reach_list("/srv/natd/natd.conf", "/srv/state", "/run/somewhere/api.sock",
		   &reach);
	cr_expect(is_reached(&reach, "/srv/natd", false));
	cr_expect(is_reached(&reach, "/srv/state", true));
	cr_expect(is_reached(&reach, "/run/somewhere", true));
	cr_expect(is_reached(&reach, "/etc", false));
	cr_expect(is_reached(&reach, "/proc/sys/net", true));
	cr_expect_leq(reach.n, (size_t)REACH_MAX);
	for (size_t i = 0; i < reach.n; i++)
		cr_expect_neq(strcmp(reach.paths[i].path, "/"), 0);
}

Test(reach, a_path_without_a_directory_is_where_natd_was_started)
{
	static struct reach reach;

	reach_list("natd.conf", "state", "api.sock", &reach);
	cr_expect(is_reached(&reach, ".", false));
	cr_expect(is_reached(&reach, ".", true));
	cr_expect(is_reached(&reach, "state", true));
	reach_list("/natd.conf", "state", "/api.sock", &reach);
	cr_expect(is_reached(&reach, "/", false));
	cr_expect(is_reached(&reach, "/", true));
}

Test(confine_files, where_a_symbolic_link_leads_is_reached)
{
	static struct reach reach;
	char link[128], target[128], read_dir[128];

	path_of("link", link);
	path_of("read/a", target);
	path_of("read", read_dir);
	cr_assert_eq(symlink(target, link), 0);
	reach_list(link, "state", "api.sock", &reach);
	cr_expect(is_reached(&reach, dir, false));
	cr_expect(is_reached(&reach, read_dir, false));
}
