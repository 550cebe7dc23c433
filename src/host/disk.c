/* SPDX-License-Identifier: MIT */
#include "host/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "base/align.h"
#include "base/mman.h"
#include "host/host.h"

/* --- RLIMIT_FSIZE ------------------------------------------------------------------- */

/*
 * A call that would pass the limit is not made. One that does not pass it may
 * still, where another process lowers the limit at that moment, or somebody else
 * has appended to the file: so under a limit SIGXFSZ is blocked around the call, and
 * the one that the call has raised is taken. Without a limit nothing is blocked,
 * since that takes two system calls more.
 */
struct size_limit {
	bool is_set;
	bool was_pending;      /* a SIGXFSZ that is not ours */
	sigset_t earlier;      /* the thread's mask */
};

static void only_its_signal(sigset_t *set)
{
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGXFSZ);
}

/* end: of what will be written; 0: the kernel is to say. */
static int enter_limit(struct size_limit *limit, uint64_t end)
{
	const uint64_t soft = vmsi_disk_limit();
	sigset_t signals;

	*limit = (struct size_limit){ .is_set = false };
	if (soft == UINT64_MAX)
		return 0;
	if (end > soft)
		return -EFBIG;
	only_its_signal(&signals);
	if (vmsi_host.signal_mask(SIG_BLOCK, &signals, &limit->earlier) != 0)
		return -EINVAL;
	limit->is_set = true;
	if (vmsi_host.pending_signals(&signals) == 0)
		limit->was_pending = sigismember(&signals, SIGXFSZ) == 1;
	return 0;
}

static void leave_limit(const struct size_limit *limit, int error)
{
	sigset_t signals;

	if (!limit->is_set)
		return;
	only_its_signal(&signals);
	if (error == -EFBIG && !limit->was_pending)
		(void)vmsi_host.take_signal(&signals);
	(void)vmsi_host.signal_mask(SIG_SETMASK, &limit->earlier, NULL);
}

/* Where a range ends; false: past what any file can have. */
static bool end_of(uint64_t offset, uint64_t length, uint64_t *end)
{
	return !__builtin_add_overflow(offset, length, end) &&
		*end <= INT64_MAX;
}

/* --- reading and writing ------------------------------------------------------------ */

int vmsi_disk_read(int fd, void *bytes, size_t length, uint64_t offset,
		   size_t *got)
{
	char *at = bytes;
	size_t done = 0;
	long count = 1;

	while (done < length && count != 0) {
		count = vmsi_host.pread(fd, at + done, length - done,
					offset + done);
		if (count > 0)
			done += (size_t)count;
		else if (count < 0 && count != -EINTR)
			return (int)count;
	}
	memset(at + done, 0, length - done);
	if (got)
		*got = done;
	return 0;
}

static int write_all(int fd, const char *bytes, size_t length, uint64_t offset)
{
	while (length > 0) {
		long count = vmsi_host.pwrite(fd, bytes, length, offset);

		if (count == -EINTR)
			continue;
		if (count <= 0)
			return count < 0 ? (int)count : -EIO;
		bytes += count;
		length -= (size_t)count;
		offset += (uint64_t)count;
	}
	return 0;
}

int vmsi_disk_write(int fd, const void *bytes, size_t length, uint64_t offset)
{
	struct size_limit limit;
	uint64_t end;
	int error;

	if (length == 0)
		return 0;
	if (!end_of(offset, length, &end))
		return -EFBIG;
	error = enter_limit(&limit, end);
	if (error)
		return error;
	error = write_all(fd, bytes, length, offset);
	leave_limit(&limit, error);
	return error;
}

int vmsi_disk_append(int fd, const struct iovec *parts, int count,
		     uint64_t end, struct vmsi_written *written)
{
	struct size_limit limit;
	long result;
	long position;
	int error = enter_limit(&limit, end);

	if (error)
		return error;
	do
		result = vmsi_host.append(fd, parts, count);
	while (result == -EINTR);
	leave_limit(&limit, result < 0 ? (int)result : 0);
	if (result < 0)
		return (int)result;
	position = vmsi_host.position(fd);
	if (position < 0)
		return (int)position;
	written->start = (uint64_t)(position - result);
	written->length = (size_t)result;
	return 0;
}

/* --- space and size ----------------------------------------------------------------- */

#define ZEROS_BYTES 65536
#define LEAST_STEP ((uint64_t)1 << 20)

static int write_zeros(int fd, uint64_t offset, uint64_t length)
{
	static const char zeros[ZEROS_BYTES];
	int error = 0;

	while (length > 0 && !error) {
		size_t step = vmsi_min(length, ZEROS_BYTES);

		error = write_all(fd, zeros, step, offset);
		offset += step;
		length -= step;
	}
	return error;
}

int vmsi_disk_write_zeros(int fd, uint64_t offset, uint64_t length)
{
	struct size_limit limit;
	int error = enter_limit(&limit, 0);

	if (error)
		return error;
	error = write_zeros(fd, offset, length);
	leave_limit(&limit, error);
	return error;
}

/*
 * fallocate(2) that a signal has interrupted has given nothing, so that a program
 * with a timer might never get a large range: each attempt asks for half as much.
 */
