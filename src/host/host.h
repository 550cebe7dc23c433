/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HOST_HOST_H
#define VMSI_HOST_HOST_H

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include "base/align.h"

/*
 * The host is the kernel and the machine below the library.
 *
 * Every system call of libvmspace goes through the table vmsi_host, where a
 * test puts its own functions to fail the Nth call. Each entry answers as the
 * system call of its name, with the result or -errno, and leaves errno alone.
 *
 * What the callers rely on, beyond the manual pages:
 * - mmap with MAP_FIXED and mremap with MREMAP_FIXED replace what is at the
 *   target in one step: no other thread sees the target free.
 * - An mmap with MAP_FIXED that fails may have unmapped its target, where a
 *   driver or the pool of huge pages refuses, and before Linux 6.12 in other
 *   cases too; an mremap with MREMAP_FIXED may have on every kernel.
 * - mprotect, and madvise that sets flags, work from low to high addresses;
 *   what they changed before a failure stays changed.
 */
struct vmsi_host_calls {
	long (*mmap)(uintptr_t address, size_t length, int prot, int flags,
		     int fd, uint64_t offset);
	long (*munmap)(uintptr_t address, size_t length);
	long (*mremap)(uintptr_t old_address, size_t old_length,
		       size_t new_length, int flags, uintptr_t new_address);
	long (*mprotect)(uintptr_t address, size_t length, int prot);
	long (*madvise)(uintptr_t address, size_t length, int advice);
	/*
	 * process_madvise(2) of this process. Returns the bytes that were done, which may
	 * be fewer than all. Few advices are taken so before Linux 6.13.
	 */
	long (*madvise_many)(const struct iovec *ranges, int count, int advice);
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
	/* F_DUPFD_CLOEXEC of fcntl(2): the lowest free descriptor from least on. */
	long (*duplicate)(int fd, int least);
	/* dup3(2), close-on-exec: target becomes a descriptor of fd's description. */
	long (*replace)(int fd, int target);
	/* linkat(2) of /proc/self/fd: give what a descriptor is of a name. */
	long (*link)(int fd, const char *path);
	long (*unlink)(const char *path);
	/* fchown(2) and fchmod(2). */
	long (*set_owner)(int fd, uid_t owner, gid_t group);
	long (*set_mode)(int fd, mode_t mode);
	long (*pwrite)(int fd, const void *buffer, size_t length,
		       uint64_t offset);
	/* preadv(2) and pwritev(2). */
	long (*preadv)(int fd, const struct iovec *parts, int count, uint64_t offset);
	long (*pwritev)(int fd, const struct iovec *parts, int count,
			uint64_t offset);
	/* pwritev2(2) at the position, with RWF_APPEND: at the end, wherever it is. */
	long (*append)(int fd, const struct iovec *parts, int count);
	/* The position that append has left: lseek(2), SEEK_CUR. */
	long (*position)(int fd);
	/* Where the next bytes are that are in no hole: lseek(2), SEEK_DATA. */
	long (*next_data)(int fd, uint64_t offset);
	/* The end of a file or a device: lseek(2), SEEK_END. */
	long (*end)(int fd);
	/* lseek(2) from the beginning: 0; -EINVAL: no file there is so long. */
	long (*seek)(int fd, uint64_t position);
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
	/* sigaltstack(2). */
	long (*signal_stack)(const stack_t *stack, stack_t *earlier);
	long (*write)(int fd, const void *buffer, size_t length);
	/* map_shadow_stack(2); -ENOSYS, too, where the processor has no shadow stacks. */
	long (*map_shadow_stack)(uintptr_t address, size_t length,
				 unsigned flags);
	/*
	 * Which features of shadow stacks the thread runs with, as arch_prctl(2) has
	 * them on x86 and prctl(2) on aarch64.
	 */
	long (*shadow_stack_status)(uint64_t *features);
	/* membarrier(2) without flags. */
	long (*membarrier)(int command);
	/* F_ADD_SEALS and F_GET_SEALS of fcntl(2). */
	long (*add_seals)(int fd, int seals);
	long (*seals)(int fd);
	/* F_OFD_SETLK and F_OFD_GETLK of fcntl(2). */
	long (*file_lock)(int fd, int command, struct flock *lock);
	/*
	 * open(2) of a descriptor's file by /proc/self/fd, for reading and
	 * writing and close-on-exec: makes an open file description of its own.
	 */
	long (*reopen)(int fd);
	long (*getpid)(void);
	/* geteuid(2). */
	long (*user)(void);
	/*
	 * futex(2), FUTEX_WAIT while *word is value, for at most so many nanoseconds,
	 * and FUTEX_WAKE; the word may be shared between processes.
	 */
	long (*futex_wait)(const void *word, uint32_t value, uint64_t nanoseconds);
	long (*futex_wake)(const void *word, int count);
	/* eventfd2(2), close-on-exec and non-blocking. */
	long (*eventfd)(void);
	/* pipe2(2), close-on-exec and non-blocking; to read by, and to write by. */
	long (*pipe)(int ends[2]);
	/* F_SETPIPE_SZ of fcntl(2): the bytes that there is room for then. */
	long (*size_pipe)(int fd, size_t bytes);
	/*
	 * vmsplice(2): put memory into a pipe, which refers to it from then on and has no copy.
	 * Returns the bytes, maybe not all.
	 */
	long (*splice_memory)(int fd, const struct iovec *parts, int count);
	/*
	 * getrusage(2) of the thread: the faults of pages that the kernel has ended for it,
	 * those within its system calls among them.
	 */
	long (*thread_faults)(void);
	/* Swap in bytes, used or not: sysinfo(2). */
	long (*swap_size)(size_t *bytes);
	/* PR_GET_MEMORY_MERGE: 1 where all memory of the process may be merged (KSM). */
	long (*merges_memory)(void);
	/*
	 * ppoll(2) without a limit: wait until one of two descriptors can be read, or has
	 * an error. Returns 1: the second one; 0: only the first.
	 */
	long (*wait_readable)(int first, int second);
	/* CLOCK_MONOTONIC, in nanoseconds: libc's, which makes no system call. */
	uint64_t (*clock)(void);
	/*
	 * Begin a thread that gets no signals and has so many bytes of stack, which
	 * are addresses until it uses them: pthread_create(3). join_thread waits for
	 * its end; it is not a call that may be refused.
	 */
	long (*start_thread)(pthread_t *thread, size_t stack, void *(*run)(void *),
			     void *context);
	void (*join_thread)(pthread_t thread);
	/* sched_yield(2), and nanosleep(2) of less than a second. */
	long (*yield)(void);
	long (*nanosleep)(unsigned nanoseconds);
};

