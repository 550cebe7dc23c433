/* SPDX-License-Identifier: MIT */
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>
#include <time.h>

#include "base/procmap.h"
#include "host/files.h"
#include "base/hot.h"
#include "host/pipe.h"
#include "host/raw.h"
#include "host/shadow.h"
#include "host/thread.h"
#include "host/wake.h"
#include "text/number.h"

/* Of Linux 6.4; older headers have no name for it. */
#ifndef PR_GET_MEMORY_MERGE
#define PR_GET_MEMORY_MERGE 68
#endif

#ifndef SYS_mseal
#define SYS_mseal 462
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
/* The process itself, where a pidfd is asked for (Linux 6.14 on). */
#define PIDFD_SELF (-10000)
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

/* PAGEMAP_SCAN: _IOWR('f', 16, struct pm_scan_arg), which is 96 bytes. */
#define PAGEMAP_SCAN_REQUEST 0xc0606610

static long host_mmap(uintptr_t address, size_t length, int prot, int flags,
		      int fd, uint64_t offset)
{
	return vmsi_raw_call(SYS_mmap, (long)address, (long)length, prot, flags,
			     fd, (long)offset);
}

static long host_munmap(uintptr_t address, size_t length)
{
	return vmsi_raw_call(SYS_munmap, (long)address, (long)length, 0, 0, 0,
			     0);
}

static long host_mremap(uintptr_t old_address, size_t old_length,
			size_t new_length, int flags, uintptr_t new_address)
{
	return vmsi_raw_call(SYS_mremap, (long)old_address, (long)old_length,
			     (long)new_length, flags, (long)new_address, 0);
}

static long host_mprotect(uintptr_t address, size_t length, int prot)
{
	return vmsi_raw_call(SYS_mprotect, (long)address, (long)length, prot, 0,
			     0, 0);
}

static long host_madvise(uintptr_t address, size_t length, int advice)
{
	return vmsi_raw_call(SYS_madvise, (long)address, (long)length, advice,
			     0, 0, 0);
}

static long host_madvise_many(const struct iovec *ranges, int count, int advice)
{
	return vmsi_raw_call(SYS_process_madvise, PIDFD_SELF, (long)ranges,
			     count, advice, 0, 0);
}

static long host_msync(uintptr_t address, size_t length, int flags)
{
	return vmsi_raw_call(SYS_msync, (long)address, (long)length, flags, 0,
			     0, 0);
}

static long host_mlock2(uintptr_t address, size_t length, unsigned flags)
{
	return vmsi_raw_call(SYS_mlock2, (long)address, (long)length,
			     (long)flags, 0, 0, 0);
}

static long host_munlock(uintptr_t address, size_t length)
{
	return vmsi_raw_call(SYS_munlock, (long)address, (long)length, 0, 0, 0,
			     0);
}

static long host_mincore(uintptr_t address, size_t length,
			 unsigned char *vector)
{
	return vmsi_raw_call(SYS_mincore, (long)address, (long)length,
			     (long)vector, 0, 0, 0);
}

static long host_mseal(uintptr_t address, size_t length, unsigned long flags)
{
	return vmsi_raw_call(SYS_mseal, (long)address, (long)length,
			     (long)flags, 0, 0, 0);
}

static long host_name_memory(uintptr_t address, size_t length,
			     const char *name)
{
	return vmsi_raw_call(SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME,
			     (long)address, (long)length, (long)name, 0);
}

static long host_fstat(int fd, struct stat *status)
{
	return vmsi_raw_call(SYS_fstat, fd, (long)status, 0, 0, 0, 0);
}

static long host_file_system(int fd, unsigned long *magic)
{
	struct statfs status = { .f_type = 0 };
	long result = vmsi_raw_call(SYS_fstatfs, fd, (long)&status, 0, 0, 0, 0);

	if (result == 0)
		*magic = (unsigned long)status.f_type;
	return result;
}

static long host_file_flags(int fd)
{
	return vmsi_raw_call(SYS_fcntl, fd, F_GETFL, 0, 0, 0, 0);
}

static long host_open(const char *path)
{
	return vmsi_raw_call(SYS_openat, AT_FDCWD, (long)path,
			     O_RDONLY | O_CLOEXEC, 0, 0, 0);
}

static long host_read(int fd, void *buffer, size_t length)
{
	return vmsi_raw_call(SYS_read, fd, (long)buffer, (long)length, 0, 0, 0);
}

VMSI_HOT
static long host_pread(int fd, void *buffer, size_t length, uint64_t offset)
{
	return vmsi_raw_call(SYS_pread64, fd, (long)buffer, (long)length,
			     (long)offset, 0, 0);
}

