/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_STAT_FIXTURE_H
#define VMSI_TESTS_STAT_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <vmspace.h>

/* One object of each kind, in each of which TOUCHED bytes were written if it has any. */

#define MIB ((size_t)1 << 20)
#define TOUCHED (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)

struct objects {
	vms_space *space;
	char *mapped;      /* in the space */
	vms_buffer buffer;
	vms_heap *heap;
	char *block;       /* of the heap */
	vms_file *file;
	vms_share *share;
	vms_ring *ring;
	vms_stacks *stacks;
	vms_stack stack;
	vms_code *code;
	vms_pool *pool;
	vms_budget *budget;
};

static inline void open_file(struct objects *all)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options), .maximum = 64 * MIB };
	const int fd = memfd_create("stat", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)TOUCHED), 0);
	all->file = vms_file_open_fd(fd, &options);
	assert_non_null(all->file);
	assert_int_equal(close(fd), 0);
	memset(vms_file_at(all->file, 0, TOUCHED), 1, TOUCHED);
}

static inline void open_pool(struct objects *all)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_POOL_MEMORY,
		.page_size = 4096,
		.ram = 8 * MIB,
		.pages = 4096,
	};

	all->pool = vms_pool_open(-1, &options);
	assert_non_null(all->pool);
}

static inline void open_all(struct objects *all)
{
	const struct vms_budget_options budget = {
		.struct_size = sizeof(budget), .limit = 64 * MIB };

	all->space = vms_space_open(64 * MIB, NULL);
	assert_non_null(all->space);
	all->mapped = vms_mmap(all->space, NULL, 2 * TOUCHED, RW, ANONYMOUS, -1, 0);
	assert_ptr_not_equal(all->mapped, MAP_FAILED);
	memset(all->mapped, 1, TOUCHED);
	assert_int_equal(vms_buffer_init(&all->buffer, 64 * MIB, NULL), 0);
	memset(vms_buffer_extend(&all->buffer, TOUCHED), 1, TOUCHED);
	all->heap = vms_heap_open(NULL);
	assert_non_null(all->heap);
	all->block = vms_heap_malloc(all->heap, TOUCHED);
	memset(all->block, 1, TOUCHED);
	open_file(all);
	all->share = vms_share_create(NULL, TOUCHED, 64 * MIB, NULL);
	memset(vms_share_base(all->share), 1, TOUCHED);
	all->ring = vms_ring_create(NULL, VMS_RING_SPSC, MIB, NULL);
	assert_non_null(all->ring);
	all->stacks = vms_stacks_open(4, 4 * MIB, NULL);
	assert_int_equal(vms_stacks_take(all->stacks, 0, &all->stack), 0);
	memset((char *)all->stack.base + all->stack.size - TOUCHED, 1, TOUCHED);
	all->code = vms_code_open(NULL);
	assert_non_null(all->code);
	open_pool(all);
	all->budget = vms_budget_open(&budget);
	assert_int_equal(vms_budget_charge(all->budget, 3 * MIB), 0);
}

static inline void close_all(struct objects *all)
{
	assert_int_equal(vms_space_close(all->space), 0);
	assert_int_equal(vms_buffer_free(&all->buffer), 0);
	vms_heap_close(all->heap);
	assert_int_equal(vms_file_close(all->file), 0);
	assert_int_equal(vms_share_close(all->share), 0);
	assert_int_equal(vms_ring_close(all->ring), 0);
	(void)vms_stacks_close(all->stacks);
	(void)vms_code_close(all->code);
	(void)vms_pool_close(all->pool);
	vms_budget_uncharge(all->budget, 3 * MIB);
	(void)vms_budget_close(all->budget);
}

/* Each kind by its number, from 0 to KINDS - 1, all but budgets with pages. */
#define KINDS 10
#define KIND_BUDGET 9

static inline const char *kind_name(int kind)
{
	static const char *const names[KINDS] = {
		"space", "buffer", "heap", "file", "share", "ring", "stacks", "code",
		"pool", "budget",
	};

	return names[kind];
}

static inline int stat_kind(struct objects *all, int kind, unsigned flags,
			    struct vms_stat *stat)
{
	switch (kind) {
	case 0:
		return vms_stat_space(all->space, flags, stat);
	case 1:
		return vms_stat_buffer(&all->buffer, flags, stat);
	case 2:
		return vms_stat_heap(all->heap, flags, stat);
	case 3:
		return vms_stat_file(all->file, flags, stat);
	case 4:
		return vms_stat_share(all->share, flags, stat);
	case 5:
		return vms_stat_ring(all->ring, flags, stat);
	case 6:
		return vms_stat_stacks(all->stacks, flags, stat);
	case 7:
		return vms_stat_code(all->code, flags, stat);
	case 8:
		return vms_stat_pool(all->pool, flags, stat);
	default:
		return vms_stat_budget(all->budget, flags, stat);
	}
}

static inline struct vms_stat stat_now(struct objects *all, int kind, unsigned flags)
{
	struct vms_stat stat = { .struct_size = sizeof(stat) };

	if (stat_kind(all, kind, flags, &stat))
		fail_msg("%s: %s", kind_name(kind), strerror(errno));
	return stat;
}

#endif
