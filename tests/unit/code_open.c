/* SPDX-License-Identifier: MIT */
#include "code_fixture.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "host/host.h"

/* Opening pools: options, reach, and hosts that refuse. */

static struct vmsi_host_calls real_host;

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

static vms_code *open_with(struct vms_code_options options)
{
	options.struct_size = sizeof(options);
	if (!options.reserve)
		options.reserve = (size_t)1 << 20;
	errno = 0;
	code = vms_code_open(&options);
	return code;
}

static void assert_works(void)
{
	struct vms_code_block block = make_published(100, 31);

	assert_int_equal(call(block.run), 31);
	assert_int_equal(vms_code_free(code, &block), 0);
}

/* --- options --------------------------------------------------------------------------- */

static void defaults_do(void **state)
{
	(void)state;
	errno = 5;
	code = vms_code_open(NULL);
	assert_non_null(code);
	assert_int_equal(errno, 5);
	assert_int_equal(figures().reserved, (size_t)256 << 20);
	assert_int_equal(figures().mode, VMS_CODE_VIEWS);
	assert_int_equal(figures().refused, 0);
	assert_string_equal(vms_code_problem(code), "");
	assert_works();
}

static void bad_options_are_refused(void **state)
{
	vms_space *space = vms_space_open((size_t)1 << 20, NULL);
	vms_budget *budget = vms_budget_open(NULL);

	(void)state;
	assert_null(open_with((struct vms_code_options){ .flags = 1u << 31 }));
	assert_int_equal(errno, EINVAL);
	assert_null(open_with((struct vms_code_options){
		.mode = (enum vms_code_mode)4 }));
	assert_int_equal(errno, EINVAL);
	assert_null(open_with((struct vms_code_options){ .reach = 1 }));
	assert_int_equal(errno, EINVAL);
	assert_null(open_with((struct vms_code_options){ .space = space,
							 .budget = budget }));
	assert_int_equal(errno, EINVAL);
	/* Views need as many addresses again. */
	assert_null(open_with((struct vms_code_options){ .space = space }));
	assert_int_equal(errno, ENOMEM);
	assert_null(open_with((struct vms_code_options){
		.reserve = SIZE_MAX }));
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(vms_space_close(space), 0);
	assert_int_equal(vms_budget_close(budget), 0);
}

static void a_pool_may_lie_in_a_space_of_the_program(void **state)
{
	vms_space *space = vms_space_open((size_t)16 << 20, NULL);
	struct vms_space_stats before = { .struct_size = sizeof(before) };
	struct vms_space_stats after = { .struct_size = sizeof(after) };
	struct vms_code_block block;

	(void)state;
	assert_int_equal(vms_space_get_stats(space, &before), 0);
	assert_non_null(open_with((struct vms_code_options){ .space = space }));
	block = make_published(100, 7);
	assert_true(vms_space_contains(space, block.run, 100));
	assert_int_equal(call(block.run), 7);
	assert_int_equal(vms_code_close(code), 0);
	code = NULL;
	assert_int_equal(vms_space_get_stats(space, &after), 0);
	assert_int_equal(after.mapped, before.mapped);
	assert_int_equal(vms_space_close(space), 0);
}

static void a_budget_is_charged_and_can_refuse(void **state)
{
	const struct vms_budget_options limits = {
		.struct_size = sizeof(limits), .limit = (size_t)1 << 20,
	};
	vms_budget *budget = vms_budget_open(&limits);
	struct vms_budget_stats stats = { .struct_size = sizeof(stats) };
	struct vms_code_block small, large;

	(void)state;
	assert_non_null(open_with((struct vms_code_options){
		.budget = budget, .reserve = (size_t)8 << 20 }));
	small = make_published(100, 7);
	assert_int_equal(vms_budget_get_stats(budget, &stats), 0);
	assert_true(stats.charged >= 65536);
	assert_refused(vms_code_alloc(code, (size_t)4 << 20, &large), ENOMEM);
	assert_int_equal(vms_last_refusal(), VMS_REFUSAL_BUDGET);
	assert_int_equal(call(small.run), 7);
	assert_works();
	assert_int_equal(vms_code_close(code), 0);
	code = NULL;
	assert_int_equal(vms_budget_get_stats(budget, &stats), 0);
	assert_int_equal(stats.charged, 0);
	assert_int_equal(vms_budget_close(budget), 0);
}

