/* SPDX-License-Identifier: MIT */
#include "host/wake.h"

#include <linux/futex.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/hot.h"
#include "host/raw.h"

long vmsi_host_futex_wait(const void *word, uint32_t value, uint64_t nanoseconds)
{
	const struct timespec time = {
		.tv_sec = (time_t)(nanoseconds / 1000000000u),
		.tv_nsec = (long)(nanoseconds % 1000000000u),
	};

	return vmsi_raw_call(SYS_futex, (long)word, FUTEX_WAIT, value, (long)&time, 0,
			     0);
}

long vmsi_host_futex_wake(const void *word, int count)
{
	return vmsi_raw_call(SYS_futex, (long)word, FUTEX_WAKE, count, 0, 0, 0);
}

long vmsi_host_eventfd(void)
{
	return vmsi_raw_call(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK, 0, 0, 0, 0);
}

/* No signal is let in beside those of the thread's mask. */
long vmsi_host_wait_readable(int first, int second)
{
	struct pollfd descriptors[] = {
		{ .fd = first, .events = POLLIN },
		{ .fd = second, .events = POLLIN },
	};
	const long result = vmsi_raw_call(SYS_ppoll, (long)descriptors, 2, 0, 0, 0, 0);

	if (result < 0)
		return result;
	return descriptors[1].revents != 0;
}

VMSI_HOT
uint64_t vmsi_host_clock(void)
{
	struct timespec now = { .tv_sec = 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
