/* SPDX-License-Identifier: MIT */
#include "../../outcome.h"

/* mremap, as suites for it use it. */

#define FIXED (MREMAP_MAYMOVE | MREMAP_FIXED)
#define KEEP (MREMAP_MAYMOVE | MREMAP_DONTUNMAP)

static void number_pages(char *memory, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		memory[i * page] = (char)(i + 1);
}

static void numbers(const char *name, char *memory, size_t pages)
{
	char text[128];
	size_t length = 0;

	for (size_t i = 0; i < pages; i++) {
		const char *seen = touch(memory + i * page, false);

		length += (size_t)snprintf(text + length,
					   sizeof(text) - length, "%s ",
					   *seen == 'S' ? "-" : seen);
	}
	say(name, "%s", text);
}

/* An aligned place of so many pages that nothing is in. */
static char *free_place(size_t pages)
{
	char *place = must(mmap(NULL, pages * page, PROT_NONE, ANON, -1, 0));

	munmap(place, pages * page);
	return place;
}

static void sizes(void)
{
	char *memory = free_place(32);

	must(mmap(memory, 4 * page, RW, ANON | MAP_FIXED, -1, 0));
	number_pages(memory, 4);
	mapped_at("grow in place", mremap(memory, 4 * page, 8 * page, 0),
		  memory);
	numbers("grown", memory, 9);
	mapped_at("grow in place, may move",
		  mremap(memory, 8 * page, 12 * page, MREMAP_MAYMOVE), memory);
	mapped_at("shrink", mremap(memory, 12 * page, 6 * page, 0), memory);
	numbers("shrunk", memory, 7);
	mapped_at("grow from a part", mremap(memory + 5 * page, page, 3 * page,
					     0), memory + 5 * page);
	must(mmap(memory + 8 * page, page, PROT_NONE, ANON | MAP_FIXED, -1, 0));
	mapped("blocked", mremap(memory, 8 * page, 9 * page, 0));
	mapped("ends in the middle", mremap(memory, 4 * page, 5 * page, 0));
	mapped("spans two", mremap(memory, 9 * page, 10 * page,
				   MREMAP_MAYMOVE));
	mapped("nothing there", mremap(memory + 9 * page, page, page, 0));
	if (kernel_moves_several())
		mapped("huge", mremap(memory, 8 * page, SIZE_MAX / 2,
				      MREMAP_MAYMOVE));
	mapped("wraps", mremap(memory, 8 * page, SIZE_MAX, MREMAP_MAYMOVE));
	mapped("to nothing", mremap(memory, 8 * page, 0, MREMAP_MAYMOVE));
	mapped("unaligned", mremap(memory + 1, page, page, MREMAP_MAYMOVE));
	mapped("unknown flag", mremap(memory, page, page, 128));
	mapped_at("odd length", mremap(memory, 8 * page, 7 * page + 1, 0),
		  memory);
	numbers("whole pages", memory, 9);

	char *moved = mremap(memory + page, page, 4 * page, MREMAP_MAYMOVE);

	mapped("grow from the middle", moved);
	numbers("moved", moved, 4);
	numbers("hole behind it", memory, 4);
	munmap(moved, 4 * page);
	munmap(memory, 32 * page);
}

/* Every shift between source and target, small and of page-table size. */
static void moves(void)
{
	static const size_t shifts[] = { 12, 16, 21, 22 };
	char *area = free_place((size_t)1 << 14);
	size_t length = (size_t)5 << 20;
	size_t errors = 0;

	for (size_t i = 0; i < 16; i++) {
		char *from = area + ((size_t)1 << shifts[i / 4]);
		char *to = area + ((size_t)32 << 20) +
			((size_t)1 << shifts[i % 4]);
		uint32_t *words;

		must(mmap(from, length, RW, ANON | MAP_FIXED, -1, 0));
		words = (void *)from;
		for (size_t k = 0; k < length / 4; k += 512)
			words[k] = (uint32_t)(k * 2654435761u);
		if (mremap(from, length, length, FIXED, to) != to)
			errors++;
		words = (void *)to;
		for (size_t k = 0; k < length / 4; k += 512)
			errors += words[k] != (uint32_t)(k * 2654435761u);
		errors += *touch(from, false) != 'S';
		munmap(to, length);
	}
	say("moves", "%zu errors", errors);
}

static void fixed(void)
{
	char *memory = anonymous(24);
	char *target = memory + 12 * page;

	number_pages(memory, 24);
	mapped_at("fixed", mremap(memory, 2 * page, 2 * page, FIXED, target),
		  target);
	numbers("after", memory, 24);
	mapped_at("fixed grow", mremap(memory + 2 * page, page, 2 * page, FIXED,
				       target), target);
	mapped_at("fixed shrink", mremap(memory + 3 * page, 3 * page, page,
					 FIXED, target), target);
	numbers("after all", memory, 24);
	mapped("onto itself", mremap(target, page, page, FIXED, target));
	mapped("overlap", mremap(target, 2 * page, 2 * page, FIXED,
				 target + page));
	mapped("target unaligned", mremap(target, page, page, FIXED,
					  memory + 1));
	mapped("target 0", mremap(target, page, page, FIXED, NULL));
	mapped("without may move", mremap(target, page, page, MREMAP_FIXED,
					  memory));
	mapped("source not mapped", mremap(memory + 4 * page, page, page, FIXED,
					   target));
	munmap(memory, 24 * page);
}

