/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "host_fault.h"

/* The name of each host call and two errnos that it can really give. */
static const struct {
	const char *name;
	int errors[FAULT_ERRNOS];
} calls[HOST_CALLS] = {
	[CALL_MMAP] = { "mmap", { ENOMEM, EAGAIN } },
	[CALL_MUNMAP] = { "munmap", { ENOMEM, ENOMEM } },
	[CALL_MREMAP] = { "mremap", { ENOMEM, EAGAIN } },
	[CALL_MPROTECT] = { "mprotect", { ENOMEM, ENOMEM } },
	[CALL_MADVISE] = { "madvise", { ENOMEM, EAGAIN } },
	[CALL_MADVISE_MANY] = { "process_madvise", { ENOSYS, EPERM } },
	[CALL_MSYNC] = { "msync", { EIO, EIO } },
	[CALL_MLOCK2] = { "mlock2", { ENOMEM, EAGAIN } },
	[CALL_MUNLOCK] = { "munlock", { ENOMEM, ENOMEM } },
	[CALL_MINCORE] = { "mincore", { EAGAIN, EAGAIN } },
	[CALL_MSEAL] = { "mseal", { ENOMEM, EPERM } },
	[CALL_NAME_MEMORY] = { "prctl", { ENOMEM, EINVAL } },
	[CALL_FSTAT] = { "fstat", { EBADF, ENOMEM } },
	[CALL_FILE_SYSTEM] = { "fstatfs", { ENOSYS, ENOMEM } },
	[CALL_FILE_FLAGS] = { "fcntl", { EBADF, EBADF } },
	[CALL_OPEN] = { "open", { EMFILE, ENOENT } },
	[CALL_READ] = { "read", { EIO, ENOMEM } },
	[CALL_PREAD] = { "pread", { EIO, ENOMEM } },
	[CALL_CLOSE] = { "close", { EIO, EINTR } },
	[CALL_READLINK] = { "readlink", { ENOENT, ENOMEM } },
	[CALL_PAGEMAP_SCAN] = { "ioctl", { ENOTTY, ENOMEM } },
	[CALL_MAPS_QUERY] = { "ioctl of maps", { ENOTTY, ENOMEM } },
	[CALL_MEMORY_SIZE] = { "sysinfo", { ENOSYS, EPERM } },
	[CALL_MEMFD_CREATE] = { "memfd_create", { ENFILE, ENOSYS } },
	[CALL_FTRUNCATE] = { "ftruncate", { ENOMEM, EINTR } },
	[CALL_ADD_SEALS] = { "add seals", { EPERM, EBUSY } },
	[CALL_SEALS] = { "seals", { EINVAL, EBADF } },
	[CALL_FILE_LOCK] = { "lock", { EAGAIN, ENOLCK } },
	[CALL_REOPEN] = { "reopen", { EMFILE, ENOENT } },
	[CALL_OPEN_FILE] = { "open file", { EMFILE, ENOENT } },
	[CALL_DUPLICATE] = { "duplicate", { EMFILE, EBADF } },
	[CALL_REPLACE] = { "dup3", { EBADF, EBUSY } },
	[CALL_LINK] = { "link", { EPERM, ENOENT } },
	[CALL_UNLINK] = { "unlink", { EIO, ENOENT } },
	[CALL_PWRITE] = { "pwrite", { ENOSPC, EIO } },
	[CALL_PREADV] = { "preadv", { EIO, ENOMEM } },
	[CALL_PWRITEV] = { "pwritev", { ENOSPC, EIO } },
	[CALL_APPEND] = { "append", { ENOSPC, EIO } },
	[CALL_END] = { "lseek", { EIO, EINVAL } },
	[CALL_FALLOCATE] = { "fallocate", { ENOSPC, EOPNOTSUPP } },
	[CALL_FSYNC] = { "fsync", { EIO, ENOSPC } },
	[CALL_FDATASYNC] = { "fdatasync", { EIO, ENOSPC } },
	[CALL_SYNC_RANGE] = { "sync_file_range", { EIO, ENOSPC } },
	[CALL_FADVISE] = { "fadvise", { EBADF, EINVAL } },
	[CALL_ATTRIBUTE] = { "fgetxattr", { ENODATA, EOPNOTSUPP } },
	[CALL_SET_ATTRIBUTE] = { "fsetxattr", { ENOSPC, EOPNOTSUPP } },
	[CALL_BIRTH_TIME] = { "statx", { ENODATA, ENOSYS } },
	[CALL_RANDOM] = { "getrandom", { ENOSYS, EINTR } },
	[CALL_USERFAULTFD] = { "userfaultfd", { EPERM, ENOSYS } },
	[CALL_USERFAULTFD_CONTROL] = { "ioctl of userfaultfd", { EINVAL, ENOMEM } },
	[CALL_SIGNAL_ACTION] = { "sigaction", { EINVAL, EINVAL } },
	[CALL_SIGNAL_MASK] = { "sigprocmask", { EINVAL, EINVAL } },
	[CALL_QUEUE_SIGNAL] = { "rt_tgsigqueueinfo", { EAGAIN, EPERM } },
	[CALL_SIGNAL_STACK] = { "sigaltstack", { EPERM, ENOMEM } },
	[CALL_WRITE] = { "write", { EIO, EINTR } },
	[CALL_MAP_SHADOW_STACK] = { "map_shadow_stack", { ENOSYS, ENOMEM } },
	[CALL_SHADOW_STACK_STATUS] = { "arch_prctl", { EINVAL, EINVAL } },
	[CALL_MEMBARRIER] = { "membarrier", { ENOSYS, EPERM } },
	[CALL_FUTEX_WAIT] = { "futex wait", { EINTR, EAGAIN } },
	[CALL_FUTEX_WAKE] = { "futex wake", { EFAULT, EINVAL } },
	[CALL_EVENTFD] = { "eventfd", { EMFILE, ENFILE } },
	[CALL_PIPE] = { "pipe2", { EMFILE, ENFILE } },
	[CALL_SIZE_PIPE] = { "F_SETPIPE_SZ", { EPERM, ENOMEM } },
	[CALL_SPLICE_MEMORY] = { "vmsplice", { EAGAIN, ENOMEM } },
	[CALL_THREAD_FAULTS] = { "getrusage", { ENOSYS, EPERM } },
	[CALL_SWAP_SIZE] = { "sysinfo", { ENOSYS, EPERM } },
	[CALL_MERGES_MEMORY] = { "prctl", { EINVAL, EPERM } },
	[CALL_WAIT_READABLE] = { "ppoll", { EINTR, ENOMEM } },
	[CALL_START_THREAD] = { "pthread_create", { EAGAIN, ENOMEM } },
};

const char *fault_call_name(enum host_call call)
{
	return calls[call].name;
}

int fault_call_errno(enum host_call call, enum fault_errno which)
{
	return calls[call].errors[which];
}
