/* SPDX-License-Identifier: MIT */
#include "host/pipe.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "host/raw.h"

long vmsi_host_pipe(int ends[2])
{
	return vmsi_raw_call(SYS_pipe2, (long)ends, O_CLOEXEC | O_NONBLOCK, 0, 0, 0, 0);
}

long vmsi_host_size_pipe(int fd, size_t bytes)
{
	return vmsi_raw_call(SYS_fcntl, fd, F_SETPIPE_SZ, (long)bytes, 0, 0, 0);
}

long vmsi_host_splice_memory(int fd, const struct iovec *parts, int count)
{
	return vmsi_raw_call(SYS_vmsplice, fd, (long)parts, count, SPLICE_F_NONBLOCK, 0, 0);
}

long vmsi_host_thread_faults(void)
{
	struct rusage usage;
	const long error = vmsi_raw_call(SYS_getrusage, RUSAGE_THREAD, (long)&usage, 0, 0, 0,
					 0);

	return error ? error : usage.ru_minflt + usage.ru_majflt;
}