extern struct vmsi_host_calls vmsi_host;

/* The longest "/proc/self/fd/FD" with its final 0 fits. */
#define VMSI_DESCRIPTOR_LINK_BYTES 32

/* Write "/proc/self/fd/FD" to link, of VMSI_DESCRIPTOR_LINK_BYTES. */
void vmsi_descriptor_link(char *link, int fd);

/* The bytes of a page. */
size_t vmsi_page_size(void);

/*
 * Map a page of zeros that the kernel wipes in a child of fork(2), so that what was
 * written to it tells a process from its children. Returns its address, or -errno.
 */
long vmsi_host_wiped_page(void);

/*
 * The bytes of a transparent huge page; where the host does not tell, those
 * that a page-table page covers.
 */
size_t vmsi_huge_page_size(void);

/* The bytes of the default size of MAP_HUGETLB; 0: the host has no such pages. */
size_t vmsi_hugetlb_page_size(void);

/* RAM plus swap in bytes now; SIZE_MAX where the host does not tell. */
size_t vmsi_host_memory(void);

/* Bytes that nobody can guess. Returns 0 or -errno; -EIO: there are not so many. */
int vmsi_host_get_random(void *bytes, size_t length);

/* The first address past the program's address space. */
uintptr_t vmsi_address_limit(void);

/*
 * Get and put back zeroed memory for the library's own records, a whole number
 * of pages, with a guard page at either end. It lies outside of the range to
 * avoid. get_guarded returns NULL where the host refuses. guarded_bytes is what
 * the memory takes with its guard pages.
 */
void *vmsi_host_get_guarded(size_t bytes, struct vmsi_range avoid);
void vmsi_host_put_guarded(void *memory, size_t bytes);
size_t vmsi_host_guarded_bytes(size_t bytes);

/*
 * Whether the host has mappings, whoever made them, at all addresses of a
 * range: 1 yes, 0 no, or -errno where it does not tell.
 */
int vmsi_host_is_mapped(struct vmsi_range range);

