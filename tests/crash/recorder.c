/* SPDX-License-Identifier: MIT */
#include "recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/host.h"
#include "memory_disk.h"

#define DESCRIPTORS 32
#define DIRECTORY (-2)

static struct {
	struct vmsi_host_calls real;
	struct log log;
	const char *home_path, *journal_path, *other_path;
	struct { int fd, file; } descriptors[DESCRIPTORS];
	int journal, made, other;
	struct failures failures;
	struct random random;
	/* What a journal had when it was synced last. */
	struct { int file; size_t length, synced; uint8_t *bytes; } durable;
	bool has_dropped;
} recorder;

/* --- the log --------------------------------------------------------------------------- */

/* Long writes of zeros are many, so their bytes are not kept. */
static bool is_zeros(const uint8_t *bytes, size_t length)
{
	return length > 65536 && bytes[0] == 0 &&
		memcmp(bytes, bytes + 1, length - 1) == 0;
}

/* Threads of the library write, too. */
static pthread_mutex_t noting = PTHREAD_MUTEX_INITIALIZER;

static void note(struct operation operation, const void *bytes)
{
	struct log *log = &recorder.log;

	(void)pthread_mutex_lock(&noting);
	if (log->count == log->room) {
		log->room = log->room ? 2 * log->room : 256;
		log->operations = realloc(log->operations,
					  log->room * sizeof(operation));
		if (!log->operations)
			abort();
	}
	if (bytes && !is_zeros(bytes, operation.length)) {
		operation.bytes = malloc(operation.length ? operation.length : 1);
		if (!operation.bytes)
			abort();
		memcpy(operation.bytes, bytes, operation.length);
	}
	log->operations[log->count++] = operation;
	(void)pthread_mutex_unlock(&noting);
}

static size_t count_noted(void)
{
	size_t count;

	(void)pthread_mutex_lock(&noting);
	count = recorder.log.count;
	(void)pthread_mutex_unlock(&noting);
	return count;
}

void log_free(struct log *log)
{
	for (size_t i = 0; i < log->count; i++)
		free(log->operations[i].bytes);
	free(log->operations);
	*log = (struct log){ 0 };
}

void recorder_note_begin(uint64_t number)
{
	note((struct operation){ .kind = OPERATION_BEGIN, .offset = number }, NULL);
}

void recorder_note_acknowledged(uint64_t number)
{
	note((struct operation){ .kind = OPERATION_ACKNOWLEDGE,
				 .offset = number }, NULL);
}

/* --- descriptors ------------------------------------------------------------------------ */

static void follow(int fd, int file)
{
	for (int i = 0; i < DESCRIPTORS; i++)
		if (recorder.descriptors[i].fd < 0) {
			recorder.descriptors[i].fd = fd;
			recorder.descriptors[i].file = file;
			return;
		}
	abort();
}

/* The file of a descriptor; -1: none that is followed. */
static int file_of(int fd)
{
	for (int i = 0; i < DESCRIPTORS; i++)
		if (recorder.descriptors[i].fd == fd)
			return recorder.descriptors[i].file;
	return -1;
}

/* What a path of /proc is a descriptor of; -1: none that is followed. */
static int file_of_link(const char *path)
{
	int fd;

	return sscanf(path, "/proc/self/fd/%d", &fd) == 1 ? file_of(fd) : -1;
}

static void note_created(void)
{
	if (recorder.made == MEMORY_FILES)
		abort();
	recorder.journal = recorder.made++;
	note((struct operation){ .kind = OPERATION_CREATE,
				 .file = recorder.journal }, NULL);
}

static long record_open_file(const char *path, int flags, mode_t mode)
{
	const long fd = recorder.real.open_file(path, flags, mode);

	if (fd < 0)
		return fd;
	if (flags & O_DIRECTORY) {
		follow((int)fd, DIRECTORY);
	} else if (strcmp(path, recorder.journal_path) == 0) {
		if (recorder.journal < 0)
			note_created();
		follow((int)fd, recorder.journal);
	} else if (strcmp(path, recorder.home_path) == 0) {
		follow((int)fd, MEMORY_HOME);
	} else if (recorder.other_path && strcmp(path, recorder.other_path) == 0) {
		follow((int)fd, recorder.other);
	} else if (file_of_link(path) >= 0) {
		follow((int)fd, file_of_link(path));
	}
	return fd;
}

