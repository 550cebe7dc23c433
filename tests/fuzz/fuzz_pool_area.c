/* SPDX-License-Identifier: MIT */
/*
 * Bytes as what a disk gives back of the area of a pool that was not closed. They are
 * written over a right one, at an offset that comes first; by the bits of the first byte
 * the header, the heads and the sums of images are made right again, so that what lies
 * behind them is reached. Whatever they are, opening the pool gives an answer that it may
 * give, the file does not become longer, and where no sum was made right each page is as
 * it was or as the right area has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmspace/pool.h>

#include "host/host.h"
#include "../unit/no_ring.h"
#include "pool/area/area.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAGE ((size_t)4096)
#define PAGES 40u
#define IMAGES 4u
#define BATCHES 3u

enum {
	MAKES_HEADER = 1,
	MAKES_HEADS = 2,
	MAKES_SUMS = 4,
	IS_CUT = 8,       /* behind what is written over it */
	IS_READ_ONLY = 16,
};

/* The right area, and what is made of it. */
static struct {
	char *right, *bytes;
	size_t length;
	int home;
	char directory[64], path[80];
} run;

static void must(bool condition)
{
	if (!condition)
		abort();
}

static long no_sync(int fd)
{
	(void)fd;
	return 0;
}

static struct vmsi_area_header *header_of(char *bytes)
{
	return (struct vmsi_area_header *)bytes;
}

/* --- the right one -------------------------------------------------------------------- */

static void fill_page(char *bytes, uint64_t page, unsigned state)
{
	for (size_t i = 0; i < PAGE; i++)
		bytes[i] = (char)(page * 31 + state * 7 + i / 64);
}

/* Each batch has the pages behind those of the one before, and one of these. */
static uint64_t page_of(uint64_t sequence, size_t number)
{
	return sequence * (IMAGES - 1) + number;
}

static void put_batch(char *bytes, uint64_t sequence)
{
	const struct vmsi_area_header *header = header_of(bytes);
	char *place = bytes + vmsi_area_offset(header, sequence);
	struct vmsi_area_head *head = (struct vmsi_area_head *)place;

	head->sequence = sequence;
	head->settled = 0;
	head->count = IMAGES;
	for (size_t i = 0; i < IMAGES; i++) {
		char *image = place + VMSI_AREA_HEAD_BYTES + i * PAGE;

		fill_page(image, page_of(sequence, i), (unsigned)sequence);
		head->entries[i].page = page_of(sequence, i);
		head->entries[i].sum = vmsi_area_sum(header, sequence,
						     head->entries[i].page, image);
	}
	vmsi_area_head_finish(header, head);
}

static vms_pool *open_pool(unsigned flags)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_POOL_WHOLE_PAGES | VMS_POOL_NO_WRITER | flags,
		.ram = (size_t)1 << 20,
		.depth = 4,
		.area = run.path,
	};

	return vms_pool_open(run.home, &options);
}

static void read_area(void)
{
	const int fd = open(run.path, O_RDONLY | O_CLOEXEC);

	must(fd >= 0);
	run.length = (size_t)lseek(fd, 0, SEEK_END);
	run.right = calloc(1, run.length);
	run.bytes = malloc(run.length);
	must(run.right && run.bytes &&
	     pread(fd, run.right, run.length, 0) == (ssize_t)run.length);
	must(close(fd) == 0);
}

static void remove_files(void)
{
	(void)unlink(run.path);
	(void)rmdir(run.directory);
}

static void write_home(void)
{
	char page[PAGE];

	must(ftruncate(run.home, PAGES * PAGE) == 0);
	for (uint64_t i = 0; i < PAGES; i++) {
		fill_page(page, i, 0);
		must(pwrite(run.home, page, PAGE, (off_t)(i * PAGE)) == (ssize_t)PAGE);
	}
}

