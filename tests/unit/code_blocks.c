/* SPDX-License-Identifier: MIT */
#include "code_fixture.h"

#include <sys/resource.h>

/* Blocks of code in each mode: alloc, publish, run, free. */

#define MANY 3000

static enum vms_code_mode mode_of(void **state)
{
	return *(const enum vms_code_mode *)*state;
}

static void published_code_runs(void **state)
{
	struct vms_code_block block;

	open_pool(mode_of(state));
	block = make(200, 123456);
	assert_non_null(block.write);
	assert_int_equal(block.size, 200);
	assert_int_equal(figures().unpublished, 1);
	errno = 77;
	assert_int_equal(vms_code_publish(code, &block), 0);
	assert_int_equal(errno, 77);
	assert_null(block.write);
	assert_int_equal(call(block.run), 123456);
	assert_int_equal(figures().unpublished, 0);
	assert_int_equal(figures().blocks, 1);
	assert_int_equal(figures().mode, mode_of(state));
	assert_int_equal(vms_code_free(code, &block), 0);
	assert_null(block.run);
	assert_int_equal(figures().blocks, 0);
	assert_int_equal(figures().used, 0);
}

static void many_blocks_run(void **state)
{
	static struct vms_code_block blocks[MANY];
	const size_t count = mode_of(state) == VMS_CODE_FLIPS ? 500 : MANY;

	open_pool(mode_of(state));
	for (size_t i = 0; i < count; i++) {
		blocks[i] = make_published(20 + i % 300, (uint32_t)i * 7919);
		for (size_t j = i ? i - 1 : 0; j < i; j++)
			assert_true(blocks[j].run != blocks[i].run);
	}
	for (size_t i = 0; i < count; i++)
		assert_int_equal(call(blocks[i].run), (int)(i * 7919));
	assert_sound();
	for (size_t i = 0; i < count; i += 2)
		assert_int_equal(vms_code_free(code, &blocks[i]), 0);
	assert_sound();
	for (size_t i = 1; i < count; i += 2)
		assert_int_equal(call(blocks[i].run), (int)(i * 7919));
	for (size_t i = 1; i < count; i += 2)
		assert_int_equal(vms_code_free(code, &blocks[i]), 0);
	/* Only the chunk that blocks come from stays. */
	assert_int_equal(figures().chunks, 1);
}

static void the_place_of_freed_code_is_used_again(void **state)
{
	struct vms_code_block first, second;
	void *place;

	open_pool(mode_of(state));
	if (mode_of(state) != VMS_CODE_FLIPS && !changed_code_is_noticed()) {
		print_message("# changed code runs as it was before\n");
		skip();
	}
	first = make_published(100, 1);
	place = first.run;
	assert_int_equal(call(place), 1);
	assert_int_equal(vms_code_free(code, &first), 0);
	second = make_published(100, 2);
	assert_ptr_equal(second.run, place);
	assert_int_equal(call(place), 2);
}

static void what_a_block_does_not_need_goes_back(void **state)
{
	struct vms_code_block block, next;

	open_pool(mode_of(state));
	block = make(5000, 5);
	block.size = 70;
	assert_int_equal(vms_code_publish(code, &block), 0);
	assert_int_equal(call(block.run), 5);
	assert_sound();
	next = make_published(70, 6);
	assert_true((char *)next.run - (char *)block.run < 5000);
	assert_int_equal(call(next.run), 6);
	assert_int_equal(call(block.run), 5);
}

static void a_large_block_has_a_chunk_of_its_own(void **state)
{
	const size_t size = (size_t)1 << 20;
	struct vms_code_block small, large;
	char *end;

	open_pool(mode_of(state));
	small = make_published(100, 1);
	large = make(size, 2);
	end = (char *)large.write + size - RETURN_BYTES;
	write_return(end, 3);
	end = (char *)large.run + size - RETURN_BYTES;
	assert_int_equal(vms_code_publish(code, &large), 0);
	assert_int_equal(call(large.run), 2);
	assert_int_equal(call(end), 3);
	assert_int_equal(call(small.run), 1);
	assert_int_equal(figures().chunks, 2);
	assert_int_equal(vms_code_free(code, &large), 0);
	assert_int_equal(figures().chunks, 1);
}

static void a_pool_that_is_full_refuses(void **state)
{
	struct vms_code_block block, blocks[64];
	size_t count = 0;

	open_pool(mode_of(state));
	while (vms_code_alloc(code, 100000, &blocks[count]) == 0)
		count++;
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(count, 32);
	assert_sound();
	assert_refused(vms_code_alloc(code, (size_t)5 << 20, &block), ENOMEM);
	assert_refused(vms_code_alloc(code, SIZE_MAX, &block), ENOMEM);
	assert_int_equal(figures().blocks, count);
	while (count)
		assert_int_equal(vms_code_free(code, &blocks[--count]), 0);
	block = make((size_t)4 << 20, 9);
	assert_int_equal(vms_code_free(code, &block), 0);
}