/* --- reach -------------------------------------------------------------------------------- */

static size_t distance(const void *a, const void *b)
{
	return a < b ? (size_t)((const char *)b - (const char *)a) :
		       (size_t)((const char *)a - (const char *)b);
}

static void code_lies_within_reach(void **state)
{
	const void *near = (const void *)(uintptr_t)&open_with;
	struct vms_code_block block;

	(void)state;
	assert_non_null(open_with((struct vms_code_options){
		.near = near, .reserve = (size_t)64 << 20 }));
	block = make_published(100, 3);
	assert_true(distance(block.run, near) < (size_t)1 << 31);
	assert_int_equal(call(block.run), 3);
	assert_int_equal(vms_code_close(code), 0);
	assert_non_null(open_with((struct vms_code_options){
		.near = near, .reach = (size_t)128 << 20,
		.mode = VMS_CODE_FLIPS }));
	block = make_published(100, 4);
	assert_true(distance(block.run, near) < (size_t)128 << 20);
}

/* What the reach is for: a call of the program's own function, and one back. */
__attribute__((noinline)) static int of_the_program(void)
{
	return 4321;
}

static void write_jump(const struct vms_code_block *block, uintptr_t target)
{
	const intptr_t far = (intptr_t)(target - (uintptr_t)block->run);
#if defined(__x86_64__)
	const int32_t near = (int32_t)(far - 5);

	assert_int_equal(near, far - 5);
	*(unsigned char *)block->write = 0xe9; /* jmp near */
	memcpy((char *)block->write + 1, &near, sizeof(near));
#else
	const uint32_t branch = 0x14000000u | ((uint32_t)(far >> 2) & 0x3ffffff);

	assert_true(far >= -(1 << 27) && far < 1 << 27);
	memcpy(block->write, &branch, sizeof(branch)); /* b near */
#endif
}

static void relative_jumps_reach_the_program_and_all_of_the_pool(void **state)
{
	const uintptr_t program = (uintptr_t)&of_the_program;
#if defined(__x86_64__)
	const size_t reserve = (size_t)512 << 20, reach = 0;
#else
	const size_t reserve = (size_t)16 << 20, reach = (size_t)128 << 20;
#endif
	struct vms_code_block first, fill, last;

	(void)state;
	assert_non_null(open_with((struct vms_code_options){
		.near = (const void *)program, .reach = reach,
		.reserve = reserve, .mode = VMS_CODE_FLIPS }));
	assert_int_equal(vms_code_alloc(code, 100, &first), 0);
	assert_int_equal(vms_code_alloc(code, reserve - ((size_t)1 << 20),
					&fill), 0);
	assert_int_equal(vms_code_alloc(code, (size_t)512 << 10, &last), 0);
	assert_true(distance(first.run, last.run) > reserve - ((size_t)2 << 20));
	write_jump(&first, (uintptr_t)last.run);
	write_jump(&last, program);
	assert_int_equal(vms_code_publish(code, &first), 0);
	assert_int_equal(vms_code_publish(code, &last), 0);
	assert_int_equal(call(first.run), 4321);
}