static void set_up(void)
{
	vms_pool *pool;

	vmsi_host.fsync = vmsi_host.fdatasync = no_sync;
	vmsi_uring.open = no_ring;
	strcpy(run.directory, "/dev/shm/vmspace-fuzz-XXXXXX");
	if (!mkdtemp(run.directory)) {
		strcpy(run.directory, "/tmp/vmspace-fuzz-XXXXXX");
		must(mkdtemp(run.directory) != NULL);
	}
	strcpy(run.path, run.directory);
	strcat(run.path, "/home");
	run.home = open(run.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	must(run.home >= 0 && unlink(run.path) == 0);
	strcpy(run.path, run.directory);
	strcat(run.path, "/area");
	must(atexit(remove_files) == 0);
	write_home();
	pool = open_pool(0);
	must(pool != NULL);
	read_area();
	must(vms_pool_close(pool) == 0);
	for (uint64_t i = 1; i <= BATCHES; i++)
		put_batch(run.right, i);
}

/* --- one that is not ----------------------------------------------------------------------- */

static void make_sums(char *place, const struct vmsi_area_header *header, size_t room)
{
	struct vmsi_area_head *head = (struct vmsi_area_head *)place;

	for (size_t i = 0; i < head->count && i < VMSI_AREA_BATCH_MOST; i++) {
		const size_t at = VMSI_AREA_HEAD_BYTES + i * header->page_size;

		if (at + header->page_size > room)
			break;
		head->entries[i].sum = vmsi_area_sum(header, head->sequence,
						     head->entries[i].page, place + at);
	}
}

/* As far as the header says where they are, and they are there. */
static void make_heads(uint8_t bits)
{
	const struct vmsi_area_header *header = header_of(run.bytes);

	if (vmsi_area_header_state(header) != VMSI_AREA_VALID)
		return;
	for (unsigned i = 0; i < header->places; i++) {
		const uint64_t at = vmsi_area_offset(header, i);
		struct vmsi_area_head *head = (struct vmsi_area_head *)(run.bytes + at);

		if (at + VMSI_AREA_HEAD_BYTES > run.length || !head->magic)
			continue;
		if (bits & MAKES_SUMS)
			make_sums(run.bytes + at, header, run.length - at);
		if ((bits & MAKES_HEADS) && head->count <= VMSI_AREA_BATCH_MOST)
			vmsi_area_head_finish(header, head);
	}
}

/* Returns how long it is. */
static size_t make_area(const uint8_t *data, size_t size)
{
	const uint8_t bits = size ? data[0] : 0;
	size_t at = 0;

	memcpy(run.bytes, run.right, run.length);
	if (size > 3)
		at = (size_t)(data[1] | data[2] << 8) * 8 % run.length;
	for (size_t i = 3; i < size && at < run.length; i++)
		run.bytes[at++] = (char)data[i];
	if (bits & MAKES_HEADER)
		vmsi_area_header_finish(header_of(run.bytes));
	make_heads(bits);
	return bits & IS_CUT ? at : run.length;
}

static void write_area(size_t length)
{
	const int fd = open(run.path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && pwrite(fd, run.bytes, length, 0) == (ssize_t)length);
	must(close(fd) == 0);
}

static bool is_allowed(int error)
{
	return error == EBADMSG || error == EEXIST || error == ESTALE || error == EROFS ||
		error == ENOTSUP;
}

/* Each page is as in some batch that has it, or as before. */
static void look_at_page(uint64_t page)
{
	char found[PAGE], expected[PAGE];

	must(pread(run.home, found, PAGE, (off_t)(page * PAGE)) == (ssize_t)PAGE);
	for (uint64_t sequence = 0; sequence <= BATCHES; sequence++) {
		fill_page(expected, page, (unsigned)sequence);
		if (memcmp(found, expected, PAGE) == 0 &&
		    (sequence == 0 || (page >= page_of(sequence, 0) &&
				       page < page_of(sequence, IMAGES))))
			return;
	}
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t bits = size ? data[0] : 0;
	const bool makes_any = bits & (MAKES_HEADER | MAKES_HEADS | MAKES_SUMS);
	vms_pool *pool;

	if (!run.right)
		set_up();
	write_home();
	write_area(make_area(data, size));
	pool = open_pool(bits & IS_READ_ONLY ? VMS_POOL_READ_ONLY : 0);
	must(pool || is_allowed(errno));
	if (pool)
		must(vms_pool_close(pool) == 0);
	must(lseek(run.home, 0, SEEK_END) == (off_t)(PAGES * PAGE));
	for (uint64_t page = 0; page < PAGES && !makes_any; page++)
		look_at_page(page);
	return 0;
}
