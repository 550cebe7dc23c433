/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_SIGNS_FIXTURE_H
#define VMSI_TESTS_SIGNS_FIXTURE_H

#include <dirent.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "space_fixture.h"
#include "space/sign_table.h"

/*
 * The tests of the table of names run in children that have opened no space: whether
 * there is a table is decided once a process.
 */

static const char link_text[] = "/memfd:" VMSI_SIGNS_FD_NAME " (deleted)";

/* A condition in a child: the line tells which one does not hold. */
#define CHECK(condition) \
	do { \
		if (!(condition)) \
			_exit(__LINE__ % 255 + 1); \
	} while (0)

static inline void in_child(void (*run)(void))
{
	const pid_t child = fork();
	int status = 0;

	assert_true(child >= 0);
	if (child == 0) {
		run();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (status != 0)
		fail_msg("status %#x (line %% 255 + 1, in the high byte)", status);
}

/* The descriptor of a table, the one behind "after"; -1: there is none. */
static inline int table_after(int after)
{
	DIR *directory = opendir("/proc/self/fd");
	int best = -1;

	for (struct dirent *entry; (entry = readdir(directory));) {
		char target[sizeof(link_text)];
		const ssize_t length = readlinkat(dirfd(directory), entry->d_name,
						  target, sizeof(target));
		const int fd = atoi(entry->d_name);

		if (length == (ssize_t)sizeof(link_text) - 1 && fd > after &&
		    memcmp(target, link_text, (size_t)length) == 0 &&
		    (best < 0 || fd < best))
			best = fd;
	}
	closedir(directory);
	return best;
}

static inline vms_space *open_named(const char *name)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options), .name = name,
	};

	return vms_space_open(1 << 20, &options);
}

/* --- looking as others do --------------------------------------------------- */

static inline bool read_head(int fd, struct vmsi_sign_head *head)
{
	return pread(fd, head, sizeof(*head), 0) == (ssize_t)sizeof(*head) &&
		head->magic == VMSI_SIGNS_MAGIC &&
		head->version == VMSI_SIGNS_VERSION;
}

static inline bool read_sign(int fd, unsigned number, struct vmsi_sign *sign)
{
	return pread(fd, sign, sizeof(*sign),
		     (off_t)((number + 1) * VMSI_SIGN_BYTES)) ==
		(ssize_t)sizeof(*sign);
}

/* How many signs are of a range of addresses; *found is the last one. */
static inline unsigned signs_at(int fd, const void *start, struct vmsi_sign *found)
{
	struct vmsi_sign_head head;
	unsigned count = 0;

	CHECK(read_head(fd, &head));
	CHECK(head.used <= VMSI_SIGNS);
	for (unsigned i = 0; i < head.used; i++) {
		struct vmsi_sign sign;

		CHECK(read_sign(fd, i, &sign));
		CHECK(sign.sequence % 2 == 0);
		if (sign.kind != VMSI_SIGN_FREE && sign.start == (uintptr_t)start) {
			*found = sign;
			count++;
		}
	}
	return count;
}

#endif
