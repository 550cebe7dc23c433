/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HOST_HOST_H
#define VMSI_HOST_HOST_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include "base/align.h"

/*
 * The host: the only room with system calls.
 *
 * vmsi_host is the table through which every one of them goes. A test puts its
 * own functions there to fail the Nth call. Each entry answers as the system
 * call of its name, with the result or -errno, and leaves errno alone.
 *
 * What the callers rely on, beyond the manual pages:
 * - mmap with MAP_FIXED and mremap with MREMAP_FIXED replace what is at the
 *   target in one step: no other thread sees the target free.
 * - mmap that fails may have destroyed the target, where a driver or the pool of
 *   huge pages refuses, and before Linux 6.12 in other cases too; mremap with
 *   MREMAP_FIXED may have on every kernel.
 * - mprotect and the flag-setting kinds of madvise work from low to high
 *   addresses and leave what is before a failure changed.
 */
struct vmsi_host_calls {
	long (*mmap)(uintptr_t address, size_t length, int prot, int flags,
		     int fd, uint64_t offset);
	long (*munmap)(uintptr_t address, size_t length);
	long (*mremap)(uintptr_t old_address, size_t old_length,
		       size_t new_length, int flags, uintptr_t new_address);
	long (*mprotect)(uintptr_t address, size_t length, int prot);
	long (*madvise)(uintptr_t address, size_t length, int advice);
	long (*msync)(uintptr_t address, size_t length, int flags);
	long (*mlock2)(uintptr_t address, size_t length, unsigned flags);
	long (*munlock)(uintptr_t address, size_t length);
	long (*mincore)(uintptr_t address, size_t length, unsigned char *vector);
	long (*mseal)(uintptr_t address, size_t length, unsigned long flags);
	/* PR_SET_VMA, PR_SET_VMA_ANON_NAME; name NULL takes the name away. */
	long (*name_memory)(uintptr_t address, size_t length, const char *name);
	long (*fstat)(int fd, struct stat *status);
	/* The magic number of fd's file system: fstatfs(2), f_type. */
	long (*file_system)(int fd, unsigned long *magic);
	/* F_GETFL of fcntl(2). */
	long (*file_flags)(int fd);
	/* open(2), read-only and close-on-exec. */
	long (*open)(const char *path);
	long (*read)(int fd, void *buffer, size_t length);
	long (*pread)(int fd, void *buffer, size_t length, uint64_t offset);
	long (*close)(int fd);
	long (*readlink)(const char *path, char *buffer, size_t length);
	/* PAGEMAP_SCAN of an open /proc/self/pagemap; see pages.c. */
	long (*pagemap_scan)(int fd, void *argument);
	/*
	 * The soft and the hard limit of a resource: getrlimit(2) of this
	 * process. UINT64_MAX is RLIM_INFINITY.
	 */
	long (*limit)(int resource, uint64_t *soft, uint64_t *hard);
	/* PROCMAP_QUERY of an open /proc/self/maps; see probe.c. */
	long (*maps_query)(int fd, void *argument);
	/* RAM plus swap in bytes: sysinfo(2). */
	long (*memory_size)(size_t *bytes);
	long (*memfd_create)(const char *name, unsigned flags);
	long (*ftruncate)(int fd, uint64_t length);
	/* openat(2) of the working directory; close-on-exec is added to flags. */
	long (*open_file)(const char *path, int flags, mode_t mode);
	/* F_DUPFD_CLOEXEC of fcntl(2). */
	long (*duplicate)(int fd);
	/* dup3(2), close-on-exec: target becomes a descriptor of fd's description. */
	long (*replace)(int fd, int target);
	long (*unlink)(const char *path);
	long (*pwrite)(int fd, const void *buffer, size_t length,
		       uint64_t offset);
	/* pwritev2(2) at the position, with RWF_APPEND: at the end, wherever it is. */
	long (*append)(int fd, const struct iovec *parts, int count);
	/* The position that append has left: lseek(2), SEEK_CUR. */
	long (*position)(int fd);
	long (*fallocate)(int fd, int mode, uint64_t offset, uint64_t length);
	long (*fsync)(int fd);
	long (*fdatasync)(int fd);
	/* sync_file_range(2). */
	long (*sync_range)(int fd, uint64_t offset, uint64_t length,
			   unsigned flags);
	/* posix_fadvise(2). */
	long (*fadvise)(int fd, uint64_t offset, uint64_t length, int advice);
	/* fgetxattr(2) and fsetxattr(2) without flags. */
	long (*attribute)(int fd, const char *name, void *value, size_t size);
	long (*set_attribute)(int fd, const char *name, const void *value,
			      size_t size);
	/* When fd's file was made, by statx(2); -ENODATA where that is not kept. */
	long (*birth_time)(int fd, struct timespec *time);
	/* getrandom(2). */
	long (*random)(void *buffer, size_t length);
	/* userfaultfd(2), and ioctl(2) of its descriptor. */
	long (*userfaultfd)(int flags);
	long (*userfaultfd_control)(int fd, unsigned long request,
				    void *argument);
	/* sigaction(2), and sigprocmask(2) of the calling thread: libc's. */
	long (*signal_action)(int signal, const struct sigaction *action,
			      struct sigaction *earlier);
	long (*signal_mask)(int how, const sigset_t *set, sigset_t *earlier);
	/* sigpending(2). */
	long (*pending_signals)(sigset_t *set);
	/* sigtimedwait(2) that does not wait. */
	long (*take_signal)(const sigset_t *set);
	/*
	 * rt_tgsigqueueinfo(2) to the calling thread: a signal that tells of
	 * itself what another one did.
	 */
	long (*queue_signal)(int signal, const siginfo_t *info);
	/* membarrier(2) without flags. */
	long (*membarrier)(int command);
	/* F_ADD_SEALS and F_GET_SEALS of fcntl(2). */
	long (*add_seals)(int fd, int seals);
	long (*seals)(int fd);
	/* F_OFD_SETLK and F_OFD_GETLK of fcntl(2). */
	long (*file_lock)(int fd, int command, struct flock *lock);
	/*
	 * open(2) of a descriptor's file by /proc/self/fd, for reading and
	 * writing and close-on-exec: a description that nobody else has.
	 */
	long (*reopen)(int fd);
	long (*getpid)(void);
	/* sched_yield(2), and nanosleep(2) of less than a second. */
	long (*yield)(void);
	long (*nanosleep)(unsigned nanoseconds);
};

