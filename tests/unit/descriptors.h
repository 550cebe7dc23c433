/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_DESCRIPTORS_H
#define VMSI_TESTS_DESCRIPTORS_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static inline size_t entries(const char *path)
{
	DIR *directory = opendir(path);
	size_t count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	(void)closedir(directory);
	return count;
}

/* The open descriptors of this process, and always as many more: to be compared. */
static inline size_t descriptors(void)
{
	return entries("/proc/self/fd");
}

#endif