/* Several mappings in one move, with gaps (6.17). */
static void several(void)
{
	char *memory = anonymous(24);
	char *target = memory + 12 * page;

	if (!kernel_moves_several())
		return;
	number_pages(memory, 24);
	mprotect(memory + page, page, PROT_READ);
	munmap(memory + 3 * page, page);
	mapped_at("several with a gap", mremap(memory, 6 * page, 6 * page,
					       FIXED, target), target);
	numbers("moved several", memory, 24);
	writes("protection moved", target + page);
	mapped("several and grow", mremap(target, 3 * page, 4 * page, FIXED,
					  memory));
	mapped("gap at the start", mremap(target + 3 * page, 2 * page,
					  2 * page, FIXED, memory));
	mapped_at("gap at the end", mremap(target + 2 * page, 2 * page,
					   2 * page, FIXED, memory), memory);
	munmap(memory, 24 * page);
}

static void aliases(void)
{
	char *memory = must(mmap(NULL, 4 * page, RW, SHARED_ANON, -1, 0));
	char *private = anonymous(1);
	char *alias;

	number_pages(memory, 4);
	alias = mremap(memory + page, 0, 2 * page, MREMAP_MAYMOVE);
	mapped("alias", alias);
	numbers("alias", alias, 2);
	alias[0] = 77;
	reads("same pages", memory + page);
	mapped("alias without may move", mremap(memory, 0, page, 0));
	mapped("alias of private", mremap(private, 0, page, MREMAP_MAYMOVE));
	alias = mremap(memory, 0, 8 * page, MREMAP_MAYMOVE);
	mapped("alias past the end", alias);
	numbers("past the end", alias, 4);
	reads("behind it", alias + 6 * page);
	mapped("grow shared past its end", mremap(memory, 4 * page, 6 * page,
						  MREMAP_MAYMOVE));
	mapped_at("fixed alias", mremap(alias, 0, page, FIXED, private),
		  private);
	reads("fixed alias reads", private);
	mapped("kept alias", mremap(alias, 0, page, KEEP, NULL));
}

static void kept_sources(void)
{
	char *memory = anonymous(8);
	char *shared = must(mmap(NULL, 2 * page, RW, SHARED_ANON, -1, 0));
	int fd = lettered_file(2);
	char *file = must(mmap(NULL, 2 * page, RW, MAP_PRIVATE, fd, 0));
	char *moved, *target = memory + 4 * page;

	number_pages(memory, 8);
	moved = mremap(memory, 2 * page, 2 * page, KEEP, NULL);
	mapped("dontunmap", moved);
	numbers("moved", moved, 2);
	numbers("source", memory, 3);
	mapped("dontunmap grow", mremap(memory, page, 2 * page, KEEP, NULL));
	mapped("dontunmap alone", mremap(memory, page, page, MREMAP_DONTUNMAP,
					 NULL));
	mapped_at("dontunmap fixed", mremap(memory + 2 * page, 2 * page,
					    2 * page, KEEP | MREMAP_FIXED,
					    target), target);
	numbers("all", memory, 8);
	number_pages(shared, 2);
	moved = mremap(shared, 2 * page, 2 * page, KEEP, NULL);
	mapped("dontunmap shared", moved);
	numbers("source keeps", shared, 2);
	numbers("target has", moved, 2);
	file[0] = 'Z';
	moved = mremap(file, 2 * page, 2 * page, KEEP, NULL);
	mapped("dontunmap file", moved);
	reads("copied page went along", moved);
	reads("source is the file", file);
	mlock(moved, page);
	file = mremap(moved, 2 * page, 2 * page, KEEP, NULL);
	mapped("dontunmap locked", file);
	outcome("the lock went along", msync(file, page, MS_INVALIDATE));
	outcome("and left the source", msync(moved, page, MS_INVALIDATE));
	close(fd);
}

static void what_travels(void)
{
	char *memory = anonymous(8);
	char *target = anonymous(8);
	pid_t child;

	if (!kernel_moves_several())
		return;
	number_pages(memory, 8);
	outcome("guard", madvise(memory + page, page, GUARD_INSTALL));
	outcome("wipe", madvise(memory + 2 * page, page, MADV_WIPEONFORK));
	outcome("lock", mlock(memory + 3 * page, page));
	mapped_at("move all", mremap(memory, 4 * page, 4 * page, FIXED, target),
		  target);
	numbers("guard moved", target, 4);
	outcome("lock moved", msync(target + 3 * page, page, MS_INVALIDATE));
	child = fork();
	if (child == 0) {
		numbers("child", target, 4);
		_exit(0);
	}
	ended("wipe moved", child);
	munmap(memory, 8 * page);
	munmap(target, 8 * page);
}

/* Grow a buffer step by step to 32 MiB, as realloc does. */
static void long_growth(void)
{
	size_t length = page;
	char *memory = anonymous(1);
	size_t errors = 0;

	for (size_t step = 0; length < ((size_t)32 << 20); step++) {
		size_t next = length * 2;

		memory[length - 1] = (char)step;
		memory = mremap(memory, length, next, MREMAP_MAYMOVE);
		if (memory == MAP_FAILED)
			abort();
		errors += memory[length - 1] != (char)step;
		errors += memory[next - 1] != 0;
		length = next;
	}
	say("long growth", "%zu errors", errors);
	outcome("and back", munmap(memory, length));
}

int main(void)
{
	begin();
	sizes();
	moves();
	fixed();
	several();
	aliases();
	kept_sources();
	what_travels();
	long_growth();
	return 0;
}
