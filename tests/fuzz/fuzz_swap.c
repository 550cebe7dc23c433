/* SPDX-License-Identifier: MIT */
/*
 * Bytes as what a disk gives back of a swap file. They are written over what is read, at an
 * offset that comes first; by the bits of the first byte the sum of what was read is made
 * right again, so that what lies behind the sums is reached. Whatever they are, a page is
 * what was put or an error where no sum was made right, and nothing is touched that is not
 * the reader's.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/swap_pages.h"
#include "host/host.h"
#include "swap/object.h"
#include "swap/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAGE ((size_t)4096)
#define COUNT 300u

static struct vmsi_host_calls real;
static struct vmsi_swap *swap;
static const uint8_t *input;
static size_t input_size;
static uint64_t places[COUNT];
static char page[4096], expected[4096];

static void must(bool condition)
{
	if (!condition)
		abort();
}

/* --- a disk that gives back what it likes ------------------------------------------- */

static bool makes_sums(void)
{
	return input_size > 0 && (input[0] & 1);
}

static void overlay(char *bytes, size_t length)
{
	size_t offset;

	if (input_size < 4)
		return;
	offset = (size_t)(input[1] | input[2] << 8) * 4 % (length ? length : 1);
	for (size_t i = 3; i < input_size && offset < length; i++)
		bytes[offset++] = (char)input[i];
}

static void make_sum(struct vmsi_object *object, const void *bytes, size_t length,
		     uint64_t offset)
{
	const uint64_t id = offset / swap->cluster_bytes - 1;

	if (makes_sums() && object->bytes <= length)
		object->sum = vmsi_object_sum(object, bytes, swap->clusters[id].sequence);
}

/* A page: header, and bytes. */
static long give_page(int fd, const struct iovec *parts, int count, uint64_t offset)
{
	const long length = real.preadv(fd, parts, count, offset);

	if (length != (long)(parts[0].iov_len + parts[1].iov_len))
		return length;
	if (input_size > 0 && (input[0] & 2))
		overlay(parts[0].iov_base, parts[0].iov_len);
	else
		overlay(parts[1].iov_base, parts[1].iov_len);
	make_sum(parts[0].iov_base, parts[1].iov_base, parts[1].iov_len, offset);
	return length;
}

/* A cluster. */
static long give_cluster(int fd, void *buffer, size_t length, uint64_t offset)
{
	const long given = real.pread(fd, buffer, length, offset);
	char *bytes = buffer;
	size_t at = 0;

	if (given != (long)length)
		return given;
	overlay(bytes, length);
	while (length - at >= sizeof(struct vmsi_object)) {
		struct vmsi_object *object = (struct vmsi_object *)(bytes + at);
		const size_t taken = vmsi_object_size(object->bytes);

		if (taken > length - at)
			break;
		make_sum(object, object + 1, length - at - sizeof(*object), offset);
		at += taken;
	}
	return given;
}

/* --- a run -------------------------------------------------------------------------- */

static enum page_kind kind_of(unsigned i)
{
	return i % 2 ? PAGE_TEXT : PAGE_NOISE;
}

static bool put(unsigned number, uint64_t *place)
{
	const void *pointer = page;

	fill_page(page, PAGE, kind_of(number), number);
	return vmsi_swap_put(swap, &pointer, 1, place) == 0;
}

static void get(unsigned number, uint64_t place)
{
	const int error = vmsi_swap_get(swap, place, page);

	must(error == 0 || error == -EIO);
	if (error || makes_sums())
		return;
	fill_page(expected, PAGE, kind_of(number), number);
	must(memcmp(page, expected, PAGE) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmsi_swap_options options = {
		.page_bytes = PAGE, .places = 1000, .codec = VMSI_SWAP_LZ4, .path = ".",
		.ram_bytes = vmsi_swap_least_bytes(PAGE, VMSI_SWAP_LZ4),
		.file_bytes = 20 * 69632,
	};
	unsigned count = 0;

	must(vmsi_io_open(4, VMSI_IO_NO_RING, &options.io) == 0);
	must(vmsi_swap_open(&options, &swap) == 0);
	while (count < COUNT && put(count, &places[count]))
		count++;
	for (unsigned i = 1; i < count; i += 3)
		vmsi_swap_free(swap, places[i]);
	real = vmsi_host;
	input = data;
	input_size = size;
	vmsi_host.pread = give_cluster;
	vmsi_host.preadv = give_page;
	for (unsigned i = 0; i < count; i++)
		if (i % 3 != 1)
			get(i, places[i]);
	/* What is put next has clusters read, and pages moved out of them. */
	for (unsigned i = 1; i < count; i += 3)
		if (put(i, &places[i]))
			get(i, places[i]);
	vmsi_host = real;
	for (unsigned i = 0; i < count; i++)
		if (i % 3 != 1)
			get(i, places[i]);
	vmsi_swap_close(swap);
	vmsi_io_close(options.io);
	return 0;
}