static void what_cannot_lie_within_reach_is_refused(void **state)
{
	vms_space *space = vms_space_open((size_t)16 << 20, NULL);
	char *base = vms_space_base(space);
	struct vms_code_block block;

	(void)state;
	assert_null(open_with((struct vms_code_options){
		.near = base, .reach = 65536 }));
	assert_int_equal(errno, ERANGE);
	assert_null(open_with((struct vms_code_options){
		.near = base, .reserve = (size_t)3 << 30 }));
	assert_int_equal(errno, ERANGE);
	/* In a space of the program. */
	assert_null(open_with((struct vms_code_options){
		.space = space, .near = (void *)((uintptr_t)1 << 32),
		.reach = (size_t)1 << 30 }));
	assert_int_equal(errno, ERANGE);
	assert_non_null(open_with((struct vms_code_options){
		.space = space, .near = base + ((size_t)12 << 20),
		.reach = (size_t)4 << 20 }));
	block = make_published(100, 4);
	assert_true((char *)block.run >= base + ((size_t)8 << 20));
	assert_int_equal(vms_code_close(code), 0);
	code = NULL;
	assert_int_equal(vms_space_close(space), 0);
}

/* --- hosts that refuse ---------------------------------------------------------------------- */

static int refusal;

static long refuse_run_views(uintptr_t address, size_t length, int prot,
			     int flags, int fd, uint64_t offset)
{
	return (prot & PROT_EXEC) && fd >= 0 ? -refusal :
		real_host.mmap(address, length, prot, flags, fd, offset);
}

static long refuse_flips(uintptr_t address, size_t length, int prot)
{
	return prot & PROT_EXEC ? -refusal :
		real_host.mprotect(address, length, prot);
}

static long refuse_file(const char *name, unsigned flags)
{
	(void)name;
	(void)flags;
	return -refusal;
}

static void where_views_are_refused_pages_flip(void **state)
{
	static const int refusals[] = { EACCES, EPERM, ENOSYS };

	(void)state;
	for (int i = 0; i < 3; i++) {
		refusal = refusals[i];
		vmsi_host = real_host;
		if (i == 2)
			vmsi_host.memfd_create = refuse_file;
		else
			vmsi_host.mmap = refuse_run_views;
		assert_null(open_with((struct vms_code_options){
			.mode = VMS_CODE_VIEWS }));
		assert_int_equal(errno, refusal);
		assert_non_null(strstr(vms_code_problem(NULL), "memory"));
		assert_null(open_with((struct vms_code_options){
			.mode = VMS_CODE_COPIES }));
		assert_int_equal(errno, refusal);
		assert_non_null(open_with((struct vms_code_options){
			.mode = VMS_CODE_ANY }));
		assert_string_equal(vms_code_problem(NULL), "");
		assert_non_null(strstr(vms_code_problem(code), "memory"));
		assert_int_equal(figures().mode, VMS_CODE_FLIPS);
		assert_int_equal(figures().refused, refusal);
		assert_works();
		assert_int_equal(vms_code_close(code), 0);
		code = NULL;
	}
}

static long refuse_writable_views(uintptr_t address, size_t length, int prot,
				  int flags, int fd, uint64_t offset)
{
	return (prot & PROT_WRITE) && fd >= 0 ? -refusal :
		real_host.mmap(address, length, prot, flags, fd, offset);
}

static void where_writable_views_are_refused_code_is_copied(void **state)
{
	(void)state;
	refusal = EACCES;
	vmsi_host.mmap = refuse_writable_views;
	assert_null(open_with((struct vms_code_options){
		.mode = VMS_CODE_VIEWS }));
	assert_int_equal(errno, EACCES);
	assert_non_null(strstr(vms_code_problem(NULL), "not both"));
	assert_non_null(open_with((struct vms_code_options){
		.mode = VMS_CODE_ANY }));
	assert_int_equal(figures().mode, VMS_CODE_COPIES);
	assert_int_equal(figures().refused, EACCES);
	assert_non_null(strstr(vms_code_problem(code), "not both"));
	assert_works();
}

