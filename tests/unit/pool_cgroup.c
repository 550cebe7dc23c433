/* SPDX-License-Identifier: MIT */
#include "pool_fixture.h"

#include <sys/mman.h>

#include "host/host.h"

/* What RAM a pool has that was not told: a part of what its process may have. */

struct told {
	const char *path, *text;
};

static struct vmsi_host_calls real;
static const struct told *told;

static long open_text(const char *text)
{
	const int fd = memfd_create("cgroup", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* Of cgroups there is only what is told. */
static long told_open(const char *path)
{
	for (const struct told *file = told; file->path; file++)
		if (strcmp(file->path, path) == 0)
			return open_text(file->text);
	return strncmp(path, "/sys/fs/cgroup", 14) == 0 ? -ENOENT : real.open(path);
}

/* No machine has less, but for its cgroups. */
static long much_memory(size_t *bytes)
{
	*bytes = (size_t)64 << 30;
	return 0;
}

static int set_up(void **state)
{
	real = vmsi_host;
	vmsi_host.open = told_open;
	vmsi_host.memory_size = much_memory;
	return make_place(state);
}

static int tear_down(void **state)
{
	vmsi_host = real;
	return drop_place(state);
}

#define MEMBER(line) { "/proc/self/cgroup", line }

static uint64_t default_ram(const struct place *place, const struct told *files)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options), .pages = (uint64_t)1 << 22,
	};
	int fd = make_pages(place->path, 16);
	vms_pool *pool;
	uint64_t ram;

	told = files;
	pool = vms_pool_open(fd, &options);
	assert_non_null(pool);
	ram = pool_stats(pool).ram;
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
	return ram;
}

static void without_a_limit_it_is_a_part_of_the_machine(void **state)
{
	static const struct told none[] = {
		MEMBER("0::/a\n"), { "/sys/fs/cgroup/a/memory.max", "max\n" }, { 0 },
	};

	assert_int_equal(default_ram(*state, none), (uint64_t)8 << 30);
}

static void the_least_limit_of_all_above_counts(void **state)
{
	static const struct told own[] = {
		MEMBER("0::/a/b\n"),
		{ "/sys/fs/cgroup/a/b/memory.max", "268435456\n" },
		{ "/sys/fs/cgroup/a/memory.max", "1073741824\n" }, { 0 },
	};
	static const struct told above[] = {
		MEMBER("0::/a/b\n"),
		{ "/sys/fs/cgroup/a/b/memory.max", "max\n" },
		{ "/sys/fs/cgroup/a/memory.max", "134217728\n" }, { 0 },
	};
	static const struct told container[] = {
		MEMBER("0::/\n"), { "/sys/fs/cgroup/memory.max", "536870912\n" }, { 0 },
	};

	assert_int_equal(default_ram(*state, own), 32 << 20);
	assert_int_equal(default_ram(*state, above), 16 << 20);
	assert_int_equal(default_ram(*state, container), 64 << 20);
}

static void limits_of_the_first_version_count(void **state)
{
	static const struct told own[] = {
		MEMBER("7:cpu,cpuacct:/c\n6:memory:/a\n0::/\n"),
		{ "/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "268435456\n" },
		{ "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n" },
		{ 0 },
	};

	assert_int_equal(default_ram(*state, own), 32 << 20);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_limit_it_is_a_part_of_the_machine),
		TEST(the_least_limit_of_all_above_counts),
		TEST(limits_of_the_first_version_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
