/* SPDX-License-Identifier: MIT */
#include "semantics.h"

#include <sys/syscall.h>

/* mmap: its refusals, hints, the ends of files, GROWSDOWN. */

static intptr_t file_map(const struct caller *c, size_t length, int prot,
			 int flags, int fd, off_t offset)
{
	return c->mmap(c, NULL, length, prot, flags, fd, offset);
}

static void ebadf_comes_before_length_0(const struct caller *c)
{
	CHECK_IS(file_map(c, 0, PROT_READ, MAP_PRIVATE, -1, 0), -EBADF);
	CHECK_IS(file_map(c, c->page, PROT_READ, MAP_PRIVATE, 1000, 0), -EBADF);
	CHECK_IS(file_map(c, 0, PROT_READ, ANON, -1, 0), -EINVAL);
	CHECK_IS(file_map(c, 0, PROT_READ, MAP_PRIVATE, disk_file(c, 1, 0), 0),
		 -EINVAL);
}

static void refuses_bad_sharing(const struct caller *c)
{
	int fd = disk_file(c, 1, 0);

	CHECK_IS(file_map(c, c->page, RW, MAP_ANONYMOUS, -1, 0), -EINVAL);
	CHECK_IS(file_map(c, c->page, RW, 0, fd, 0), -EINVAL);
	CHECK_IS(file_map(c, c->page, RW, MAP_ANONYMOUS | MAP_SHARED_VALIDATE,
			  -1, 0), -EINVAL);
	CHECK(file_map(c, c->page, RW, MAP_SHARED_VALIDATE, fd, 0) > 0);
}

static void refuses_unaligned(const struct caller *c)
{
	int fd = disk_file(c, 2, 0);

	CHECK_IS(c->mmap(c, at(c, 16) + 1, c->page, RW, ANON | MAP_FIXED, -1, 0),
		 -EINVAL);
	CHECK_IS(file_map(c, c->page, RW, MAP_PRIVATE, fd, 1), -EINVAL);
	CHECK_IS(file_map(c, c->page, RW, ANON, -1, 1), -EINVAL);
	CHECK_IS(file_map(c, c->page, RW, SHARED_ANON, -1, 512), -EINVAL);
}

static void growsdown_refuses_shared_and_file(const struct caller *c)
{
	CHECK_IS(file_map(c, c->page, RW, SHARED_ANON | MAP_GROWSDOWN, -1, 0),
		 -EINVAL);
	CHECK_IS(file_map(c, c->page, RW, MAP_PRIVATE | MAP_GROWSDOWN,
			  disk_file(c, 1, 0), 0), -EINVAL);
}

#define DROP (MAP_DROPPABLE | MAP_ANONYMOUS)

static void droppable_refuses_other_kinds(const struct caller *c)
{
	if (syscall(SYS_mmap, NULL, c->page, RW, DROP, -1, 0) == -1)
		SKIP("the kernel has no MAP_DROPPABLE");
	CHECK(file_map(c, c->page, RW, DROP, -1, 0) > 0);
	CHECK_IS(file_map(c, c->page, RW, DROP | MAP_LOCKED, -1, 0), -EINVAL);
	CHECK_IS(file_map(c, c->page, RW, DROP | MAP_HUGETLB, -1, 0), -EINVAL);
	CHECK_IS(file_map(c, c->page, RW, DROP | MAP_GROWSDOWN, -1, 0), -EINVAL);
	CHECK_IS(file_map(c, c->page, RW, MAP_DROPPABLE, disk_file(c, 1, 0), 0),
		 -EINVAL);
}

static void file_not_open_for_it_is_eacces(const struct caller *c)
{
	int fd = disk_file(c, 1, 0);
	int writer = reopen(fd, O_WRONLY), reader = reopen(fd, O_RDONLY);

	CHECK_IS(file_map(c, c->page, PROT_READ, MAP_PRIVATE, writer, 0),
		 -EACCES);
	CHECK_IS(file_map(c, c->page, PROT_WRITE, MAP_SHARED, writer, 0),
		 -EACCES);
	CHECK_IS(file_map(c, c->page, RW, MAP_SHARED, reader, 0), -EACCES);
	CHECK(file_map(c, c->page, RW, MAP_PRIVATE, reader, 0) > 0);
	CHECK(file_map(c, c->page, PROT_READ, MAP_SHARED, reader, 0) > 0);
}

