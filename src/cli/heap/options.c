/* SPDX-License-Identifier: MIT */
#include "cli/heap/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text/number.h"
#include "text/size.h"

/* More digits than these are taken for a mistake. */
#define SIZE_DIGITS_MOST 12

static enum vmsi_exit put(const char *program, const char *variable,
			  const char *value)
{
	if (setenv(variable, value, 1) == 0)
		return VMSI_EXIT_OK;
	fprintf(stderr, "%s: %s\n", program, strerror(errno));
	return VMSI_EXIT_RUN_FAILED;
}

/* A size without a unit was most likely meant in a larger one. */
static enum vmsi_exit refuse_less_than_page(const char *program,
					    const char *text, size_t size)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!vmsi_size_lacks_unit(text))
		return vmsi_usage_error(program, "%s is less than a page",
					text);
	return vmsi_usage_error(program, "%s byte%s less than a page; did you "
				"mean %s%c?", text,
				size == 1 ? " is" : "s are", text,
				size * 1024 < page ? 'M' : 'K');
}

static enum vmsi_exit put_size(const char *program, const char *variable,
			       const char *text)
{
	size_t size;

	if (strspn(text, "0123456789") > SIZE_DIGITS_MOST ||
	    !vmsi_parse_size(text, VMSI_SIZE_WHOLE, &size))
		return vmsi_usage_error(program, "'%s' is not a size", text);
	/* The heap deals in pages, so it could do nothing with less. */
	if (size > 0 && size < (size_t)sysconf(_SC_PAGESIZE))
		return refuse_less_than_page(program, text, size);
	return put(program, variable, text);
}

static enum vmsi_exit put_age(const char *program, const char *variable,
			      const char *text)
{
	uint64_t age;

	if (strcmp(text, "never") != 0 &&
	    (!vmsi_parse_number(text, &age) || strlen(text) > 9))
		return vmsi_usage_error(program, "'%s' is not a number of "
					"milliseconds", text);
	return put(program, variable, text);
}

/* Put the absolute path, since the program may change its directory. */
static enum vmsi_exit put_stats(const char *program, const char *file)
{
	int fd;
	char *path;
	enum vmsi_exit result;

	if (!file)
		return put(program, "VMSPACE_HEAP_STATS", "1");
	/* The heap writes to standard error or to a file, and to no other stream. */
	if (strcmp(file, "-") == 0)
		return vmsi_usage_error(program, "--stats goes to standard "
					"error without a file; a file of the "
					"name '-' is ./-");
	fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	path = fd >= 0 ? realpath(file, NULL) : NULL;
	if (fd >= 0)
		close(fd);
	if (!path) {
		vmsi_complain(file, "%s", strerror(errno));
		return VMSI_EXIT_RUN_FAILED;
	}
	result = put(program, "VMSPACE_HEAP_STATS", path);
	free(path);
	return result;
}

enum vmsi_exit vmsi_heap_take_option(const char *program, int option)
{
	switch (option) {
	case VMSI_HEAP_THRESHOLD:
		return put_size(program, "VMSPACE_HEAP_THRESHOLD", optarg);
	case VMSI_HEAP_RETAIN:
		return put_size(program, "VMSPACE_HEAP_RETAIN", optarg);
	case VMSI_HEAP_RECLAIMABLE_AFTER:
		return put_age(program, "VMSPACE_HEAP_RECLAIMABLE_AFTER",
			       optarg);
	case VMSI_HEAP_GIVE_BACK_AFTER:
		return put_age(program, "VMSPACE_HEAP_GIVE_BACK_AFTER",
			       optarg);
	case VMSI_HEAP_NO_HUGE_PAGES:
		return put(program, "VMSPACE_HEAP_NO_HUGE_PAGES", "1");
	case VMSI_HEAP_STATS:
		return put_stats(program, optarg);
	default:
		return vmsi_usage_hint(program);
	}
}
