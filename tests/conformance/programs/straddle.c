/* SPDX-License-Identifier: MIT */
#include "../../outcome.h"

#include <fcntl.h>

/*
 * Ranges across a border of the space: 8 pages on each side of it. Bare, the
 * border is an address like any other.
 */

#define SIDE ((size_t)8)

static char *border;

/* What the library says about its space, in the file that compare.sh names. */
static bool space_range(uintptr_t *start, uintptr_t *end)
{
	const char *path = getenv("VMSPACE_REHOME_STATS");
	FILE *file = path ? fopen(path, "r") : NULL;
	bool found = false;
	char line[256];
	int pid;

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "vmspace-rehome: pid %d space %lx-%lx",
			       &pid, start, end) == 3 && pid == getpid();
	if (file)
		fclose(file);
	return found;
}

enum side { LOW, HIGH };

/*
 * A border with free pages on both sides. The low one has them; above the high
 * one there may be the libraries, in which case a place for the high end is
 * refused and the low one is tried twice.
 */
static void find_border(enum side side)
{
	uintptr_t start, end;
	char *area;

	if (!space_range(&start, &end)) {
		area = must(mmap(NULL, 1024 * page, PROT_NONE, ANON, -1, 0));
		munmap(area, 1024 * page);
		border = area + 512 * page;
		return;
	}
	border = (char *)(side == LOW ? start : end);

	char *outside = side == LOW ? border - SIDE * page : border;

	area = mmap(outside, SIDE * page, PROT_NONE,
		    ANON | MAP_FIXED_NOREPLACE, -1, 0);
	if (area != MAP_FAILED) {
		/* No room there for the library's own records. */
		mmap(side == LOW ? outside - page : outside + SIDE * page, page,
		     PROT_NONE, ANON | MAP_FIXED_NOREPLACE, -1, 0);
		munmap(area, SIDE * page);
		return;
	}
	border = (char *)start;
	fprintf(stderr, "the high border has neighbours: the low one again\n");
}

static char *at(long pages)
{
	return border + pages * (long)page;
}

static void clear(void)
{
	if (munmap(at(-(long)SIDE), 2 * SIDE * page))
		perror("munmap of both sides");
}

/* Private memory on both sides, made by two calls. */
static void fill(void)
{
	must(mmap(at(-4), 4 * page, RW, ANON | MAP_FIXED, -1, 0));
	must(mmap(at(0), 4 * page, RW, ANON | MAP_FIXED, -1, 0));
	for (long i = -4; i < 4; i++)
		memset(at(i), (int)('A' + i + 4), page);
}

static void show(const char *name)
{
	char text[2 * SIDE + 1];

	for (long i = 0; i < 2 * (long)SIDE; i++) {
		const char *seen = touch(at(i - (long)SIDE), false);

		text[i] = *seen == 'S' ? '.' : (char)atoi(seen);
		if (text[i] == '\0')
			text[i] = '0';
	}
	text[2 * SIDE] = '\0';
	say(name, "%s", text);
}

static void unmapping(void)
{
	fill();
	outcome("munmap across", munmap(at(-2), 3 * page));
	show("after munmap");
	outcome("munmap of nothing across", munmap(at(-2), 3 * page));
	outcome("munmap unaligned across", munmap(at(-3) + 1, 5 * page));
	outcome("munmap past the end of addresses",
		munmap(at(-3), (size_t)1 << 62));
	outcome("munmap wrapping", munmap(at(-3), SIZE_MAX - 2 * page));
	show("as it was");
	clear();
}

static void sealing(enum side side)
{
	pid_t child = fork();

	if (child) {
		ended("sealing", child);
		return;
	}
	fill();
	outcome("seal over a hole", syscall(SYS_mseal, at(-1), 6 * page, 0L));
	outcome("still open", mprotect(at(-1), page, RW));
	outcome("seal the page below", syscall(SYS_mseal, at(-1), page, 0L));
	outcome("munmap of a seal below", munmap(at(-3), 5 * page));
	show("nothing unmapped");
	outcome("seal the page above", syscall(SYS_mseal, at(2), page, 0L));
	outcome("munmap of a seal above", munmap(at(0), 4 * page));
	mapped("map over a seal", mmap(at(-3), 6 * page, RW, ANON | MAP_FIXED,
				       -1, 0));
	show("nothing replaced");
	outcome("mprotect up to a seal", mprotect(at(0), 4 * page, PROT_READ));
	outcome("seal across", syscall(SYS_mseal, at(-1), 2 * page, 0L));
	outcome("sealed across", munmap(at(0), page));
	_exit(side);
}

