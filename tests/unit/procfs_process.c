/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace/process.h>

#include "host/host.h"
#include "text_canned.h"

static struct vms_mapping_info info = { .struct_size = sizeof(info) };
static struct vmsi_host_calls real_host;

/* The host gives this text in place of a file of procfs. */
static struct canned canned;
static long open_result;
static long pread_result;
static long mmap_error;
static int interruptions;
static int open_files;
static int open_mappings;

static long fake_open(const char *path)
{
	assert_string_equal(path, "/proc/4711/smaps");
	if (interruptions > 0) {
		interruptions--;
		return -EINTR;
	}
	if (open_result >= 0)
		open_files++;
	return open_result;
}

static long fake_read(int fd, void *bytes, size_t length)
{
	assert_int_equal(fd, 1000);
	if (interruptions > 0) {
		interruptions--;
		return -EINTR;
	}
	return canned_read(&canned, bytes, length);
}

static long fake_pread(int fd, void *bytes, size_t length, uint64_t offset)
{
	(void)bytes;
	assert_int_equal(fd, 1000);
	assert_int_equal(length, 1);
	assert_int_equal(offset, 0);
	return pread_result;
}

static long fake_close(int fd)
{
	assert_int_equal(fd, 1000);
	open_files--;
	return 0;
}

static long fake_mmap(uintptr_t address, size_t length, int prot, int flags,
		      int fd, uint64_t offset)
{
	if (mmap_error)
		return mmap_error;
	open_mappings++;
	return real_host.mmap(address, length, prot, flags, fd, offset);
}

static long fake_munmap(uintptr_t address, size_t length)
{
	open_mappings--;
	return real_host.munmap(address, length);
}

static int use_fake_host(void **state)
{
	(void)state;
	real_host = vmsi_host;
	vmsi_host.open = fake_open;
	vmsi_host.read = fake_read;
	vmsi_host.pread = fake_pread;
	vmsi_host.close = fake_close;
	vmsi_host.mmap = fake_mmap;
	vmsi_host.munmap = fake_munmap;
	open_result = 1000;
	pread_result = 1;
	mmap_error = 0;
	open_files = 0;
	open_mappings = 0;
	interruptions = 0;
	return 0;
}

/* Every test must have closed its files. */
static int use_real_host(void **state)
{
	(void)state;
	vmsi_host = real_host;
	return open_files != 0 || open_mappings != 0;
}

static vms_process_maps *open_canned(const char *text)
{
	canned = canned_text(text, 16);
	vms_process_maps *maps = vms_process_maps_open(4711);

	assert_non_null(maps);
	return maps;
}

static void expect_error(vms_process_maps *maps, int error)
{
	for (int i = 0; i < 2; i++) {
		errno = 0;
		assert_int_equal(vms_process_maps_next(maps, &info), -1);
		assert_int_equal(errno, error);
	}
}

static void expect_mapping(vms_process_maps *maps, uintptr_t start,
			   uintptr_t end)
{
	errno = 1234;
	assert_int_equal(vms_process_maps_next(maps, &info), 1);
	assert_int_equal(errno, 1234);
	assert_int_equal(info.struct_size, sizeof(info));
	assert_int_equal(info.start, start);
	assert_int_equal(info.start + info.length, end);
}

static void expect_end(vms_process_maps *maps)
{
	assert_int_equal(vms_process_maps_next(maps, &info), 0);
	assert_int_equal(vms_process_maps_next(maps, &info), 0);
}

#define ONE "1000-2000 r--p 00000000 08:01 5 /a\nRss: 4 kB\n"

static void mappings_come_in_order_and_end(void **state)
{
	vms_process_maps *maps = open_canned(
		ONE "3000-5000 rw-p 00000000 00:00 0 \nRss: 0 kB\n"
		"VmFlags: ac \n");

	(void)state;
	expect_mapping(maps, 0x1000, 0x2000);
	expect_mapping(maps, 0x3000, 0x5000);
	assert_int_equal(info.committed, 0x2000);
	expect_end(maps);
	vms_process_maps_close(maps);
}

