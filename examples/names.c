/* SPDX-License-Identifier: MIT */
/*
 * What others see of a program: run it as
 *
 *	vmspace maps -- example-names
 *
 * It leaves everything open, which is shown as it is when the program ends: each object
 * by the name that it was given, and what it takes of the budget.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vmspace.h>

#define MIB ((size_t)1 << 20)

static bool make_space(void)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options), .name = "request log",
	};
	vms_space *space = vms_space_open((size_t)1 << 30, &options);
	char *memory = space ? vms_mmap(space, NULL, 4 * MIB,
					PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) :
			       MAP_FAILED;

	return memory != MAP_FAILED && memset(memory, 1, MIB);
}

/* A heap and stacks that one budget bounds. */
static bool make_bounded(void)
{
	const struct vms_budget_options bounds = {
		.struct_size = sizeof(bounds), .name = "tenants",
		.limit = 256 * MIB, .policy = VMS_COMMIT_STRICT,
		.flags = VMS_BUDGET_SHARED,
	};
	vms_budget *budget = vms_budget_open(&bounds);
	const struct vms_heap_options heaps = {
		.struct_size = sizeof(heaps), .budget = budget,
	};
	const struct vms_stacks_options workers = {
		.struct_size = sizeof(workers), .name = "workers",
		.budget = budget,
	};
	vms_heap *heap = budget ? vms_heap_open(&heaps) : NULL;
	vms_stacks *stacks = budget ? vms_stacks_open(64, MIB, &workers) : NULL;
	vms_stack stack;
	void *block = heap ? vms_heap_malloc(heap, 12 * MIB) : NULL;

	return block && memset(block, 1, 2 * MIB) && stacks &&
		vms_stacks_take(stacks, "first", &stack) == 0;
}

static bool make_buffer(void)
{
	static vms_buffer buffer;

	return vms_buffer_init(&buffer, 64 * MIB, NULL) == 0 &&
		vms_buffer_resize(&buffer, 3 * MIB) == 0;
}

/* Files keep the paths by which they were opened. */
static bool make_files(void)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options), .flags = VMS_FILE_CREATE,
		.maximum = 64 * MIB,
	};
	vms_file *file = vms_file_open("example-ledger", &options);
	vms_share *share = vms_share_create("example-prices", MIB, 64 * MIB, NULL);
	vms_ring *ring = vms_ring_create(NULL, VMS_RING_MPSC, 64 << 10, NULL);

	unlink("example-ledger");
	unlink("example-prices");
	return share && ring && file &&
		vms_file_append(file, "entry", 5, NULL) == 0;
}

static bool make_pool(void)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options), .flags = VMS_POOL_MEMORY,
		.ram = 8 * MIB, .pages = 1 << 16, .name = "accounts",
	};

	return vms_pool_open(-1, &options) != NULL;
}

static bool make_code(void)
{
	vms_code *code = vms_code_open(NULL);
	struct vms_code_block block;

	return code && vms_code_alloc(code, 64, &block) == 0;
}

int main(void)
{
	if (make_space() && make_bounded() && make_buffer() && make_files() &&
	    make_pool() && make_code())
		return 0;
	perror("example-names");
	return 1;
}
