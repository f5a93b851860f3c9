/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * store_make - natd.db comes into being, is replaced, and is copied aside
 *
 * A store is written whole under another name and then renamed, so that a natd.db that is
 * there is never taken for a new one, whatever it holds: an empty one was emptied.
 *
 * What store_replace() makes is called natd.db.recovered for a moment, and counts from
 * then on: the old file's log has to go before the new one has its name (SQLite would
 * play it into the new file), and a natd that is cut off there goes on at its next start.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "natd/common/kill_point.h"
#include "natd/store/store_private.h"

#define DB_NAME	       "natd.db"
#define LOG_NAME       "natd.db-wal"
#define SHM_NAME       "natd.db-shm"
#define NEW_NAME       "natd.db.new"
#define RECOVERED_NAME "natd.db.recovered"
#define COPYING_NAME   "natd.db.copying"

static int open_dir(const struct store *store, struct store_fault *why)
{
	char dir[sizeof(store->path)];
	int fd;

	snprintf(dir, sizeof(dir), "%s", store->path);
	*strrchr(dir, '/') = '\0';
	fd = open(dir[0] ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return store_say(store, -errno, "its directory", why);
	return fd;
}

static int remove_file(int dir_fd, const char *name)
{
	return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int rename_durably(int dir_fd, const char *from, const char *to)
{
	if (renameat(dir_fd, from, dir_fd, to) < 0 || fsync(dir_fd) < 0)
		return -errno;
	return 0;
}

/* Any file that begins a store's life is called natd.db.new until it is complete. */
static int begin_new(int dir_fd)
{
	static const char *const leftovers[] = { NEW_NAME, NEW_NAME "-wal",
						 NEW_NAME "-shm" };
	bool made;
	int fd, r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(leftovers) && r == 0; i++)
		r = remove_file(dir_fd, leftovers[i]);
	if (r < 0)
		return r;
	fd = store_open_or_create(dir_fd, NEW_NAME, &made);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int write_table(struct store *new, const struct table *table, uint64_t sequence)
{
	const struct mapping *m;
	int r;

	new->next = new->meta;
	new->next.sequence = sequence;
	new->next.next_id = table_next_id(table);
	r = store_exec(new->db, "BEGIN IMMEDIATE");
	table_for_each (table, m) {
		uint64_t checksum = store_checksum_mapping(m);

		if (r < 0)
			break;
		new->next.rows++;
		new->next.digest += checksum;
		r = store_insert(new, m, checksum);
	}
	if (r == 0)
		r = store_beside_write(new);
	if (r == 0)
		r = store_upstream_write(new);
	if (r == 0)
		r = store_meta_update(new, &new->meta, &new->next);
	return r < 0 ? r : store_exec(new->db, "COMMIT");
}

/* natd.db.new, complete and on the disk. @table: NULL for an empty store. */
static int build_new(const struct store *store, int dir_fd, const struct table *table,
		     uint64_t sequence, struct store_fault *why)
{
	struct store new = {
		.lock_fd = -1,
		.anchor = store->anchor,
		.anchor_new = store->anchor_new,
		.traffic = store->traffic,
		.upstream = store->upstream,
		.n_upstream = store->n_upstream,
	};
	int r;

	snprintf(new.path, sizeof(new.path), "%.4000s.new", store->path);
	r = begin_new(dir_fd);
	if (r < 0)
		return store_say(store, r, "making it", why);
	r = store_open_db(&new, true, why);
	if (r < 0) {
		store_close_db(&new);
		return r;
	}
	if (table)
		r = write_table(&new, table, sequence);
	if (r == 0)
		r = store_checkpoint(&new);
	store_close_db(&new);
	if (r == 0)
		r = remove_file(dir_fd, NEW_NAME "-wal");
	if (r == 0)
		r = remove_file(dir_fd, NEW_NAME "-shm");
	return r < 0 ? store_say(store, r, "making it", why) : 0;
}

/* Return: 1 when there is none, 0 when there is one, -errno. */
static int look_for(const struct store *store, int dir_fd, struct store_fault *why)
{
	struct stat st;

	if (fstatat(dir_fd, DB_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISREG(st.st_mode))
			return 0;
		return store_say(store, S_ISDIR(st.st_mode) ? -EUCLEAN : -EACCES,
				 "it is no file", why);
	}
	if (errno != ENOENT)
		return store_say(store, -errno, "opening it", why);
	if (fstatat(dir_fd, LOG_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0)
		return store_say(store, -EUCLEAN, "it is gone, and its log is there",
				 why);
	return 1;
}

static int make_in(const struct store *store, int dir_fd, struct store_fault *why)
{
	int r = look_for(store, dir_fd, why);

	if (r <= 0)
		return r;
	r = build_new(store, dir_fd, NULL, 0, why);
	if (r < 0)
		return r;
	KILL_POINT(KILL_STORE_BUILT);
	r = rename_durably(dir_fd, NEW_NAME, DB_NAME);
	return r < 0 ? store_say(store, r, "making it", why) : 0;
}

int store_make_first(struct store *store, struct store_fault *why)
{
	int dir_fd = open_dir(store, why), r;

	if (dir_fd < 0)
		return dir_fd;
	r = make_in(store, dir_fd, why);
	close(dir_fd);
	return r;
}

/* ------------------------------------------------------------ replacing */

static int take_place(const struct store *store, int dir_fd, struct store_fault *why)
{
	int r;

	KILL_POINT(KILL_RECOVERED);
	r = remove_file(dir_fd, LOG_NAME);
	if (r == 0)
		r = remove_file(dir_fd, SHM_NAME);
	KILL_POINT(KILL_LOG_REMOVED);
	if (r == 0)
		r = rename_durably(dir_fd, RECOVERED_NAME, DB_NAME);
	return r < 0 ? store_say(store, r, "putting the recovered one in its place", why)
		     : 0;
}

int store_settle(struct store *store, struct store_fault *why)
{
	int dir_fd = open_dir(store, why), r = 0;

	if (dir_fd < 0)
		return dir_fd;
	if (faccessat(dir_fd, RECOVERED_NAME, F_OK, 0) == 0)
		r = take_place(store, dir_fd, why);
	close(dir_fd);
	return r;
}

int store_replace(struct store *store, const struct table *table, uint64_t sequence,
		  struct store_fault *why)
{
	int dir_fd = open_dir(store, why), r;

	if (dir_fd < 0)
		return dir_fd;
	r = build_new(store, dir_fd, table, sequence, why);
	if (r == 0) {
		r = rename_durably(dir_fd, NEW_NAME, RECOVERED_NAME);
		if (r < 0)
			store_say(store, r, "naming the new one", why);
	}
	if (r == 0)
		r = take_place(store, dir_fd, why);
	close(dir_fd);
	return r;
}

/* ------------------------------------------------------------ copying aside */

static int copy_bytes(int from, int to)
{
	ssize_t n;

	do {
		n = sendfile(to, from, NULL, 1 << 20);
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 || fsync(to) < 0 ? -errno : 0;
}

/* Return: 0 also when there is no @name. A copy that has its name is complete. */
static int copy_file(int dir_fd, const char *name, const char *copy)
{
	bool made;
	int from, to, r;

	if (faccessat(dir_fd, copy, F_OK, 0) == 0)
		return 0;
	from = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (from < 0)
		return errno == ENOENT ? 0 : -errno;
	r = remove_file(dir_fd, COPYING_NAME);
	to = r < 0 ? r : store_open_or_create(dir_fd, COPYING_NAME, &made);
	r = to < 0 ? to : copy_bytes(from, to);
	close(from);
	if (to >= 0)
		close(to);
	if (r == 0)
		r = rename_durably(dir_fd, COPYING_NAME, copy);
	if (r < 0)
		(void)remove_file(dir_fd, COPYING_NAME);
	return r;
}

/* Return: 1 and the name, 0 when nothing is there to copy. */
static int name_copy(int dir_fd, char ret[static STORE_ASIDE_STRLEN])
{
	struct stat st;
	struct tm tm;

	if ((fstatat(dir_fd, DB_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	     !S_ISREG(st.st_mode)) &&
	    (fstatat(dir_fd, LOG_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	     !S_ISREG(st.st_mode)))
		return 0;
	gmtime_r(&st.st_mtime, &tm);
	strftime(ret, STORE_ASIDE_STRLEN, "natd.db.damaged-%Y%m%dT%H%M%SZ", &tm);
	return 1;
}

int store_set_aside(const struct store *store, char ret[static STORE_ASIDE_STRLEN])
{
	char log[STORE_ASIDE_STRLEN + sizeof("-wal")];
	struct store_fault why;
	int dir_fd = open_dir(store, &why), r = 0;

	ret[0] = '\0';
	if (dir_fd < 0)
		return dir_fd;
	if (name_copy(dir_fd, ret)) {
		snprintf(log, sizeof(log), "%s-wal", ret);
		r = copy_file(dir_fd, LOG_NAME, log);
		if (r == 0)
			r = copy_file(dir_fd, DB_NAME, ret);
	}
	close(dir_fd);
	return r;
}