static void bad_arguments_are_refused(void **state)
{
	struct vms_mapping_info other = { .struct_size = sizeof(other) - 1 };
	vms_process_maps *maps = open_canned(ONE);

	(void)state;
	errno = 0;
	assert_int_equal(vms_process_maps_next(NULL, &info), -1);
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_int_equal(vms_process_maps_next(maps, NULL), -1);
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_int_equal(vms_process_maps_next(maps, &other), -1);
	assert_int_equal(errno, EINVAL);
	/* Bad lines must not end the listing. */
	expect_mapping(maps, 0x1000, 0x2000);
	vms_process_maps_close(maps);
	vms_process_maps_close(NULL);

	errno = 0;
	assert_null(vms_process_maps_open(-1));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(vms_process_maps_open(INT_MIN));
	assert_int_equal(errno, EINVAL);
}

static void failed_calls_of_the_host_leave_nothing_open(void **state)
{
	static const int errors[] = { EACCES, EPERM, EMFILE, ENFILE, ENOMEM };

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		open_result = -errors[i];
		errno = 0;
		assert_null(vms_process_maps_open(4711));
		assert_int_equal(errno, errors[i]);
		assert_int_equal(open_mappings, 0);
	}
	/* procfs is mounted, but has no directory of this process. */
	open_result = -ENOENT;
	errno = 0;
	assert_null(vms_process_maps_open(4711));
	assert_int_equal(errno, ESRCH);

	open_result = 1000;
	mmap_error = -EAGAIN;
	errno = 0;
	assert_null(vms_process_maps_open(4711));
	assert_int_equal(errno, ENOMEM);
}

static long failing_readlink(const char *path, char *target, size_t length)
{
	(void)path;
	(void)target;
	(void)length;
	return -ENOENT;
}

static void missing_procfs_is_not_a_missing_process(void **state)
{
	(void)state;
	open_result = -ENOENT;
	vmsi_host.readlink = failing_readlink;
	errno = 0;
	assert_null(vms_process_maps_open(4711));
	assert_int_equal(errno, ENOENT);
}

static void interrupted_calls_are_made_again(void **state)
{
	(void)state;
	interruptions = 2;
	vms_process_maps *maps = open_canned(ONE);

	interruptions = 3;
	expect_mapping(maps, 0x1000, 0x2000);
	expect_end(maps);
	vms_process_maps_close(maps);
}

static void process_that_ended_is_not_a_short_listing(void **state)
{
	vms_process_maps *maps = open_canned(ONE);

	(void)state;
	pread_result = 0;
	expect_mapping(maps, 0x1000, 0x2000);
	expect_error(maps, ESRCH);
	vms_process_maps_close(maps);

	maps = open_canned(ONE);
	pread_result = -ESRCH;
	expect_mapping(maps, 0x1000, 0x2000);
	expect_error(maps, ESRCH);
	vms_process_maps_close(maps);

	maps = open_canned("");
	pread_result = 0;
	expect_error(maps, ESRCH);
	vms_process_maps_close(maps);
}

static void read_error_and_nonsense_end_the_listing(void **state)
{
	vms_process_maps *maps = open_canned(ONE);

	(void)state;
	canned.error = -EIO;
	expect_error(maps, EIO);
	vms_process_maps_close(maps);

	maps = open_canned(ONE "nonsense\n");
	info.start = 99;
	expect_error(maps, EPROTO);
	assert_int_equal(info.start, 99);
	vms_process_maps_close(maps);
}

