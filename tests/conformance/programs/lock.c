/* SPDX-License-Identifier: MIT */
#include "../../outcome.h"

#include <sys/resource.h>

/* Locked memory, with and without a limit. */

/* The value of a line of /proc/self/smaps for the mapping of an address. */
static long smaps_value(const void *address, const char *key)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	uintptr_t start, end;
	char line[512];
	bool inside = false;
	long value = -1;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (uintptr_t)address >= start &&
				(uintptr_t)address < end;
		else if (inside && strncmp(line, key, strlen(key)) == 0)
			value = strtol(line + strlen(key), NULL, 10);
	}
	if (file)
		fclose(file);
	return value;
}

static bool has_flag(const void *address, const char *flag)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	uintptr_t start, end;
	char line[512];
	bool inside = false, found = false;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (uintptr_t)address >= start &&
				(uintptr_t)address < end;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag);
	}
	if (file)
		fclose(file);
	return found;
}

static void seen_in_smaps(void)
{
	char *memory = anonymous(6);

	/* As in layout.c: else what the lock splits may stay split. */
	memory[0] = 1;
	outcome("mlock", mlock(memory + page, 2 * page));
	say("size", "%ld", smaps_value(memory + page, "Size:"));
	say("locked", "%ld", smaps_value(memory + page, "Locked:"));
	say("resident", "%ld", smaps_value(memory + page, "Rss:"));
	say("flag", "%d", has_flag(memory + page, " lo"));
	say("no flag before", "%d", has_flag(memory, " lo"));
	outcome("munlock", munlock(memory + page, 2 * page));
	say("flag gone", "%d", has_flag(memory + page, " lo"));
	outcome("on fault", mlock2(memory, 6 * page, MLOCK_ONFAULT));
	say("not resident yet", "%ld", smaps_value(memory, "Locked:"));
	memory[3 * page] = 1;
	say("one touched", "%ld", smaps_value(memory, "Locked:"));
	outcome("locked over on fault", mlock(memory, 6 * page));
	say("all of it", "%ld", smaps_value(memory, "Locked:"));
	outcome("munmap locked", munmap(memory, 6 * page));
}

static void locked_from_the_start(void)
{
	char *memory = must(mmap(NULL, 4 * page, RW, ANON | MAP_LOCKED, -1, 0));
	unsigned char vector[4];

	mincore(memory, 4 * page, vector);
	say("in memory", "%d%d%d%d", vector[0] & 1, vector[1] & 1,
	    vector[2] & 1, vector[3] & 1);
	outcome("dontneed", madvise(memory, page, MADV_DONTNEED));
	outcome("dontneed locked", madvise(memory, page, MADV_DONTNEED_LOCKED));
	outcome("free", madvise(memory, page, MADV_FREE));
	memory = mremap(memory, 4 * page, 8 * page, MREMAP_MAYMOVE);
	mapped("grown", memory);
	outcome("growth is locked", msync(memory + 7 * page, page,
					  MS_INVALIDATE));
	outcome("munmap", munmap(memory, 8 * page));
}

static void under_a_limit(void)
{
	struct rlimit limit = { 4 * page, 4 * page };
	pid_t child = fork();

	if (child) {
		ended("under a limit", child);
		return;
	}
	if (setrlimit(RLIMIT_MEMLOCK, &limit) || setuid(65534))
		_exit(99);

	char *memory = anonymous(8);

	outcome("too much", mlock(memory, 5 * page));
	outcome("just fits", mlock(memory, 4 * page));
	outcome("again is free", mlock(memory, 4 * page));
	outcome("one more", mlock(memory + 4 * page, page));
	mapped("map locked", mmap(NULL, page, RW, ANON | MAP_LOCKED, -1, 0));
	mapped("grow locked", mremap(memory, 4 * page, 5 * page,
				     MREMAP_MAYMOVE));
	outcome("unlock", munlock(memory, 2 * page));
	outcome("now it fits", mlock(memory + 6 * page, 2 * page));
	outcome("unmap gives back", munmap(memory, 8 * page));
	outcome("all free", mlock(anonymous(4), 4 * page));
	limit.rlim_cur = limit.rlim_max = 0;
	setrlimit(RLIMIT_MEMLOCK, &limit);
	outcome("limit 0", mlock(anonymous(1), page));
	mapped("map locked, limit 0",
	       mmap(NULL, page, RW, ANON | MAP_LOCKED, -1, 0));
	_exit(0);
}

static void wrong(void)
{
	char *memory = anonymous(4);

	munmap(memory + 2 * page, page);
	outcome("over a hole", mlock(memory, 4 * page));
	say("before the hole", "%d", has_flag(memory, " lo"));
	say("behind the hole", "%d", has_flag(memory + 3 * page, " lo"));
	outcome("hole", mlock(memory + 2 * page, page));
	outcome("munlock of a hole", munlock(memory + 2 * page, page));
	outcome("wraps", mlock(memory, SIZE_MAX - page));
	outcome("nothing", mlock(memory, 0));
	outcome("nothing in a hole", mlock(memory + 2 * page, 0));
	outcome("no rights", mlock(must(mmap(NULL, page, PROT_NONE, ANON, -1,
					     0)), page));
	munmap(memory, 4 * page);
}

/* mlockall is not hooked: the host locks all, the space included. */
static void everything(void)
{
	char *memory = anonymous(4);

	outcome("mlockall", mlockall(MCL_CURRENT));
	outcome("dontneed", madvise(memory, page, MADV_DONTNEED));
	outcome("munmap a part", munmap(memory + page, page));
	outcome("its hole", mincore(memory + page, page,
				    (unsigned char *)memory));
	outcome("munlockall", munlockall());
	outcome("dontneed after", madvise(memory, page, MADV_DONTNEED));
	outcome("mlockall future", mlockall(MCL_FUTURE));
	char *later = anonymous(2);
	outcome("later is locked", madvise(later, page, MADV_DONTNEED));
	outcome("munmap later", munmap(later, 2 * page));
	outcome("munlockall again", munlockall());
	later = anonymous(2);
	outcome("later is free", madvise(later, page, MADV_DONTNEED));
	later = mremap(later, 2 * page, 4 * page, MREMAP_MAYMOVE);
	outcome("grown is free", madvise(later, 4 * page, MADV_DONTNEED));
}

int main(void)
{
	begin();
	seen_in_smaps();
	locked_from_the_start();
	under_a_limit();
	wrong();
	everything();
	return 0;
}