/*
 * Whether the page at an address is in a locked mapping: 1 yes, 0 no, or
 * -errno where the host does not tell.
 */
int vmsi_host_is_locked(uintptr_t address);

/*
 * Whether the limit of locked memory (RLIMIT_MEMLOCK, CAP_IPC_LOCK) lets so
 * many bytes more be locked.
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
 * Whether private anonymous memory has pages in a range, in memory or swapped
 * out: 1 yes, or the kernel does not tell; 0 no. Where the kernel can tell it
 * apart, the shared zero page (memory that was only read) does not count.
 */
int vmsi_host_has_pages(struct vmsi_range range);

/*
 * Whether a read of untouched private memory brings in the zero page that all
 * share, and not a page of the mapping's own, as on some hosts. Tried once; yes
 * where the kernel does not tell.
 */
bool vmsi_host_has_zero_page(void);

/* The bytes of a range that are in memory. Returns 0 or -errno. */
int vmsi_host_resident(struct vmsi_range range, size_t *bytes);

/* Bytes of pages by what they are. */
struct vmsi_page_kinds {
	uint64_t anonymous; /* in memory, and this process's alone */
	uint64_t file;      /* in memory, of a file or of memory that may be shared */
	uint64_t swapped;   /* private, and not in memory */
};

/* Addresses that are looked at, most of which may be reserved and nothing else. */
struct vmsi_page_places {
	struct vmsi_range all;
	/*
	 * Sets the next range that may have pages; false: there is none more. Asked where
	 * the kernel would have each page of all looked at, on Linux before 6.7.
	 */
	bool (*next)(void *context, struct vmsi_range *range);
	void *context;
};

/* Count pages. Returns 0; or -errno, and kinds is as before. */
int vmsi_host_page_kinds(const struct vmsi_page_places *places,
			 struct vmsi_page_kinds *kinds);

/*
 * Clear writable private anonymous memory, by writing zeroes to its pages that
 * are in memory or swapped out and to no others. False: these pages are of more
 * than most bytes, or the host does not tell; some may have been cleared.
 */
bool vmsi_host_clear_pages(struct vmsi_range range, size_t most);

/*
 * Find the lowest page of a range that is in memory or swapped out; the range's end if
 * none is. Returns 0, or -errno, and *page is as before.
 */
int vmsi_host_first_page(struct vmsi_range range, uintptr_t *page);

/*
 * Whether MADV_GUARD_INSTALL makes pages that fault (Linux 6.13 on). Tried, since an
 * emulator may take the advice and do nothing.
 */
bool vmsi_host_has_guards(void);

/* Whether the calling thread runs with a shadow stack, or could. */
enum vmsi_shadow_stack {
	VMSI_SHADOW_STACK_NONE,
	VMSI_SHADOW_STACK_OFF,
	VMSI_SHADOW_STACK_ON,
};
enum vmsi_shadow_stack vmsi_host_shadow_stack(void);

/*
 * Whether MREMAP_DONTUNMAP takes shared mappings and mappings of files (Linux
 * 5.13 on). Tried once.
 */
bool vmsi_host_keeps_moved_objects(void);

/*
 * Whether one mremap may move the mapping that ends at end together with
 * others. Since Linux 6.17 one call moves several, but some kinds only alone.
 * Before, no call moves several, and the answer is yes.
 */
bool vmsi_host_moves_among(uintptr_t end);

/*
 * Whether a mapped range is several mappings to the host, though it may be one
 * in the space's map: an mremap of several that is refused midway leaves the
 * first ones moved (Linux 6.17 on).
 */
bool vmsi_host_is_several(struct vmsi_range range);

/*
 * Find the end of the host's mapping that holds an address (Linux 6.11 on,
 * where /proc is mounted). false: the host does not tell.
 */
bool vmsi_host_mapping_end(uintptr_t address, uintptr_t *end);

/*
 * Whether calls fail now because the process has as many mappings as it may
 * have: tries to split the mapping at probe, which vmsi_host_make_probe made,
 * into more than any one call adds.
 */
bool vmsi_host_at_map_limit(uintptr_t probe);

/* Make the mapping for vmsi_host_at_map_limit. Returns 0 or -errno. */
int vmsi_host_make_probe(uintptr_t *probe);
void vmsi_host_drop_probe(uintptr_t probe);

#endif
