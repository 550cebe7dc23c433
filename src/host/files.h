/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HOST_FILES_H
#define VMSI_HOST_FILES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

/* The entries of vmsi_host that write files, or give them space and names. */
long vmsi_host_ftruncate(int fd, uint64_t length);
long vmsi_host_open_file(const char *path, int flags, mode_t mode);
long vmsi_host_duplicate(int fd, int least);
long vmsi_host_replace(int fd, int target);
long vmsi_host_link(int fd, const char *path);
long vmsi_host_unlink(const char *path);
long vmsi_host_pwrite(int fd, const void *buffer, size_t length,
			uint64_t offset);
long vmsi_host_preadv(int fd, const struct iovec *parts, int count, uint64_t offset);
long vmsi_host_pwritev(int fd, const struct iovec *parts, int count,
		       uint64_t offset);
long vmsi_host_append(int fd, const struct iovec *parts, int count);
long vmsi_host_end(int fd);
long vmsi_host_position(int fd);
long vmsi_host_set_owner(int fd, uid_t owner, gid_t group);
long vmsi_host_set_mode(int fd, mode_t mode);
long vmsi_host_next_data(int fd, uint64_t offset);
long vmsi_host_seek(int fd, uint64_t position);
long vmsi_host_fallocate(int fd, int mode, uint64_t offset, uint64_t length);
long vmsi_host_fsync(int fd);
long vmsi_host_fdatasync(int fd);
long vmsi_host_sync_range(int fd, uint64_t offset, uint64_t length,
			    unsigned flags);
long vmsi_host_fadvise(int fd, uint64_t offset, uint64_t length, int advice);
long vmsi_host_attribute(int fd, const char *name, void *value, size_t size);
long vmsi_host_set_attribute(int fd, const char *name, const void *value,
			       size_t size);
long vmsi_host_birth_time(int fd, struct timespec *time);

#endif
