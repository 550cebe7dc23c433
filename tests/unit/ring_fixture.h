/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_RING_FIXTURE_H
#define VMSI_TESTS_RING_FIXTURE_H

#include <signal.h>
#include <vmspace/ring.h>

#include "file_fixture.h"

/* Rings of a page or so, and records that know their number and their sum. */

#define BOTH (VMS_RING_PRODUCER | VMS_RING_CONSUMER)
#define SECOND INT64_C(1000000000)

static inline vms_ring *create_with(enum vms_ring_kind kind, size_t capacity,
				    unsigned flags, unsigned alignment)
{
	const struct vms_ring_options options = {
		.struct_size = sizeof(options),
		.flags = flags,
		.alignment = alignment,
	};

	return vms_ring_create(NULL, kind, capacity, &options);
}

static inline vms_ring *must_create(enum vms_ring_kind kind, size_t capacity,
				    unsigned flags)
{
	vms_ring *ring;

	errno = ERRNO_BEFORE;
	ring = create_with(kind, capacity, flags, 0);
	assert_non_null(ring);
	assert_int_equal(errno, ERRNO_BEFORE);
	return ring;
}

static inline vms_ring *attach_with(int fd, unsigned flags)
{
	const struct vms_ring_options options = {
		.struct_size = sizeof(options),
		.flags = flags,
	};

	return vms_ring_attach(fd, &options);
}

static inline vms_ring *must_attach(const vms_ring *other, unsigned flags)
{
	vms_ring *ring;

	errno = ERRNO_BEFORE;
	ring = attach_with(vms_ring_fd(other), flags);
	assert_non_null(ring);
	assert_int_equal(errno, ERRNO_BEFORE);
	return ring;
}

static inline struct vms_ring_stats stats_of(vms_ring *ring)
{
	struct vms_ring_stats stats = { .struct_size = sizeof(stats) };

	assert_int_equal(vms_ring_get_stats(ring, &stats), 0);
	return stats;
}

/* The bytes of a record, made of its number. */
static inline unsigned char byte_of(uint64_t number, size_t i)
{
	return (unsigned char)(number * 131 + i * 7 + (i >> 8));
}

static inline void fill_record(void *data, uint64_t number, size_t length)
{
	for (size_t i = 0; i < length; i++)
		((unsigned char *)data)[i] = byte_of(number, i);
}

static inline bool is_record(const void *data, uint64_t number, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (((const unsigned char *)data)[i] != byte_of(number, i))
			return false;
	return true;
}

/* Commit a record of that number. */
static inline bool put(vms_ring *ring, uint64_t number, size_t length)
{
	void *data = vms_ring_try_claim(ring, length);

	if (!data)
		return false;
	fill_record(data, number, length);
	return vms_ring_commit(ring, data, length) == 0;
}

/* The next record must be that of the number, and is released. */
static inline void must_get(vms_ring *ring, uint64_t number, size_t length)
{
	struct vms_ring_record record;

	assert_int_equal(vms_ring_peek(ring, &record, 1), 1);
	assert_int_equal(record.length, length);
	assert_true(is_record(record.data, number, length));
	assert_int_equal(vms_ring_release(ring, &record), 0);
}

static inline void must_be_empty(vms_ring *ring)
{
	struct vms_ring_record record;

	assert_int_equal(vms_ring_peek(ring, &record, 1), 0);
}

static inline void must_close(vms_ring *ring)
{
	worked(vms_ring_close(ring));
}

/* A child that does something with a ring and ends, by itself or by SIGKILL. */
static inline void must_be_killed(pid_t child)
{
	int status;

	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

#endif
