/* SPDX-License-Identifier: MIT */
/*
 * vmspace/vec.h: prime numbers, in an array that grows as they are found.
 *
 * Nobody knows beforehand how many there are. The array grows in place and
 * copies none of them; at the end it gives back what it has not used.
 */
#include <inttypes.h>
#include <stdio.h>

#include <vmspace/vec.h>

#define BELOW 3000000

VMS_VEC_DECLARE(primes, uint32_t);
VMS_VEC_DECLARE(flags, unsigned char);

static int find(primes *found, flags *composite)
{
	unsigned char *is_composite;

	/* What resize adds is zero. */
	if (flags_resize(composite, BELOW) < 0)
		return -1;
	is_composite = flags_data(composite);
	for (uint32_t n = 2; n < BELOW; n++) {
		if (is_composite[n])
			continue;
		if (primes_push(found, n) < 0)
			return -1;
		for (uint64_t m = (uint64_t)n * n; m < BELOW; m += n)
			is_composite[m] = 1;
	}
	return 0;
}

int main(void)
{
	vms_space *space = vms_space_open((size_t)1 << 30, NULL);
	struct vms_buffer_options options = {
		.struct_size = sizeof(options),
		.space = space,
	};
	primes found = { 0 };
	flags composite = { 0 };
	uint32_t last;

	/* At most one prime a number; no maximum for the flags: they may move. */
	if (!space || primes_init(&found, BELOW, &options) < 0 ||
	    flags_init(&composite, 0, &options) < 0 ||
	    find(&found, &composite) < 0 || primes_shrink(&found) < 0)
		goto failed;
	printf("%zu primes below %d, in %zu KiB\n", primes_size(&found), BELOW,
	       found.buffer.committed >> 10);
	if (primes_size(&found) != 216816 || !primes_pop(&found, &last))
		return 1;
	printf("the last is %" PRIu32 "\n", last);
	return last != 2999999 || flags_free(&composite) < 0 ||
		primes_free(&found) < 0 || vms_space_close(space) < 0;

failed:
	perror("example-vec");
	return 1;
}
