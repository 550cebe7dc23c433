/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_SHARE_FIXTURE_H
#define VMSI_TESTS_SHARE_FIXTURE_H

#include "file_fixture.h"

#include <sys/mman.h>
#include <vmspace/share.h>

/* Shares, and processes that attach to them. */

static inline vms_share *must_create(uint64_t size, uint64_t maximum)
{
	vms_share *share = vms_share_create(NULL, size, maximum, NULL);

	assert_non_null(share);
	return share;
}

static inline vms_share *attach_with(int fd, unsigned flags)
{
	const struct vms_share_options options = {
		.struct_size = sizeof(options), .flags = flags };

	return vms_share_attach(fd, &options);
}

static inline vms_share *must_attach(const vms_share *share)
{
	vms_share *other = vms_share_attach(vms_share_fd(share), NULL);

	assert_non_null(other);
	assert_ptr_not_equal(vms_share_base(other), vms_share_base(share));
	return other;
}

static inline struct vms_share_stats stats_of(vms_share *share)
{
	struct vms_share_stats stats = { .struct_size = sizeof(stats) };

	worked(vms_share_get_stats(share, &stats));
	return stats;
}

#endif
