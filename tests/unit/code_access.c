/* SPDX-License-Identifier: MIT */
#include "code_fixture.h"

#include <sys/stat.h>

#include "code/code.h"
#include "code/trap.h"

/* What can be written to and what a jump does, in each state of a block. */

static enum vms_code_mode mode_of(void **state)
{
	return *(const enum vms_code_mode *)*state;
}

static int permit_writing(void *run)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *start = (char *)run - (uintptr_t)run % page;

	return mprotect(start, page, PROT_READ | PROT_WRITE | PROT_EXEC) == 0 ?
		1 : errno;
}

static void code_is_not_writable_where_it_runs(void **state)
{
	struct vms_code_block block;

	open_pool(mode_of(state));
	block = make(100, 1);
	if (mode_of(state) != VMS_CODE_FLIPS)
		assert_int_equal(signal_of(store, block.run), SIGSEGV);
	assert_int_equal(vms_code_publish(code, &block), 0);
	assert_int_equal(signal_of(store, block.run), SIGSEGV);
	/* Nor can it be made so: the descriptor behind it cannot write. */
	if (mode_of(state) != VMS_CODE_FLIPS)
		assert_int_equal(signal_of(permit_writing, block.run), -EACCES);
}

/* By a child, which has no views (code_fork.c); so by a handler here. */
static sigjmp_buf faulted;

static void on_fault(int number)
{
	siglongjmp(faulted, number);
}

static int signal_of_store(void *address)
{
	struct sigaction action = { .sa_handler = on_fault }, earlier;
	int number;

	sigaction(SIGSEGV, &action, &earlier);
	number = sigsetjmp(faulted, 1);
	if (number == 0)
		(void)store(address);
	sigaction(SIGSEGV, &earlier, NULL);
	return number;
}

static void publishing_takes_the_view_away(void **state)
{
	struct vms_code_block first, rest[16], large;
	void *write;

	(void)state;
	open_pool(VMS_CODE_VIEWS);
	/* A large block has a chunk for itself. */
	large = make(200000, 1);
	write = large.write;
	assert_int_equal(signal_of_store(write), 0);
	write_return(write, 1);
	assert_int_equal(vms_code_publish(code, &large), 0);
	assert_int_equal(signal_of_store(write), SIGSEGV);
	assert_int_equal(figures().writable, 0);

	/* The chunk that blocks come from keeps its view, until others come. */
	first = make(100, 2);
	write = first.write;
	assert_int_equal(vms_code_publish(code, &first), 0);
	assert_int_equal(signal_of_store((char *)write + 99), 0);
	assert_true(figures().writable > 0);
	for (int i = 0; i < 16; i++)
		rest[i] = make(30000, 3);
	assert_true(figures().chunks >= 3);
	assert_int_equal(signal_of_store((char *)rest[0].write + 99), 0);
	assert_int_equal(vms_code_publish_many(code, rest, 16), 16);
	assert_int_equal(signal_of_store(write), SIGSEGV);
	assert_true(figures().writable > 0);
	assert_int_equal(call(first.run), 2);
	assert_int_equal(vms_code_settle(code), 0);
	assert_int_equal(figures().writable, 0);
}

static void settling_takes_the_last_view_away(void **state)
{
	struct vms_code_block first, second;
	void *write;

	(void)state;
	open_pool(VMS_CODE_VIEWS);
	first = make(100, 1);
	second = make(100, 2);
	write = first.write;
	assert_int_equal(vms_code_publish(code, &first), 0);
	assert_int_equal(vms_code_settle(code), 0);
	/* The second is not published. */
	assert_int_equal(signal_of_store((char *)write + 99), 0);
	assert_int_equal(vms_code_publish(code, &second), 0);
	assert_int_equal(signal_of_store(write), SIGSEGV);
	assert_int_equal(vms_code_settle(code), 0);
	/* And it comes again with the next block. */
	second = make_published(100, 3);
	assert_int_equal(call(second.run), 3);
	assert_int_equal(call(first.run), 1);
}

