/* SPDX-License-Identifier: MIT */
/*
 * vmspace/pool.h beneath a program that knows nothing of it: a VFS for SQLite, which keeps
 * the pages of databases in pools. SQLite's own cache can then be small: what it reads it
 * reads where it is in the pool (xFetch, if mmap_size is not 0), and what all its databases
 * have in memory is what the pools may have, and not what a mapping takes.
 *
 *	$ sqlite3
 *	.load ./pool_vfs
 *	.open file:big.db?vfs=pool&ram=67108864
 *	PRAGMA mmap_size = 1000000000; PRAGMA cache_size = 100;
 *
 * Journals stay files as they were. The order of writes is SQLite's: it writes a page
 * when the journal that has what was there is on the disk, so that the pool may write it
 * at any time from then on; xSync is vms_pool_flush. Connections of a process share a
 * pool; another process that uses this VFS is refused the file, and one that does not must
 * keep off it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3ext.h>
#include <vmspace/pool.h>

SQLITE_EXTENSION_INIT1

#define PAGE ((sqlite3_int64)4096)
#define PAGES_MOST (UINT64_C(1) << 28)      /* 1 TiB: 8 bytes of addresses for each */
#define RAM_ELSE ((sqlite3_int64)64 << 20)
#define GROWTH UINT64_C(256)                /* pages, so that not each is an ftruncate */

/* A database that is open, once or more often. */
struct store {
	struct store *next;
	vms_pool *pool;
	char *path;
	int fd;
	unsigned users;
	bool is_read_only;
	_Atomic sqlite3_int64 size;         /* the file itself is longer while it grows */
};

struct file {
	sqlite3_file base;
	struct store *store;
	sqlite3_int64 mmap_size;
	sqlite3_file *real;                 /* for its locks; behind this one */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct store *stores;
static sqlite3_vfs *real_vfs;

static struct file *file_of(sqlite3_file *base)
{
	return (struct file *)(void *)base;
}

static int failed(int otherwise)
{
	return errno == ENOSPC || errno == EDQUOT ? SQLITE_FULL : otherwise;
}

/* --- to read and write -------------------------------------------------------------------- */

/* The bytes of [at, end) that are in one page. */
static size_t part_of(sqlite3_int64 at, sqlite3_int64 end)
{
	const sqlite3_int64 page_end = (at / PAGE + 1) * PAGE;

	return (size_t)((end < page_end ? end : page_end) - at);
}

static int read_part(vms_pool *pool, char *to, size_t size, sqlite3_int64 at)
{
	const uint64_t page = (uint64_t)(at / PAGE);
	uint64_t ticket;

	do {
		const char *bytes = vms_pool_begin(pool, page, &ticket);

		if (!bytes)
			return failed(SQLITE_IOERR_READ);
		memcpy(to, bytes + at % PAGE, size);
	} while (!vms_pool_validate(pool, page, ticket));
	return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *to, int count, sqlite3_int64 at)
{
	struct store *store = file_of(base)->store;
	const sqlite3_int64 size = atomic_load(&store->size);
	const sqlite3_int64 end = at + count < size ? at + count : size;
	char *next = to;

	while (at < end) {
		const size_t part = part_of(at, end);
		const int result = read_part(store->pool, next, part, at);

		if (result != SQLITE_OK)
			return result;
		next += part;
		at += (sqlite3_int64)part;
	}
	if (next == (char *)to + count)
		return SQLITE_OK;
	memset(next, 0, (size_t)((char *)to + count - next));
	return SQLITE_IOERR_SHORT_READ;
}

static int grow(struct store *store, sqlite3_int64 size)
{
	const uint64_t pages = (uint64_t)((size + PAGE - 1) / PAGE);

	if (pages <= vms_pool_pages(store->pool) ||
	    vms_pool_grow(store->pool, (pages + GROWTH - 1) / GROWTH * GROWTH) == 0)
		return SQLITE_OK;
	return failed(SQLITE_IOERR_WRITE);
}

static int file_write(sqlite3_file *base, const void *from, int count, sqlite3_int64 at)
{
	struct store *store = file_of(base)->store;
	const sqlite3_int64 end = at + count;
	const char *next = from;

	if (grow(store, end) != SQLITE_OK)
		return failed(SQLITE_IOERR_WRITE);
	while (at < end) {
		const uint64_t page = (uint64_t)(at / PAGE);
		const size_t part = part_of(at, end);
		char *bytes = vms_pool_fix(store->pool, page, VMS_POOL_WRITE);

		if (!bytes)
			return failed(SQLITE_IOERR_WRITE);
		memcpy(bytes + at % PAGE, next, part);
		(void)vms_pool_unfix(store->pool, page);
		next += part;
		at += (sqlite3_int64)part;
	}
	if (end > atomic_load(&store->size))
		atomic_store(&store->size, end);
	return SQLITE_OK;
}

/* The file is made so short when it is closed; longer is no harm to a database. */
static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct store *store = file_of(base)->store;

