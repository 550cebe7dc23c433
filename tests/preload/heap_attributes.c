/* SPDX-License-Identifier: MIT */
#include "../outcome.h"

#include <malloc.h>

/*
 * What a program has made of a block's memory is gone when the block is freed:
 * the blocks that come after it are ordinary memory, also in the child of a fork.
 */

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

#ifndef MPOL_PREFERRED
#define MPOL_DEFAULT 0
#define MPOL_PREFERRED 1
#define MPOL_F_ADDR 2
#endif

/* libnuma's, which the program can do without. */
long mbind(void *address, unsigned long length, int mode,
	   const unsigned long *nodes, unsigned long node_count, unsigned flags)
	__attribute__((weak));

static long bind_memory(void *address, size_t length)
{
	const unsigned long nodes = 1;

	if (mbind)
		return mbind(address, length, MPOL_PREFERRED, &nodes, 64, 0);
	return syscall(SYS_mbind, address, length, MPOL_PREFERRED, &nodes, 64,
		       0);
}

static const struct change {
	const char *name;
	enum {
		PROTECT, PROTECT_KEY, ADVISE, LOCK, LOCK_ON_FAULT, BIND,
		MAP_OVER, UNMAP, MOVE_AWAY,
	} call;
	int argument;
} changes[] = {
	{ "read-only", PROTECT, PROT_READ },
	{ "no rights", PROTECT, PROT_NONE },
	{ "executable", PROTECT, PROT_READ | PROT_WRITE | PROT_EXEC },
	{ "read-only by key", PROTECT_KEY, PROT_READ },
	{ "dontfork", ADVISE, MADV_DONTFORK },
	{ "wipeonfork", ADVISE, MADV_WIPEONFORK },
	{ "dontdump", ADVISE, MADV_DONTDUMP },
	{ "mergeable", ADVISE, MADV_MERGEABLE },
	{ "sequential", ADVISE, MADV_SEQUENTIAL },
	{ "random", ADVISE, MADV_RANDOM },
	{ "nohugepage", ADVISE, MADV_NOHUGEPAGE },
	{ "guard", ADVISE, GUARD_INSTALL },
	{ "mlock", LOCK, 0 },
	{ "mlock2", LOCK_ON_FAULT, MLOCK_ONFAULT },
	{ "mbind", BIND, 0 },
	{ "shared memory over it", MAP_OVER, RW },
	{ "nothing over it", MAP_OVER, PROT_NONE },
	{ "unmapped", UNMAP, 0 },
	{ "moved away", MOVE_AWAY, 0 },
};

/* The memory, and not the block, is another one's from then on. */
static long move_away(void *start, size_t length)
{
	void *place = mremap(start, length, length, MREMAP_MAYMOVE);

	if (place == MAP_FAILED)
		return -1;
	/* A host that finds room there may leave it where it is. */
	return place == start ? 0 : munmap(place, length);
}

static long apply(const struct change *change, void *start, size_t length)
{
	switch (change->call) {
	case PROTECT:
		return mprotect(start, length, change->argument);
	case PROTECT_KEY:
		return pkey_mprotect(start, length, change->argument, -1);
	case ADVISE:
		return madvise(start, length, change->argument);
	case LOCK:
		return mlock(start, length);
	case LOCK_ON_FAULT:
		return mlock2(start, length, (unsigned)change->argument);
	case BIND:
		return bind_memory(start, length);
	case MAP_OVER:
		return mmap(start, length, change->argument,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
			start ? 0 : -1;
	case UNMAP:
		return munmap(start, length);
	case MOVE_AWAY:
		return move_away(start, length);
	}
	return -1;
}

/* Whether the program can still write where it has applied a change. */
static bool stays_writable(const struct change *change)
{
	return change->call != PROTECT_KEY && change->call < MAP_OVER &&
		!(change->call == PROTECT &&
		  !(change->argument & PROT_WRITE)) &&
		!(change->call == ADVISE && change->argument == GUARD_INSTALL);
}

/*
 * The marks that smaps has for a range, of those that an ordinary block lacks,
 * as letters of the kernel; and rights that are not rw. Huge pages are the heap's
 * own business, so that advice is none of them.
 */
static void odd_marks(const char *start, size_t length, char *marks)
{
	static const char *const odd[] = { " dc", " wf", " dd", " lo", " mg",
					   " sr", " rr", " ex" };
	char line[1024];
	bool inside = false;
	uintptr_t from, to;
	FILE *file = fopen("/proc/self/smaps", "r");

	marks[0] = '\0';
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2 &&
		    strchr(line, '-'))
			inside = (uintptr_t)start < to &&
				(uintptr_t)start + length > from;
		else if (inside && !strncmp(line, "VmFlags:", 8))
			for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
				if (strstr(line, odd[i]) &&
				    !strstr(marks, odd[i]))
					strcat(marks, odd[i]);
	}
	if (file)
		fclose(file);
}

