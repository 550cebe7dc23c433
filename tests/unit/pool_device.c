/* SPDX-License-Identifier: MIT */
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

#include "pool_fixture.h"

/*
 * Pools over block devices: loop devices over a file, where they can be had, which needs
 * root and /dev/loop-control.
 */

#define PAGES 64
#define RAM ((size_t)700 << 10)

struct device {
	int backing, fd, control, number;
	char path[32];
};

static bool configure(struct device *device, unsigned block, unsigned flags)
{
	const struct loop_config config = {
		.fd = (unsigned)device->backing,
		.block_size = block,
		.info = { .lo_flags = flags | LO_FLAGS_AUTOCLEAR },
	};

	int error;

	device->number = ioctl(device->control, LOOP_CTL_GET_FREE);
	if (device->number < 0)
		return false;
	(void)snprintf(device->path, sizeof(device->path), "/dev/loop%d",
		       device->number);
	device->fd = open(device->path, O_RDWR | O_CLOEXEC);
	if (device->fd < 0)
		return false;
	if (ioctl(device->fd, LOOP_CONFIGURE, &config) == 0)
		return true;
	/* EBUSY: somebody else has just taken it. */
	error = errno;
	(void)close(device->fd);
	errno = error;
	return false;
}

/* Skips where there are none. */
static struct device make_device(const struct place *place, size_t extra, unsigned block,
				 unsigned flags)
{
	struct device device = { .backing = make_pages(place->path, PAGES) };
	bool is_there;

	assert_int_equal(ftruncate(device.backing, (off_t)(PAGES * PAGE + extra)), 0);
	device.control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	is_there = device.control >= 0;
	if (is_there)
		do
			is_there = configure(&device, block, flags);
		while (!is_there && errno == EBUSY);
	if (is_there)
		return device;
	print_message("# no loop devices: %s\n", strerror(errno));
	(void)close(device.control);
	(void)close(device.backing);
	skip();
	return device;
}

static void drop_device(struct device *device)
{
	assert_int_equal(ioctl(device->fd, LOOP_CLR_FD), 0);
	assert_int_equal(close(device->fd), 0);
	assert_int_equal(close(device->control), 0);
	assert_int_equal(close(device->backing), 0);
}

static vms_pool *must_open_device(int fd, unsigned flags)
{
	return must_open_pool(fd, flags | VMS_POOL_NO_WRITER, RAM, 0);
}

static void flush(vms_pool *pool)
{
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
}

/* The file under the device, once the device has written its cache. */
static void must_be_below(const struct place *place, const struct device *device,
			  uint64_t page, int state)
{
	assert_int_equal(fsync(device->fd), 0);
	assert_int_equal(state_in_file(place->path, page), state);
}

/* --- pages of a device ------------------------------------------------------------------------- */

static void read_and_written(void **state)
{
	const struct place *place = *state;
	const unsigned blocks[] = { 512, 4096 };

	for (unsigned i = 0; i < 8; i++) {
		const unsigned flags = (i & 1 ? VMS_POOL_DIRECT : 0) |
			(i & 2 ? VMS_POOL_ADDRESSED : 0);
		struct device device = make_device(place, 0, blocks[i / 4], 0);
		vms_pool *pool = must_open_device(device.fd, flags);
		const uint64_t pages[] = { 1, 3, 5, 7 };
		void *found[4];

		assert_int_equal(vms_pool_pages(pool), PAGES);
		worked(vms_pool_fix_many(pool, pages, found, 4, VMS_POOL_READ));
		for (size_t j = 0; j < 4; j++)
			assert_true(page_is(found[j], pages[j], 0));
		worked(vms_pool_unfix_many(pool, pages, 4));
		for (uint64_t page = 0; page < PAGES; page++)
			must_be(pool, page, 0);
		for (uint64_t page = 0; page < PAGES; page += 3)
			change(pool, page, 1, 0);
		flush(pool);
		worked(vms_pool_close(pool));
		for (uint64_t page = 0; page < PAGES; page++)
			must_be_below(place, &device, page, page % 3 == 0);
		drop_device(&device);
	}
}

static void does_not_grow(void **state)
{
	const struct place *place = *state;
	struct device device = make_device(place, 0, 512, 0);
	vms_pool *pool = open_pool_of(device.fd, VMS_POOL_NO_WRITER, RAM, 2 * PAGES);
	uint64_t page;

	assert_non_null(pool);
	refused(vms_pool_grow(pool, PAGES + 1), ENOSPC);
	refused_null(vms_pool_allocate(pool, &page), ENOSPC);
	/* A page that is freed is not discarded, but is zero when it is taken again. */
	worked(vms_pool_free(pool, 5));
	errno = ERRNO_BEFORE;
	assert_true(page_is_zero(vms_pool_allocate(pool, &page)));
	assert_int_equal(page, 5);
	must_unfix(pool, 5);
	worked(vms_pool_close(pool));
	drop_device(&device);
}

