/* SPDX-License-Identifier: MIT */
#include "../../outcome.h"

#include <fcntl.h>

/* Each advice, on each kind of memory; guards, populating, cold pages. */

static const int advices[] = {
	MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED,
	MADV_FREE, MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK, MADV_MERGEABLE,
	MADV_UNMERGEABLE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTDUMP,
	MADV_DODUMP, MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_COLD, MADV_PAGEOUT,
	MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_DONTNEED_LOCKED,
	MADV_COLLAPSE, GUARD_INSTALL, GUARD_REMOVE, 103 + 1, 5, 7, -1,
};

static void each_advice(const char *kind, char *memory)
{
	for (size_t i = 0; i < sizeof(advices) / sizeof(*advices); i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s, advice %d", kind, advices[i]);
		outcome(name, madvise(memory, 2 * page, advices[i]));
		snprintf(name, sizeof(name), "%s, advice %d over a hole", kind,
			 advices[i]);
		outcome(name, madvise(memory + page, 3 * page, advices[i]));
		madvise(memory, 2 * page, GUARD_REMOVE);
		madvise(memory + 3 * page, page, GUARD_REMOVE);
	}
	munmap(memory, 4 * page);
}

static char *with_hole(char *memory)
{
	munmap(memory + 2 * page, page);
	return memory;
}

static void kinds(void)
{
	int fd = lettered_file(4);

	each_advice("private", with_hole(anonymous(4)));
	each_advice("shared", with_hole(must(mmap(NULL, 4 * page, RW,
						  SHARED_ANON, -1, 0))));
	each_advice("file", with_hole(must(mmap(NULL, 4 * page, RW, MAP_SHARED,
						fd, 0))));
	each_advice("private file", with_hole(must(mmap(NULL, 4 * page, RW,
							MAP_PRIVATE, fd, 0))));
	each_advice("read-only", with_hole(must(mmap(NULL, 4 * page, PROT_READ,
						     ANON, -1, 0))));
	each_advice("none", with_hole(must(mmap(NULL, 4 * page, PROT_NONE, ANON,
						-1, 0))));
	each_advice("locked", with_hole(must(mmap(NULL, 4 * page, RW, ANON |
						  MAP_LOCKED, -1, 0))));
	close(fd);
}

static void arguments(void)
{
	char *memory = anonymous(4);

	outcome("nothing", madvise(memory, 0, MADV_DONTNEED));
	outcome("nothing, unknown", madvise(memory, 0, 999));
	outcome("unaligned", madvise(memory + 1, page, MADV_DONTNEED));
	outcome("odd length", madvise(memory, 3, MADV_DONTNEED));
	outcome("wraps", madvise(memory, SIZE_MAX, MADV_DONTNEED));
	outcome("ends below", madvise(memory, SIZE_MAX - 2 * page,
				      MADV_DONTNEED));
	munmap(memory, 4 * page);
	outcome("all a hole", madvise(memory, 4 * page, MADV_DONTNEED));
	outcome("populate a hole", madvise(memory, 4 * page,
					   MADV_POPULATE_READ));
}

static void populating(void)
{
	char *memory = anonymous(8);
	unsigned char vector[8];

	outcome("populate", madvise(memory, 8 * page, MADV_POPULATE_WRITE));
	mincore(memory, 8 * page, vector);
	say("resident", "%d%d", vector[0] & 1, vector[7] & 1);
	mprotect(memory, page, PROT_READ);
	outcome("write where it is not allowed",
		madvise(memory, 2 * page, MADV_POPULATE_WRITE));
	outcome("read there", madvise(memory, 2 * page, MADV_POPULATE_READ));
	mprotect(memory, page, PROT_NONE);
	outcome("read where it is not allowed",
		madvise(memory, 2 * page, MADV_POPULATE_READ));
	munmap(memory, 8 * page);

	int fd = lettered_file(1);

	memory = must(mmap(NULL, 4 * page, RW, MAP_SHARED, fd, 0));
	outcome("past the end of a file", madvise(memory, 4 * page,
						  MADV_POPULATE_READ));
	munmap(memory, 4 * page);
	close(fd);
}

static void guards(void)
{
	char *memory = anonymous(10);

	memset(memory, 'g', 10 * page);
	outcome("install", madvise(memory + 2 * page, 3 * page, GUARD_INSTALL));
	reads("before", memory + page);
	reads("guard", memory + 3 * page);
	writes("guard written", memory + 2 * page);
	outcome("dontneed over it", madvise(memory, 10 * page, MADV_DONTNEED));
	reads("still a guard", memory + 2 * page);
	outcome("protect over it", mprotect(memory, 10 * page, PROT_READ));
	outcome("protect back", mprotect(memory, 10 * page, RW));
	reads("still one", memory + 4 * page);
	outcome("populate over it", madvise(memory, 10 * page,
					    MADV_POPULATE_WRITE));
	outcome("remove", madvise(memory, 10 * page, GUARD_REMOVE));
	reads("no guard", memory + 3 * page);
	outcome("install over a hole",
		(munmap(memory + 5 * page, page),
		 madvise(memory, 10 * page, GUARD_INSTALL)));
	reads("first", memory);
	reads("last", memory + 9 * page);
	mapped("map over guards", mmap(memory, 10 * page, RW, ANON | MAP_FIXED,
				       -1, 0));
	reads("fresh", memory + 9 * page);
	munmap(memory, 10 * page);
}

static void discarding(void)
{
	int fd = lettered_file(3);
	char *file = must(mmap(NULL, 3 * page, RW, MAP_PRIVATE, fd, 0));
	char *shared = must(mmap(NULL, 3 * page, RW, SHARED_ANON, -1, 0));

	memset(file, 'p', 3 * page);
	madvise(file + page, page, MADV_DONTNEED);
	reads("private file, kept", file);
	reads("private file, from the file again", file + page);
	memset(shared, 's', 3 * page);
	madvise(shared, page, MADV_DONTNEED);
	reads("shared keeps its data", shared);
	outcome("remove", madvise(shared, page, MADV_REMOVE));
	reads("removed", shared);
	outcome("remove of private", madvise(file, page, MADV_REMOVE));
	munmap(file, 3 * page);
	munmap(shared, 3 * page);
	close(fd);
}

static void looking(void)
{
	char *memory = anonymous(2000);
	static unsigned char vector[2000];
	size_t there = 0;

	for (size_t i = 0; i < 2000; i += 3)
		memory[i * page] = 1;
	outcome("mincore of much", mincore(memory, 2000 * page, vector));
	for (size_t i = 0; i < 2000; i++)
		there += vector[i] & 1;
	say("there", "%zu", there);
	outcome("too high", mincore((void *)(UINTPTR_MAX - 8 * page + 1), page,
				    vector));
	outcome("too long", mincore(memory, SIZE_MAX / 2, vector));
	outcome("nothing", mincore(memory, 0, NULL));
	munmap(memory, 2000 * page);
}

int main(void)
{
	begin();
	kinds();
	arguments();
	populating();
	guards();
	discarding();
	looking();
	return 0;
}
