/* SPDX-License-Identifier: MIT */
#include "code_fixture.h"

/*
 * That instruction caches are made to agree with memory, where that takes instructions
 * (aarch64). An emulator has no such caches; so the call that the compiler makes for
 * __builtin___clear_cache is replaced by one that notes where, and does the same.
 */

#if defined(__aarch64__)

static enum vms_code_mode mode_of(void **state)
{
	return *(const enum vms_code_mode *)*state;
}

#define NOTES 1000

static struct {
	uintptr_t start, end;
} notes[NOTES];
static size_t count;

static void clean_data(uintptr_t start, uintptr_t end, size_t line)
{
	for (uintptr_t at = start & ~(line - 1); at < end; at += line)
		__asm__ volatile("dc cvau, %0" : : "r"(at) : "memory");
	__asm__ volatile("dsb ish" : : : "memory");
}

static void drop_instructions(uintptr_t start, uintptr_t end, size_t line)
{
	for (uintptr_t at = start & ~(line - 1); at < end; at += line)
		__asm__ volatile("ic ivau, %0" : : "r"(at) : "memory");
	__asm__ volatile("dsb ish\n\tisb" : : : "memory");
}

/* NOLINTNEXTLINE(*-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the compiler's name */
void __clear_cache(void *begin, void *end);
void __clear_cache(void *begin, void *end)
{
	const uintptr_t from = (uintptr_t)begin, to = (uintptr_t)end;
	uint64_t lines;

	__asm__("mrs %0, ctr_el0" : "=r"(lines));
	clean_data(from, to, (size_t)4 << (lines >> 16 & 15));
	drop_instructions(from, to, (size_t)4 << (lines & 15));
	if (count < NOTES) {
		notes[count].start = from;
		notes[count].end = to;
		count++;
	}
}

/* All of it, by one call. */
static bool cleared(const void *run, size_t size)
{
	bool all = false;

	for (size_t i = 0; i < count; i++)
		all |= notes[i].start <= (uintptr_t)run &&
			notes[i].end >= (uintptr_t)run + size;
	count = 0;
	return all;
}

static void what_is_published_is_cleared(void **state)
{
	struct vms_code_block block, other;

	open_pool(mode_of(state));
	block = make(5000, 1);
	other = make(100, 2);
	count = 0;
	assert_int_equal(vms_code_publish(code, &block), 0);
	assert_true(cleared(block.run, 5000));
	assert_int_equal(vms_code_settle(code), 0);
	assert_int_equal(vms_code_publish(code, &other), 0);
	assert_true(cleared(other.run, 100));
}

/* With flips it is other memory, which the kernel clears. */
static void what_is_freed_is_cleared(void **state)
{
	struct vms_code_block block, settled, cut;
	void *run;

	open_pool(mode_of(state));
	block = make_published(5000, 1);
	settled = make_published(200, 2);
	cut = make(5000, 3);
	count = 0;
	cut.size = 200;
	assert_int_equal(vms_code_publish(code, &cut), 0);
	assert_true(cleared((char *)cut.run + 256, 5000 - 256));
	run = block.run;
	assert_int_equal(vms_code_free(code, &block), 0);
	assert_true(cleared(run, 5000));
	/* Without a view, too. */
	assert_int_equal(vms_code_settle(code), 0);
	run = settled.run;
	assert_int_equal(vms_code_free(code, &settled), 0);
	assert_true(cleared(run, 200));
}

static const enum vms_code_mode modes[] = { VMS_CODE_VIEWS, VMS_CODE_COPIES,
					    VMS_CODE_FLIPS };

#define IN_MODE(test, name, mode)                                   \
	{ #test ", " name, test, NULL, close_pool,                  \
	  (void *)(uintptr_t)&modes[mode] }

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_MODE(what_is_published_is_cleared, "views", 0),
		IN_MODE(what_is_published_is_cleared, "copies", 1),
		IN_MODE(what_is_published_is_cleared, "flips", 2),
		IN_MODE(what_is_freed_is_cleared, "views", 0),
		IN_MODE(what_is_freed_is_cleared, "copies", 1),
	};

	return cmocka_run_group_tests_name("code_caches", tests, NULL, NULL);
}

#else

int main(void)
{
	printf("1..0 # SKIP this processor's caches agree by themselves\n");
	return 0;
}

#endif