	if (grow(store, size) != SQLITE_OK)
		return failed(SQLITE_IOERR_TRUNCATE);
	atomic_store(&store->size, size);
	return SQLITE_OK;
}

static int file_sync(sqlite3_file *base, int flags)
{
	(void)flags;
	return vms_pool_flush(file_of(base)->store->pool, VMS_POOL_ALL, NULL, NULL) == 0 ?
		SQLITE_OK : failed(SQLITE_IOERR_FSYNC);
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size)
{
	*size = atomic_load(&file_of(base)->store->size);
	return SQLITE_OK;
}

/* --- to read in place ------------------------------------------------------------------------ */

/* NULL: SQLite reads it. It never writes a page that it has like this. */
static int file_fetch(sqlite3_file *base, sqlite3_int64 at, int count, void **address)
{
	struct file *file = file_of(base);

	*address = NULL;
	if (file->mmap_size <= 0 || at + count > atomic_load(&file->store->size) ||
	    part_of(at, at + count) != (size_t)count)
		return SQLITE_OK;
	*address = vms_pool_fix(file->store->pool, (uint64_t)(at / PAGE), VMS_POOL_READ);
	if (!*address)
		return errno == ENOBUFS ? SQLITE_OK : SQLITE_IOERR_READ;
	*address = (char *)*address + at % PAGE;
	return SQLITE_OK;
}

/* Without an address: nothing of it is used any more, which a pool need not be told. */
static int file_unfetch(sqlite3_file *base, sqlite3_int64 at, void *address)
{
	if (address)
		(void)vms_pool_unfix(file_of(base)->store->pool, (uint64_t)(at / PAGE));
	return SQLITE_OK;
}

/* --- what the real file does ------------------------------------------------------------------ */

#define REAL(base) (file_of(base)->real)

static int file_lock(sqlite3_file *base, int level)
{
	return REAL(base)->pMethods->xLock(REAL(base), level);
}

static int file_unlock(sqlite3_file *base, int level)
{
	return REAL(base)->pMethods->xUnlock(REAL(base), level);
}

static int file_check_lock(sqlite3_file *base, int *is_reserved)
{
	return REAL(base)->pMethods->xCheckReservedLock(REAL(base), is_reserved);
}

static int file_map_shared(sqlite3_file *base, int region, int size, int extend,
			   void volatile **address)
{
	return REAL(base)->pMethods->xShmMap(REAL(base), region, size, extend, address);
}

static int file_lock_shared(sqlite3_file *base, int offset, int count, int flags)
{
	return REAL(base)->pMethods->xShmLock(REAL(base), offset, count, flags);
}

static void file_barrier(sqlite3_file *base)
{
	REAL(base)->pMethods->xShmBarrier(REAL(base));
}

static int file_unmap_shared(sqlite3_file *base, int deletes)
{
	return REAL(base)->pMethods->xShmUnmap(REAL(base), deletes);
}

static int file_control(sqlite3_file *base, int operation, void *argument)
{
	struct file *file = file_of(base);
	const sqlite3_int64 size = file->mmap_size;

	switch (operation) {
	case SQLITE_FCNTL_MMAP_SIZE:
		if (*(sqlite3_int64 *)argument >= 0)
			file->mmap_size = *(sqlite3_int64 *)argument;
		*(sqlite3_int64 *)argument = size;
		return SQLITE_OK;
	case SQLITE_FCNTL_SIZE_HINT:
	case SQLITE_FCNTL_CHUNK_SIZE:
		return SQLITE_OK;
	default:
		return REAL(base)->pMethods->xFileControl(REAL(base), operation, argument);
	}
}

/* What is written as a whole is a page of the pool, also if SQLite's are smaller. */
static int file_sector(sqlite3_file *base)
{
	(void)base;
	return (int)PAGE;
}

static int file_characteristics(sqlite3_file *base)
{
	(void)base;
	return 0;
}

/* --- to open and close --------------------------------------------------------------------------- */

