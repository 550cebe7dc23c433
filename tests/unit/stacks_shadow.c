/* SPDX-License-Identifier: MIT */
#include "stacks_fixture.h"

/* What the figures tell of shadow stacks, as the host tells it, and on this machine. */

#define STATUS_ENABLED 1u
#define STATUS_OTHER 2u

static struct vmsi_host_calls real;
static long mapped, status_error;
static uint64_t status;
static unsigned unmapped;

static long map_plain_page(uintptr_t address, size_t length, unsigned flags)
{
	(void)flags;
	return mapped ? mapped :
		real.mmap(address, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);
}

static long count_unmapping(uintptr_t address, size_t length)
{
	unmapped++;
	return real.munmap(address, length);
}

static long tell_status(uint64_t *features)
{
	*features = status;
	return status_error;
}

static enum vms_shadow_stacks told(void)
{
	enum vms_shadow_stacks result;

	real = vmsi_host;
	vmsi_host.map_shadow_stack = map_plain_page;
	vmsi_host.munmap = count_unmapping;
	vmsi_host.shadow_stack_status = tell_status;
	unmapped = 0;
	result = pool_stats().shadow_stacks;
	vmsi_host = real;
	return result;
}

static void what_the_host_says_is_told(void **state)
{
	(void)state;
	open_pool(COUNT, SIZE, NULL);
	status = STATUS_ENABLED | STATUS_OTHER;
	assert_int_equal(told(), VMS_SHADOW_STACKS_ON);
	assert_int_equal(unmapped, 1);
	status = STATUS_OTHER;
	assert_int_equal(told(), VMS_SHADOW_STACKS_OFF);
	status_error = -EINVAL;
	assert_int_equal(told(), VMS_SHADOW_STACKS_NONE);
	assert_int_equal(unmapped, 1);
	status_error = 0;
	status = STATUS_ENABLED;
	mapped = -EOPNOTSUPP;
	assert_int_equal(told(), VMS_SHADOW_STACKS_NONE);
	assert_int_equal(unmapped, 0);
}

/* Whether a word of a line of /proc/cpuinfo, or its end, is this. */
static bool processor_has(const char *flag)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[8192];
	bool found = false;

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		for (char *word = strtok(line, " \t\n"); word && !found;
		     word = strtok(NULL, " \t\n"))
			found = strcmp(word, flag) == 0;
	(void)fclose(file);
	return found;
}

/* x86_Thread_features: of this thread, where the kernel has them. */
static bool runs_with_one(void)
{
	FILE *file = fopen("/proc/thread-self/status", "re");
	char line[512];
	bool found = false;

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		found = found || (strncmp(line, "x86_Thread_features:", 20) == 0 &&
				  strstr(line, "shstk"));
	(void)fclose(file);
	return found;
}

static void this_machine_is_told(void **state)
{
	(void)state;
#ifndef __x86_64__
	print_message("skipped: /proc tells it on x86-64 only\n");
	skip();
#endif
	open_pool(COUNT, SIZE, NULL);
	assert_int_equal(pool_stats().shadow_stacks,
			 runs_with_one()		  ? VMS_SHADOW_STACKS_ON :
			 processor_has("user_shstk") ? VMS_SHADOW_STACKS_OFF :
						       VMS_SHADOW_STACKS_NONE);
	assert_int_equal(close_pool(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pool_test(what_the_host_says_is_told),
		cmocka_unit_test(this_machine_is_told),
	};

	return cmocka_run_group_tests_name("stacks_shadow", tests, NULL, NULL);
}
