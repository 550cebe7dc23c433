/* SPDX-License-Identifier: MIT */
#include "base/panic.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

void vmsi_panic(const char *message)
{
	static const char prefix[] = "libvmspace: ";
	struct iovec parts[] = {
		{ (void *)prefix, sizeof(prefix) - 1 },
		{ (void *)message, strlen(message) },
		{ (void *)"\n", 1 },
	};

	/* One write, so that messages of several threads stay whole. */
	ssize_t written = writev(STDERR_FILENO, parts, 3);

	(void)written;
	abort();
}
