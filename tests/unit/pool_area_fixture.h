/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_POOL_AREA_FIXTURE_H
#define VMSI_TESTS_POOL_AREA_FIXTURE_H

#include "pool_fixture.h"
#include "pool/area/area.h"

/* Pools with an area, and what a run that was not closed leaves of it. */

/* Pages of the file, and of a batch in so much RAM. */
#define AREA_PAGES 300
#define AREA_RAM ((size_t)1 << 20)

/* All bytes of an area. */
struct left_area {
	char *bytes;
	size_t length;
};

static inline const char *area_path(const struct place *place)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s.area", place->path);
	return path;
}

static inline vms_pool *open_whole_of(const struct place *place, int fd, unsigned flags,
				      size_t page_size)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = flags | VMS_POOL_WHOLE_PAGES,
		.page_size = page_size,
		.ram = AREA_RAM,
		.depth = 4,
		.area = area_path(place),
	};

	return vms_pool_open(fd, &options);
}

static inline vms_pool *open_whole(const struct place *place, int fd, unsigned flags)
{
	return open_whole_of(place, fd, flags | VMS_POOL_NO_WRITER, PAGE);
}

static inline vms_pool *must_open_whole(const struct place *place, int fd)
{
	vms_pool *pool;

	errno = ERRNO_BEFORE;
	pool = open_whole(place, fd, 0);
	assert_non_null(pool);
	assert_int_equal(errno, ERRNO_BEFORE);
	return pool;
}

static inline struct left_area copy_area(const struct place *place)
{
	const int fd = open(area_path(place), O_RDONLY | O_CLOEXEC);
	struct left_area left = { NULL, 0 };
	struct stat status;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	left.length = (size_t)status.st_size;
	left.bytes = malloc(left.length + 1);
	assert_non_null(left.bytes);
	assert_int_equal(pread(fd, left.bytes, left.length, 0), left.length);
	assert_int_equal(close(fd), 0);
	return left;
}

/* Have the area as it was. */
static inline void put_area(const struct place *place, const struct left_area *left)
{
	const int fd = open(area_path(place), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, left->bytes, left->length, 0), left->length);
	assert_int_equal(close(fd), 0);
}

static inline void free_area(struct left_area *left)
{
	free(left->bytes);
}

/* The header of an area, and the head of a batch in it. */
static inline struct vmsi_area_header *header_of(const struct left_area *left)
{
	return (struct vmsi_area_header *)left->bytes;
}

static inline struct vmsi_area_head *head_of(const struct left_area *left,
					     uint64_t sequence)
{
	return (struct vmsi_area_head *)(left->bytes +
					 vmsi_area_offset(header_of(left), sequence));
}

/* Have the beginning of a page as in a state, and the rest as in another. */
static inline void tear(int fd, uint64_t page, unsigned first, unsigned rest)
{
	char bytes[PAGE];

	fill_page(bytes, page, rest);
	assert_int_equal(pwrite(fd, bytes, PAGE, (off_t)(page * PAGE)), PAGE);
	fill_page(bytes, page, first);
	assert_int_equal(pwrite(fd, bytes, 1024, (off_t)(page * PAGE)), 1024);
}

static inline void write_state(int fd, uint64_t page, unsigned state)
{
	tear(fd, page, state, state);
}

static inline void change_all(vms_pool *pool, unsigned state)
{
	for (uint64_t page = 0; page < AREA_PAGES; page++)
		change(pool, page, state, 0);
}

/* The area is copied while pages are written. */
struct moment {
	const struct place *place;
	unsigned at, now;       /* batches of the flush */
	struct left_area left;
};

static inline int copy_then(void *context, uint64_t written, uint64_t most)
{
	struct moment *moment = context;

	(void)written;
	(void)most;
	if (moment->now++ != moment->at)
		return 0;
	moment->left = copy_area(moment->place);
	return -1;
}

/* Leave an area as it is when so many batches of a flush were written. */
static inline struct left_area leave_area(const struct place *place, int fd, unsigned batches,
				   unsigned state)
{
	struct moment moment = { .place = place, .at = batches - 1 };
	vms_pool *pool = must_open_whole(place, fd);

	change_all(pool, state);
	refused(vms_pool_flush(pool, VMS_POOL_ALL, copy_then, &moment), ECANCELED);
	worked(vms_pool_close(pool));
	assert_non_null(moment.left.bytes);
	put_area(place, &moment.left);
	return moment.left;
}

/* In memory where there is such a place: areas are written many times. */
static inline int make_light_place(void **state)
{
	return access("/dev/shm", W_OK) == 0 ? make_place_in(state, "/dev/shm") :
					       make_place(state);
}

static inline int drop_area(void **state)
{
	(void)unlink(area_path(*state));
	return drop_place(state);
}

#endif