static void protecting(void)
{
	fill();
	outcome("mprotect across", mprotect(at(-2), 4 * page, PROT_READ));
	writes("below is read-only", at(-1));
	writes("above is read-only", at(1));
	outcome("mprotect back", mprotect(at(-2), 4 * page, RW));
	outcome("mprotect unaligned", mprotect(at(-2) + 8, 4 * page, RW));
	outcome("mprotect bad bits", mprotect(at(-2), 4 * page, 0x100));
	outcome("mprotect of a stack", mprotect(at(-2), 4 * page,
						RW | PROT_GROWSDOWN));
	outcome("pkey_mprotect across",
		pkey_mprotect(at(-2), 4 * page, PROT_READ, -1));
	writes("above again", at(1));
	outcome("mprotect wraps", mprotect(at(-2), SIZE_MAX - page, RW));
	munmap(at(-2), page);
	outcome("mprotect with a hole below", mprotect(at(-3), 6 * page,
						       PROT_NONE));
	reads("before the hole is changed", at(-3));
	reads("behind the hole is not", at(-1));
	munmap(at(1), page);
	outcome("mprotect with a hole above", mprotect(at(-1), 4 * page,
						       PROT_NONE));
	reads("before it is changed", at(0));
	reads("behind it is not", at(2));
	clear();
}

static void advising(void)
{
	fill();
	outcome("madvise across", madvise(at(-1), 2 * page, MADV_DONTNEED));
	show("dontneed");
	munmap(at(-3), page);
	outcome("madvise over a hole below", madvise(at(-4), 7 * page,
						     MADV_DONTNEED));
	show("goes on");
	outcome("madvise unknown", madvise(at(-1), 2 * page, 999));
	outcome("madvise unaligned", madvise(at(-1) + 1, 2 * page,
					     MADV_NORMAL));
	outcome("madvise wraps", madvise(at(-1), SIZE_MAX - page, MADV_NORMAL));
	say("posix_madvise over a hole", "%d",
	    posix_madvise(at(-4), 6 * page, POSIX_MADV_WILLNEED));
	outcome("populate across", madvise(at(-1), 3 * page,
					   MADV_POPULATE_WRITE));
	outcome("populate over a hole below", madvise(at(-4), 7 * page,
						      MADV_POPULATE_READ));
	mlock(at(1), page);
	outcome("dontneed up to locked memory", madvise(at(-1), 4 * page,
							MADV_DONTNEED));
	clear();
}

static void syncing_and_looking(void)
{
	unsigned char vector[9];

	fill();
	outcome("msync across", msync(at(-2), 4 * page, MS_SYNC));
	outcome("msync of both kinds", msync(at(-2), 4 * page,
					     MS_SYNC | MS_ASYNC));
	outcome("msync over a hole", msync(at(-6), 8 * page, MS_ASYNC));
	madvise(at(-1), 2 * page, MADV_DONTNEED);
	memset(vector, 7, sizeof(vector));
	outcome("mincore across", mincore(at(-4), 8 * page, vector));
	say("mincore says", "%d%d%d%d%d%d%d%d%d", vector[0], vector[1],
	    vector[2], vector[3], vector[4], vector[5], vector[6], vector[7],
	    vector[8]);
	outcome("mincore over a hole", mincore(at(-1), 8 * page, vector));
	outcome("mincore unaligned", mincore(at(-1) + 2, page, vector));
	outcome("mincore odd length", mincore(at(-1), page + 1, vector));
	clear();
}

static void locking(void)
{
	fill();
	outcome("mlock across", mlock(at(-1) + 100, page));
	outcome("msync of locked below", msync(at(-1), page, MS_INVALIDATE));
	outcome("msync of locked above", msync(at(0), page, MS_INVALIDATE));
	outcome("msync of the rest", msync(at(1), page, MS_INVALIDATE));
	outcome("munlock across", munlock(at(-1), 2 * page));
	outcome("msync unlocked", msync(at(-1), 2 * page, MS_INVALIDATE));
	outcome("mlock2 across", mlock2(at(-1), 2 * page, MLOCK_ONFAULT));
	outcome("mlock2 bad flag", mlock2(at(-1), 2 * page, 64));
	outcome("munlock over a hole", munlock(at(-1), 7 * page));
	outcome("mlock over a hole", mlock(at(-1), 7 * page));
	clear();
}