/* One byte of each page. */
static void fill(char *block, int letter, size_t length)
{
	for (size_t i = 0; i < length; i += page)
		block[i] = (char)letter;
}

static bool is_all(const char *block, int letter, size_t length)
{
	for (size_t i = 0; i < length; i += page)
		if (block[i] != letter)
			return false;
	return true;
}

/* Of a child: what it finds in a block that was filled before the fork. */
static const char *child_finds(const char *block, int letter, size_t length)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(is_all(block, letter, length) ? 0 : 1);
	if (child < 0 || waitpid(child, &status, 0) != child)
		return "no child";
	if (WIFSIGNALED(status))
		return "a signal";
	return WEXITSTATUS(status) == 0 ? "it" : "something else";
}

static int policy_of(void *address)
{
	int mode = -1;

	if (syscall(SYS_get_mempolicy, &mode, NULL, 0, address, MPOL_F_ADDR))
		return -1;
	return mode;
}

static char *block_of(size_t size)
{
	void *block = NULL;

	if (posix_memalign(&block, page, size))
		abort();
	return block;
}

/* That a block is ordinary memory; it is freed. */
static void tell_ordinary(const char *name, char *block, size_t size)
{
	char marks[64];

	fill(block, 'o', size);
	odd_marks(block, size, marks);
	say(name, "marks '%s', policy %d", marks, policy_of(block));
	if (strstr(name, "fork"))
		say(name, "the child finds %s",
		    child_finds(block, 'o', size));
	free(block);
}

/* Two blocks of a size at the same time, so that all freed ones are reused. */
static void tell_next(const char *name, size_t size)
{
	char *blocks[2];

	for (int i = 0; i < 2; i++)
		blocks[i] = block_of(size);
	for (int i = 2; i-- > 0;)
		tell_ordinary(name, blocks[i], size);
}

static const char *label(const struct change *change, const char *what,
			 size_t size)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s, %s of %zu KiB", change->name, what,
		 size / KIB);
	return text;
}

static void free_and_take(const struct change *change, size_t size)
{
	const char *name = label(change, "block", size);
	char *below = block_of(size), *block = block_of(size);
	char *above = block_of(size);
	char marks[64];

	fill(below, 'b', size);
	fill(block, 'x', size);
	fill(above, 'a', size);
	outcome(name, apply(change, block, size));
	free(block);
	/* Its neighbours are as they were. */
	say(name, "neighbours %d %d", is_all(below, 'b', size),
	    is_all(above, 'a', size));
	odd_marks(below, size, marks);
	say(name, "below '%s'", marks);
	odd_marks(above, size, marks);
	say(name, "above '%s'", marks);
	block = block_of(size);
	tell_ordinary(name, block, size);
	block = calloc(1, size);
	say(name, "zero %d", block[1] == 0 && is_all(block, 0, size));
	free(block);
	free(above);
	free(below);
	tell_next(name, size);
}

/* Some pages in the middle only. */
static void change_a_part(const struct change *change, size_t size)
{
	const char *name = label(change, "part", size);
	char *block = block_of(size);

	fill(block, 'x', size);
	outcome(name, apply(change, block + 4 * page, 3 * page));
	say(name, "before %d, after %d", is_all(block, 'x', 4 * page),
	    is_all(block + 7 * page, 'x', size - 7 * page));
	free(block);
	tell_next(name, size);
}

