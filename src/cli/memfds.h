/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_MEMFDS_H
#define VMSI_CLI_MEMFDS_H

#include <sys/stat.h>
#include <sys/types.h>

/* Find the memfds of one name that processes have open, and look into them. */

struct vmsi_memfds {
	const char *link; /* what /proc/PID/fd shows: vmsi_memfd_link */
	/*
	 * Is called with each; fd is open for reading and closed afterwards, or -errno
	 * where it cannot be opened. Returns 0, or -errno, which ends the search.
	 */
	int (*seen)(void *context, const struct stat *status, int fd);
	void *context;
	/*
	 * That of all memfds. A file of another device may have the name of a memfd;
	 * to open it could wait for ever where a process serves its file system.
	 */
	dev_t device;
};

#define vmsi_memfd_link(name) ("/memfd:" name " (deleted)")

/* The device of all memfds, which is the kernel's own tmpfs. Returns 0 or -errno. */
int vmsi_memfd_device(dev_t *device);

/*
 * Look at each descriptor of a process, up to the first that cannot be read. Returns
 * 0; -EACCES or -EPERM where the caller may not look, -ENOENT or -ESRCH where there is
 * no such process, and others of opendir(3), readlink(2), open(2) and of seen.
 */
int vmsi_memfds_look(const struct vmsi_memfds *memfds, pid_t pid);

#endif