static void mapping(void)
{
	int fd = lettered_file(10);

	mapped_at("map a file across", mmap(at(-2), 5 * page, RW, MAP_SHARED |
					    MAP_FIXED, fd, (off_t)page),
		  at(-2));
	show("file");
	*at(-1) = 'X';
	*at(1) = 'Y';

	char text[2];

	outcome("read back below", pread(fd, text, 1, (off_t)(2 * page)));
	outcome("read back above", pread(fd, text + 1, 1, (off_t)(4 * page)));
	say("written through", "%c%c", text[0], text[1]);
	mapped_at("replace it", mmap(at(-3), 5 * page, PROT_READ, MAP_PRIVATE |
				     MAP_FIXED, fd, (off_t)(5 * page)), at(-3));
	show("replaced");
	writes("read-only below", at(-2));
	writes("read-only above", at(1));
	mapped("noreplace over both", mmap(at(-5), 8 * page, RW, ANON |
					   MAP_FIXED_NOREPLACE, -1, 0));
	munmap(at(-3), 3 * page);
	mapped("noreplace over what is above",
	       mmap(at(-5), 8 * page, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	reads("nothing is left below", at(-5));
	clear();
	mapped_at("noreplace", mmap(at(-5), 8 * page, RW, ANON |
				    MAP_FIXED_NOREPLACE, -1, 0), at(-5));
	show("zero");
	mapped("bad descriptor", mmap(at(-2), 4 * page, RW, MAP_SHARED |
				      MAP_FIXED, -1, 0));
	mapped("unaligned", mmap(at(-2) + 1, 4 * page, RW, ANON | MAP_FIXED, -1,
				 0));
	mapped("offset unaligned", mmap(at(-2), 4 * page, RW, MAP_SHARED |
					MAP_FIXED, fd, 1));
	show("kept");
	clear();
	close(fd);
}

/* One object, whatever side its pages are on. */
static void one_mapping(void)
{
	char *alias;

	mapped_at("shared anonymous across",
		  mmap(at(-2), 4 * page, RW, SHARED_ANON | MAP_FIXED, -1, 0),
		  at(-2));
	for (long i = -2; i < 2; i++)
		memset(at(i), (int)('s' + i), page);
	alias = mremap(at(1), 0, page, MREMAP_MAYMOVE);
	mapped("alias of a page above", alias);
	reads("alias shows", alias);
	alias = mremap(at(-2), 0, 4 * page, MREMAP_MAYMOVE);
	mapped("alias of all", alias);
	must(alias);
	say("alias holds", "%c%c%c%c", alias[0], alias[page], alias[2 * page],
	    alias[3 * page]);
	*at(0) = 'Z';
	say("alias follows", "%c", alias[2 * page]);
	clear();
}

static void resizing(void)
{
	char *moved;

	fill();
	mapped_at("same size", mremap(at(-2), 4 * page, 4 * page, 0), at(-2));
	mapped_at("same size, may move",
		  mremap(at(-2), 4 * page, 4 * page, MREMAP_MAYMOVE), at(-2));
	mapped("not mapped", mremap(at(-6), 8 * page, 8 * page, 0));
	mapped_at("shrink across", mremap(at(-2), 5 * page, page, 0), at(-2));
	show("shrunk");
	mapped("bad flag", mremap(at(-3), 5 * page, page, 64));
	mapped("to 0", mremap(at(-3), 5 * page, 0, 0));
	mapped("unaligned", mremap(at(-3) + 1, 5 * page, page, 0));
	clear();

	must(mmap(at(-3), 6 * page, RW, ANON | MAP_FIXED, -1, 0));
	for (long i = -3; i < 3; i++)
		memset(at(i), (int)('a' + i + 3), page);
	mapped_at("grow one mapping in place", mremap(at(-3), 6 * page,
						      7 * page, 0), at(-3));
	show("grown");
	must(mmap(at(4), page, PROT_READ, ANON | MAP_FIXED, -1, 0));
	mapped("grow blocked", mremap(at(-3), 7 * page, 9 * page, 0));
	moved = mremap(at(-3), 7 * page, 9 * page, MREMAP_MAYMOVE);
	mapped("grow by moving", moved);
	must(moved);
	say("moved", "%c%c%d%d", moved[0], moved[5 * page], moved[6 * page],
	    moved[8 * page]);
	show("left behind");
	munmap(moved, 9 * page);
	clear();

	must(mmap(at(-2), 2 * page, RW, ANON | MAP_FIXED, -1, 0));
	must(mmap(at(0), 2 * page, PROT_READ, ANON | MAP_FIXED, -1, 0));
	mapped("grow two mappings", mremap(at(-2), 4 * page, 6 * page,
					   MREMAP_MAYMOVE));
	clear();
}

static void moving(void)
{
	char *inside = anonymous(12);
	char *outside = must(mmap((void *)0x40000000, 12 * page, RW, ANON |
				  MAP_FIXED, -1, 0));
	int fixed = MREMAP_MAYMOVE | MREMAP_FIXED;

	for (int i = 0; i < 12; i++) {
		memset(inside + (size_t)i * page, 'i' + i, page);
		memset(outside + (size_t)i * page, 'A' + i, page);
	}
	mapped_at("out", mremap(inside, page, page, fixed, at(-8)), at(-8));
	mapped_at("in", mremap(outside, page, page, fixed, at(7)), at(7));
	mapped_at("out and grow", mremap(inside + page, page, 2 * page, fixed,
					 at(-7)), at(-7));
	mapped_at("in and grow", mremap(outside + page, page, 2 * page, fixed,
					at(5)), at(5));
	mapped_at("out and shrink", mremap(inside + 2 * page, 2 * page, page,
					   fixed, at(-5)), at(-5));
	show("moved across");
	reads("shrunk source", inside + 3 * page);
	mapped_at("inside to both", mremap(inside + 4 * page, 4 * page,
					   4 * page, fixed, at(-2)), at(-2));
	mapped_at("outside to both", mremap(outside + 4 * page, 2 * page,
					    2 * page, fixed, at(-1)), at(-1));
	show("moved to both");
	if (kernel_moves_several()) {
		mapped_at("both to inside",
			  mremap(at(-2), 4 * page, 4 * page, fixed, inside),
			  inside);
		say("arrived", "%c%c%c%c", inside[0], inside[page],
		    inside[2 * page], inside[3 * page]);
	}
	mapped_at("grow to both", mremap(inside + 8 * page, page, 4 * page,
					 fixed, at(-2)), at(-2));
	show("grown to both");
	mapped_at("shrink to both", mremap(inside + 9 * page, 3 * page,
					   2 * page, fixed, at(-1)), at(-1));
	show("shrunk to both");
	mapped("overlap", mremap(at(-1), 2 * page, 2 * page, fixed, at(0)));
	mapped("without may move", mremap(at(-1), 2 * page, 2 * page,
					  MREMAP_FIXED, inside));
	mapped("target unaligned", mremap(at(-1), 2 * page, 2 * page, fixed,
					  inside + 1));
	mapped("target too high", mremap(at(-1), 2 * page, 2 * page, fixed,
					 (void *)(UINTPTR_MAX - 4 * page + 1)));
	clear();
	munmap(inside, 12 * page);
	munmap(outside, 12 * page);
}

static void keeping_the_source(void)
{
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
	char *inside = anonymous(2);
	char *outside = must(mmap((void *)0x40000000, 2 * page, RW, ANON |
				  MAP_FIXED, -1, 0));
	char *moved;

	memset(inside, 'i', 2 * page);
	memset(outside, 'o', 2 * page);
	mapped_at("dontunmap out", mremap(inside, page, page, flags, at(-2)),
		  at(-2));
	mapped_at("dontunmap in", mremap(outside, page, page, flags, at(1)),
		  at(1));
	show("moved");
	reads("source inside reads", inside);
	reads("source outside reads", outside);
	mapped_at("dontunmap hint out",
		  mremap(inside + page, page, page, MREMAP_MAYMOVE |
			 MREMAP_DONTUNMAP, at(-4)), at(-4));
	mapped_at("dontunmap hint in",
		  mremap(outside + page, page, page, MREMAP_MAYMOVE |
			 MREMAP_DONTUNMAP, at(3)), at(3));
	show("followed hints");
	clear();
	must(mmap(at(-1), 2 * page, RW, ANON | MAP_FIXED, -1, 0));
	*at(-1) = 'l';
	*at(0) = 'h';
	moved = mremap(at(-1), 2 * page, 2 * page, MREMAP_MAYMOVE |
		       MREMAP_DONTUNMAP, NULL);
	mapped("dontunmap of both", moved);
	must(moved);
	say("moved both", "%c%c", moved[0], moved[page]);
	/* It may lie beside the border. */
	munmap(moved, 2 * page);
	show("source of both");
	clear();
	munmap(inside, 2 * page);
	munmap(outside, 2 * page);
}

/* The limit of locked memory is for the whole range. */
static void locking_at_the_limit(void)
{
	pid_t child = fork();

	if (child) {
		ended("lock at the limit", child);
		return;
	}
	fill();
	if (setuid(65534))
		_exit(99);
	outcome("limit allows", mlock(at(-1), 2 * page));

	struct { unsigned long soft, hard; } limit = { 3 * page, 3 * page };

	syscall(SYS_prlimit64, 0L, 7L + 1L, &limit, NULL);
	outcome("limit refuses", mlock(at(-3), 6 * page));
	outcome("first page not locked", msync(at(-3), page, MS_INVALIDATE));
	_exit(0);
}

int main(void)
{
	begin();
	for (enum side side = LOW; side <= HIGH; side++) {
		find_border(side);
		unmapping();
		sealing(side);
		protecting();
		advising();
		syncing_and_looking();
		locking();
		mapping();
		one_mapping();
		resizing();
		moving();
		keeping_the_source();
		locking_at_the_limit();
	}
	return 0;
}
