/* SPDX-License-Identifier: MIT */
#include "code_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "host/host.h"

/* Pools in the child of a fork. */

#define CHECK(condition) do { if (!(condition)) return __LINE__ % 250 + 1; } while (0)

static enum vms_code_mode mode_of(void **state)
{
	return *(const enum vms_code_mode *)*state;
}

static struct vms_code_block shared, unpublished;

static bool makes(uint32_t value, struct vms_code_block *block)
{
	if (vms_code_alloc(code, 100, block) != 0)
		return false;
	write_return(block->write, value);
	return vms_code_publish(code, block) == 0 &&
		call(block->run) == (int)value;
}

static int run_inherited(void *argument)
{
	(void)argument;
	return call(shared.run) == 11 ? 0 : 1;
}

static int change_own_copy(void *argument)
{
	struct vms_code_block block;

	(void)argument;
	CHECK(makes(22, &block));
	CHECK(call(shared.run) == 11);
	CHECK(vms_code_free(code, &shared) == 0);
	CHECK(makes(23, &shared));
	CHECK(!vmsi_code_check(code, VMSI_CHECK_ALL));
	CHECK(vms_code_free(code, &block) == 0);
	CHECK(vms_code_close(code) == 0);
	return 0;
}

static void a_child_runs_and_changes_its_own_copy(void **state)
{
	struct vms_code_block block;

	open_pool(mode_of(state));
	shared = make_published(100, 11);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(signal_of(run_inherited, NULL), 0);
		assert_int_equal(signal_of(change_own_copy, NULL), 0);
		assert_int_equal(call(shared.run), 11);
		/* The child's code is not in the place of the parent's. */
		block = make_published(100, 12);
		assert_int_equal(call(block.run), 12);
		assert_sound();
	}
}

static int outlive_parent_s_free(void *argument)
{
	const int *ends = argument;
	struct vms_code_block block;
	char byte;

	CHECK(makes(22, &block));
	CHECK(write(ends[1], "x", 1) == 1);
	CHECK(read(ends[2], &byte, 1) == 1);
	CHECK(call(shared.run) == 11);
	return 0;
}