static void what_is_no_file_cannot_be_mapped(const struct caller *c)
{
	int directory = open("/tmp", O_RDONLY | O_DIRECTORY);
	int path = open("/tmp", O_PATH);
	int ends[2];

	CHECK(directory >= 0 && path >= 0 && pipe(ends) == 0);
	CHECK_IS(file_map(c, c->page, PROT_READ, MAP_PRIVATE, directory, 0),
		 -ENODEV);
	CHECK_IS(file_map(c, c->page, PROT_READ, MAP_PRIVATE, path, 0), -EBADF);
	CHECK_IS(file_map(c, c->page, PROT_READ, MAP_PRIVATE, ends[0], 0),
		 -ENODEV);
}

static void offset_overflow_is_eoverflow(const struct caller *c)
{
	off_t last = (off_t)(SIZE_MAX - c->page + 1);

	CHECK_IS(file_map(c, 2 * c->page, PROT_READ, MAP_PRIVATE,
			  disk_file(c, 1, 0), last), -EOVERFLOW);
}

static void validate_refuses_unknown_flags(const struct caller *c)
{
	int fd = disk_file(c, 2, 0);

	CHECK_IS(file_map(c, c->page, RW, MAP_SHARED_VALIDATE | 0x800000, fd,
			  0), -EOPNOTSUPP);
	CHECK_IS(c->mmap(c, at(c, 16), c->page, RW,
			 MAP_SHARED_VALIDATE | MAP_FIXED_NOREPLACE, fd, 0),
		 -EOPNOTSUPP);
	CHECK(file_map(c, c->page, RW, MAP_SHARED | 0x800000, fd, 0) > 0);
}

static void noreplace_over_a_mapping_is_eexist(const struct caller *c)
{
	(void)map(c, 18, 1, PROT_NONE);
	CHECK_IS(try_map(c, at(c, 16), 4, RW, MAP_FIXED_NOREPLACE), -EEXIST);
	CHECK_IS(try_map(c, at(c, 18), 1, RW, MAP_FIXED_NOREPLACE), -EEXIST);
	CHECK_IS(try_map(c, at(c, 18), 1, RW, MAP_FIXED_NOREPLACE | MAP_FIXED),
		 -EEXIST);
	CHECK_IS(try_map(c, at(c, 16), 2, RW, MAP_FIXED_NOREPLACE), at(c, 16));
	CHECK_IS(try_map(c, at(c, 19), 2, RW, MAP_FIXED_NOREPLACE), at(c, 19));
	CHECK_IS(prot_at(c, at(c, 18)), PROT_NONE);
}

static void write_sealed_memfd_is_eperm(const struct caller *c)
{
	int fd = memory_file(c, 1, 0);

	CHECK_IS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	CHECK_IS(file_map(c, c->page, RW, MAP_SHARED, fd, 0), -EPERM);
	CHECK(file_map(c, c->page, PROT_READ, MAP_SHARED, fd, 0) > 0);
	CHECK(file_map(c, c->page, RW, MAP_PRIVATE, fd, 0) > 0);
}

static void address_0_is_eperm(const struct caller *c)
{
	drop_rights();
	CHECK_IS(try_map(c, NULL, 1, RW, MAP_FIXED), -EPERM);
}

static void locked_with_limit_0_is_eperm(const struct caller *c)
{
	limit_locked(0);
	CHECK_IS(try_map(c, NULL, 1, RW, MAP_LOCKED), -EPERM);
}

static void locked_past_the_limit_is_eagain(const struct caller *c)
{
	limit_locked(pages(c, 4));
	CHECK_IS(try_map(c, NULL, 5, RW, MAP_LOCKED), -EAGAIN);
	CHECK_IS(try_map(c, at(c, 16), 4, RW, MAP_LOCKED | MAP_FIXED),
		 at(c, 16));
	CHECK_IS(host_flag_at(at(c, 16), "lo"), 1);
	CHECK_IS(host_resident_at(at(c, 16)), pages(c, 4));
	CHECK_IS(try_map(c, at(c, 32), 1, RW, MAP_LOCKED | MAP_FIXED), -EAGAIN);
	CHECK_IS(mapped_at(c, at(c, 32)), 0);
}

static void what_does_not_fit_is_enomem(const struct caller *c)
{
	size_t last = (size_t)-(ssize_t)c->page;

	CHECK_IS(file_map(c, SIZE_MAX, RW, ANON, -1, 0), -ENOMEM);
	CHECK_IS(file_map(c, last, RW, ANON, -1, 0), -ENOMEM);
	CHECK_IS(file_map(c, (size_t)1 << 62, RW, ANON, -1, 0), -ENOMEM);
	CHECK_IS(c->mmap(c, (char *)((uintptr_t)1 << 62), c->page, RW,
			 ANON | MAP_FIXED, -1, 0), -ENOMEM);
	CHECK_IS(c->mmap(c, (char *)last, 2 * c->page, RW, ANON | MAP_FIXED, -1,
			 0), -ENOMEM);
	CHECK_IS(c->mmap(c, at(c, 16), (size_t)1 << 62, RW, ANON | MAP_FIXED,
			 -1, 0), -ENOMEM);
}

