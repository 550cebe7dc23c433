/* SPDX-License-Identifier: MIT */
#include "../../outcome.h"

/*
 * What /proc/self/maps shows of a program's own mappings: how they split and
 * merge. A carve-out gives room that nothing else gets into.
 */

/* The mappings from start on, as "prot+pages" and "." for pages that have none. */
static void shows(const char *name, char *start, size_t pages)
{
	FILE *file = fopen("/proc/self/maps", "r");
	uintptr_t at = (uintptr_t)start, end = at + pages * page;
	char line[512], text[400] = "", prot[5];
	uintptr_t low, high;
	size_t length = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx %4s", &low, &high, prot) != 3 ||
		    high <= at || low >= end)
			continue;
		if (low < at)
			low = at;
		if (high > end)
			high = end;
		length += (size_t)snprintf(text + length,
					   sizeof(text) - length, " %s+%zu",
					   prot, (high - low) / page);
		at = high;
	}
	if (file)
		fclose(file);
	say(name, "%s", text);
}

static char *carve(size_t pages)
{
	return must(mmap(NULL, pages * page, PROT_NONE, ANON, -1, 0));
}

static void splits(void)
{
	char *memory = anonymous(10);

	/*
	 * Before the splits: Linux 6.1 never merges memory that was touched
	 * first after a split. Bare, what is beside it may count as touched.
	 */
	memory[0] = 1;
	shows("one", memory, 10);
	mprotect(memory + 3 * page, 2 * page, PROT_READ);
	shows("split by protection", memory, 10);
	mprotect(memory + 3 * page, page, RW);
	shows("moved border", memory, 10);
	mprotect(memory + 4 * page, page, RW);
	shows("merged again", memory, 10);
	madvise(memory + 5 * page, page, MADV_SEQUENTIAL);
	shows("split by advice", memory, 10);
	madvise(memory, 10 * page, MADV_NORMAL);
	shows("merged by advice", memory, 10);
	mlock(memory + page, page);
	shows("split by a lock", memory, 10);
	munlock(memory, 10 * page);
	shows("unlocked", memory, 10);
	munmap(memory, 10 * page);
}

static void merges(void)
{
	char *room = carve(12);

	must(mmap(room + page, page, RW, ANON | MAP_FIXED, -1, 0));
	must(mmap(room + 3 * page, page, RW, ANON | MAP_FIXED, -1, 0));
	shows("apart", room, 12);
	must(mmap(room + 2 * page, page, RW, ANON | MAP_FIXED, -1, 0));
	shows("joined", room, 12);
	room[page] = 1;
	must(mmap(room + 4 * page, page, RW, ANON | MAP_FIXED, -1, 0));
	room[4 * page] = 1;
	shows("joined before touching", room, 12);
	must(mmap(room + 6 * page, page, RW, ANON | MAP_FIXED, -1, 0));
	room[6 * page] = 1;
	mremap(room + 6 * page, page, page, MREMAP_MAYMOVE | MREMAP_FIXED,
	       room + 5 * page);
	shows("moved next to it", room, 5);
	munmap(room, 12 * page);
}

static void moved_back(void)
{
	char *memory = anonymous(9);
	char *aside = carve(9);

	memset(memory, 'm', 9 * page);
	mremap(memory + 3 * page, 3 * page, 3 * page,
	       MREMAP_MAYMOVE | MREMAP_FIXED, aside + 3 * page);
	mremap(aside + 3 * page, 3 * page, 3 * page,
	       MREMAP_MAYMOVE | MREMAP_FIXED, memory + 3 * page);
	shows("moved away and back", memory, 9);
	mapped_at("is one again", mremap(memory, 9 * page, 9 * page, 0),
		  memory);
	mapped("and can grow", mremap(memory, 9 * page, 20 * page,
				      MREMAP_MAYMOVE));
}

static void files(void)
{
	int fd = lettered_file(6);
	char *room = carve(8);

	must(mmap(room, 2 * page, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0));
	must(mmap(room + 2 * page, 2 * page, PROT_READ, MAP_SHARED | MAP_FIXED,
		  fd, (off_t)(2 * page)));
	shows("continued", room, 4);
	must(mmap(room + 4 * page, 2 * page, PROT_READ, MAP_SHARED | MAP_FIXED,
		  fd, 0));
	shows("not continued", room, 6);
	mapped("grow over both", mremap(room, 4 * page, 8 * page,
					MREMAP_MAYMOVE));
	close(fd);
}

int main(void)
{
	begin();
	splits();
	merges();
	moved_back();
	files();
	return 0;
}
