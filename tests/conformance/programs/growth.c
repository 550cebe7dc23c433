/* SPDX-License-Identifier: MIT */
#include "../../outcome.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/uio.h>

/*
 * What a mapping is takes part in its growth: also what only the kernel knows,
 * since the program gave it by other calls than those of mapping.
 */

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#define POLICY_BIND 2
#define POLICY_OF_ADDRESS 2

/* Where and by how much mappings of this test grow. */
#define ROOM ((size_t)4096)

static const struct {
	const char *name;
	size_t from, to; /* pages */
	bool blocked;    /* so that it moves */
	int kind;
} growths[] = {
	{ "by a page", 2, 3, false, ANON },
	{ "by 300 pages", 2, 302, false, ANON },
	{ "by a page, moving", 2, 3, true, ANON },
	{ "shared by a page", 2, 3, false, SHARED_ANON },
	{ "shared, moving", 2, 3, true, SHARED_ANON },
};

/* A mapping of from pages, touched, with room behind it or none. */
static char *begin_growth(unsigned i)
{
	char *room = must(mmap(NULL, ROOM * page, PROT_NONE, ANON, -1, 0));
	char *memory = room + page;

	must(mmap(memory, growths[i].from * page, RW,
		  growths[i].kind | MAP_FIXED, -1, 0));
	memory[0] = 1;
	if (!growths[i].blocked)
		munmap(memory + growths[i].from * page,
		       (ROOM - 1 - growths[i].from) * page);
	return memory;
}

/* Grow, and grow on by single pages where there is room. */
static char *grow(char *memory, unsigned i, size_t *pages)
{
	size_t now = growths[i].to;

	memory = mremap(memory, growths[i].from * page, now * page,
			growths[i].blocked ? MREMAP_MAYMOVE : 0);
	mapped(growths[i].name, memory);
	if (memory == MAP_FAILED)
		exit(1);
	for (int more = 0; more < 5 && !growths[i].blocked; more++, now++)
		if (mremap(memory, now * page, (now + 1) * page, 0) != memory)
			say("step", "%d refused", more);
	*pages = now;
	return memory;
}

/* The VmFlags of the mapping of an address, without those that say nothing. */
static void flags_of(const char *name, const void *address)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	uintptr_t start, end;
	char line[512];
	bool inside = false;

	while (file && fgets(line, sizeof(line), file)) {
		char *no_merge;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (uintptr_t)address >= start &&
				(uintptr_t)address < end;
		if (!inside || strncmp(line, "VmFlags:", 8))
			continue;
		line[strcspn(line, "\n")] = '\0';
		/* Soft-dirty is of the way in which it was grown. */
		no_merge = strstr(line, " sd");
		if (no_merge)
			memmove(no_merge, no_merge + 3, strlen(no_merge + 3) + 1);
		say(name, "%s", line + 8);
	}
	if (file)
		fclose(file);
}

static void end_growth(char *memory, size_t pages)
{
	flags_of("first", memory);
	flags_of("last", memory + (pages - 1) * page);
	munmap(memory, pages * page);
}

/* --- userfaultfd ------------------------------------------------------------------- */

static int open_watch(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int watch = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK |
				 UFFD_USER_MODE_ONLY);

	if (watch >= 0 && ioctl(watch, UFFDIO_API, &api) != 0) {
		close(watch);
		return -1;
	}
	return watch;
}

static void is_watched(int watch, char *address)
{
	struct uffdio_zeropage zero = {
		.range = { (uintptr_t)address, page },
	};

	outcome("zero page", ioctl(watch, UFFDIO_ZEROPAGE, &zero));
}

static void watched(unsigned i)
{
	struct uffdio_register wish = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int watch = open_watch();
	char *memory = begin_growth(i);
	size_t pages;

	if (watch < 0) {
		say("SKIP", "userfaultfd: %s", strerrorname_np(errno));
		return;
	}
	wish.range.start = (uintptr_t)memory;
	wish.range.len = growths[i].from * page;
	outcome("register", ioctl(watch, UFFDIO_REGISTER, &wish));
	memory = grow(memory, i, &pages);
	is_watched(watch, memory + (growths[i].to - 1) * page);
	is_watched(watch, memory + (pages - 1) * page);
	flags_of("first", memory);
	flags_of("last", memory + (pages - 1) * page);
	close(watch);
	munmap(memory, pages * page);
}

/* --- memory policy, names, advice ------------------------------------------------------- */

static void bound(unsigned i)
{
	unsigned long nodes = 1;
	char *memory = begin_growth(i);
	size_t pages;
	int first = -1, last = -1;

	if (syscall(SYS_mbind, memory, growths[i].from * page, POLICY_BIND,
		    &nodes, 8, 0)) {
		say("SKIP", "mbind: %s", strerrorname_np(errno));
		return;
	}
	memory = grow(memory, i, &pages);
	syscall(SYS_get_mempolicy, &first, NULL, 0, memory, POLICY_OF_ADDRESS);
	syscall(SYS_get_mempolicy, &last, NULL, 0, memory + (pages - 1) * page,
		POLICY_OF_ADDRESS);
	say("policies", "%d %d", first, last);
	end_growth(memory, pages);
}