static int allocate(int fd, int mode, uint64_t offset, uint64_t length)
{
	uint64_t step = length;

	while (length > 0) {
		long error = vmsi_host.fallocate(fd, mode, offset,
						 vmsi_min(step, length));

		if (error == -EINTR) {
			step = step > LEAST_STEP ? step / 2 : step;
			continue;
		}
		if (error)
			return (int)error;
		offset += vmsi_min(step, length);
		length -= vmsi_min(step, length);
	}
	return 0;
}

long vmsi_disk_make_memory(const char *name, unsigned kind)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	const long fd = vmsi_host.memfd_create(name, flags | kind);

	return fd == -EINVAL ? vmsi_host.memfd_create(name, flags) : fd;
}

int vmsi_disk_size(int fd, uint64_t *size)
{
	struct stat status;
	const long error = vmsi_host.fstat(fd, &status);

	if (!error)
		*size = (uint64_t)status.st_size;
	return (int)error;
}

/* Some file systems move the end before they find that there is no space. */
static void cut_again(int fd, uint64_t size)
{
	uint64_t now = UINT64_MAX;
	long error;

	if (vmsi_disk_size(fd, &now) == 0 && now <= size)
		return;
	do
		error = vmsi_host.ftruncate(fd, size);
	while (error == -EINTR);
}

static int grow(int fd, uint64_t offset, uint64_t length)
{
	int error = allocate(fd, 0, offset, length);

	if (error == -EOPNOTSUPP || error == -ENOSYS)
		error = write_zeros(fd, offset, length);
	if (error)
		cut_again(fd, offset);
	return error;
}

int vmsi_disk_extend(int fd, uint64_t offset, uint64_t length,
		     enum vmsi_disk_size size)
{
	struct size_limit limit;
	uint64_t end;
	int error;

	if (length == 0)
		return 0;
	if (!end_of(offset, length, &end))
		return -EFBIG;
	/* What is past the size is no matter of the limit. */
	if (size == VMSI_DISK_KEEP_SIZE) {
		error = allocate(fd, FALLOC_FL_KEEP_SIZE, offset, length);
		return error == -ENOSYS ? -EOPNOTSUPP : error;
	}
	error = enter_limit(&limit, end);
	if (error)
		return error;
	error = grow(fd, offset, length);
	leave_limit(&limit, error);
	return error;
}

int vmsi_disk_extend_ahead(int fd, enum vmsi_disk_size size, uint64_t *end,
			   uint64_t needed, uint64_t ahead)
{
	uint64_t to = ahead;
	int error = vmsi_disk_extend(fd, *end, to - *end, size);

	if (error == -ENOSPC || error == -EDQUOT || error == -EFBIG) {
		to = needed;
		error = vmsi_disk_extend(fd, *end, to - *end, size);
	}
	if (!error)
		*end = to;
	return error;
}

uint64_t vmsi_disk_limit(void)
{
	uint64_t soft, hard;

	return vmsi_host.limit(RLIMIT_FSIZE, &soft, &hard) == 0 ? soft : UINT64_MAX;
}

int vmsi_disk_check_limit(uint64_t size)
{
	return size > vmsi_disk_limit() ? -EFBIG : 0;
}

int vmsi_disk_sync(int fd)
{
	long result;

	do
		result = vmsi_host.fdatasync(fd);
	while (result == -EINTR);
	return (int)result;
}

int vmsi_disk_sync_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	const size_t length = slash ? (size_t)(slash - path) + 1 : 0;
	char directory[PATH_MAX] = ".";
	long fd, error;

	if (length >= sizeof(directory))
		return -ENAMETOOLONG;
	if (slash) {
		memcpy(directory, path, length);
		directory[length] = '\0';
	}
	fd = vmsi_host.open_file(directory, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return (int)fd;
	error = vmsi_host.fsync((int)fd);
	(void)vmsi_host.close((int)fd);
	return error == -EINVAL ? 0 : (int)error;
}

int vmsi_disk_identity(int fd, uint8_t *identity)
{
	struct timespec birth = { 0 };
	struct stat status;
	uint64_t words[2];
	long error = vmsi_host.fstat(fd, &status);

	if (error)
		return (int)error;
	error = vmsi_host.birth_time(fd, &birth);
	if (error && error != -ENODATA && error != -ENOSYS)
		return (int)error;
	words[0] = (uint64_t)status.st_ino;
	words[1] = error ? 0 : (uint64_t)birth.tv_sec * 1000000000u +
		(uint64_t)birth.tv_nsec;
	_Static_assert(sizeof(words) == VMSI_DISK_IDENTITY_BYTES, "it has its room");
	memcpy(identity, words, sizeof(words));
	return 0;
}

/* Whether this makes the file longer, and is a matter of the limit, the kernel says. */
int vmsi_disk_truncate(int fd, uint64_t size)
{
	struct size_limit limit;
	long result;
	int error;

	if (size > INT64_MAX)
		return -EFBIG;
	error = enter_limit(&limit, 0);
	if (error)
		return error;
	do
		result = vmsi_host.ftruncate(fd, size);
	while (result == -EINTR);
	leave_limit(&limit, (int)result);
	return (int)result;
}
