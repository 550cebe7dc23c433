/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/host.h"
#include "process_limits.h"

/* stdio would allocate memory and change the figure. */
size_t status_bytes(const char *key)
{
	char text[4096];
	int status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t length;
	char *at;

	assert_true(status >= 0);
	length = read(status, text, sizeof(text) - 1);
	close(status);
	assert_true(length > 0);
	text[length] = '\0';
	at = strstr(text, key);
	assert_non_null(at);
	return strtoul(at + strlen(key), NULL, 10) << 10;
}

void limit_to(int resource, size_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(resource, &limit), 0);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	assert_int_equal(setrlimit(resource, &limit), 0);
}

bool drop_right_to_lock(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return false;
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	return syscall(SYS_capset, &header, data) == 0;
}

/* --- vm.max_map_count ----------------------------------------------------- */

#define MOST_TO_FILL 2000000 /* takes 200 bytes and a microsecond each */
static void **eaters;
static size_t eater_count, eater_most;

static unsigned long max_map_count(void)
{
	FILE *sysctl = fopen("/proc/sys/vm/max_map_count", "re");
	unsigned long most = 0;

	assert_non_null(sysctl);
	assert_int_equal(fscanf(sysctl, "%lu", &most), 1);
	(void)fclose(sysctl);
	return most;
}

/*
 * Alternate protections until the kernel allows no more mappings, then unmap some.
 * The spare ones are counted from there, since a sanitizer maps an unknown number.
 */
static void map_filler(size_t most, size_t spare)
{
	const size_t page = vmsi_page_size();
	char *filler = mmap(NULL, most * page, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t i = 1;

	assert_true(filler != MAP_FAILED);
	while (i < most && !mprotect(filler + i * page, page, PROT_READ))
		i += 2;
	assert_true(i < most && i > spare);
	assert_int_equal(munmap(filler, spare * page), 0);
}

bool fill_map_count(size_t spare)
{
	const size_t most = max_map_count();

	if (most > MOST_TO_FILL || most < 2 * spare)
		return false;
	eater_most = 2 * spare;
	eaters = calloc(eater_most, sizeof(*eaters));
	assert_non_null(eaters);
	map_filler(most, spare);
	return true;
}

void use_up_mappings(unsigned slack)
{
	/* Each is an object of its own, so that no two merge. */
	for (; eater_count < eater_most; eater_count++) {
		eaters[eater_count] = mmap(NULL, vmsi_page_size(), PROT_READ,
					   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (eaters[eater_count] == MAP_FAILED)
			break;
	}
	assert_in_range(eater_count, slack, eater_most - 1);
	while (slack-- > 0)
		munmap(eaters[--eater_count], vmsi_page_size());
}

void give_mappings_back(void)
{
	while (eater_count > 0)
		munmap(eaters[--eater_count], vmsi_page_size());
}