/* The names that perf takes are in memory that flips alone. */
static void where_flips_are_refused_names_for_perf_are_told_of(void **state)
{
	(void)state;
	refusal = EPERM;
	vmsi_host.mprotect = refuse_flips;
	assert_non_null(open_with((struct vms_code_options){
		.flags = VMS_CODE_PERF }));
	assert_int_equal(figures().mode, VMS_CODE_VIEWS);
	assert_int_equal(figures().refused, EPERM);
	assert_non_null(strstr(vms_code_problem(code), "writable"));
	assert_works();
}

static void where_all_is_refused_nothing_opens(void **state)
{
	(void)state;
	refusal = EACCES;
	vmsi_host.mmap = refuse_run_views;
	vmsi_host.mprotect = refuse_flips;
	assert_null(open_with((struct vms_code_options){
		.mode = VMS_CODE_ANY }));
	assert_int_equal(errno, EACCES);
	assert_non_null(strstr(vms_code_problem(NULL), "writable"));
}

/* To have no descriptor left is no policy. */
static void what_is_used_up_is_no_reason_to_flip(void **state)
{
	(void)state;
	refusal = EMFILE;
	vmsi_host.memfd_create = refuse_file;
	assert_null(open_with((struct vms_code_options){
		.mode = VMS_CODE_ANY }));
	assert_int_equal(errno, EMFILE);
	assert_string_equal(vms_code_problem(NULL), "");
}

static long refuse_noexec_views(uintptr_t address, size_t length, int prot,
				int flags, int fd, uint64_t offset)
{
	const int noexec = 0x20; /* F_SEAL_EXEC */

	return (prot & PROT_EXEC) && fd >= 0 &&
			(fcntl(fd, F_GET_SEALS) & noexec) ? -EACCES :
		real_host.mmap(address, length, prot, flags, fd, offset);
}

static void where_only_executable_files_are_mapped_one_is_made(void **state)
{
	(void)state;
	vmsi_host.mmap = refuse_noexec_views;
	assert_non_null(open_with((struct vms_code_options){
		.mode = VMS_CODE_VIEWS }));
	assert_int_equal(figures().refused, 0);
	assert_works();
}

/* vm.memfd_noexec is of a namespace of processes, and ends with it. */
static int set_noexec(const char *value)
{
	int fd = open("/proc/sys/vm/memfd_noexec", O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, value, 1) == 1;

	if (fd >= 0)
		close(fd);
	return written ? 0 : -1;
}

static int run_with_noexec(void)
{
	struct vms_code_block block;

	if (!open_with((struct vms_code_options){ .mode = VMS_CODE_VIEWS }))
		return errno;
	if (vms_code_alloc(code, 100, &block) != 0)
		return errno;
	write_return(block.write, 8);
	return vms_code_publish(code, &block) == 0 && call(block.run) == 8 ?
		0 : 1;
}

#define CANNOT_TRY 99