static int open_pool(struct store *store, sqlite3_int64 ram)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = store->is_read_only ? VMS_POOL_READ_ONLY : 0,
		.page_size = (size_t)PAGE,
		.ram = (size_t)ram,
		.pages = PAGES_MOST,
		.name = "sqlite",
	};
	struct stat status;

	store->fd = open(store->path, (store->is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (store->fd < 0 || fstat(store->fd, &status) != 0)
		return SQLITE_CANTOPEN;
	if (flock(store->fd, LOCK_EX | LOCK_NB) != 0)
		return SQLITE_BUSY;
	store->size = status.st_size;
	store->pool = vms_pool_open(store->fd, &options);
	return store->pool ? SQLITE_OK : SQLITE_CANTOPEN;
}

/*
 * What SQLite did not sync, as it is asked not to, is written all the same. A descriptor
 * that is closed takes the locks of SQLite's with it, which has none any more.
 */
static int close_store(struct store *store)
{
	int result = SQLITE_OK;

	if (store->pool && !store->is_read_only &&
	    vms_pool_flush(store->pool, VMS_POOL_ALL, NULL, NULL) != 0)
		result = failed(SQLITE_IOERR_CLOSE);
	(void)vms_pool_close(store->pool);
	if (store->pool && !store->is_read_only && result == SQLITE_OK &&
	    ftruncate(store->fd, store->size) != 0)
		result = SQLITE_IOERR_TRUNCATE;
	if (store->fd >= 0)
		(void)close(store->fd);
	free(store->path);
	free(store);
	return result;
}

static int make_store(const char *path, bool is_read_only, struct store **made)
{
	struct store *store = calloc(1, sizeof(*store));
	int result = SQLITE_NOMEM;

	if (!store)
		return SQLITE_NOMEM;
	store->fd = -1;
	store->is_read_only = is_read_only;
	store->path = strdup(path);
	if (store->path)
		result = open_pool(store, sqlite3_uri_int64(path, "ram", RAM_ELSE));
	if (result != SQLITE_OK) {
		const int error = errno;

		store->is_read_only = true;
		(void)close_store(store);
		errno = error;
		return result;
	}
	store->next = stores;
	stores = store;
	*made = store;
	return SQLITE_OK;
}

static int take_store(const char *path, bool is_read_only, struct store **taken)
{
	struct store *store;
	int result = SQLITE_OK;

	(void)pthread_mutex_lock(&lock);
	for (store = stores; store && strcmp(store->path, path) != 0;)
		store = store->next;
	if (!store)
		result = make_store(path, is_read_only, &store);
	/* A pool that only reads cannot be made to write. */
	else if (store->is_read_only && !is_read_only)
		result = SQLITE_CANTOPEN;
	if (store && result == SQLITE_OK) {
		store->users++;
		*taken = store;
	}
	(void)pthread_mutex_unlock(&lock);
	return result;
}

static int file_close(sqlite3_file *base)
{
	struct file *file = file_of(base);
	struct store **link = &stores;
	int result = SQLITE_OK;

	(void)pthread_mutex_lock(&lock);
	if (--file->store->users == 0) {
		while (*link != file->store)
			link = &(*link)->next;
		*link = file->store->next;
		result = close_store(file->store);
	}
	(void)pthread_mutex_unlock(&lock);
	(void)file->real->pMethods->xClose(file->real);
	return result;
}

static const sqlite3_io_methods methods = {
	3, file_close, file_read, file_write, file_truncate, file_sync, file_size, file_lock,
	file_unlock, file_check_lock, file_control, file_sector, file_characteristics,
	file_map_shared, file_lock_shared, file_barrier, file_unmap_shared, file_fetch,
	file_unfetch,
};

/* Journals, and whatever is temporary, are as they were. */
static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags,
		    int *given)
{
	struct file *file = file_of(base);
	int result, real_flags = flags;

	(void)vfs;
	if (!(flags & SQLITE_OPEN_MAIN_DB) || !path)
		return real_vfs->xOpen(real_vfs, path, base, flags, given);
	memset(file, 0, sizeof(*file));
	file->real = (sqlite3_file *)(void *)(file + 1);
	result = real_vfs->xOpen(real_vfs, path, file->real, flags, &real_flags);
	if (result != SQLITE_OK)
		return result;
	result = take_store(path, real_flags & SQLITE_OPEN_READONLY, &file->store);
	if (result != SQLITE_OK) {
		(void)file->real->pMethods->xClose(file->real);
		return result;
	}
	base->pMethods = &methods;
	if (given)
		*given = real_flags;
	return SQLITE_OK;
}

int sqlite3_poolvfs_init(sqlite3 *database, char **error, const sqlite3_api_routines *api);

int sqlite3_poolvfs_init(sqlite3 *database, char **error, const sqlite3_api_routines *api)
{
	static sqlite3_vfs vfs;

	(void)database;
	(void)error;
	SQLITE_EXTENSION_INIT2(api)
	real_vfs = sqlite3_vfs_find("unix");
	if (!real_vfs)
		return SQLITE_ERROR;
	vfs = *real_vfs;
	vfs.zName = "pool";
	vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
	vfs.xOpen = vfs_open;
	return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK ? SQLITE_OK_LOAD_PERMANENTLY :
		SQLITE_ERROR;
}