/* Once it has its own copy, the parent can do as it likes. */
static void the_parent_does_not_reach_the_copy(void **state)
{
	struct vms_code_block block;
	int up[2], down[2], ends[3], status = 0;
	char byte;
	pid_t child;

	open_pool(mode_of(state));
	shared = make_published(100, 11);
	assert_int_equal(pipe(up), 0);
	assert_int_equal(pipe(down), 0);
	ends[1] = up[1];
	ends[2] = down[0];
	child = fork();
	if (child == 0)
		_exit(outlive_parent_s_free(ends));
	assert_int_equal(read(up[0], &byte, 1), 1);
	block = shared;
	assert_int_equal(vms_code_free(code, &block), 0);
	block = make_published(100, 12);
	assert_ptr_equal(block.run, shared.run);
	assert_int_equal(write(down[1], "x", 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	for (int i = 0; i < 2; i++) {
		close(up[i]);
		close(down[i]);
	}
}

static int write_to_view(void *argument)
{
	(void)argument;
	return store(unpublished.write);
}

/* A child that runs no handlers of fork has no views either. */
static void a_raw_child_does_not_write_to_its_parent_s_code(void **state)
{
	int status = 0;
	long child;

	(void)state;
	open_pool(VMS_CODE_VIEWS);
	unpublished = make(100, 44);
	child = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		*(volatile char *)unpublished.write = 1;
		_exit(0);
	}
	assert_int_equal(waitpid((pid_t)child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	assert_int_equal(vms_code_publish(code, &unpublished), 0);
	assert_int_equal(call(unpublished.run), 44);
}

static int use_unpublished(void *argument)
{
	struct vms_code_block block;

	(void)argument;
	CHECK(makes(22, &block));
	write_return(unpublished.write, 33);
	CHECK(vms_code_publish(code, &unpublished) == 0);
	CHECK(call(unpublished.run) == 33);
	CHECK(vms_code_free(code, &unpublished) == 0);
	return 0;
}

static void a_child_does_not_write_to_its_parent_s_code(void **state)
{
	open_pool(mode_of(state));
	unpublished = make(100, 44);
	if (mode_of(state) == VMS_CODE_VIEWS)
		assert_int_equal(signal_of(write_to_view, NULL), SIGSEGV);
	assert_int_equal(signal_of(use_unpublished, NULL), 0);
	assert_int_equal(vms_code_publish(code, &unpublished), 0);
	assert_int_equal(call(unpublished.run), 44);
}

static int fork_again(void *argument)
{
	struct vms_code_block block;
	int status = 0;
	pid_t child;

	(void)argument;
	CHECK(makes(22, &block));
	child = fork();
	if (child == 0)
		_exit(change_own_copy(NULL));
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(call(shared.run) == 11 && call(block.run) == 22);
	return 0;
}

static void a_grandchild_has_its_own_too(void **state)
{
	open_pool(mode_of(state));
	shared = make_published(100, 11);
	assert_int_equal(signal_of(fork_again, NULL), 0);
	assert_int_equal(call(shared.run), 11);
}

/* A chunk that has no block goes back when its pool settles. */
static int settle_in_child(void *argument)
{
	const int *ends = argument;
	char byte;

	CHECK(read(ends[0], &byte, 1) == 1);
	CHECK(vms_code_settle(code) == 0);
	return change_own_copy(NULL);
}

static void a_child_that_settles_leaves_its_parent_s_code(void **state)
{
	int ends[2], status = 0;
	struct vms_code_block block;
	pid_t child;

	open_pool(mode_of(state));
	shared = make_published(40000, 11);
	block = make_published(40000, 11);
	assert_int_equal(vms_code_free(code, &block), 0);
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0)
		_exit(settle_in_child(ends));
	block = make_published(100, 12);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(call(block.run), 12);
	assert_int_equal(call(shared.run), 11);
	close(ends[0]);
	close(ends[1]);
}

static int use_copy_once_more(void *argument)
{
	struct vms_code_block block;

	(void)argument;
	CHECK(call(unpublished.run) == 12);
	CHECK(makes(22, &block));
	CHECK(vms_code_free(code, &unpublished) == 0);
	return 0;
}

/* --- a copy at the fork ---------------------------------------------------------------- */

static void open_copying(enum vms_code_mode mode)
{
	const struct vms_code_options options = {
		.struct_size = sizeof(options),
		.reserve = (size_t)4 << 20,
		.mode = mode,
		.flags = VMS_CODE_COPY_AT_FORK,
	};

	code = vms_code_open(&options);
	assert_non_null(code);
}

static int run_after_parent_s_free(void *argument)
{
	const int *ends = argument;
	char byte;

	/* Without a call on the pool before. */
	CHECK(read(ends[0], &byte, 1) == 1);
	CHECK(call(shared.run) == 11);
	return change_own_copy(NULL);
}

static void a_copy_at_the_fork_is_the_child_s_from_the_first(void **state)
{
	struct vms_code_block block;
	int ends[2], status = 0;
	pid_t child;

	open_copying(mode_of(state));
	for (int i = 0; i < 2; i++) {
		shared = make_published(100, 11);
		unpublished = make(100, 12);
		assert_int_equal(pipe(ends), 0);
		child = fork();
		if (child == 0)
			_exit(run_after_parent_s_free(ends));
		block = shared;
		assert_int_equal(vms_code_free(code, &block), 0);
		block = make_published(100, 13);
		assert_ptr_equal(block.run, shared.run);
		assert_int_equal(write(ends[1], "x", 1), 1);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		close(ends[0]);
		close(ends[1]);
		assert_int_equal(vms_code_publish(code, &unpublished), 0);
		assert_int_equal(call(unpublished.run), 12);
		assert_int_equal(vms_code_free(code, &block), 0);
		assert_sound();
	}
	assert_int_equal(signal_of(use_copy_once_more, NULL), 0);
}

/* --- a copy that is refused ------------------------------------------------------------ */

static struct vmsi_host_calls real_host;
static int refused_after;

static long refuse_all_memfds(const char *name, unsigned flags)
{
	(void)name;
	(void)flags;
	return -ENFILE;
}

static int change_with_real_host(void *argument)
{
	vmsi_host = real_host;
	return change_own_copy(argument);
}

/* A fork whose copy is refused is as one without. */
static void a_copy_that_is_refused_at_the_fork_is_made_later(void **state)
{
	(void)state;
	open_copying(VMS_CODE_VIEWS);
	shared = make_published(100, 11);
	real_host = vmsi_host;
	vmsi_host.memfd_create = refuse_all_memfds;
	assert_int_equal(signal_of(change_with_real_host, NULL), 0);
	vmsi_host = real_host;
	assert_int_equal(call(shared.run), 11);
	assert_int_equal(signal_of(change_own_copy, NULL), 0);
}

static long refuse_memfd(const char *name, unsigned flags)
{
	return refused_after-- <= 0 ? -ENFILE :
				      real_host.memfd_create(name, flags);
}

static long refuse_run_view(uintptr_t address, size_t length, int prot,
			    int flags, int fd, uint64_t offset)
{
	if ((prot & PROT_EXEC) && refused_after-- <= 0)
		return -ENOMEM;
	return real_host.mmap(address, length, prot, flags, fd, offset);
}

static int be_refused(void *argument)
{
	struct vms_code_block block;
	int refusals = 0;

	real_host = vmsi_host;
	if (argument)
		vmsi_host.mmap = refuse_run_view;
	else
		vmsi_host.memfd_create = refuse_memfd;
	for (refused_after = 0;; refusals++) {
		refused_after = refusals;
		if (vms_code_alloc(code, 100, &block) == 0)
			break;
		CHECK(errno == (argument ? ENOMEM : ENFILE));
		CHECK(call(shared.run) == 11 && call(unpublished.run) == 12);
	}
	CHECK(refusals > 0);
	vmsi_host = real_host;
	write_return(block.write, 13);
	CHECK(vms_code_publish(code, &block) == 0 && call(block.run) == 13);
	CHECK(call(shared.run) == 11 && call(unpublished.run) == 12);
	CHECK(!vmsi_code_check(code, VMSI_CHECK_ALL));
	return 0;
}

static void a_copy_that_is_refused_can_be_made_later(void **state)
{
	static char what[1];

	(void)state;
	open_pool(VMS_CODE_VIEWS);
	shared = make_published(100, 11);
	unpublished = make_published(100000, 12);
	assert_int_equal(signal_of(be_refused, NULL), 0);
	assert_int_equal(signal_of(be_refused, what), 0);
	assert_int_equal(call(shared.run), 11);
}

/* --- threads ------------------------------------------------------------------------------ */

static atomic_bool stop;

static void *keep_busy(void *argument)
{
	(void)argument;
	while (!atomic_load(&stop)) {
		struct vms_code_block block;

		if (vms_code_alloc(code, 100, &block) != 0)
			break;
		write_return(block.write, 1);
		(void)vms_code_publish(code, &block);
		(void)vms_code_free(code, &block);
	}
	return NULL;
}

static int find_lock_free(void *argument)
{
	struct vms_code_block block;

	(void)argument;
	alarm(3600);
	CHECK(call(shared.run) == 11);
	CHECK(makes(22, &block));
	return 0;
}

/* Another thread may hold the pool's lock when this one forks. */
static void a_child_never_finds_a_lock_taken(void **state)
{
	pthread_t threads[2];

	open_pool(mode_of(state));
	shared = make_published(100, 11);
	atomic_store(&stop, false);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, keep_busy,
						NULL), 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(signal_of(find_lock_free, NULL), 0);
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
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
		IN_ALL_MODES(a_child_runs_and_changes_its_own_copy),
		IN_ALL_MODES(the_parent_does_not_reach_the_copy),
		IN_ALL_MODES(a_child_does_not_write_to_its_parent_s_code),
		cmocka_unit_test_teardown(
			a_raw_child_does_not_write_to_its_parent_s_code,
			close_pool),
		IN_ALL_MODES(a_child_that_settles_leaves_its_parent_s_code),
		IN_ALL_MODES(a_grandchild_has_its_own_too),
		cmocka_unit_test_teardown(
			a_copy_that_is_refused_can_be_made_later, close_pool),
		cmocka_unit_test_teardown(
			a_copy_that_is_refused_at_the_fork_is_made_later,
			close_pool),
		IN_ALL_MODES(a_copy_at_the_fork_is_the_child_s_from_the_first),
		IN_ALL_MODES(a_child_never_finds_a_lock_taken),
	};

	return cmocka_run_group_tests_name("code_fork", tests, NULL, NULL);
}