static int in_namespace(void *value)
{
	int status = 0;
	pid_t child;

	if (unshare(CLONE_NEWPID) != 0)
		return CANNOT_TRY;
	child = fork();
	if (child == 0)
		_exit(set_noexec(value) ? CANNOT_TRY : run_with_noexec());
	(void)waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static void a_sysctl_against_executable_memfds_does_no_harm(void **state)
{
	static char values[] = "12";

	(void)state;
	for (int i = 0; i < 2; i++) {
		int result = signal_of(in_namespace, values + i);

		if (result == -CANNOT_TRY) {
			print_message("# vm.memfd_noexec cannot be set in a "
				      "namespace of processes\n");
			skip();
		}
		assert_int_equal(result, 0);
	}
}

/* --- policies of the kernel ----------------------------------------------------------- */

#define POLICY_SET_MDWE 65 /* PR_SET_MDWE, Linux 6.3 */

static bool works_in_mode(enum vms_code_mode asked, enum vms_code_mode expected)
{
	struct vms_code_block block, other;
	bool works;

	if (!open_with((struct vms_code_options){ .mode = asked }) ||
	    vms_code_alloc(code, 20000, &block) != 0 ||
	    vms_code_alloc(code, 100, &other) != 0)
		return false;
	write_return(block.write, 8);
	write_return(other.write, 9);
	works = vms_code_publish(code, &block) == 0 &&
		vms_code_publish(code, &other) == 0 && call(block.run) == 8 &&
		vms_code_settle(code) == 0 &&
		/* Pages go back, and come again. */
		vms_code_free(code, &block) == 0 &&
		vms_code_alloc(code, 20000, &block) == 0;
	if (!works)
		return false;
	write_return(block.write, 7);
	return vms_code_publish(code, &block) == 0 && call(block.run) == 7 &&
		call(other.run) == 9 && figures().mode == expected &&
		vms_code_close(code) == 0;
}

/* No memory becomes executable that was not so from the first. */
static int without_gain_of_execution(void *argument)
{
	(void)argument;
	if (prctl(POLICY_SET_MDWE, 1, 0, 0, 0) != 0)
		return CANNOT_TRY;
	if (open_with((struct vms_code_options){ .mode = VMS_CODE_FLIPS }) ||
	    errno != EACCES || !strstr(vms_code_problem(NULL), "writable"))
		return 1;
	return works_in_mode(VMS_CODE_ANY, VMS_CODE_VIEWS) &&
		works_in_mode(VMS_CODE_COPIES, VMS_CODE_COPIES) ? 0 : 2;
}

static void a_process_that_refuses_to_gain_execution_has_views(void **state)
{
	int result = signal_of(without_gain_of_execution, NULL);

	(void)state;
	if (result == -CANNOT_TRY) {
		print_message("# no PR_SET_MDWE\n");
		skip();
	}
	assert_int_equal(result, 0);
}

/* A sandbox that knows no memfd_create. */
static int in_sandbox(void *argument)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {
		sizeof(filter) / sizeof(filter[0]), filter,
	};

	(void)argument;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		return CANNOT_TRY;
	if (open_with((struct vms_code_options){ .mode = VMS_CODE_VIEWS }) ||
	    errno != EPERM || !strstr(vms_code_problem(NULL), "memfd_create"))
		return 1;
	return works_in_mode(VMS_CODE_ANY, VMS_CODE_FLIPS) ? 0 : 2;
}

static void a_sandbox_without_memfds_has_flips(void **state)
{
	int result = signal_of(in_sandbox, NULL);

	(void)state;
	if (result == -CANNOT_TRY) {
		print_message("# no filter of system calls can be set\n");
		skip();
	}
	assert_int_equal(result, 0);
}

#define WITH_HOST(test) \
	cmocka_unit_test_setup_teardown(test, save_host, restore_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HOST(defaults_do),
		WITH_HOST(bad_options_are_refused),
		WITH_HOST(a_pool_may_lie_in_a_space_of_the_program),
		WITH_HOST(a_budget_is_charged_and_can_refuse),
		WITH_HOST(code_lies_within_reach),
		WITH_HOST(relative_jumps_reach_the_program_and_all_of_the_pool),
		WITH_HOST(what_cannot_lie_within_reach_is_refused),
		WITH_HOST(where_views_are_refused_pages_flip),
		WITH_HOST(where_writable_views_are_refused_code_is_copied),
		WITH_HOST(where_flips_are_refused_names_for_perf_are_told_of),
		WITH_HOST(where_all_is_refused_nothing_opens),
		WITH_HOST(what_is_used_up_is_no_reason_to_flip),
		WITH_HOST(where_only_executable_files_are_mapped_one_is_made),
		WITH_HOST(a_sysctl_against_executable_memfds_does_no_harm),
		WITH_HOST(a_process_that_refuses_to_gain_execution_has_views),
		WITH_HOST(a_sandbox_without_memfds_has_flips),
	};

	return cmocka_run_group_tests_name("code_open", tests, NULL, NULL);
}