static long host_close(int fd)
{
	return vmsi_raw_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

static long host_readlink(const char *path, char *buffer, size_t length)
{
	return vmsi_raw_call(SYS_readlinkat, AT_FDCWD, (long)path, (long)buffer,
			     (long)length, 0, 0);
}

static long host_pagemap_scan(int fd, void *argument)
{
	return vmsi_raw_call(SYS_ioctl, fd, PAGEMAP_SCAN_REQUEST,
			     (long)argument, 0, 0, 0);
}

static long host_limit(int resource, uint64_t *soft, uint64_t *hard)
{
	/*
	 * The kernel's struct rlimit. getrlimit is made before every mapping
	 * that adds memory, and is cheaper than prlimit64, which looks up a
	 * process and checks the right to ask about it.
	 */
	uint64_t limits[2] = { UINT64_MAX, UINT64_MAX };
	long result = vmsi_raw_call(SYS_getrlimit, resource, (long)limits, 0,
				    0, 0, 0);

	*soft = limits[0];
	*hard = limits[1];
	return result;
}

static long host_maps_query(int fd, void *argument)
{
	return vmsi_raw_call(SYS_ioctl, fd, VMSI_PROCMAP_QUERY,
			     (long)argument, 0, 0, 0);
}

static long read_sizes(struct sysinfo *info)
{
	info->mem_unit = 0;
	return vmsi_raw_call(SYS_sysinfo, (long)info, 0, 0, 0, 0, 0);
}

static long host_memory_size(size_t *bytes)
{
	struct sysinfo info;
	const long result = read_sizes(&info);

	if (result == 0)
		*bytes = ((size_t)info.totalram + info.totalswap) *
			info.mem_unit;
	return result;
}

static long host_swap_size(size_t *bytes)
{
	struct sysinfo info;
	const long result = read_sizes(&info);

	if (result == 0)
		*bytes = (size_t)info.totalswap * info.mem_unit;
	return result;
}

static long host_merges_memory(void)
{
	return vmsi_raw_call(SYS_prctl, PR_GET_MEMORY_MERGE, 0, 0, 0, 0, 0);
}

static long host_memfd_create(const char *name, unsigned flags)
{
	return vmsi_raw_call(SYS_memfd_create, (long)name, (long)flags, 0, 0, 0,
			     0);
}

static long host_random(void *buffer, size_t length)
{
	return vmsi_raw_call(SYS_getrandom, (long)buffer, (long)length, 0, 0, 0,
			     0);
}

int vmsi_host_get_random(void *bytes, size_t length)
{
	const long got = vmsi_host.random(bytes, length);

	if (got < 0)
		return (int)got;
	return (size_t)got == length ? 0 : -EIO;
}

static long host_userfaultfd(int flags)
{
	return vmsi_raw_call(SYS_userfaultfd, flags, 0, 0, 0, 0, 0);
}

static long host_userfaultfd_control(int fd, unsigned long request,
				     void *argument)
{
	return vmsi_raw_call(SYS_ioctl, fd, (long)request, (long)argument, 0, 0,
			     0);
}

/* Only libc has the code that a handler returns to. */
static long host_signal_action(int signal, const struct sigaction *action,
			       struct sigaction *earlier)
{
	return sigaction(signal, action, earlier) == 0 ? 0 : -errno;
}

static long host_signal_mask(int how, const sigset_t *set, sigset_t *earlier)
{
	return -pthread_sigmask(how, set, earlier);
}

static long host_pending_signals(sigset_t *set)
{
	(void)sigemptyset(set);
	return vmsi_raw_call(SYS_rt_sigpending, (long)set, _NSIG / 8, 0, 0, 0,
			     0);
}

static long host_take_signal(const sigset_t *set)
{
	const struct timespec none = { .tv_sec = 0 };

	return vmsi_raw_call(SYS_rt_sigtimedwait, (long)set, 0, (long)&none,
			     _NSIG / 8, 0, 0);
}

static long host_queue_signal(int signal, const siginfo_t *info)
{
	const long process = vmsi_raw_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
	const long thread = vmsi_raw_call(SYS_gettid, 0, 0, 0, 0, 0, 0);

	return vmsi_raw_call(SYS_rt_tgsigqueueinfo, process, thread, signal,
			     (long)info, 0, 0);
}

static long host_signal_stack(const stack_t *stack, stack_t *earlier)
{
	return vmsi_raw_call(SYS_sigaltstack, (long)stack, (long)earlier, 0, 0, 0,
			     0);
}

static long host_write(int fd, const void *buffer, size_t length)
{
	return vmsi_raw_call(SYS_write, fd, (long)buffer, (long)length, 0, 0, 0);
}

static long host_membarrier(int command)
{
	return vmsi_raw_call(SYS_membarrier, command, 0, 0, 0, 0, 0);
}

static long host_add_seals(int fd, int seals)
{
	return vmsi_raw_call(SYS_fcntl, fd, F_ADD_SEALS, seals, 0, 0, 0);
}

static long host_seals(int fd)
{
	return vmsi_raw_call(SYS_fcntl, fd, F_GET_SEALS, 0, 0, 0, 0);
}

static long host_file_lock(int fd, int command, struct flock *lock)
{
	return vmsi_raw_call(SYS_fcntl, fd, command, (long)lock, 0, 0, 0);
}

static long host_reopen(int fd)
{
	char link[VMSI_DESCRIPTOR_LINK_BYTES];

	vmsi_descriptor_link(link, fd);
	return vmsi_raw_call(SYS_openat, AT_FDCWD, (long)link,
			     O_RDWR | O_CLOEXEC, 0, 0, 0);
}

static long host_getpid(void)
{
	return vmsi_raw_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static long host_user(void)
{
	return vmsi_raw_call(SYS_geteuid, 0, 0, 0, 0, 0, 0);
}

static long host_yield(void)
{
	return vmsi_raw_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

static long host_nanosleep(unsigned nanoseconds)
{
	const struct timespec time = { .tv_nsec = nanoseconds };

	return vmsi_raw_call(SYS_nanosleep, (long)&time, 0, 0, 0, 0, 0);
}

struct vmsi_host_calls vmsi_host = {
	.mmap = host_mmap,
	.munmap = host_munmap,
	.mremap = host_mremap,
	.mprotect = host_mprotect,
	.madvise = host_madvise,
	.madvise_many = host_madvise_many,
	.msync = host_msync,
	.mlock2 = host_mlock2,
	.munlock = host_munlock,
	.mincore = host_mincore,
	.mseal = host_mseal,
	.name_memory = host_name_memory,
	.fstat = host_fstat,
	.file_system = host_file_system,
	.file_flags = host_file_flags,
	.open = host_open,
	.read = host_read,
	.pread = host_pread,
	.close = host_close,
	.readlink = host_readlink,
	.pagemap_scan = host_pagemap_scan,
	.limit = host_limit,
	.maps_query = host_maps_query,
	.memory_size = host_memory_size,
	.memfd_create = host_memfd_create,
	.ftruncate = vmsi_host_ftruncate,
	.open_file = vmsi_host_open_file,
	.duplicate = vmsi_host_duplicate,
	.replace = vmsi_host_replace,
	.link = vmsi_host_link,
	.unlink = vmsi_host_unlink,
	.pwrite = vmsi_host_pwrite,
	.preadv = vmsi_host_preadv,
	.pwritev = vmsi_host_pwritev,
	.append = vmsi_host_append,
	.position = vmsi_host_position,
	.end = vmsi_host_end,
	.next_data = vmsi_host_next_data,
	.set_owner = vmsi_host_set_owner,
	.set_mode = vmsi_host_set_mode,
	.seek = vmsi_host_seek,
	.fallocate = vmsi_host_fallocate,
	.fsync = vmsi_host_fsync,
	.fdatasync = vmsi_host_fdatasync,
	.sync_range = vmsi_host_sync_range,
	.fadvise = vmsi_host_fadvise,
	.attribute = vmsi_host_attribute,
	.set_attribute = vmsi_host_set_attribute,
	.birth_time = vmsi_host_birth_time,
	.random = host_random,
	.userfaultfd = host_userfaultfd,
	.userfaultfd_control = host_userfaultfd_control,
	.signal_action = host_signal_action,
	.signal_mask = host_signal_mask,
	.pending_signals = host_pending_signals,
	.take_signal = host_take_signal,
	.queue_signal = host_queue_signal,
	.signal_stack = host_signal_stack,
	.write = host_write,
	.map_shadow_stack = vmsi_raw_map_shadow_stack,
	.shadow_stack_status = vmsi_raw_shadow_stack_status,
	.membarrier = host_membarrier,
	.add_seals = host_add_seals,
	.seals = host_seals,
	.file_lock = host_file_lock,
	.reopen = host_reopen,
	.futex_wait = vmsi_host_futex_wait,
	.futex_wake = vmsi_host_futex_wake,
	.eventfd = vmsi_host_eventfd,
	.pipe = vmsi_host_pipe,
	.size_pipe = vmsi_host_size_pipe,
	.splice_memory = vmsi_host_splice_memory,
	.thread_faults = vmsi_host_thread_faults,
	.swap_size = host_swap_size,
	.merges_memory = host_merges_memory,
	.wait_readable = vmsi_host_wait_readable,
	.clock = vmsi_host_clock,
	.getpid = host_getpid,
	.user = host_user,
	.start_thread = vmsi_host_start_thread,
	.join_thread = vmsi_host_join_thread,
	.yield = host_yield,
	.nanosleep = host_nanosleep,
};