/* The process maps memory between two reads of the kernel's list. */
static void mapping_that_grew_meanwhile_is_not_seen_twice(void **state)
{
	vms_process_maps *maps = open_canned(
		"1000-3000 rw-s 00000000 08:01 5 /a\nRss: 8 kB\n"
		"1000-6000 rw-s 00000000 08:01 5 /a\nRss: 20 kB\n"
		"VmFlags: ac \n"
		"2000-4000 rw-p 00000000 00:00 0 \nRss: 8 kB\n"
		"6000-7000 rw-p 00000000 00:00 0 \nRss: 4 kB\n");

	(void)state;
	expect_mapping(maps, 0x1000, 0x3000);
	expect_mapping(maps, 0x3000, 0x6000);
	assert_int_equal(info.offset, 0x2000);
	assert_int_equal(info.committed, 0x3000);
	assert_int_equal(info.resident, 0x3000);
	expect_mapping(maps, 0x6000, 0x7000);
	assert_int_equal(info.offset, 0);
	expect_end(maps);
	vms_process_maps_close(maps);
}

/* The tests below use the real procfs. */

static int find_mapping(pid_t pid, const void *address)
{
	vms_process_maps *maps = vms_process_maps_open(pid);
	int result;

	assert_non_null(maps);
	do
		result = vms_process_maps_next(maps, &info);
	while (result > 0 && info.start + info.length <= (uintptr_t)address);
	vms_process_maps_close(maps);
	return result > 0 && info.start <= (uintptr_t)address;
}

static void own_memory_is_found_with_its_residents(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, 8 * page, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *inside = memory + 2 * page;

	(void)state;
	assert_true(memory != MAP_FAILED);
	assert_int_equal(mprotect(inside, 4 * page, PROT_READ | PROT_WRITE), 0);
	assert_int_equal(madvise(inside, 4 * page, MADV_NOHUGEPAGE), 0);
	inside[0] = 1;
	inside[3 * page] = 1;
	for (int i = 0; i < 2; i++) {
		assert_true(find_mapping(i ? getpid() : 0, inside));
		assert_ptr_equal(info.start, inside);
		assert_int_equal(info.length, 4 * page);
		assert_int_equal(info.prot, PROT_READ | PROT_WRITE);
		assert_int_equal(info.committed, 4 * page);
		assert_int_equal(info.resident, 2 * page);
		assert_int_equal(info.page_size, page);
		assert_true(info.flags & VMS_MAPPING_ANONYMOUS);
		assert_false(info.flags & VMS_MAPPING_SHARED);
	}
	assert_int_equal(munmap(memory, 8 * page), 0);
}

static void process_that_is_gone_is_esrch(void **state)
{
	pid_t child = fork();
	vms_process_maps *maps;
	siginfo_t ended;

	(void)state;
	if (child == 0) {
		pause();
		_exit(0);
	}
	maps = vms_process_maps_open(child);
	assert_non_null(maps);
	assert_int_equal(kill(child, SIGKILL), 0);
	/* The process is a zombie first and gone after waitpid. */
	assert_int_equal(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT),
			 0);
	expect_error(maps, ESRCH);
	vms_process_maps_close(maps);

	assert_int_equal(waitpid(child, NULL, 0), child);
	errno = 0;
	assert_null(vms_process_maps_open(child));
	assert_int_equal(errno, ESRCH);
}

#define FAKE_HOST(test) \
	cmocka_unit_test_setup_teardown(test, use_fake_host, use_real_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_HOST(mappings_come_in_order_and_end),
		FAKE_HOST(bad_arguments_are_refused),
		FAKE_HOST(failed_calls_of_the_host_leave_nothing_open),
		FAKE_HOST(missing_procfs_is_not_a_missing_process),
		FAKE_HOST(interrupted_calls_are_made_again),
		FAKE_HOST(process_that_ended_is_not_a_short_listing),
		FAKE_HOST(read_error_and_nonsense_end_the_listing),
		FAKE_HOST(mapping_that_grew_meanwhile_is_not_seen_twice),
		cmocka_unit_test(own_memory_is_found_with_its_residents),
		cmocka_unit_test(process_that_is_gone_is_esrch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
