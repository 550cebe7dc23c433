/* SPDX-License-Identifier: MIT */
#include "code_fixture.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "code/code.h"
#include "host/host.h"

/* Pools that are sealed for good. Each is in a child: there is no way to close it. */

static enum vms_code_mode mode;

/* Give the number of the line that is wrong. */
#define CHECK(condition) do { if (!(condition)) return __LINE__ % 250 + 1; } while (0)

static bool refused(int result, int error)
{
	return result == -1 && errno == error;
}

static int open_sealed(struct vms_code_block *block)
{
	const struct vms_code_options options = {
		.struct_size = sizeof(options),
		.reserve = (size_t)1 << 20,
		.mode = mode,
	};

	code = vms_code_open(&options);
	CHECK(code);
	CHECK(vms_code_alloc(code, 100, block) == 0);
	write_return(block->write, 5);
	CHECK(refused(vms_code_seal(code), EBUSY));
	CHECK(vms_code_publish(code, block) == 0);
	errno = 3;
	CHECK(vms_code_seal(code) == 0);
	CHECK(errno == 3);
	CHECK(vms_code_seal(code) == 0);
	return 0;
}

static int sealed_code_stays(void *argument)
{
	struct vms_code_stats stats = { .struct_size = sizeof(stats) };
	struct vms_code_block block, other;
	char *page;

	(void)argument;
	CHECK(open_sealed(&block) == 0);
	CHECK(call(block.run) == 5);
	CHECK(refused(vms_code_alloc(code, 100, &other), EPERM));
	other = block;
	CHECK(refused(vms_code_free(code, &other), EPERM));
	CHECK(refused(vms_code_publish(code, &other), EPERM));
	CHECK(refused(vms_code_close(code), EPERM));
	CHECK(vms_code_get_stats(code, &stats) == 0);
	CHECK(stats.sealed == 1 && stats.writable == 0 && stats.blocks == 1);
	page = (char *)block.run - (uintptr_t)block.run %
		(uintptr_t)sysconf(_SC_PAGESIZE);
	CHECK(refused(mprotect(page, 1, PROT_READ), EPERM));
	CHECK(refused(munmap(page, 1), EPERM));
	CHECK(call(block.run) == 5);
	return 0;
}

static int kept_fd;

static long keep_file(const char *name, unsigned flags)
{
	const int fd = memfd_create(name, flags);

	kept_fd = dup(fd);
	return fd;
}

/* Somebody may have a descriptor of the memory. */
static int sealed_memory_is_not_written_to(void *argument)
{
	struct vms_code_block block;

	(void)argument;
	vmsi_host.memfd_create = keep_file;
	CHECK(open_sealed(&block) == 0);
	CHECK(refused((int)pwrite(kept_fd, "x", 1, 0), EPERM));
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, kept_fd,
		   0) == MAP_FAILED);
	CHECK(refused(ftruncate(kept_fd, 0), EPERM));
	CHECK(refused(fallocate(kept_fd, FALLOC_FL_PUNCH_HOLE |
				FALLOC_FL_KEEP_SIZE, 0, 4096), EPERM));
	return 0;
}

static int run_in_child_of_sealed(void *argument)
{
	struct vms_code_block block, other;
	int status = 0;
	pid_t child;

	(void)argument;
	CHECK(open_sealed(&block) == 0);
	child = fork();
	if (child == 0)
		_exit(call(block.run) == 5 &&
		      refused(vms_code_alloc(code, 1, &other), EPERM) ? 0 : 1);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	return 0;
}

static long no_mseal(uintptr_t address, size_t length, unsigned long flags)
{
	(void)address;
	(void)length;
	(void)flags;
	return -ENOSYS;
}

static int without_mseal_is_told(void *argument)
{
	struct vms_code_block block;

	(void)argument;
	vmsi_host.mseal = no_mseal;
	code = vms_code_open(NULL);
	CHECK(code);
	CHECK(vms_code_alloc(code, 100, &block) == 0);
	write_return(block.write, 5);
	CHECK(vms_code_publish(code, &block) == 0);
	CHECK(refused(vms_code_seal(code), ENOSYS));
	CHECK(vms_code_free(code, &block) == 0);
	CHECK(vms_code_close(code) == 0);
	return 0;
}

static void in_a_child(int (*act)(void *))
{
	assert_int_equal(signal_of(act, NULL), 0);
}

static void need_mseal(void)
{
	if (vmsi_host.mseal(0, 0, 0) < 0) {
		print_message("# the kernel has no mseal\n");
		skip();
	}
}

static void sealed_code_stays_for_good(void **state)
{
	(void)state;
	need_mseal();
	for (mode = VMS_CODE_VIEWS; mode <= VMS_CODE_FLIPS; mode++)
		in_a_child(sealed_code_stays);
}

static void nobody_writes_to_sealed_memory(void **state)
{
	(void)state;
	need_mseal();
	mode = VMS_CODE_VIEWS;
	in_a_child(sealed_memory_is_not_written_to);
	mode = VMS_CODE_COPIES;
	in_a_child(sealed_memory_is_not_written_to);
}

static void a_child_inherits_sealed_code(void **state)
{
	(void)state;
	need_mseal();
	mode = VMS_CODE_VIEWS;
	in_a_child(run_in_child_of_sealed);
}

static void a_kernel_without_mseal_is_told(void **state)
{
	(void)state;
	in_a_child(without_mseal_is_told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sealed_code_stays_for_good),
		cmocka_unit_test(nobody_writes_to_sealed_memory),
		cmocka_unit_test(a_child_inherits_sealed_code),
		cmocka_unit_test(a_kernel_without_mseal_is_told),
	};

	return cmocka_run_group_tests_name("code_seal", tests, NULL, NULL);
}