/* A block that grows takes what was done to it along, and then it goes. */
static void grow(const struct change *change, size_t size)
{
	const char *name = label(change, "growth", size);
	char *block = block_of(size), *neighbour = block_of(size);

	fill(block, 'x', size);
	outcome(name, apply(change, block, size));
	for (size_t bytes = size; bytes < 4 * size; bytes *= 2) {
		block = realloc(block, 2 * bytes);
		if (!block)
			abort();
		fill(block + bytes, 'x', bytes);
	}
	say(name, "%s", is_all(block, 'x', 4 * size) ? "kept" : "lost");
	free(block);
	free(neighbour);
	tell_next(name, size);
	tell_next(name, 4 * size);
}

static void shrink(const struct change *change, size_t size)
{
	const char *name = label(change, "shrinking", size);
	char *block = block_of(size);

	fill(block, 'x', size);
	outcome(name, apply(change, block, size));
	block = realloc(block, size / 2);
	say(name, "%s", is_all(block, 'x', size / 2) ? "kept" : "lost");
	free(block);
	tell_next(name, size);
}

/* The child has no such memory, and gives the block back all the same. */
static void free_in_child(const struct change *change, size_t size)
{
	const char *name = label(change, "in the child", size);
	char *block = block_of(size);
	int status;
	pid_t child;

	fill(block, 'x', size);
	outcome(name, apply(change, block, size));
	child = fork();
	if (child == 0) {
		free(block);
		tell_next(name, size);
		_exit(0);
	}
	waitpid(child, &status, 0);
	say(name, "child %d", status);
	free(block);
	tell_next(name, size);
}

/* What is not a block of its own is the program's to restore, and can be. */
static void restore(void)
{
	char *block = block_of(2 * MIB);

	fill(block, 'x', 2 * MIB);
	outcome("protect", mprotect(block, 2 * MIB, PROT_READ));
	outcome("restore", mprotect(block, 2 * MIB, RW));
	say("restored", "%s", is_all(block, 'x', 2 * MIB) ? "kept" : "lost");
	outcome("dontfork", madvise(block, 2 * MIB, MADV_DONTFORK));
	say("dontfork", "the child finds %s",
	    child_finds(block, 'x', 2 * MIB));
	outcome("dofork", madvise(block, 2 * MIB, MADV_DOFORK));
	say("dofork", "the child finds %s", child_finds(block, 'x', 2 * MIB));
	tell_ordinary("fork, restored", block, 2 * MIB);
}

/* Answers of the calls themselves, about memory of the heap. */
static void answers(void)
{
	char *block = block_of(MIB);

	outcome("mprotect odd", mprotect(block + 1, page, PROT_READ));
	outcome("mprotect bits", mprotect(block, page, 0x40000000));
	outcome("madvise odd", madvise(block + 1, page, MADV_DONTFORK));
	outcome("madvise unknown", madvise(block, page, 12345));
	outcome("madvise none", madvise(block, 0, MADV_DONTFORK));
	outcome("mlock wraps", mlock(block, SIZE_MAX - 100));
	outcome("mlock odd", mlock(block + 1, page));
	outcome("munlock", munlock(block, MIB));
	outcome("mlock2 flags", mlock2(block, page, 77));
	errno = 4711;
	outcome("quiet", madvise(block, page, MADV_DONTDUMP));
	say("errno", "%d", errno);
	free(block);
}

int main(void)
{
	static const size_t sizes[] = { 200 * KIB, 2 * MIB };

	page = (size_t)sysconf(_SC_PAGESIZE);
	/* libc maps each block from this size on for itself. */
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		const struct change *change = &changes[i];

		for (size_t j = 0; j < sizeof(sizes) / sizeof(*sizes); j++) {
			free_and_take(change, sizes[j]);
			change_a_part(change, sizes[j]);
			if (change->call == PROTECT || change->call == ADVISE)
				free_in_child(change, sizes[j]);
			if (!stays_writable(change))
				continue;
			shrink(change, sizes[j]);
			/* Many a machine lets no more be locked than 8 MiB. */
			if (change->call != LOCK || sizes[j] < 2 * MIB)
				grow(change, sizes[j]);
		}
	}
	restore();
	answers();
	return 0;
}