static void with_copies_later_writes_do_not_reach_the_code(void **state)
{
	struct vms_code_block block, next;
	void *write;

	(void)state;
	open_pool(VMS_CODE_COPIES);
	block = make(100, 1);
	write = block.write;
	assert_int_equal(vms_code_publish(code, &block), 0);
	write_return(write, 2);
	assert_int_equal(call(block.run), 1);
	next = make_published(100, 3);
	assert_int_equal(call(block.run), 1);
	assert_int_equal(call(next.run), 3);
	assert_int_equal(figures().writable, 0);
}

static void a_jump_to_what_is_no_code_traps(void **state)
{
	const int trap = mode_of(state) == VMS_CODE_FLIPS ? SIGSEGV : SIGTRAP;
	struct vms_code_block block, other, large;
	void *run;

	open_pool(mode_of(state));
	other = make_published(100, 1);
	block = make(200, 2);
	run = block.run;
	if (mode_of(state) == VMS_CODE_VIEWS)
		vmsi_fill_with_traps(block.write, 200);
	assert_int_equal(signal_of(jump, run), trap);
	write_return(block.write, 2);
	assert_int_equal(vms_code_publish(code, &block), 0);
	assert_int_equal(signal_of(jump, run), 0);
	assert_int_equal(vms_code_free(code, &block), 0);
	assert_int_equal(signal_of(jump, run), trap);
	assert_int_equal(signal_of(jump, (char *)run + 4096), trap);
	/* Where the view has been taken away, too. */
	run = other.run;
	assert_int_equal(vms_code_settle(code), 0);
	assert_int_equal(signal_of(jump, run), 0);
	block = make_published(70000, 4);
	assert_int_equal(vms_code_free(code, &other), 0);
	assert_true(signal_of(jump, run) == trap ||
		    signal_of(jump, run) == SIGSEGV);
	large = make_published(200000, 3);
	run = large.run;
	assert_int_equal(signal_of(jump, run), 0);
	assert_int_equal(vms_code_free(code, &large), 0);
	assert_int_equal(signal_of(jump, run), SIGSEGV);
	assert_int_equal(call(block.run), 4);
}

static void memory_goes_back_with_its_chunk(void **state)
{
	struct vms_code_block large;
	struct stat status;

	open_pool(mode_of(state));
	large = make_published((size_t)2 << 20, 1);
	assert_true(figures().mapped >= (size_t)2 << 20);
	assert_int_equal(vms_code_free(code, &large), 0);
	assert_int_equal(figures().mapped, 0);
	if (mode_of(state) == VMS_CODE_FLIPS)
		return;
	assert_int_equal(fstat(code->fd, &status), 0);
	assert_int_equal(status.st_blocks, 0);
}

static const enum vms_code_mode modes[] = { VMS_CODE_VIEWS, VMS_CODE_COPIES,
					    VMS_CODE_FLIPS };

#define ONCE(test) cmocka_unit_test_teardown(test, close_pool)
#define IN_MODE(test, name, mode)                                   \
	{ #test ", " name, test, NULL, close_pool,                  \
	  (void *)(uintptr_t)&modes[mode] }
#define IN_ALL_MODES(test) \
	IN_MODE(test, "views", 0), IN_MODE(test, "copies", 1), \
	IN_MODE(test, "flips", 2)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ALL_MODES(code_is_not_writable_where_it_runs),
		ONCE(publishing_takes_the_view_away),
		ONCE(settling_takes_the_last_view_away),
		ONCE(with_copies_later_writes_do_not_reach_the_code),
		IN_ALL_MODES(a_jump_to_what_is_no_code_traps),
		IN_ALL_MODES(memory_goes_back_with_its_chunk),
	};

	return cmocka_run_group_tests_name("code_access", tests, NULL, NULL);
}
