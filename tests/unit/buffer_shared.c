/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tsan.h"
#include "buffer_fixture.h"

/*
 * Buffers without a space of their own use one that the process shares. Tests that
 * need it not to be open yet run in a new process of this program, which gets the
 * test's name.
 */

static void must_end_well(pid_t child)
{
	int status;

	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void in_a_new_process(const char *name)
{
	pid_t child = fork();

	if (child == 0) {
		execl("/proc/self/exe", "buffer_shared", name, (char *)NULL);
		_exit(255);
	}
	must_end_well(child);
}

/* The exit status is the line of the condition that does not hold. */
#define must(condition) \
	do { \
		if (!(condition)) \
			return __LINE__ % 255 + 1; \
	} while (0)

/* --- one space for all -------------------------------------------------------------- */

#define THREADS 4

static vms_buffer of_thread[THREADS];
static pthread_barrier_t barrier;

static void *make_and_fill(void *argument)
{
	vms_buffer *mine = argument;

	pthread_barrier_wait(&barrier);
	if (vms_buffer_init(mine, 8 * huge(), NULL) != 0)
		return argument;
	for (size_t i = 0; i < 100000; i++)
		if (vms_buffer_append(mine, &i, sizeof(i)) != 0)
			return argument;
	return NULL;
}

/*
 * Threads that open the shared space at once close all but one. ThreadSanitizer does
 * not see the system calls by which the addresses of closed spaces come back, and
 * would report a race, so under it the space is opened first.
 */
static int open_before_under_tsan(void)
{
#if VMSI_HAS_TSAN
	vms_buffer first;

	must(vms_buffer_init(&first, page(), NULL) == 0);
	must(vms_buffer_free(&first) == 0);
#endif
	return 0;
}

static int threads_open_it_together(void)
{
	pthread_t threads[THREADS];
	vms_space *shared;

	must(open_before_under_tsan() == 0);
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		must(pthread_create(&threads[i], NULL, make_and_fill,
				    &of_thread[i]) == 0);
	for (int i = 0; i < THREADS; i++) {
		void *failed;

		must(pthread_join(threads[i], &failed) == 0 && !failed);
	}
	shared = vms_space_of(of_thread[0].data);
	must(shared && strcmp(vms_space_name(shared), "buffers") == 0);
	for (int i = 0; i < THREADS; i++) {
		const size_t *numbers = (void *)of_thread[i].data;

		must(vms_space_of(of_thread[i].data) == shared);
		for (size_t n = 0; n < 100000; n++)
			must(numbers[n] == n);
		must(vms_buffer_free(&of_thread[i]) == 0);
	}
	return 0;
}

static void all_buffers_share_one_space(void **state)
{
	(void)state;
	in_a_new_process("threads");
}

/* --- addresses are short -------------------------------------------------------------- */

static size_t addresses_in_use(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (file && fscanf(file, "%lu", &pages) != 1)
		pages = 0;
	if (file)
		(void)fclose(file);
	return pages * page();
}

static int limited_to(size_t more)
{
	size_t used = addresses_in_use();
	struct rlimit limit = { used + more, used + more };

	must(used && setrlimit(RLIMIT_AS, &limit) == 0);
	return 0;
}

#define GIB ((size_t)1 << 30)

static int takes_fewer_addresses(void)
{
	vms_buffer small = { 0 }, large = { 0 };
	void *other;

	must(limited_to(4 * GIB) == 0);
	must(vms_buffer_init(&small, 0, NULL) == 0);
	must(vms_space_size(small.space) >= GIB / 2);
	/* The program still has at least as many addresses as the shared space. */
	other = mmap(NULL, GIB * 3 / 2, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(other != MAP_FAILED && munmap(other, GIB * 3 / 2) == 0);
	must(vms_buffer_append(&small, "abc", 4) == 0);

	/*
	 * A buffer that does not fit into the shared space gets a space of its own.
	 */
	errno = ERRNO_BEFORE;
	must(vms_buffer_init(&large, vms_space_size(small.space), NULL) == 0);
	must(errno == ERRNO_BEFORE && large.space != small.space);
	must(vms_buffer_append(&large, "abc", 4) == 0);
	must(vms_buffer_free(&large) == 0);

	must(vms_buffer_init(&large, 64 * GIB, NULL) == -1);
	must(errno == ENOMEM && !large.data);
	must(strcmp(small.data, "abc") == 0);
	return 0;
}

static void few_addresses_are_enough(void **state)
{
	(void)state;
	in_a_new_process("few");
}

static int has_no_addresses(void)
{
	vms_buffer one = { 0 };

	must(limited_to((size_t)8 << 20) == 0);
	errno = 0;
	must(vms_buffer_init(&one, 0, NULL) == -1 && errno == ENOMEM);
	errno = 0;
	must(vms_buffer_init(&one, GIB, NULL) == -1 && errno == ENOMEM);
	/*
	 * This many addresses suffice for the buffer, but not for the shared space.
	 */
	must(vms_buffer_init(&one, page(), NULL) == 0);
	must(vms_buffer_append(&one, "abc", 4) == 0);
	must(vms_buffer_free(&one) == 0);
	return 0;
}

static void no_addresses_are_enomem(void **state)
{
	(void)state;
	in_a_new_process("none");
}

static int detaches_from_its_own_space(void)
{
	vms_buffer small = { 0 }, large = { 0 };
	struct vms_detached detached;
	char *address;

	must(limited_to(4 * GIB) == 0);
	must(vms_buffer_init(&small, page(), NULL) == 0);
	must(vms_buffer_init(&large, vms_space_size(small.space), NULL) == 0);
	must(vms_buffer_append(&large, "abc", 4) == 0);
	must(vms_buffer_detach(&large, &detached) == 0 && !large.data);
	address = detached.address;
	must(strcmp(address, "abc") == 0 && vms_space_of(address));
	must(vms_detached_free(&detached) == 0);
	must(!vms_space_of(address));
	return 0;
}

static void a_space_of_its_own_goes_with_what_was_detached(void **state)
{
	(void)state;
	in_a_new_process("detach");
}

/* --- fork ----------------------------------------------------------------------------- */

static int grow_in_child(void)
{
	append_up_to(5 * huge());
	must(buffer.data[0] == pattern(0));
	buffer.data[0] = 0;
	must(vms_buffer_free(&buffer) == 0);
	return 0;
}

static void a_child_has_its_own_copy(void **state)
{
	pid_t child;

	(void)state;
	assert_int_equal(vms_buffer_init(&buffer, 8 * huge(), NULL), 0);
	append_up_to(2 * huge());
	child = fork();
	if (child == 0)
		_exit(grow_in_child());
	must_end_well(child);
	assert_int_equal(buffer.size, 2 * huge());
	append_up_to(5 * huge());
	assert_pattern(0, 5 * huge());
	assert_int_equal(vms_buffer_free(&buffer), 0);
}

static int run_by_name(const char *name)
{
	static const struct {
		const char *name;
		int (*body)(void);
	} bodies[] = {
		{ "threads", threads_open_it_together },
		{ "few", takes_fewer_addresses },
		{ "none", has_no_addresses },
		{ "detach", detaches_from_its_own_space },
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++)
		if (strcmp(bodies[i].name, name) == 0)
			return bodies[i].body();
	return 254;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_buffers_share_one_space),
		cmocka_unit_test(few_addresses_are_enough),
		cmocka_unit_test(no_addresses_are_enomem),
		cmocka_unit_test(a_space_of_its_own_goes_with_what_was_detached),
		cmocka_unit_test(a_child_has_its_own_copy),
	};

	if (argc > 1)
		return run_by_name(argv[1]);
	return cmocka_run_group_tests_name("buffer_shared", tests, NULL, NULL);
}
