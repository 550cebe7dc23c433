/* SPDX-License-Identifier: MIT */
#include "file/guard.h"
#include "guard_fixture.h"

/* What the guard does where the host refuses what it asks for. */

static long no_mmap(uintptr_t address, size_t length, int prot, int flags,
		    int fd, uint64_t offset)
{
	(void)address, (void)length, (void)prot, (void)flags, (void)fd;
	(void)offset;
	return -ENOMEM;
}

static long no_madvise(uintptr_t address, size_t length, int advice)
{
	(void)address, (void)length, (void)advice;
	return -EINVAL;
}

static long no_action(int signal, const struct sigaction *action,
		      struct sigaction *earlier)
{
	(void)signal, (void)action, (void)earlier;
	return -EINVAL;
}

static long no_membarrier(int command)
{
	(void)command;
	return -ENOSYS;
}

static void install_at_last(void)
{
	const struct vmsi_host_calls good = vmsi_host;
	struct sigaction action = { .sa_handler = SIG_DFL };

	sigaction(SIGBUS, &action, NULL);
	vmsi_host.mmap = no_mmap;
	must(vmsi_guard_install() == -ENOMEM);
	vmsi_host = good;
	vmsi_host.madvise = no_madvise;
	must(vmsi_guard_install() == -EINVAL);
	vmsi_host = good;
	vmsi_host.signal_action = no_action;
	must(vmsi_guard_install() == -EINVAL);
	sigaction(SIGBUS, NULL, &action);
	must(action.sa_handler == SIG_DFL);
	vmsi_host = good;
	must(vmsi_guard_install() == 0);
	sigaction(SIGBUS, NULL, &action);
	must(action.sa_handler != SIG_DFL);
}

static void installing_fails_and_can_be_tried_again(void **state)
{
	(void)state;
	assert_int_equal(status_of(install_at_last), 0);
}

static void touch_without_memory(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	struct vms_file_access access;

	sigaction(SIGBUS, &action, NULL);
	open_with(0);
	must(truncate(path, 0) == 0);
	must(vms_file_begin_access(file, &access) == 0);
	vmsi_host.mmap = no_mmap;
	(void)*at_page(3);
}

static void without_memory_for_zeros_the_fault_is_passed_on(void **state)
{
	int status;

	(void)state;
	status = status_of(touch_without_memory);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

static struct vmsi_host_calls real;
static uint64_t maximum;

static void replace_mmap(long (*mmap)(uintptr_t address, size_t length, int prot,
				      int flags, int fd, uint64_t offset))
{
	struct vms_file_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_file_get_stats(file, &stats), 0);
	maximum = stats.maximum;
	real = vmsi_host;
	vmsi_host.mmap = mmap;
}

/* As at the limit of mappings: what would part one is refused. */
static long no_parts(uintptr_t address, size_t length, int prot, int flags,
		     int fd, uint64_t offset)
{
	return flags & MAP_FIXED && length < maximum ? -ENOMEM :
		real.mmap(address, length, prot, flags, fd, offset);
}

/* As where no more may be promised than a page. */
static long one_page(uintptr_t address, size_t length, int prot, int flags,
		     int fd, uint64_t offset)
{
	return flags & MAP_FIXED && length > page() ? -ENOMEM :
		real.mmap(address, length, prot, flags, fd, offset);
}

static void a_loss_takes_the_mapping_where_it_cannot_be_parted(void **state)
{
	struct vms_file_access access;

	(void)state;
	open_with(0);
	cut(2 * page());
	replace_mmap(no_parts);
	begin(&access);
	assert_int_equal(*at_page(3), 0);
	assert_int_equal(*at_page(0), 0);
	end_lost(&access, ENXIO, 3);
	assert_int_equal(vms_file_refresh(file), 0);
	vmsi_host = real;
	begin(&access);
	assert_int_equal(*at_page(0), 1);
	end_whole(&access);
}

static void a_loss_takes_a_page_where_there_is_memory_for_one(void **state)
{
	struct vms_file_access access;

	(void)state;
	open_with(0);
	cut(page());
	replace_mmap(one_page);
	begin(&access);
	assert_int_equal(*at_page(3), 0);
	assert_int_equal(*at_page(0), 1);
	end_lost(&access, ENXIO, 3);
	vmsi_host = real;
}

/* The program has closed what is not its own, and another file has the number. */
static void a_loss_is_not_measured_by_another_file(void **state)
{
	struct vms_file_access access;
	struct stat home, other;
	char empty[] = "/tmp/vmspace-empty-XXXXXX";
	const int fd = mkstemp(empty);

	(void)state;
	assert_true(fd >= 0);
	open_with(0);
	assert_int_equal(stat(path, &home), 0);
	for (int i = 3; i < 64; i++)
		if (fstat(i, &other) == 0 && other.st_ino == home.st_ino &&
		    other.st_dev == home.st_dev)
			assert_int_equal(dup2(fd, i), i);
	cut(3 * page());
	begin(&access);
	assert_int_equal(*at_page(3), 0);
	assert_int_equal(*at_page(0), 1);
	end_lost(&access, EIO, 3);
	assert_int_equal(vms_file_refresh(file), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(empty), 0);
}

static void touch_without_membarrier(void)
{
	struct vms_file_access access;

	vmsi_host.membarrier = no_membarrier;
	open_with(0);
	must(truncate(path, 0) == 0);
	must(vms_file_begin_access(file, &access) == 0);
	must(*at_page(3) == 0);
	must(vms_file_end_access(&access, NULL) == -1 && errno == ENXIO);
}

static void a_kernel_without_membarrier_will_do(void **state)
{
	(void)state;
	assert_int_equal(status_of(touch_without_membarrier), 0);
}

static void a_mending_that_fails_leaves_the_loss(void **state)
{
	const struct vmsi_host_calls good = vmsi_host;
	struct vms_file_access access;

	(void)state;
	open_with(0);
	cut(page());
	begin(&access);
	assert_int_equal(*at_page(3), 0);
	end_lost(&access, ENXIO, 3);
	write_pages(path, FILE_PAGES);
	vmsi_host.mmap = no_mmap;
	assert_int_equal(vms_file_refresh(file), -1);
	assert_int_equal(errno, ENOMEM);
	vmsi_host = good;
	begin(&access);
	assert_int_equal(*at_page(3), 0);
	end_lost(&access, ENXIO, 1);
	assert_int_equal(vms_file_copy_out(file, 3 * page(), &access, 1), -1);
	assert_int_equal(errno, ENXIO);
	assert_int_equal(vms_file_refresh(file), 0);
	begin(&access);
	assert_int_equal(*at_page(3), 4);
	end_whole(&access);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* Each of these is about a first file: before any is opened. */
		WITH_FILE(installing_fails_and_can_be_tried_again),
		WITH_FILE(without_memory_for_zeros_the_fault_is_passed_on),
		WITH_FILE(a_kernel_without_membarrier_will_do),
		WITH_FILE(a_mending_that_fails_leaves_the_loss),
		WITH_FILE(a_loss_takes_the_mapping_where_it_cannot_be_parted),
		WITH_FILE(a_loss_takes_a_page_where_there_is_memory_for_one),
		WITH_FILE(a_loss_is_not_measured_by_another_file),
	};

	return cmocka_run_group_tests_name("file_guard_faults", tests, NULL,
					   NULL);
}