static long follow_copy(int fd, long copy)
{
	const int file = file_of(fd);

	if (copy >= 0 && file != -1)
		follow((int)copy, file);
	return copy;
}

static long record_duplicate(int fd, int least)
{
	return follow_copy(fd, recorder.real.duplicate(fd, least));
}

static long record_reopen(int fd)
{
	return follow_copy(fd, recorder.real.reopen(fd));
}

static long record_close(int fd)
{
	for (int i = 0; i < DESCRIPTORS; i++)
		if (recorder.descriptors[i].fd == fd)
			recorder.descriptors[i].fd = -1;
	return recorder.real.close(fd);
}

static long record_unlink(const char *path)
{
	const long error = recorder.real.unlink(path);

	if (!error && strcmp(path, recorder.journal_path) == 0) {
		recorder.journal = -1;
		note((struct operation){ .kind = OPERATION_UNLINK }, NULL);
	}
	return error;
}

/* --- changes ----------------------------------------------------------------------------- */

/* A write that fails may have written a beginning, which is then cut at a sector. */
static long fail_write(int fd, const void *bytes, size_t length,
		       uint64_t offset)
{
	const size_t part = random_below(&recorder.random, length) / 512 * 512;

	if (part > 0 && recorder.real.pwrite(fd, bytes, part, offset) ==
				(long)part)
		note((struct operation){ .kind = OPERATION_WRITE,
					 .file = file_of(fd), .offset = offset,
					 .length = part }, bytes);
	return random_percent(&recorder.random, 50) ? -EIO : -ENOSPC;
}

static long record_pwrite(int fd, const void *bytes, size_t length,
			  uint64_t offset)
{
	const int file = file_of(fd);
	long done;

	if (file >= 0 && random_percent(&recorder.random, recorder.failures.write))
		return fail_write(fd, bytes, length, offset);
	done = recorder.real.pwrite(fd, bytes, length, offset);
	if (done > 0 && file >= 0)
		note((struct operation){ .kind = OPERATION_WRITE, .file = file,
					 .offset = offset,
					 .length = (size_t)done }, bytes);
	return done;
}

static void note_size(int fd)
{
	struct stat status;

	if (file_of(fd) >= 0 && recorder.real.fstat(fd, &status) == 0)
		note((struct operation){ .kind = OPERATION_SIZE,
					 .file = file_of(fd),
					 .offset = (uint64_t)status.st_size },
		     NULL);
}

static long record_ftruncate(int fd, uint64_t size)
{
	const long error = recorder.real.ftruncate(fd, size);

	if (!error)
		note_size(fd);
	return error;
}

static long record_fallocate(int fd, int mode, uint64_t offset, uint64_t length)
{
	const long error = recorder.real.fallocate(fd, mode, offset, length);

	if (error)
		return error;
	if (!(mode & FALLOC_FL_PUNCH_HOLE))
		note_size(fd);
	else if (file_of(fd) >= 0)
		note((struct operation){ .kind = OPERATION_WRITE,
					 .file = file_of(fd), .offset = offset,
					 .length = (size_t)length }, NULL);
	return 0;
}

static long record_set_attribute(int fd, const char *name, const void *value,
				 size_t size)
{
	const long error = recorder.real.set_attribute(fd, name, value, size);

	if (!error && file_of(fd) >= 0)
		note((struct operation){ .kind = OPERATION_ATTRIBUTE,
					 .file = file_of(fd), .length = size },
		     value);
	return error;
}

/* --- what a failed sync drops ----------------------------------------------------------- */

#define DURABLE_MOST ((size_t)4 << 20)

static void note_durable(int fd, int file)
{
	long got;

	if (!recorder.failures.drop || file <= MEMORY_HOME)
		return;
	if (!recorder.durable.bytes)
		recorder.durable.bytes = malloc(DURABLE_MOST);
	if (!recorder.durable.bytes)
		abort();
	got = recorder.real.pread(fd, recorder.durable.bytes, DURABLE_MOST, 0);
	recorder.durable.file = file;
	recorder.durable.length = got > 0 ? (size_t)got : 0;
	recorder.durable.synced = recorder.log.count;
}

