/* SPDX-License-Identifier: MIT */
#include <sys/resource.h>

#include "../fault/process_limits.h"
#include "heap_yields.h"

/* What a heap retains goes back when the kernel refuses memory. */

static void expect_mapping_and_blocks(size_t size)
{
	vms_space *space = open_space_under(NULL);
	unsigned char *blocks[64];

	assert_true(vms_mmap(space, NULL, size, RW, ANONYMOUS, -1, 0) !=
		    MAP_FAILED);
	assert_int_equal(stats_now().retained, 0);
	assert_int_equal(vms_space_close(space), 0);
	retain(heap, size);
	for (size_t i = 0; i < 64; i++)
		blocks[i] = make_filled(size / 64);
	for (size_t i = 0; i < 64; i++)
		drop(blocks[i]);
}

static void limit_data(void)
{
	limit_to(RLIMIT_DATA, status_bytes("VmData:") + 16 * MIB);
}

static void the_limit_of_data_leaves_it(void **state)
{
	(void)state;
	retain(heap, 48 * MIB);
	limit_data();
	expect_mapping_and_blocks(40 * MIB);
	limit_to(RLIMIT_DATA, SIZE_MAX);
}

/*
 * RLIMIT_AS counts a heap's reserved addresses as long as it is open. So giving
 * memory back does not help others, but the heap can hand the retained memory out.
 */
static void the_limit_of_addresses_leaves_it(void **state)
{
	unsigned char *blocks[40];

	(void)state;
	retain(heap, 48 * MIB);
	/* The heap's records are outside of its reserved addresses. */
	limit_to(RLIMIT_AS, status_bytes("VmSize:") + MIB);
	for (size_t i = 0; i < 40; i++)
		blocks[i] = make_filled(MIB);
	for (size_t i = 0; i < 40; i++)
		drop(blocks[i]);
	limit_to(RLIMIT_AS, SIZE_MAX);
}

/* Let the host refuse to commit memory while the heap retains any. */
static long (*usual_mmap)(uintptr_t address, size_t length, int prot, int flags,
			  int fd, uint64_t offset);
static long (*usual_mprotect)(uintptr_t address, size_t length, int prot);
static unsigned refused;

static bool refuses(int prot)
{
	if (!(prot & PROT_WRITE) || vmsi_get(&heap->ages.retained) == 0)
		return false;
	refused++;
	return true;
}

static long strict_mmap(uintptr_t address, size_t length, int prot, int flags,
			int fd, uint64_t offset)
{
	return refuses(prot) ? -ENOMEM :
		usual_mmap(address, length, prot, flags, fd, offset);
}

static long strict_mprotect(uintptr_t address, size_t length, int prot)
{
	return refuses(prot) ? -ENOMEM : usual_mprotect(address, length, prot);
}

static void the_host_itself_leaves_it(void **state)
{
	(void)state;
	retain(heap, 48 * MIB);
	usual_mmap = vmsi_host.mmap;
	usual_mprotect = vmsi_host.mprotect;
	vmsi_host.mmap = strict_mmap;
	vmsi_host.mprotect = strict_mprotect;
	expect_mapping_and_blocks(40 * MIB);
	vmsi_host.mmap = usual_mmap;
	vmsi_host.mprotect = usual_mprotect;
	assert_true(refused > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITHOUT_BUDGET(the_limit_of_data_leaves_it),
		WITHOUT_BUDGET(the_limit_of_addresses_leaves_it),
		WITHOUT_BUDGET(the_host_itself_leaves_it),
	};

	return cmocka_run_group_tests_name("heap_yields_host", tests, NULL, NULL);
}