static void advised_from_elsewhere(unsigned i, int advice)
{
	char *memory = begin_growth(i);
	struct iovec range = { memory, growths[i].from * page };
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	size_t pages;

	outcome("process_madvise", syscall(SYS_process_madvise, self, &range, 1,
					   advice, 0));
	close(self);
	memory = grow(memory, i, &pages);
	end_growth(memory, pages);
}

/* Every advice that stays with a mapping, by the library's own call. */
static void advised(unsigned i, int advice)
{
	char *memory = begin_growth(i);
	size_t pages;

	outcome("madvise", madvise(memory, growths[i].from * page, advice));
	memory = grow(memory, i, &pages);
	end_growth(memory, pages);
}

/* By the raw call of another thread of programs: past the library. */
static void named(unsigned i)
{
	char *memory = begin_growth(i);
	size_t pages;

	outcome("name", prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, memory,
			      growths[i].from * page, "growth"));
	memory = grow(memory, i, &pages);
	end_growth(memory, pages);
}

static void plain_kinds(unsigned i)
{
	static const int kinds[] = { 0, MAP_NORESERVE, MAP_LOCKED, MAP_STACK };

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		char *memory = begin_growth(i);
		size_t pages;

		must(mmap(memory, growths[i].from * page, RW,
			  growths[i].kind | MAP_FIXED | kinds[k], -1, 0));
		memory = grow(memory, i, &pages);
		end_growth(memory, pages);
	}
}

/* --- in the child of a fork ---------------------------------------------------------------- */

static void in_a_child(unsigned i)
{
	char *memory = begin_growth(i);
	size_t pages;
	int status;
	pid_t child = fork();

	if (child == 0) {
		memory = grow(memory, i, &pages);
		memory[(pages - 1) * page] = 2;
		reads("first in the child", memory);
		end_growth(memory, pages);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		abort();
	say("child", "%#x", status);
	memory = grow(memory, i, &pages);
	end_growth(memory, pages);
}

/* --- what is behind --------------------------------------------------------------------------- */

/* A program that runs past its mapping faults, and its mapping grows on. */
static void overrun(void)
{
	char *memory = begin_growth(0);
	size_t pages;

	memory = grow(memory, 0, &pages);
	writes("just behind", memory + pages * page);
	writes("further behind", memory + (pages + 40) * page);
	for (int i = 0; i < 100; i++, pages++)
		if (mremap(memory, pages * page, (pages + 1) * page, 0) != memory)
			say("step", "%d refused", i);
	memory[(pages - 1) * page] = 3;
	reads("first", memory);
	mapped("mapped where there was room",
	       mmap(memory + (pages + 10) * page, page, RW,
		    ANON | MAP_FIXED_NOREPLACE, -1, 0));
	mapped("in the way", mremap(memory, pages * page, (pages + 20) * page,
				    0));
	mapped("up to it", mremap(memory, pages * page, (pages + 10) * page, 0));
	outcome("munmap", munmap(memory, (pages + 11) * page));
}

/* Two that grow towards one another. */
static void neighbours(void)
{
	char *low = begin_growth(0), *high = low + 200 * page;
	size_t low_pages = 2, high_pages = 1;
	int refused = 0;

	must(mmap(high, page, RW, ANON | MAP_FIXED, -1, 0));
	for (int i = 0; i < 300; i++) {
		if (mremap(low, low_pages * page, (low_pages + 1) * page, 0) ==
		    low)
			low_pages++;
		else
			refused++;
		if (mremap(high, high_pages * page, (high_pages + 1) * page,
			   0) == high)
			high_pages++;
		else
			refused++;
	}
	say("pages", "%zu %zu, %d refused", low_pages, high_pages, refused);
	outcome("hole", munmap(low + 100 * page, 50 * page));
	mapped("into the hole", mremap(low, 100 * page, 120 * page, 0));
	mapped("past the hole", mremap(low, 120 * page, 160 * page, 0));
	outcome("munmap", munmap(low, 600 * page));
}

int main(void)
{
	static const int advices[] = {
		MADV_SEQUENTIAL, MADV_RANDOM, MADV_DONTFORK, MADV_WIPEONFORK,
		MADV_DONTDUMP, MADV_MERGEABLE, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
	};

	begin();
	for (unsigned i = 0; i < sizeof(growths) / sizeof(growths[0]); i++) {
		plain_kinds(i);
		watched(i);
		bound(i);
		advised_from_elsewhere(i, MADV_SEQUENTIAL);
		advised_from_elsewhere(i, MADV_DONTDUMP);
		for (size_t a = 0; a < sizeof(advices) / sizeof(advices[0]); a++)
			advised(i, advices[a]);
		named(i);
		in_a_child(i);
	}
	overrun();
	neighbours();
	return 0;
}
