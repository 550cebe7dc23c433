/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_CODE_HOST_H
#define VMSI_TESTS_CODE_HOST_H

#include "code_fixture.h"
#include "host/host.h"

/* Pools that are opened with options, and on a host some of whose calls are replaced. */

static struct vmsi_host_calls real_host;

static inline int save_host(void **state)
{
	(void)state;
	real_host = vmsi_host;
	return 0;
}

static inline int restore_host(void **state)
{
	vmsi_host = real_host;
	return close_pool(state);
}

static inline vms_code *open_with(struct vms_code_options options)
{
	options.struct_size = sizeof(options);
	if (!options.reserve)
		options.reserve = (size_t)1 << 20;
	errno = 0;
	code = vms_code_open(&options);
	return code;
}

static inline void assert_works(void)
{
	struct vms_code_block block = make_published(100, 31);

	assert_int_equal(call(block.run), 31);
	assert_int_equal(vms_code_free(code, &block), 0);
}

#define WITH_HOST(test) \
	cmocka_unit_test_setup_teardown(test, save_host, restore_host)

#endif