/* Only whole pages count, since nothing of the rest of the last one could be kept. */
static void not_a_whole_number_of_pages(void **state)
{
	const struct place *place = *state;
	struct device device = make_device(place, 1024, 512, 0);
	vms_pool *pool = must_open_device(device.fd, 0);
	const struct vms_pool_options large = {
		.struct_size = sizeof(large),
		.page_size = (size_t)2 << 20,
		.ram = (size_t)64 << 20,
	};

	assert_int_equal(vms_pool_pages(pool), PAGES);
	refused_null(vms_pool_fix(pool, PAGES, VMS_POOL_READ), ERANGE);
	change(pool, PAGES - 1, 1, 0);
	flush(pool);
	must_be_below(place, &device, PAGES - 1, 1);
	worked(vms_pool_close(pool));
	refused_null(vms_pool_open(device.fd, &large), EINVAL);
	drop_device(&device);
}

static void smaller_than_told(void **state)
{
	const struct place *place = *state;
	struct device device = make_device(place, 0, 512, 0);

	refused_null(open_pool_of(device.fd, 0, RAM, PAGES - 1), EINVAL);
	drop_device(&device);
}

/* --- devices that change ------------------------------------------------------------------------- */

/* Behind the pool's back; what is gone is an error, and what is there is not. */
static void becomes_smaller(void **state)
{
	const struct place *place = *state;
	struct device device = make_device(place, 0, 512, 0);
	vms_pool *pool = must_open_device(device.fd, VMS_POOL_DIRECT);

	must_be(pool, 1, 0);
	change(pool, 60, 1, 0);
	change(pool, 2, 1, 0);
	assert_int_equal(ftruncate(device.backing, 32 * PAGE), 0);
	assert_int_equal(ioctl(device.fd, LOOP_SET_CAPACITY, 0), 0);
	refused_null(vms_pool_fix(pool, 40, VMS_POOL_READ), EIO);
	must_be(pool, 31, 0);
	assert_int_equal(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), -1);
	assert_int_equal(errno, ENOSPC);
	must_be(pool, 60, 1);
	assert_int_equal(pool_stats(pool).dirty, 1);
	assert_int_equal(ftruncate(device.backing, PAGES * PAGE), 0);
	assert_int_equal(ioctl(device.fd, LOOP_SET_CAPACITY, 0), 0);
	flush(pool);
	must_be_below(place, &device, 60, 1);
	must_be_below(place, &device, 2, 1);
	worked(vms_pool_close(pool));
	drop_device(&device);
}

static void only_to_be_read(void **state)
{
	const struct place *place = *state;
	struct device device = make_device(place, 0, 512, LO_FLAGS_READ_ONLY);
	int fd = open(device.path, O_RDONLY | O_CLOEXEC);
	vms_pool *pool;

	assert_true(fd >= 0);
	refused_null(open_pool_of(fd, 0, RAM, 0), EBADF);
	pool = must_open_device(fd, VMS_POOL_READ_ONLY);
	must_be(pool, 3, 0);
	refused_null(vms_pool_fix(pool, 3, VMS_POOL_WRITE), EACCES);
	worked(vms_pool_close(pool));
	assert_int_equal(close(fd), 0);
	drop_device(&device);
}

/* What cannot be written stays, and is written once it can be. */
static void becomes_read_only(void **state)
{
	const struct place *place = *state;
	struct device device = make_device(place, 0, 512, 0);
	vms_pool *pool = must_open_device(device.fd, VMS_POOL_DIRECT);
	int is_read_only = 1;

	change(pool, 7, 1, 0);
	assert_int_equal(ioctl(device.fd, BLKROSET, &is_read_only), 0);
	errno = ERRNO_BEFORE;
	assert_int_equal(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL), -1);
	assert_true(errno == EPERM || errno == EIO);
	must_be(pool, 7, 1);
	must_be(pool, 8, 0);
	assert_int_equal(pool_stats(pool).dirty, 1);
	is_read_only = 0;
	assert_int_equal(ioctl(device.fd, BLKROSET, &is_read_only), 0);
	flush(pool);
	must_be_below(place, &device, 7, 1);
	worked(vms_pool_close(pool));
	drop_device(&device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(read_and_written),
		file_test(does_not_grow),
		file_test(not_a_whole_number_of_pages),
		file_test(smaller_than_told),
		file_test(becomes_smaller),
		file_test(only_to_be_read),
		file_test(becomes_read_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
