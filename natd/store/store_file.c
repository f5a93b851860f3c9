/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "natd/store/store_private.h"

/* The errno of the system call that failed inside of SQLite, where it is one of ours. */
static int known_errno(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
		return -ENOSPC;
	case EROFS:
		return -EROFS;
	case EACCES:
	case EPERM:
		return -EACCES;
	case ENOENT:
		return -ENOENT;
	case ENOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

int store_errno(sqlite3 *db, int result)
{
	switch (result & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_ERROR: /* our statements fit our schema, and not this one */
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
		return -EUCLEAN;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return result == SQLITE_IOERR_NOMEM
			       ? -ENOMEM
			       : known_errno(sqlite3_system_errno(db));
	default:
		return -EIO;
	}
}

/* sqlite3_db_cacheflush() does not keep the errno as others do: the log's file has it. */
int store_flush(sqlite3 *db)
{
	int result = sqlite3_db_cacheflush(db), error = 0;
	sqlite3_file *log = NULL;

	if ((result & 0xff) != SQLITE_IOERR)
		return store_errno(db, result);
	sqlite3_file_control(db, NULL, SQLITE_FCNTL_JOURNAL_POINTER, &log);
	if (log && log->pMethods)
		log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &error);
	return result == SQLITE_IOERR_NOMEM ? -ENOMEM : known_errno(error);
}

int store_exec(sqlite3 *db, const char *sql)
{
	return store_errno(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

int store_number(sqlite3 *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *statement = NULL;
	int r;

	r = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_step(statement);
	if (r == SQLITE_ROW)
		*ret = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return r == SQLITE_ROW || r == SQLITE_DONE ? 0 : store_errno(db, r);
}

/* What a person does about it, by errno. */
static const char *cure_of(int error)
{
	switch (-error) {
	case EUCLEAN:
		return "natd changes nothing in it; put a backup in its place, or let natd "
		       "--recover make a new one of what the kernel and its rows say";
	case EPROTO:
		return "install the newer natd again, or move the file aside to start "
		       "without mappings";
	case EBUSY:
		return "stop the other program first";
	case EACCES:
		return "the directory and the files in it must belong to the user natd "
		       "runs as";
	case EROFS:
		return "the file system must be writable";
	case ENOSPC:
		return "make room on the disk";
	case ENOENT:
		return "create it, or name another with --state";
	default:
		return "see the kernel's log";
	}
}

int store_say(const struct store *store, int error, const char *what,
	      struct store_fault *why)
{
	const char *reason = error == -EUCLEAN	? "damaged"
			     : error == -EPROTO ? "of a newer format"
						: strerror(-error);

	snprintf(why->text, sizeof(why->text), "%.200s: %s (%.120s); %s", store->path,
		 reason, what, cure_of(error));
	return error;
}

/* ------------------------------------------------------------ natd.lock */

/* What root makes for natd (natd --teardown) must be natd's, who owns the directory. */
static void give_to_owner(int fd, int dir_fd)
{
	struct stat st;

	if (geteuid() == 0 && fstat(dir_fd, &st) == 0 && st.st_uid != 0 &&
	    fchown(fd, st.st_uid, st.st_gid) < 0)
		return; /* found out when natd opens it, and said then */
}

/*
 * Return: a descriptor, or -errno. *ret_made: was it made now? A symbolic link is not
 * followed: root writes to these files in a directory that is not root's.
 */
int store_open_or_create(int dir_fd, const char *name, bool *ret_made)
{
	int fd;

	*ret_made = false;
	fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT) {
		fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
		*ret_made = fd >= 0;
	}
	if (fd < 0)
		return errno == ELOOP ? -EACCES : errno == EISDIR ? -EUCLEAN : -errno;
	if (*ret_made)
		give_to_owner(fd, dir_fd);
	return fd;
}

static int say_locked(const struct store *store, int fd, struct store_fault *why)
{
	char holder[32] = "", what[80];
	int digits;

	if (pread(fd, holder, sizeof(holder) - 1, 0) < 0)
		holder[0] = '\0';
	digits = (int)strspn(holder, "0123456789");
	snprintf(what, sizeof(what), "another natd, pid %.*s, has it open",
		 digits ? digits : 1, digits ? holder : "?");
	return store_say(store, -EBUSY, what, why);
}

/*
 * The lock ends with the process, however that ends. The pid in the file is for people
 * only, and does not matter on a full disk.
 */
static int take_lock(struct store *store, int dir_fd, struct store_fault *why)
{
	char pid[32];
	bool made;
	int fd, len;

	fd = store_open_or_create(dir_fd, "natd.lock", &made);
	if (fd < 0)
		return store_say(store, fd, "natd.lock beside it", why);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int r = errno == EWOULDBLOCK ? say_locked(store, fd, why)
					     : store_say(store, -EIO, "natd.lock", why);

		close(fd);
		return r;
	}
	store->lock_fd = fd;
	len = snprintf(pid, sizeof(pid), "%d\n", getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)len, 0) < 0)
		return 0;
	return 0;
}

int store_lock(struct store *store, const char *dir, struct store_fault *why)
{
	int dir_fd, r;

	snprintf(store->path, sizeof(store->path), "%s", dir);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return store_say(store, errno == ENOTDIR ? -ENOENT : -errno,
				 "the directory for natd.db", why);
	snprintf(store->path, sizeof(store->path), "%.4000s/natd.db", dir);
	r = take_lock(store, dir_fd, why);
	close(dir_fd);
	return r < 0 ? r : store_settle(store, why);
}
