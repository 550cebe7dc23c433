/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_MADE_PROC_H
#define VMSI_TESTS_MADE_PROC_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * A /proc that a test makes: files in a tmpfs, which is mounted over /proc in a mount
 * namespace of the test's own. Only /proc/self is the kernel's. It goes with the test.
 */

static char real_proc[64]; /* where the kernel's is; "": the namespace was refused */

static inline bool put(const char *path, const char *text)
{
	const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	const size_t length = strlen(text);
	const bool is_put = file >= 0 && write(file, text, length) == (ssize_t)length;

	if (file >= 0)
		close(file);
	return is_put;
}

/* Root makes a namespace of mounts; others one of users, in which they are root. */
static inline bool make_namespace(void)
{
	const unsigned user = geteuid(), group = getegid();
	char map[64];

	if (unshare(CLONE_NEWNS) == 0)
		return true;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return false;
	snprintf(map, sizeof(map), "0 %u 1", user);
	if (!put("/proc/self/setgroups", "deny") || !put("/proc/self/uid_map", map))
		return false;
	snprintf(map, sizeof(map), "0 %u 1", group);
	return put("/proc/self/gid_map", map);
}

static inline bool mount_tree(void)
{
	char self[sizeof(real_proc) + 8];

	snprintf(self, sizeof(self), "%s/self", real_proc);
	return make_namespace() &&
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		mount("/proc", real_proc, NULL, MS_BIND | MS_REC, NULL) == 0 &&
		mount("made-up", "/proc", "tmpfs", 0, NULL) == 0 &&
		symlink(self, "/proc/self") == 0;
}

static inline int begin_proc(void **state)
{
	(void)state;
	strcpy(real_proc, "/tmp/vms-proc-XXXXXX");
	assert_non_null(mkdtemp(real_proc));
	if (mount_tree())
		return 0;
	print_message("# no mounts in a namespace of one's own: %s\n", strerror(errno));
	rmdir(real_proc);
	real_proc[0] = '\0';
	return 0;
}

/* The directory is not removed while anything is mounted there. */
static inline int end_proc(void **state)
{
	(void)state;
	if (!real_proc[0])
		return 0;
	return umount2("/proc", MNT_DETACH) || umount2(real_proc, MNT_DETACH) ||
		rmdir(real_proc);
}

static inline void need_proc(void)
{
	if (!real_proc[0])
		skip();
}

/* Put a file into the tree, with its directories. */
__attribute__((format(printf, 2, 3)))
static inline void put_file(const char *text, const char *format, ...)
{
	char path[256];
	va_list values;

	va_start(values, format);
	vsnprintf(path, sizeof(path), format, values);
	va_end(values);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
	assert_true(put(path, text));
}

#endif
