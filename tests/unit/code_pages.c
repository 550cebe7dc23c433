/* SPDX-License-Identifier: MIT */
#include "code_fixture.h"

#include <sys/stat.h>

#include "base/mman.h"
#include "code/code.h"
#include "host/host.h"

/* Memory of freed code goes back by page, also where its chunk has other blocks. */

#define BLOCKS 64
#define BLOCK_BYTES ((size_t)16 << 10)

static struct vmsi_host_calls real_host;

static enum vms_code_mode mode_of(void **state)
{
	return *(const enum vms_code_mode *)*state;
}

static int save_host(void **state)
{
	(void)state;
	real_host = vmsi_host;
	return 0;
}

static int restore_host(void **state)
{
	vmsi_host = real_host;
	return close_pool(state);
}

/* The memory that the kernel has for the pool's file; the figure where there is none. */
static size_t memory(void)
{
	struct stat status;

	if (code->fd < 0)
		return figures().memory;
	assert_int_equal(fstat(code->fd, &status), 0);
	assert_int_equal(figures().memory, status.st_blocks * 512);
	return figures().memory;
}

/* Blocks in several chunks, of which none is the one that blocks come from. */
static void fill(struct vms_code_block *blocks)
{
	if ((size_t)sysconf(_SC_PAGESIZE) > BLOCK_BYTES) {
		print_message("# a page is larger than the blocks\n");
		skip();
	}
	for (uint32_t i = 0; i < BLOCKS; i++)
		blocks[i] = make_published(BLOCK_BYTES, i);
	assert_int_equal(vms_code_settle(code), 0);
	assert_int_equal(memory(), BLOCKS * BLOCK_BYTES);
}

static void free_every(struct vms_code_block *blocks, size_t first, size_t step)
{
	for (size_t i = first; i < BLOCKS; i += step)
		assert_int_equal(vms_code_free(code, &blocks[i]), 0);
	assert_sound();
}

static void check_every(const struct vms_code_block *blocks, size_t first, size_t step)
{
	for (size_t i = first; i < BLOCKS; i += step)
		assert_int_equal(call(blocks[i].run), (int)i);
}

static void pages_without_a_block_go_back(void **state)
{
	struct vms_code_block blocks[BLOCKS], more[BLOCKS / 2];
	char *freed;

	open_pool(mode_of(state));
	fill(blocks);
	freed = blocks[20].run;
	free_every(blocks, 0, 2);
	assert_int_equal(memory(), BLOCKS / 2 * BLOCK_BYTES);
	assert_int_equal(signal_of(jump, freed), SIGSEGV);
	assert_int_equal(signal_of(jump, freed + BLOCK_BYTES - 1), SIGSEGV);
	check_every(blocks, 1, 2);
	/* The places are used again. */
	for (uint32_t i = 0; i < BLOCKS / 2; i++)
		more[i] = make_published(BLOCK_BYTES, i + 1000);
	assert_int_equal(vms_code_settle(code), 0);
	assert_int_equal(memory(), BLOCKS * BLOCK_BYTES);
	assert_sound();
	for (uint32_t i = 0; i < BLOCKS / 2; i++)
		assert_int_equal(call(more[i].run), (int)(i + 1000));
	check_every(blocks, 1, 2);
}

/* A page with a block stays, and what is free in it traps. */
static void a_page_goes_back_with_its_last_block(void **state)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct vms_code_block small[16], other;
	char *run;

	open_pool(mode_of(state));
	for (uint32_t i = 0; i < 16; i++)
		small[i] = make_published(page / 16, i);
	other = make_published(100, 77);
	run = small[0].run;
	assert_int_equal(vms_code_settle(code), 0);
	assert_int_equal(memory(), 2 * page);
	for (int i = 0; i < 15; i++)
		assert_int_equal(vms_code_free(code, &small[i]), 0);
	assert_int_equal(memory(), 2 * page);
	assert_int_equal(call(small[15].run), 15);
	assert_int_equal(signal_of(jump, run), SIGTRAP);
	assert_int_equal(signal_of(jump, (char *)small[15].run - 1), SIGTRAP);
	assert_int_equal(vms_code_free(code, &small[15]), 0);
	assert_int_equal(memory(), page);
	assert_int_equal(signal_of(jump, run), SIGSEGV);
	assert_int_equal(call(other.run), 77);
}

/* A compiler that asks for the most that a function may need. */
static void what_a_block_does_not_need_is_given_back(void **state)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 64 * page + 1;
	struct vms_code_block block, small = { 0 };

	open_pool(mode_of(state));
	/* A large one has no memory for what rounds it up to a chunk. */
	block = make_published(size, 6);
	assert_int_equal(memory(), 65 * page);
	assert_int_equal(call(block.run), 6);
	/* But small ones find room there. */
	for (uint32_t i = 0; i < 15; i++)
		small = make_published(page, i);
	assert_int_equal(call(small.run), 14);
	assert_int_equal(vms_code_close(code), 0);

	open_pool(mode_of(state));
	block = make((size_t)1 << 20, 5);
	block.size = page + 1;
	assert_int_equal(vms_code_publish(code, &block), 0);
	assert_int_equal(memory(), 2 * page);
	assert_int_equal(call(block.run), 5);
	assert_int_equal(signal_of(jump, (char *)block.run + 2 * page), SIGSEGV);
}

/* --- children ------------------------------------------------------------------------- */

static struct vms_code_block *inherited;
static char *given_back;

/* Zeros are instructions, too, which fault for other reasons. So the host is asked. */
static bool is_accessible(const void *address)
{
	int ends[2];
	bool accessible;

	if (pipe(ends) != 0)
		return true;
	accessible = write(ends[1], address, 1) == 1 || errno != EFAULT;
	close(ends[0]);
	close(ends[1]);
	return accessible;
}

