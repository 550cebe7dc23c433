/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HOST_DISK_H
#define VMSI_HOST_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reading and writing descriptors: whole ranges, interrupted calls made again, and
 * RLIMIT_FSIZE answered with EFBIG and never with SIGXFSZ. Each returns 0 or -errno.
 */

/*
 * Read a whole range; what lies past the end of the file reads as zeros.
 * *got: the bytes that were of the file; NULL: not wanted.
 */
int vmsi_disk_read(int fd, void *bytes, size_t length, uint64_t offset,
		   size_t *got);

/* Write a whole range. A failure may leave its beginning written. */
int vmsi_disk_write(int fd, const void *bytes, size_t length, uint64_t offset);

/* Where bytes were added to a file. */
struct vmsi_written {
	uint64_t start;
	size_t length;
};

struct iovec;

/*
 * Add bytes at the end of a file, wherever that is by now, in one step: those of
 * other processes are added before or behind. fd's description is nobody else's,
 * since its position tells where they were written. end: where they would end as
 * far as is known. *written: they may be fewer, and then as pwrite(2) writes fewer.
 */
int vmsi_disk_append(int fd, const struct iovec *parts, int count, uint64_t end,
		     struct vmsi_written *written);

/* What becomes of the size of a file that is given space. */
enum vmsi_disk_size { VMSI_DISK_GROW, VMSI_DISK_KEEP_SIZE };

/*
 * Give a file its space on disk for a range. With VMSI_DISK_GROW the range begins at
 * the end of the file, which is moved to the range's end; where the file system
 * cannot give space alone (EOPNOTSUPP), zeros are written. With VMSI_DISK_KEEP_SIZE
 * it answers -EOPNOTSUPP there. A failure leaves the size as it was.
 */
int vmsi_disk_extend(int fd, uint64_t offset, uint64_t length,
		     enum vmsi_disk_size size);

/*
 * The same from *end on up to ahead, so that not each small growth is a call; where
 * the disk, the quota or the limit do not give so much, up to needed. Writes *end.
 */
int vmsi_disk_extend_ahead(int fd, enum vmsi_disk_size size, uint64_t *end,
			   uint64_t needed, uint64_t ahead);

/* How long a file may be by RLIMIT_FSIZE; UINT64_MAX: as long as it likes. */
uint64_t vmsi_disk_limit(void);

/* -EFBIG: a file may not be so long by that. */
int vmsi_disk_check_limit(uint64_t size);

/* Zeros over what a file has. */
int vmsi_disk_write_zeros(int fd, uint64_t offset, uint64_t length);

/*
 * A file in memory without a name, close-on-exec, that can be sealed. kind:
 * MFD_NOEXEC_SEAL or MFD_EXEC, which Linux before 6.3 does not know and does without.
 * Returns its descriptor or -errno.
 */
long vmsi_disk_make_memory(const char *name, unsigned kind);

/* How long a file is. */
int vmsi_disk_size(int fd, uint64_t *size);

/* fdatasync(2): one that was interrupted has reported nothing. */
int vmsi_disk_sync(int fd);

/* Make the name of a file durable, as far as its file system knows that. */
int vmsi_disk_sync_name(const char *path);

/*
 * What a file is known by as long as it is there, whatever its name: the inode's number and
 * the time of its birth, as far as it is kept.
 */
#define VMSI_DISK_IDENTITY_BYTES 16
int vmsi_disk_identity(int fd, uint8_t *identity);

/* ftruncate(2). */
int vmsi_disk_truncate(int fd, uint64_t size);

#endif
