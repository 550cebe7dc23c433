/* SPDX-License-Identifier: MIT */
#include "code_host.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Hosts that refuse a mode, and policies of the kernel. */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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

	return cmocka_run_group_tests_name("code_refused", tests, NULL, NULL);
}
