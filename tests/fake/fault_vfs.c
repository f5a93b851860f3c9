/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fault_vfs.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <string.h>

struct fault_vfs fault_vfs;

static sqlite3_vfs *real_vfs;
static sqlite3_vfs shim;

/* what SQLite allocates for each open file: ours, then the real one's */
struct file {
	sqlite3_file base;
	sqlite3_file *real;
};

static sqlite3_file *real(sqlite3_file *file)
{
	return ((struct file *)(void *)file)->real;
}

static bool fails(void)
{
	unsigned int n = ++fault_vfs.operations;

	if (!fault_vfs.fail_at || n < fault_vfs.fail_at ||
	    (n > fault_vfs.fail_at && !fault_vfs.lasts))
		return false;
	fault_vfs.failed++;
	return true;
}

static int errno_of_fault(void)
{
	return fault_vfs.system_errno ? fault_vfs.system_errno : EIO;
}

static int result_of(int real_result, int failure)
{
	if (fault_vfs.system_errno == ENOSPC)
		return SQLITE_FULL;
	return real_result == SQLITE_OK ? failure : real_result;
}

static int shim_close(sqlite3_file *f)
{
	return real(f)->pMethods ? real(f)->pMethods->xClose(real(f)) : SQLITE_OK;
}

static int shim_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	if (fault_vfs.reads && fails())
		return SQLITE_IOERR_READ;
	return real(f)->pMethods->xRead(real(f), to, n, at);
}

static int shim_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	bool failing = fails();
	int r = SQLITE_OK;

	if (!failing || fault_vfs.happens)
		r = real(f)->pMethods->xWrite(real(f), from, n, at);
	return failing ? result_of(r, SQLITE_IOERR_WRITE) : r;
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	if (fails())
		return SQLITE_IOERR_TRUNCATE;
	return real(f)->pMethods->xTruncate(real(f), size);
}

static int shim_sync(sqlite3_file *f, int flags)
{
	bool failing = fails();
	int r = SQLITE_OK;

	if (!failing || fault_vfs.happens)
		r = real(f)->pMethods->xSync(real(f), flags);
	return failing ? result_of(r, SQLITE_IOERR_FSYNC) : r;
}

static int shim_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return real(f)->pMethods->xFileSize(real(f), size);
}

static int shim_lock(sqlite3_file *f, int lock)
{
	return real(f)->pMethods->xLock(real(f), lock);
}

static int shim_unlock(sqlite3_file *f, int lock)
{
	return real(f)->pMethods->xUnlock(real(f), lock);
}

static int shim_reserved(sqlite3_file *f, int *out)
{
	return real(f)->pMethods->xCheckReservedLock(real(f), out);
}

static int shim_control(sqlite3_file *f, int op, void *arg)
{
	if (op == SQLITE_FCNTL_LAST_ERRNO && fault_vfs.failed) {
		*(int *)arg = errno_of_fault();
		return SQLITE_OK;
	}
	return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int shim_sector(sqlite3_file *f)
{
	return real(f)->pMethods->xSectorSize(real(f));
}

static int shim_traits(sqlite3_file *f)
{
	return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static int shim_shm_map(sqlite3_file *f, int region, int size, int extend,
			void volatile **to)
{
	return real(f)->pMethods->xShmMap(real(f), region, size, extend, to);
}

static int shim_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}

static void shim_shm_barrier(sqlite3_file *f)
{
	real(f)->pMethods->xShmBarrier(real(f));
}

static int shim_shm_unmap(sqlite3_file *f, int delete)
{
	return real(f)->pMethods->xShmUnmap(real(f), delete);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = shim_close,
	.xRead = shim_read,
	.xWrite = shim_write,
	.xTruncate = shim_truncate,
	.xSync = shim_sync,
	.xFileSize = shim_size,
	.xLock = shim_lock,
	.xUnlock = shim_unlock,
	.xCheckReservedLock = shim_reserved,
	.xFileControl = shim_control,
	.xSectorSize = shim_sector,
	.xDeviceCharacteristics = shim_traits,
	.xShmMap = shim_shm_map,
	.xShmLock = shim_shm_lock,
	.xShmBarrier = shim_shm_barrier,
	.xShmUnmap = shim_shm_unmap,
};

static int shim_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *f, int flags,
		     int *out)
{
	struct file *file = (struct file *)(void *)f;
	int r;

	file->base.pMethods = NULL;
	if (fails())
		return SQLITE_CANTOPEN;
	file->real = (sqlite3_file *)(void *)(file + 1);
	r = real_vfs->xOpen(real_vfs, name, file->real, flags, out);
	file->base.pMethods = file->real->pMethods ? &methods : NULL;
	return r;
}

static int shim_last_error(sqlite3_vfs *vfs, int n, char *text)
{
	if (fault_vfs.failed)
		return errno_of_fault();
	return real_vfs->xGetLastError(real_vfs, n, text);
}

void fault_vfs_install(void)
{
	real_vfs = sqlite3_vfs_find(NULL);
	assert(real_vfs && real_vfs != &shim);
	shim = *real_vfs;
	shim.zName = "fault";
	shim.szOsFile = real_vfs->szOsFile + (int)sizeof(struct file);
	shim.pNext = NULL;
	shim.xOpen = shim_open;
	shim.xGetLastError = shim_last_error;
	sqlite3_vfs_register(&shim, 1);
}

void fault_vfs_arm(unsigned int nth, bool lasts, bool happens)
{
	fault_vfs = (struct fault_vfs){
		.fail_at = nth,
		.lasts = lasts,
		.happens = happens,
	};
}
