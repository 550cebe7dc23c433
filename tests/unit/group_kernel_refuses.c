/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "group/decide/kernel_refuses.h"

/* The test makes the calls that vmsi_kernel_refuses calls refused: all must fail. */

#define PAGE ((uint64_t)sysconf(_SC_PAGESIZE))
#define RW (PROT_READ | PROT_WRITE)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define ROUNDS 200000

static uint64_t end;

static long make(const struct seccomp_data *call)
{
	const __u64 *a = call->args;

	return syscall(call->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static bool is_refused(const struct seccomp_data *call)
{
	uint64_t before, result;

	/* Remove what a call has made. */
	if (call->nr == SYS_shmget) {
		const int segment = (int)make(call);

		return segment < 0 || (shmctl(segment, IPC_RMID, NULL), false);
	}
	if (call->nr != SYS_brk)
		return make(call) == -1;
	before = (uint64_t)syscall(SYS_brk, 0);
	result = (uint64_t)make(call);
	return result == before && (uint64_t)syscall(SYS_brk, 0) == before;
}

static void expect_refused(struct seccomp_data call, const char *what)
{
	if (!vmsi_kernel_refuses(&call, end))
		fail_msg("%s is taken for a request", what);
	if (!is_refused(&call))
		fail_msg("%s is served by the kernel", what);
}

#define REFUSED(number, ...) \
	expect_refused((struct seccomp_data){ .nr = SYS_##number, \
					      .args = { __VA_ARGS__ } }, \
		       #number " of " #__VA_ARGS__)

#define REQUEST(number, ...) \
	assert_false(vmsi_kernel_refuses(&(struct seccomp_data){ \
		.nr = SYS_##number, .args = { __VA_ARGS__ } }, end))

static void nothing_is_mapped_beyond_the_end(void **state)
{
	const uint64_t below = end / 2;

	(void)state;
	assert_true(end > (1ull << 38) && (end & (end - 1)) == 0);
	assert_true((uint64_t)(uintptr_t)state < end);
	assert_int_equal(syscall(SYS_mmap, end, PAGE, PROT_NONE,
				 ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), -1);
	/* Programs may use the upper half of the addresses. */
	assert_int_equal(munmap((void *)(uintptr_t)below, PAGE), 0);
}

static void more_than_all_addresses_is_refused(void **state)
{
	(void)state;
	REFUSED(mmap, 0, end + PAGE, RW, ANONYMOUS, ~0ull, 0);
	REFUSED(mmap, 0, end + 1, RW, MAP_SHARED | MAP_ANONYMOUS, ~0ull, 0);
	REFUSED(mmap, PAGE * 16, end, RW, ANONYMOUS | MAP_FIXED, ~0ull, 0);
	REFUSED(mmap, end, PAGE, RW, ANONYMOUS | MAP_FIXED, ~0ull, 0);
	REFUSED(mremap, PAGE, PAGE, end + PAGE, MREMAP_MAYMOVE);
	REFUSED(mremap, PAGE, PAGE, end, 0);
	REFUSED(mremap, PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		end - PAGE);
	REFUSED(brk, end);
	REFUSED(shmget, IPC_PRIVATE, 1ull << 63, IPC_CREAT | 0600);
}

static void a_growth_beyond_the_end_is_refused_in_place(void **state)
{
	char *own = mmap(NULL, PAGE, RW, ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(own, MAP_FAILED);
	REFUSED(mremap, (uintptr_t)own, PAGE, end + PAGE - (uintptr_t)own, 0);
	REFUSED(mremap, (uintptr_t)own, PAGE, end + PAGE, MREMAP_MAYMOVE);
	/* The call must have left the page alone. */
	*own = 1;
	assert_int_equal(munmap(own, PAGE), 0);
}

static void no_length_is_refused(void **state)
{
	(void)state;
	REFUSED(mmap, 0, 0, RW, ANONYMOUS, ~0ull, 0);
	REFUSED(mmap, 0, ~0ull, RW, ANONYMOUS, ~0ull, 0);
	REFUSED(mmap, 0, 1 - PAGE, RW, ANONYMOUS, ~0ull, 0);
	REFUSED(mremap, PAGE, PAGE, 0, MREMAP_MAYMOVE);
	REFUSED(mremap, PAGE, PAGE, ~0ull, MREMAP_MAYMOVE);
}

static void what_is_odd_is_refused(void **state)
{
	(void)state;
	REFUSED(mmap, 1, PAGE, RW, ANONYMOUS | MAP_FIXED, ~0ull, 0);
	REFUSED(mmap, 0, PAGE, RW, ANONYMOUS, ~0ull, 1);
	REFUSED(mremap, 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	REFUSED(mremap, PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 1);
	REFUSED(mprotect, 1, PAGE, RW);
	REFUSED(pkey_mprotect, 1, PAGE, RW, ~0ull);
}

static void contradictions_are_refused(void **state)
{
	(void)state;
	REFUSED(mmap, 0, PAGE, RW, MAP_ANONYMOUS, ~0ull, 0);
	REFUSED(mmap, 0, PAGE, RW, MAP_PRIVATE, ~0ull, 0);
	REFUSED(mprotect, PAGE, PAGE, RW | PROT_GROWSDOWN | PROT_GROWSUP);
	REFUSED(mremap, PAGE, PAGE, 2 * PAGE, MREMAP_FIXED, 16 * PAGE);
	REFUSED(mremap, PAGE, PAGE, PAGE, MREMAP_DONTUNMAP);
	REFUSED(clone, CLONE_THREAD);
	REFUSED(clone, CLONE_SIGHAND | SIGCHLD);
	REFUSED(clone, CLONE_NEWNS | CLONE_FS | SIGCHLD);
}

static void what_may_be_served_is_a_request(void **state)
{
	(void)state;
	REQUEST(mmap, 0, end / 2, RW, ANONYMOUS, ~0ull, 0);
	/* A hint need not be aligned to a page. */
	REQUEST(mmap, 1, PAGE, RW, ANONYMOUS, ~0ull, 0);
	REQUEST(mmap, 0, PAGE, RW, MAP_PRIVATE, 0, 0);
	/* A later kernel may know these flags. */
	REQUEST(mmap, 0, PAGE, RW, ANONYMOUS | (1ull << 40), ~0ull, 0);
	REQUEST(mremap, PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE | 64);
	/* mprotect changes the mapped part and then fails. */
	REQUEST(mprotect, PAGE, end, RW);
	/* aarch64 ignores a tag in the upper byte of an address. */
	REQUEST(mremap, 0xabull << 56 | PAGE, PAGE, 2 * PAGE, 0);
	REQUEST(brk, 0xabull << 56 | PAGE);
	REQUEST(brk, end - PAGE);
	REQUEST(clone, SIGCHLD);
	REQUEST(shmget, IPC_PRIVATE, 1ull << 62, IPC_CREAT | 0600);
	REQUEST(shmget, IPC_PRIVATE, 1ull << 63, IPC_CREAT | 0600 | 04000);
	/* mremap to the same length succeeds for a range that is mapped in part. */
	REQUEST(mremap, PAGE, end, end, 0);
	REQUEST(mremap, PAGE, end - 1, end, 0);
	REQUEST(munmap, 1, 0);
}

static void without_an_end_no_length_is_too_large(void **state)
{
	const struct seccomp_data call = {
		.nr = SYS_mmap,
		.args = { 0, 1ull << 62, RW, ANONYMOUS, ~0ull, 0 } };

	(void)state;
	assert_true(vmsi_kernel_refuses(&call, end));
	assert_false(vmsi_kernel_refuses(&call, UINT64_MAX));
}

/* --- at random ------------------------------------------------------------- */

static uint64_t random_word(void)
{
	const uint64_t words[] = {
		0, 1, PAGE, 2 * PAGE, PAGE + 1, 16 * PAGE, end, end - PAGE,
		end / 2, end + PAGE, ~0ull, 1 - PAGE, 1ull << 63,
		(uint64_t)rand(), (uint64_t)rand() * PAGE,
	};

	return words[(size_t)rand() % (sizeof words / sizeof words[0])];
}

static uint64_t random_flags(void)
{
	return (uint64_t)rand() & (uint64_t)rand() & 0x1fffffff;
}

static struct seccomp_data random_call(void)
{
	static const int numbers[] = {
		SYS_mmap, SYS_mprotect, SYS_mremap, SYS_brk, SYS_clone,
		SYS_shmget,
	};
	struct seccomp_data call = {
		.nr = numbers[(size_t)rand() % (sizeof numbers /
						sizeof numbers[0])] };

	for (int i = 0; i < 6; i++)
		call.args[i] = random_word();
	if (call.nr == SYS_clone)
		call.args[0] = random_flags();
	if (call.nr == SYS_mprotect)
		call.args[2] = random_flags();
	if (call.nr == SYS_mmap || call.nr == SYS_mremap)
		call.args[3] = rand() % 2 ? random_flags() :
			(uint64_t)rand() % 8;
	return call;
}

/* Calls that are not refused are not made, since they might succeed. */
static void whatever_is_said_to_be_refused_is(void **state)
{
	size_t refused = 0;

	(void)state;
	srand(1);
	for (int i = 0; i < ROUNDS; i++) {
		const struct seccomp_data call = random_call();
		const __u64 *a = call.args;

		if (!vmsi_kernel_refuses(&call, end))
			continue;
		refused++;
		if (!is_refused(&call))
			fail_msg("call %d of %#llx %#llx %#llx %#llx %#llx %#llx",
				 call.nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
	assert_in_range(refused, ROUNDS / 4, ROUNDS - ROUNDS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_mapped_beyond_the_end),
		cmocka_unit_test(more_than_all_addresses_is_refused),
		cmocka_unit_test(a_growth_beyond_the_end_is_refused_in_place),
		cmocka_unit_test(no_length_is_refused),
		cmocka_unit_test(what_is_odd_is_refused),
		cmocka_unit_test(contradictions_are_refused),
		cmocka_unit_test(what_may_be_served_is_a_request),
		cmocka_unit_test(without_an_end_no_length_is_too_large),
		cmocka_unit_test(whatever_is_said_to_be_refused_is),
	};

	end = vmsi_addresses_end();
	return cmocka_run_group_tests_name("group_kernel_refuses", tests, NULL,
					   NULL);
}
