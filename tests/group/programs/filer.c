/* SPDX-License-Identifier: MIT */
#include "last_mapping.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * usage: filer DESCRIPTOR STEP[=MEBIBYTES]...
 *
 * Maps one file in memory: memfd and named make it, the others work on it.
 */

#define MIB ((size_t)1 << 20)
#define PIECE (2 * MIB)
#define SMALL_PIECE ((size_t)64 << 10)
#define BOTH (PROT_READ | PROT_WRITE)

static int file = -1;
static char name[64];

static void *map_at(size_t offset, size_t bytes)
{
	return mmap(NULL, bytes, BOTH, MAP_SHARED, file, (off_t)offset);
}

/* --- the file ------------------------------------------------------------- */

static int do_memfd(size_t bytes)
{
	file = memfd_create("filer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return file < 0 ? errno : answer(ftruncate(file, (off_t)bytes));
}

static int do_named(size_t bytes)
{
	snprintf(name, sizeof name, "/vmspace-filer-%d", (int)getpid());
	file = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return file < 0 ? errno : answer(ftruncate(file, (off_t)bytes));
}

static int do_remove(size_t bytes)
{
	(void)bytes;
	return answer(shm_unlink(name));
}

static int do_grow(size_t bytes)
{
	return answer(ftruncate(file, (off_t)bytes));
}

static int do_seal(size_t bytes)
{
	(void)bytes;
	return answer(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE));
}

/* The same file, by a descriptor that can only be read. */
static int do_read_only(size_t bytes)
{
	char path[40];

	(void)bytes;
	snprintf(path, sizeof path, "/proc/self/fd/%d", file);
	file = open(path, O_RDONLY | O_CLOEXEC);
	return file < 0 ? errno : 0;
}

/* --- mapping it ----------------------------------------------------------- */

static int do_map(size_t bytes)
{
	return keep(map_at(0, bytes), bytes);
}

static int do_validated(size_t bytes)
{
	return keep(mmap(NULL, bytes, BOTH, MAP_SHARED_VALIDATE, file, 0),
		    bytes);
}

static int do_noreserve(size_t bytes)
{
	return keep(mmap(NULL, bytes, BOTH, MAP_SHARED | MAP_NORESERVE, file,
			 0), bytes);
}

static int do_read(size_t bytes)
{
	return keep(mmap(NULL, bytes, PROT_READ, MAP_SHARED, file, 0), bytes);
}

/* The second half of so many bytes of the file. */
static int do_half(size_t bytes)
{
	return keep(map_at(bytes / 2, bytes / 2), bytes / 2);
}

static int do_closed(size_t bytes)
{
	(void)bytes;
	close(file);
	file = -1;
	return do_map(MIB);
}

static int do_unmap(size_t bytes)
{
	(void)bytes;
	return answer(munmap(last, last_bytes));
}

static int do_again(size_t bytes)
{
	return keep(mmap(last, bytes, BOTH, MAP_SHARED | MAP_FIXED, file, 0),
		    bytes);
}

static int do_private(size_t bytes)
{
	return keep(mmap(NULL, bytes, BOTH, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		    bytes);
}

static int do_private_over(size_t bytes)
{
	return keep(mmap(last, bytes, BOTH,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		    bytes);
}

static int do_reserve_over(size_t bytes)
{
	return keep(mmap(last, bytes, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		    bytes);
}

static int do_writable(size_t bytes)
{
	(void)bytes;
	return answer(mprotect(last, last_bytes, BOTH));
}

static int do_unwritable(size_t bytes)
{
	(void)bytes;
	return answer(mprotect(last, last_bytes, PROT_READ));
}

static int do_remap(size_t bytes)
{
	return keep(mremap(last, last_bytes, bytes, MREMAP_MAYMOVE), bytes);
}

static int do_touch(size_t bytes)
{
	memset(last, 1, bytes);
	return 0;
}

/* --- in pieces ------------------------------------------------------------ */

/*
 * Map pieces apart from each other and touch them; write how many were granted.
 */
static int map_pieces(size_t bytes, size_t piece, bool touch)
{
	size_t had = 0;
	char *area = mmap(NULL, 2 * bytes, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (area == MAP_FAILED)
		return errno;
	for (; had < bytes; had += piece) {
		char *made = mmap(area + 2 * had, piece, BOTH,
				  MAP_SHARED | MAP_FIXED, file, (off_t)had);

		if (made == MAP_FAILED)
			break;
		if (touch)
			memset(made, 1, piece);
	}
	say_number("mapped", had / MIB);
	return had < bytes ? errno : 0;
}

static int do_pieces(size_t bytes)
{
	return map_pieces(bytes, PIECE, true);
}

static int do_small_pieces(size_t bytes)
{
	return map_pieces(bytes, SMALL_PIECE, false);
}

/* Map the same piece again and again, and unmap it each time. */
static int do_over_and_over(size_t bytes)
{
	for (int i = 0; i < 100; i++) {
		int error = do_map(bytes);

		if (!error)
			error = do_unmap(0);
		if (error)
			return error;
	}
	return 0;
}

/* --- by other processes --------------------------------------------------- */

static int in_child(int (*act)(size_t bytes), size_t bytes)
{
	const pid_t child = fork();

	if (child == 0)
		_exit(act(bytes));
	return wait_for(child);
}

static int do_child_maps(size_t bytes)
{
	return in_child(do_map, bytes);
}

static int map_by_name(size_t bytes)
{
	file = shm_open(name, O_RDWR | O_CLOEXEC, 0);
	return file < 0 ? errno : do_map(bytes);
}

static int do_child_maps_by_name(size_t bytes)
{
	return in_child(map_by_name, bytes);
}

static int do_child_has_private(size_t bytes)
{
	return in_child(do_private, bytes);
}

int main(int argc, char **argv)
{
	static const struct step steps[] = {
		{ "memfd", do_memfd }, { "named", do_named },
		{ "remove", do_remove }, { "grow", do_grow },
		{ "seal", do_seal }, { "read-only", do_read_only },
		{ "map", do_map }, { "validated", do_validated },
		{ "noreserve", do_noreserve }, { "read", do_read },
		{ "half", do_half }, { "closed", do_closed },
		{ "unmap", do_unmap }, { "again", do_again },
		{ "private", do_private }, { "private-over", do_private_over },
		{ "reserve-over", do_reserve_over },
		{ "writable", do_writable }, { "unwritable", do_unwritable },
		{ "remap", do_remap }, { "touch", do_touch },
		{ "pieces", do_pieces }, { "small-pieces", do_small_pieces },
		{ "over-and-over", do_over_and_over },
		{ "child-maps", do_child_maps },
		{ "child-maps-by-name", do_child_maps_by_name },
		{ "child-has-private", do_child_has_private },
		{ NULL, NULL },
	};

	return take_steps(argc, argv, steps, MIB);
}
