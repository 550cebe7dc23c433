/* SPDX-License-Identifier: MIT */
#include "pool_fixture.h"
#include "refuse_calls.h"

#include <sys/syscall.h>

/*
 * Plain pointers where the kernel or a sandbox refuses something. A filter cannot be taken
 * away, so each case has a process of its own.
 */

/* More than there is RAM for, by stores and loads. */
static void use_pool(vms_pool *pool)
{
	char *base = vms_pool_base(pool);

	child_needs(base);
	for (uint64_t page = 0; page < FILE_PAGES; page++)
		fill_page(base + page * PAGE, page, 1);
	for (uint64_t page = 0; page < FILE_PAGES; page++)
		child_needs(page_is(base + page * PAGE, page, 1));
	child_needs(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL) == 0);
}

static struct vms_pool_stats stats_of(vms_pool *pool)
{
	struct vms_pool_stats stats = { .struct_size = sizeof(stats) };

	child_needs(vms_pool_get_stats(pool, &stats) == 0);
	return stats;
}

static void expect(int fd, unsigned flags, enum vms_pool_faults engine, int error)
{
	vms_pool *pool = open_pool_of(fd, VMS_POOL_TRANSPARENT | flags, SMALL_RAM, 0);

	child_needs(pool);
	child_needs(stats_of(pool).fault_engine == engine);
	child_needs(stats_of(pool).fault_engine_error == error);
	use_pool(pool);
	child_needs(vms_pool_close(pool) == 0);
}

static void be_in_docker(int fd)
{
	refuse(uring_calls, 3, EPERM);
	refuse(fault_calls, 1, EPERM);
	expect(fd, 0, VMS_POOL_FAULTS_PROTECT, EPERM);
	expect(fd, VMS_POOL_SERVED, VMS_POOL_FAULTS_PROTECT, EPERM);
}

static void be_without(int fd)
{
	refuse(fault_calls, 1, ENOSYS);
	expect(fd, 0, VMS_POOL_FAULTS_PROTECT, ENOSYS);
}

static void be_without_memfd(int fd)
{
	const int memfd = SCMP_SYS(memfd_create);

	refuse(fault_calls, 1, EPERM);
	refuse(&memfd, 1, ENOSYS);
	child_needs(!open_pool_of(fd, VMS_POOL_TRANSPARENT, SMALL_RAM, 0));
	child_needs(errno == ENOSYS);
}

/* The user nobody has no capability; a limit of the machine may leave it the faults. */
static void be_nobody(int fd)
{
	vms_pool *pool;

	child_needs(geteuid() != 0 || setresuid(65534, 65534, 65534) == 0);
	expect(fd, 0, VMS_POOL_FAULTS_SIGNAL, 0);
	pool = open_pool_of(fd, VMS_POOL_TRANSPARENT | VMS_POOL_SERVED, SMALL_RAM, 0);
	child_needs(pool);
	child_needs(stats_of(pool).fault_engine == VMS_POOL_FAULTS_SERVED);
	use_pool(pool);
	child_needs(vms_pool_close(pool) == 0);
}

/* --- cases ---------------------------------------------------------------------------------- */

static void in_a_process(const char *path, void (*act)(int fd))
{
	int fd = make_pages(path, FILE_PAGES);
	const pid_t child = fork();

	if (child == 0) {
		act(fd);
		_exit(0);
	}
	must_end_well(child);
	assert_int_equal(close(fd), 0);
}

static bool has_userfaultfd(void)
{
	const long fd = syscall(SYS_userfaultfd, O_CLOEXEC | 1);

	if (fd >= 0)
		(void)close((int)fd);
	else
		print_message("# no userfaultfd here: errno %d\n", errno);
	return fd >= 0;
}

static void a_sandbox_refuses_both(void **state)
{
	in_a_process(((const struct place *)*state)->path, be_in_docker);
}

static void a_kernel_has_no_userfaultfd(void **state)
{
	in_a_process(((const struct place *)*state)->path, be_without);
}

static void nothing_is_left(void **state)
{
	in_a_process(((const struct place *)*state)->path, be_without_memfd);
}

static void a_user_without_privilege(void **state)
{
	if (!has_userfaultfd())
		skip();
	in_a_process(((const struct place *)*state)->path, be_nobody);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(a_sandbox_refuses_both),
		file_test(a_kernel_has_no_userfaultfd),
		file_test(nothing_is_left),
		file_test(a_user_without_privilege),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