static int jump_in_child(void *again)
{
	struct vms_code_block block;

	if (again && (vms_code_alloc(code, 100, &block) != 0 ||
		      vms_code_free(code, &block) != 0))
		return 1;
	/* With VMS_CODE_FLIPS it is new memory, which does not run. */
	return code->fd >= 0 && is_accessible(given_back) ? 2 : jump(given_back);
}

static int use_in_child(void *argument)
{
	(void)argument;
	for (uint32_t i = 0; i < BLOCKS / 2; i++)
		inherited[2 * i] = make_published(BLOCK_BYTES, 2 * i);
	check_every(inherited, 0, 1);
	free_every(inherited, 0, 3);
	check_every(inherited, 1, 3);
	return vmsi_code_check(code, VMSI_CHECK_ALL) ? 1 : 0;
}

static void a_child_has_no_more_memory_than_its_parent(void **state)
{
	struct vms_code_block blocks[BLOCKS];

	open_pool(mode_of(state));
	fill(blocks);
	given_back = blocks[20].run;
	inherited = blocks;
	free_every(blocks, 0, 2);
	assert_int_equal(signal_of(jump_in_child, NULL), SIGSEGV);
	assert_int_equal(signal_of(jump_in_child, blocks), SIGSEGV);
	assert_int_equal(signal_of(use_in_child, NULL), 0);
	check_every(blocks, 1, 2);
	assert_int_equal(memory(), BLOCKS / 2 * BLOCK_BYTES);
}

/* --- hosts that refuse ------------------------------------------------------------------ */

static long have_no_guards(uintptr_t address, size_t length, int advice)
{
	return advice == MADV_GUARD_INSTALL ? -EINVAL :
		real_host.madvise(address, length, advice);
}

/* What goes back takes a mapping, so only large parts do. */
static void without_guards_large_parts_go_back(void **state)
{
	struct vms_code_block blocks[BLOCKS], large;
	char *freed;

	vmsi_host.madvise = have_no_guards;
	open_pool(mode_of(state));
	fill(blocks);
	freed = blocks[20].run;
	errno = 6;
	assert_int_equal(vms_code_free(code, &blocks[20]), 0);
	assert_int_equal(errno, 6);
	assert_int_equal(memory(), BLOCKS * BLOCK_BYTES);
	assert_int_equal(signal_of(jump, freed), SIGTRAP);
	large = make((size_t)1 << 20, 5);
	large.size = 100;
	assert_int_equal(vms_code_publish(code, &large), 0);
	assert_int_equal(memory(), BLOCKS * BLOCK_BYTES +
			 (size_t)sysconf(_SC_PAGESIZE));
	given_back = (char *)large.run + ((size_t)1 << 19);
	assert_int_equal(signal_of(jump_in_child, NULL), SIGSEGV);
	assert_int_equal(signal_of(jump_in_child, blocks), SIGSEGV);
	assert_sound();
	blocks[20] = make_published(BLOCK_BYTES, 20);
	check_every(blocks, 0, 1);
	assert_int_equal(call(large.run), 5);
}

static long refuse_all_madvise(uintptr_t address, size_t length, int advice)
{
	(void)address;
	(void)length;
	(void)advice;
	return -ENOMEM;
}

static long refuse_to_punch(int fd, int mode, uint64_t offset, uint64_t length)
{
	(void)fd;
	(void)mode;
	(void)offset;
	(void)length;
	return -EOPNOTSUPP;
}

static void what_cannot_go_back_traps(void **state)
{
	struct vms_code_block blocks[BLOCKS];
	char *freed;

	open_pool(mode_of(state));
	fill(blocks);
	freed = blocks[20].run;
	vmsi_host.madvise = refuse_all_madvise;
	assert_int_equal(vms_code_free(code, &blocks[20]), 0);
	vmsi_host = real_host;
	assert_int_equal(signal_of(jump, freed), SIGTRAP);
	freed = blocks[22].run;
	vmsi_host.fallocate = refuse_to_punch;
	assert_int_equal(vms_code_free(code, &blocks[22]), 0);
	vmsi_host = real_host;
	assert_int_equal(signal_of(jump, freed), SIGSEGV);
	assert_sound();
	blocks[20] = make_published(BLOCK_BYTES, 20);
	blocks[22] = make_published(BLOCK_BYTES, 22);
	check_every(blocks, 0, 1);
}

static const enum vms_code_mode modes[] = { VMS_CODE_VIEWS, VMS_CODE_COPIES,
					    VMS_CODE_FLIPS };

#define IN_MODE(test, name, mode)                                   \
	{ #test ", " name, test, save_host, restore_host,           \
	  (void *)(uintptr_t)&modes[mode] }
#define IN_ALL_MODES(test) \
	IN_MODE(test, "views", 0), IN_MODE(test, "copies", 1), \
	IN_MODE(test, "flips", 2)
#define WITH_FILES(test) \
	IN_MODE(test, "views", 0), IN_MODE(test, "copies", 1)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ALL_MODES(pages_without_a_block_go_back),
		WITH_FILES(a_page_goes_back_with_its_last_block),
		IN_ALL_MODES(what_a_block_does_not_need_is_given_back),
		IN_ALL_MODES(a_child_has_no_more_memory_than_its_parent),
		WITH_FILES(without_guards_large_parts_go_back),
		WITH_FILES(what_cannot_go_back_traps),
	};

	return cmocka_run_group_tests_name("code_pages", tests, NULL, NULL);
}