extern struct vmsi_host_calls vmsi_host;

/* Room for the longest "/proc/self/fd/FD" and its final 0. */
#define VMSI_DESCRIPTOR_LINK_BYTES 32

/* Write "/proc/self/fd/FD"; link has room for it. */
void vmsi_descriptor_link(char *link, int fd);

/* The bytes of a page. Asked once; never fails. */
size_t vmsi_page_size(void);

/* The bytes of a transparent huge page, or of a PMD where that is not told. */
size_t vmsi_huge_page_size(void);

/* The bytes of the default size of MAP_HUGETLB; 0: the host has no such pages. */
size_t vmsi_hugetlb_page_size(void);

/*
 * RAM plus swap in bytes, SIZE_MAX where the host does not tell. Asked each
 * time: both may change.
 */
size_t vmsi_host_memory(void);

/* The first address past the program's address space. */
uintptr_t vmsi_address_limit(void);

/*
 * Zeroed memory with a guard page at either end, for the library's own records;
 * bytes is of whole pages. It lies outside of the range to avoid. NULL: the host
 * has none. guarded_bytes: what it takes of addresses.
 */
void *vmsi_host_get_guarded(size_t bytes, struct vmsi_range avoid);
void vmsi_host_put_guarded(void *memory, size_t bytes);
size_t vmsi_host_guarded_bytes(size_t bytes);

/*
 * Whether all of a range is in mappings of the host (of anybody): 1 yes, 0 no,
 * or -errno where the host does not say.
 */
int vmsi_host_is_mapped(struct vmsi_range range);

/*
 * Whether the page at an address is in a locked mapping: 1 yes, 0 no, or
 * -errno where the host does not say.
 */
int vmsi_host_is_locked(uintptr_t address);

/*
 * Whether the limit of locked memory (RLIMIT_MEMLOCK, CAP_IPC_LOCK) has room
 * for so many bytes more.
 */
bool vmsi_host_may_lock(size_t length);

/*
 * What the host counts against RLIMIT_AS and RLIMIT_DATA, in bytes: VmSize and
 * VmData of /proc/self/status. Returns 0, or -errno where it cannot be read.
 */
struct vmsi_host_usage {
	uint64_t addresses;
	uint64_t data;
};
int vmsi_host_usage(struct vmsi_host_usage *usage);

/* Whether the kernel was told not to enforce RLIMIT_DATA (ignore_rlimit_data). */
bool vmsi_host_ignores_data_limit(void);

/*
 * Whether private anonymous memory may hold pages of its own in a range: 1
 * yes, 0 no. Where the kernel does not tell, the answer is yes. Pages that
 * were only read (the shared zero page) do not count where the kernel can tell
 * them apart.
 */
int vmsi_host_has_pages(struct vmsi_range range);

/*
 * Whether a read of untouched private memory brings in the zero page that all
 * share, and not a page of the mapping's own. Some hosts have no zero page. Tried
 * once; yes where the kernel does not tell.
 */
bool vmsi_host_has_zero_page(void);

/* The bytes of a range that are in memory. Returns 0 or -errno. */
int vmsi_host_resident(struct vmsi_range range, size_t *bytes);

/*
 * Make zeroes of writable private anonymous memory by writing to those of its
 * pages that hold anything, in memory or swapped out, where these are at most
 * so many bytes. False: they are more, or the host does not tell; some of them
 * may have been cleared.
 */
bool vmsi_host_clear_pages(struct vmsi_range range, size_t most);

/*
 * Whether MREMAP_DONTUNMAP takes shared mappings and mappings of files (Linux
 * 5.13 on). Tried once.
 */
bool vmsi_host_keeps_moved_objects(void);

/*
 * Whether a mapping, which ends at end, may be one of several that one mremap
 * moves (Linux 6.17 on; else every mapping may, one by one).
 */
bool vmsi_host_moves_among(uintptr_t end);

/*
 * Whether a mapped range is several mappings to the host, though it may be one
 * to us. One call that moves several leaves the first ones moved where a later
 * one is refused (Linux 6.17 on). Asks for no memory where /proc tells it.
 */
bool vmsi_host_is_several(struct vmsi_range range);

/*
 * Where the host's mapping ends that has an address (Linux 6.11 on, where /proc
 * is mounted). false: the host does not tell.
 */
bool vmsi_host_mapping_end(uintptr_t address, uintptr_t *end);

/*
 * Whether the map-count limit is what makes mappings fail now: tries to split
 * a mapping that was made for this into as many as the host wants room for.
 * probe is its address, from vmsi_host_make_probe.
 */
bool vmsi_host_at_map_limit(uintptr_t probe);

/* A mapping for vmsi_host_at_map_limit. Returns 0 or -errno. */
int vmsi_host_make_probe(uintptr_t *probe);
void vmsi_host_drop_probe(uintptr_t probe);

#endif