static bool is_within(const struct operation *operation)
{
	return operation->kind != OPERATION_WRITE ||
		operation->file != recorder.durable.file ||
		operation->offset + operation->length <= recorder.durable.length;
}

/* All that was written since is read as it was before. */
static bool drop(int fd, int file)
{
	const struct log *log = &recorder.log;

	if (file <= MEMORY_HOME || file != recorder.durable.file ||
	    !random_percent(&recorder.random, recorder.failures.drop))
		return false;
	for (size_t i = recorder.durable.synced; i < log->count; i++)
		if (!is_within(&log->operations[i]))
			return false;
	for (size_t i = recorder.durable.synced; i < log->count; i++) {
		const struct operation *write = &log->operations[i];

		if (write->kind == OPERATION_WRITE && write->file == file)
			(void)recorder.real.pwrite(
				fd, recorder.durable.bytes + write->offset,
				write->length, write->offset);
	}
	recorder.has_dropped = true;
	return true;
}

bool recorder_has_dropped(void)
{
	const bool has_dropped = recorder.has_dropped;

	recorder.has_dropped = false;
	return has_dropped;
}

/* --- syncs -------------------------------------------------------------------------------- */

static long record_sync(int fd, enum operation_kind kind,
			long (*sync)(int descriptor))
{
	const int file = file_of(fd);
	const size_t begun = count_noted();
	long error;

	if (file == -1)
		return sync(fd);
	if (random_percent(&recorder.random, recorder.failures.sync)) {
		if (file != DIRECTORY)
			note((struct operation){
				.kind = drop(fd, file) ? OPERATION_SYNC_DROPPED :
							 OPERATION_SYNC_FAILED,
				.file = file, .offset = begun }, NULL);
		return -EIO;
	}
	error = sync(fd);
	if (!error)
		note((struct operation){
			.kind = file == DIRECTORY ? OPERATION_SYNC_DIRECTORY :
						    kind,
			.file = file, .offset = begun }, NULL);
	if (!error)
		note_durable(fd, file);
	return error;
}

static long record_fsync(int fd)
{
	return record_sync(fd, OPERATION_SYNC_ALL, recorder.real.fsync);
}

static long record_fdatasync(int fd)
{
	return record_sync(fd, OPERATION_SYNC_DATA, recorder.real.fdatasync);
}

/* The same run has the same salts. */
static long record_random(void *buffer, size_t length)
{
	uint8_t *byte = buffer;

	for (size_t i = 0; i < length; i++)
		byte[i] = (uint8_t)random_next(&recorder.random);
	return (long)length;
}

/* --- begin and end ------------------------------------------------------------------------- */

void recorder_begin(int home, const char *home_path, const char *journal_path,
		    int first_journal, int made, uint64_t seed)
{
	recorder.real = vmsi_host;
	recorder.log = (struct log){ 0 };
	recorder.home_path = home_path;
	recorder.journal_path = journal_path;
	recorder.other_path = NULL;
	recorder.journal = first_journal;
	recorder.made = made;
	recorder.failures = (struct failures){ 0 };
	recorder.random.state = seed;
	recorder.durable.file = -1;
	recorder.has_dropped = false;
	for (int i = 0; i < DESCRIPTORS; i++)
		recorder.descriptors[i].fd = -1;
	if (home >= 0)
		follow(home, MEMORY_HOME);
	vmsi_host.open_file = record_open_file;
	vmsi_host.duplicate = record_duplicate;
	vmsi_host.reopen = record_reopen;
	vmsi_host.close = record_close;
	vmsi_host.unlink = record_unlink;
	vmsi_host.pwrite = record_pwrite;
	vmsi_host.ftruncate = record_ftruncate;
	vmsi_host.fallocate = record_fallocate;
	vmsi_host.set_attribute = record_set_attribute;
	vmsi_host.fsync = record_fsync;
	vmsi_host.fdatasync = record_fdatasync;
	vmsi_host.random = record_random;
}

void recorder_follow(const char *path, int file)
{
	recorder.other_path = path;
	recorder.other = file;
}

void recorder_fail(struct failures failures)
{
	recorder.failures = failures;
}

struct log recorder_end(void)
{
	vmsi_host = recorder.real;
	free(recorder.durable.bytes);
	recorder.durable.bytes = NULL;
	return recorder.log;
}