static void several_are_published_by_one_call(void **state)
{
	struct vms_code_block blocks[10];

	open_pool(mode_of(state));
	for (uint32_t i = 0; i < 10; i++)
		blocks[i] = make(100, i + 40);
	assert_int_equal(vms_code_publish_many(code, blocks, 10), 10);
	for (int i = 0; i < 10; i++)
		assert_int_equal(call(blocks[i].run), i + 40);
	assert_int_equal(vms_code_publish_many(code, blocks, 0), 0);
	/* They are published already. */
	errno = 0;
	assert_int_equal(vms_code_publish_many(code, blocks, 10), 0);
	assert_int_equal(errno, EINVAL);
}

static void what_is_no_block_is_refused(void **state)
{
	struct vms_code_block block, other, none = { 0 };

	open_pool(mode_of(state));
	assert_refused(vms_code_alloc(code, 0, &block), EINVAL);
	assert_refused(vms_code_alloc(code, 1, NULL), EINVAL);
	assert_refused(vms_code_alloc(NULL, 1, &block), EINVAL);
	block = make(300, 1);
	other = block;
	other.run = (char *)block.run + 64;
	assert_refused(vms_code_publish(code, &other), EINVAL);
	assert_refused(vms_code_free(code, &other), EINVAL);
	other.run = (char *)block.run + 1;
	assert_refused(vms_code_free(code, &other), EINVAL);
	other.run = &other;
	assert_refused(vms_code_free(code, &other), EINVAL);
	other = block;
	other.size = 100000;
	assert_refused(vms_code_publish(code, &other), EINVAL);
	other.size = 0;
	assert_refused(vms_code_publish(code, &other), EINVAL);
	assert_int_equal(vms_code_publish(code, &block), 0);
	other = block;
	assert_refused(vms_code_publish(code, &block), EINVAL);
	assert_int_equal(vms_code_free(code, &block), 0);
	assert_refused(vms_code_free(code, &other), EINVAL);
	assert_int_equal(vms_code_free(code, &none), 0);
	assert_refused(vms_code_free(NULL, &other), EINVAL);
	assert_refused(vms_code_settle(NULL), EINVAL);
	assert_refused(vms_code_seal(NULL), EINVAL);
	assert_int_equal(vms_code_close(NULL), 0);
}

static void random_blocks_keep_the_invariants(void **state)
{
	static struct vms_code_block blocks[200];
	unsigned random = 1;

	open_pool(mode_of(state));
	memset(blocks, 0, sizeof(blocks));
	for (unsigned i = 0; i < 4000; i++) {
		struct vms_code_block *block;

		random = random * 1103515245 + 12345;
		block = &blocks[random / 65536 % 200];
		if (!block->run) {
			size_t size = random / 256 % 50 == 0 ?
				70000 : 16 + random / 1024 % 3000;

			if (vms_code_alloc(code, size, block) == 0)
				write_return(block->write, i);
		} else if (block->write && random / 512 % 4) {
			block->size = 1 + random / 2048 % block->size;
			if (block->size > 3000)
				block->size = 3000;
			assert_int_equal(vms_code_publish(code, block), 0);
		} else {
			assert_int_equal(vms_code_free(code, block), 0);
		}
		if (i % 64 == 0)
			assert_sound();
	}
}

static int reach_the_limit(void *mode)
{
	const struct rlimit limit = { 4096, 4096 };
	struct vms_code_block runs, freed, published, large;

	open_pool(*(enum vms_code_mode *)mode);
	runs = make_published(20000, 1);
	freed = make_published(20000, 2);
	published = make(20000, 3);
	if (vms_code_settle(code) != 0 || setrlimit(RLIMIT_FSIZE, &limit) != 0)
		return 1;
	if (vms_code_publish(code, &published) != 0 && errno != EFBIG)
		return 2;
	if (vms_code_free(code, &freed) != 0 && errno != EFBIG)
		return 3;
	if (vms_code_alloc(code, 300000, &large) != 0 && errno != EFBIG)
		return 4;
	return call(runs.run) == 1 ? 0 : 5;
}

/* Where the kernel would send SIGXFSZ. */
static void a_limit_of_files_is_an_error(void **state)
{
	enum vms_code_mode mode = mode_of(state);

	assert_int_equal(signal_of(reach_the_limit, &mode), 0);
}

static const enum vms_code_mode modes[] = { VMS_CODE_VIEWS, VMS_CODE_COPIES,
					    VMS_CODE_FLIPS };

#define IN_MODE(test, name, mode)                                   \
	{ #test ", " name, test, NULL, close_pool,                  \
	  (void *)(uintptr_t)&modes[mode] }
#define IN_ALL_MODES(test) \
	IN_MODE(test, "views", 0), IN_MODE(test, "copies", 1), \
	IN_MODE(test, "flips", 2)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ALL_MODES(published_code_runs),
		IN_ALL_MODES(many_blocks_run),
		IN_ALL_MODES(the_place_of_freed_code_is_used_again),
		IN_ALL_MODES(what_a_block_does_not_need_goes_back),
		IN_ALL_MODES(a_large_block_has_a_chunk_of_its_own),
		IN_ALL_MODES(a_pool_that_is_full_refuses),
		IN_ALL_MODES(several_are_published_by_one_call),
		IN_ALL_MODES(what_is_no_block_is_refused),
		IN_ALL_MODES(random_blocks_keep_the_invariants),
		IN_ALL_MODES(a_limit_of_files_is_an_error),
	};

	return cmocka_run_group_tests_name("code_blocks", tests, NULL, NULL);
}