static void over_commit_is_enomem(const struct caller *c)
{
	CHECK_IS(file_map(c, c->size / 3, RW, ANON, -1, 0), -ENOMEM);
	CHECK(file_map(c, c->size / 3, PROT_READ, ANON, -1, 0) > 0);
	CHECK(file_map(c, c->size / 3, RW, ANON | MAP_NORESERVE, -1, 0) > 0);
}

static void hints_are_rounded_and_yield(const struct caller *c)
{
	intptr_t elsewhere;

	CHECK_IS(try_map(c, at(c, 16) + 100, 2, RW, 0), at(c, 16));
	elsewhere = try_map(c, at(c, 17), 2, RW, 0);
	CHECK(elsewhere > 0 && elsewhere != (intptr_t)at(c, 17));
	CHECK_IS(peek((char *)elsewhere), 0);
	CHECK_IS(mapped_at(c, at(c, 18)), elsewhere == (intptr_t)at(c, 18));
}

static void unknown_bits_are_ignored(const struct caller *c)
{
	CHECK_IS(c->mmap(c, at(c, 16), c->page, PROT_READ | 0x1000,
			 ANON | MAP_FIXED, -1, 0), at(c, 16));
	CHECK_IS(c->mmap(c, at(c, 17), c->page, PROT_READ,
			 ANON | MAP_FIXED | 0x800000, -1, 0), at(c, 17));
	CHECK_IS(prot_at(c, at(c, 16)), PROT_READ);
}

static void failed_fixed_map_keeps_the_old(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	fill(c, p, 4, 1);
	CHECK_IS(c->mmap(c, p, c->size / 3, RW, ANON | MAP_FIXED, -1, 0),
		 -ENOMEM);
	CHECK_IS(peek(at(c, 19)), 4);
	CHECK_IS(c->mmap(c, p, c->page, RW, MAP_SHARED | MAP_FIXED,
			 reopen(disk_file(c, 1, 0), O_RDONLY), 0), -EACCES);
	CHECK_IS(peek(p), 1);
}

static void fixed_map_replaces(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	fill(c, p, 4, 1);
	(void)map(c, 17, 2, PROT_READ);
	CHECK_IS(peek(p), 1);
	CHECK_IS(peek(at(c, 17)), 0);
	CHECK_IS(peek(at(c, 19)), 4);
	CHECK_IS(prot_at(c, at(c, 18)), PROT_READ);
}

static void past_the_end_of_a_file(const struct caller *c)
{
	int fd = disk_file(c, 1, 100);
	char *p = map_file(c, 16, 4, RW, MAP_SHARED, fd, 0);
	char *again = map_file(c, 32, 4, RW, MAP_SHARED, fd, 0);

	CHECK_IS(peek(at(c, 17) + 99), 'b');
	CHECK_IS(peek(at(c, 17) + 100), 0);
	CHECK_IS(poke(at(c, 17) + 200, 7), 0);
	CHECK_IS(peek(again + c->page + 200), 7);
	CHECK_IS(peek(p + 2 * c->page), -SIGBUS);
	CHECK_IS(poke(p + 3 * c->page, 1), -SIGBUS);
}

static void past_the_end_after_a_truncate(const struct caller *c)
{
	int fd = disk_file(c, 4, 0);

	(void)map_file(c, 16, 4, RW, MAP_SHARED, fd, 0);
	(void)map_file(c, 32, 4, RW, MAP_PRIVATE, fd, 0);
	CHECK_IS(poke(at(c, 34), 'P'), 0);
	CHECK_IS(ftruncate(fd, (off_t)c->page + 10), 0);
	CHECK_IS(peek(at(c, 17)), 'b');
	CHECK_IS(peek(at(c, 17) + 10), 0);
	CHECK_IS(peek(at(c, 18)), -SIGBUS);
	CHECK_IS(peek(at(c, 34)), -SIGBUS);
	CHECK_IS(ftruncate(fd, (off_t)pages(c, 4)), 0);
	CHECK_IS(peek(at(c, 18)), 0);
}

#define STACK_AT 4096

static void growsdown_grows_when_touched_below(const struct caller *c)
{
	CHECK_IS(try_map(c, at(c, STACK_AT), 2, RW, MAP_FIXED | MAP_GROWSDOWN),
		 at(c, STACK_AT));
	CHECK_IS(poke(at(c, STACK_AT - 1), 5), 0);
	CHECK_IS(poke(at(c, STACK_AT - 3), 6), 0);
	CHECK_IS(peek(at(c, STACK_AT - 1)), 5);
	CHECK_IS(peek(at(c, STACK_AT - 2)), 0);
	CHECK_IS(mapped_at(c, at(c, STACK_AT - 3)), 1);
	CHECK_IS(mapped_at(c, at(c, STACK_AT - 4)), 0);
	CHECK_IS(prot_at(c, at(c, STACK_AT - 3)), RW);
}

static void neighbour_in_the_guard_gap_stops_growth(const struct caller *c)
{
	(void)map(c, STACK_AT - 200, 1, RW);
	CHECK_IS(try_map(c, at(c, STACK_AT), 2, RW, MAP_FIXED | MAP_GROWSDOWN),
		 at(c, STACK_AT));
	CHECK_IS(poke(at(c, STACK_AT - 1), 5), -SIGSEGV);
	CHECK_IS(mapped_at(c, at(c, STACK_AT - 1)), 0);
}

static void prot_none_neighbour_does_not_stop_growth(const struct caller *c)
{
	(void)map(c, STACK_AT - 4, 1, PROT_NONE);
	CHECK_IS(try_map(c, at(c, STACK_AT), 2, RW, MAP_FIXED | MAP_GROWSDOWN),
		 at(c, STACK_AT));
	CHECK_IS(poke(at(c, STACK_AT - 3), 5), 0);
	CHECK_IS(peek(at(c, STACK_AT - 4)), -SIGSEGV);
	CHECK_IS(mapped_at(c, at(c, STACK_AT - 3)), 1);
}

#define S "mmap: "
static const struct semantics_case cases[] = {
	CASE(ebadf_comes_before_length_0,
	     S "EBADF comes before length 0; EINVAL: length 0"),
	CASE(refuses_bad_sharing,
	     S "EINVAL: neither SHARED nor PRIVATE; SHARED_VALIDATE with anonymous"),
	CASE(refuses_unaligned, S "EINVAL: FIXED or offset unaligned"),
	CASE(growsdown_refuses_shared_and_file,
	     S "EINVAL: GROWSDOWN with shared or file"),
	CASE(droppable_refuses_other_kinds,
	     S "EINVAL: DROPPABLE with LOCKED, HUGETLB, GROWSDOWN or a file"),
	CASE(file_not_open_for_it_is_eacces,
	     S "EACCES: file not open for reading; shared writable, read-only fd"),
	CASE(what_is_no_file_cannot_be_mapped,
	     S "directory is ENODEV; O_PATH is EBADF"),
	CASE(offset_overflow_is_eoverflow, S "offset overflow EOVERFLOW"),
	CASE(validate_refuses_unknown_flags,
	     S "SHARED_VALIDATE with an unknown or unsupported flag EOPNOTSUPP"),
	CASE(noreplace_over_a_mapping_is_eexist,
	     S "EEXIST: FIXED_NOREPLACE over any mapping, also with FIXED"),
	CASE(write_sealed_memfd_is_eperm,
	     S "EPERM: shared writable on a write-sealed memfd"),
	CASE(address_0_is_eperm, S "EPERM: address 0 as non-root"),
	CASE(locked_with_limit_0_is_eperm, S "EPERM: LOCKED with limit 0"),
	CASE(locked_past_the_limit_is_eagain, S "EAGAIN: LOCKED past the limit"),
	CASE(what_does_not_fit_is_enomem, S "ENOMEM: wrap, too high"),
	CASE_IN(over_commit_is_enomem, window_over_memory, S "ENOMEM: commit"),
	CASE(hints_are_rounded_and_yield,
	     S "hints: rounded down to a page; a busy hint goes elsewhere"),
	CASE(unknown_bits_are_ignored,
	     S "unknown prot bits and unknown flags are ignored"),
	CASE_IN(failed_fixed_map_keeps_the_old, window_over_memory,
		S "a FIXED map that fails on commit keeps the old mapping"),
	CASE(fixed_map_replaces, S "FIXED replaces what is there"),
	CASE(past_the_end_of_a_file,
	     S "past the end of a file: last page reads zero, is shared; SIGBUS"),
	CASE(past_the_end_after_a_truncate,
	     S "past the end of a file: SIGBUS also after a truncate"),
	CASE(growsdown_grows_when_touched_below,
	     S "GROWSDOWN: grows when touched just below"),
	CASE(neighbour_in_the_guard_gap_stops_growth,
	     S "GROWSDOWN: a neighbour within the guard gap stops it"),
	CASE(prot_none_neighbour_does_not_stop_growth,
	     S "GROWSDOWN: a PROT_NONE neighbour does not"),
};

SEMANTICS_MAIN(cases)
