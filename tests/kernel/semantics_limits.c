/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "semantics.h"

/* RLIMIT_AS and RLIMIT_DATA, and what comes before them. */

/* Return a figure of /proc/self/status in bytes. */
static size_t figure(const char *key)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	size_t value = 0;

	CHECK(file != NULL);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtoul(line + strlen(key) + 1, NULL, 10);
	fclose(file);
	return value << 10;
}

static void limit_to(int resource, size_t bytes)
{
	struct rlimit limit;

	CHECK_IS(getrlimit(resource, &limit), 0);
	limit.rlim_cur = bytes;
	CHECK_IS(setrlimit(resource, &limit), 0);
}

/* Return how many single pages can be mapped from page n on. */
static size_t count_pages(const struct caller *c, size_t n, int prot, int flags)
{
	size_t count = 0;

	while (count < 4096 &&
	       try_map(c, at(c, n + 2 * count), 1, prot, flags) >= 0)
		count++;
	return count;
}

static void addresses_are_counted_to_the_page(const struct caller *c)
{
	char *p = map(c, 16, 8, RW);

	limit_to(RLIMIT_AS, figure("VmSize:") + pages(c, 100));
	CHECK_IS(try_map(c, at(c, 1024), 101, PROT_NONE, ANON), -ENOMEM);
	CHECK_IS(count_pages(c, 1024, PROT_NONE, ANON), 100);
	CHECK_IS(c->mremap(c, p, pages(c, 8), pages(c, 9), MREMAP_MAYMOVE, NULL),
		 -ENOMEM);
	CHECK_IS(c->munmap(c, at(c, 1024), c->page), 0);
	CHECK_IS(c->mremap(c, p, pages(c, 8), pages(c, 9), 0, NULL), p);
	CHECK_IS(try_map(c, at(c, 1024), 1, PROT_NONE, ANON), -ENOMEM);
	CHECK_IS(c->mmap(c, NULL, c->page, RW, SHARED_ANON, -1, 0), -ENOMEM);
}

static void what_is_replaced_is_not_counted_twice(const struct caller *c)
{
	(void)map(c, 16, 64, RW);
	limit_to(RLIMIT_AS, figure("VmSize:") + pages(c, 16));
	CHECK_IS(c->mmap(c, at(c, 16), pages(c, 64), PROT_READ,
			 ANON | MAP_FIXED, -1, 0), at(c, 16));
	CHECK_IS(c->mmap(c, at(c, 16), pages(c, 81), PROT_READ,
			 ANON | MAP_FIXED, -1, 0), -ENOMEM);
	CHECK_IS(prot_at(c, at(c, 16)), PROT_READ);
	CHECK_IS(c->mmap(c, at(c, 16), pages(c, 80), PROT_READ,
			 ANON | MAP_FIXED, -1, 0), at(c, 16));
}

/* A limit that is set again counts what is mapped already. */
static void a_new_limit_counts_anew(const struct caller *c)
{
	limit_to(RLIMIT_AS, figure("VmSize:") + pages(c, 100));
	CHECK_IS(count_pages(c, 1024, PROT_NONE, ANON), 100);
	limit_to(RLIMIT_AS, RLIM_INFINITY);
	(void)map(c, 16, 500, PROT_NONE);
	limit_to(RLIMIT_AS, figure("VmSize:") + pages(c, 50));
	CHECK_IS(c->munmap(c, at(c, 16), pages(c, 7)), 0);
	CHECK_IS(count_pages(c, 2048, PROT_NONE, ANON), 57);
}

static void growth_is_counted_to_the_page(const struct caller *c)
{
	char *p = map(c, 16, 8, RW);
	size_t now = 8;

	/* Let the space's records grow now, while there is no limit. */
	for (; now < 16; now++)
		CHECK_IS(c->mremap(c, p, pages(c, now), pages(c, now + 1), 0,
				   NULL), p);
	limit_to(RLIMIT_AS, figure("VmSize:") + pages(c, 40));
	CHECK_IS(count_pages(c, 4096, PROT_NONE, ANON), 40);
	CHECK_IS(c->mremap(c, p, pages(c, now), pages(c, now + 1), 0, NULL),
		 -ENOMEM);
	CHECK_IS(c->munmap(c, at(c, 4096), pages(c, 40)), 0);
	for (size_t i = 0; i < 20; i++, now++)
		CHECK_IS(c->mremap(c, p, pages(c, now), pages(c, now + 1), 0,
				   NULL), p);
	CHECK_IS(c->mremap(c, p, pages(c, now), pages(c, now + 1), 0, NULL),
		 -ENOMEM);
	CHECK_IS(c->mremap(c, p, pages(c, now), pages(c, now - 5), 0, NULL), p);
	CHECK_IS(c->mremap(c, p, pages(c, now - 5), pages(c, now), 0, NULL), p);
	CHECK_IS(c->mremap(c, p, pages(c, now), pages(c, now),
			   MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL), -ENOMEM);
}

static void data_is_private_and_writable(const struct caller *c)
{
	char *p = map(c, 16, 8, PROT_READ);

	limit_to(RLIMIT_DATA, figure("VmData:") + pages(c, 100));
	CHECK_IS(try_map(c, at(c, 1024), 101, RW, ANON), -ENOMEM);
	CHECK_IS(try_map(c, at(c, 1024), 101, RW, ANON | MAP_NORESERVE),
		 -ENOMEM);
	CHECK_IS(count_pages(c, 1024, PROT_WRITE, ANON), 100);
	CHECK_IS(try_map(c, at(c, 512), 1, RW, ANON), -ENOMEM);
	CHECK_IS(try_map(c, at(c, 512), 100, PROT_READ, ANON), at(c, 512));
	CHECK(c->mmap(c, NULL, pages(c, 100), RW, SHARED_ANON, -1, 0) >= 0);
	CHECK_IS(c->mprotect(c, p, c->page, RW), -ENOMEM);
	CHECK_IS(c->mremap(c, at(c, 1024), c->page, pages(c, 2), MREMAP_MAYMOVE,
			   NULL), -ENOMEM);
	CHECK_IS(c->mremap(c, p, pages(c, 8), pages(c, 16), MREMAP_MAYMOVE,
			   NULL), p);
	CHECK_IS(c->munmap(c, at(c, 1024), c->page), 0);
	CHECK_IS(c->mprotect(c, p, c->page, RW), 0);
	CHECK_IS(c->mprotect(c, p + c->page, c->page, RW), -ENOMEM);
}

/* The limit also holds for addresses whose memory was just given back. */
static void data_of_reused_addresses(const struct caller *c)
{
	limit_to(RLIMIT_DATA, figure("VmData:") + pages(c, 100));
	for (int i = 0; i < 4; i++) {
		intptr_t p = c->mmap(c, NULL, pages(c, 80), RW, ANON, -1, 0);

		CHECK(p >= 0);
		CHECK_IS(c->mmap(c, NULL, pages(c, 80), RW, ANON, -1, 0),
			 -ENOMEM);
		CHECK_IS(c->munmap(c, (void *)p, pages(c, 80)), 0);
	}
}

static void data_limit_0_means_the_break(const struct caller *c)
{
	struct rlimit limit = { 0, RLIM_INFINITY };

	CHECK_IS(setrlimit(RLIMIT_DATA, &limit), 0);
	CHECK_IS(try_map(c, at(c, 16), 8, RW, ANON), at(c, 16));
	limit.rlim_max = 0;
	CHECK_IS(setrlimit(RLIMIT_DATA, &limit), 0);
	CHECK_IS(try_map(c, at(c, 32), 8, RW, ANON), -ENOMEM);
	CHECK_IS(try_map(c, at(c, 32), 8, PROT_READ, ANON), at(c, 32));
}

static void locked_memory_comes_before_room(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	(void)map(c, 20, 1, PROT_NONE);
	CHECK_IS(c->mlock(c, p, pages(c, 4)), 0);
	limit_locked(0);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 5), 0, NULL), -EAGAIN);
	CHECK_IS(c->mremap(c, p, pages(c, 2), pages(c, 3), 0, NULL), -EAGAIN);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 5), MREMAP_MAYMOVE, NULL),
		 -EAGAIN);
	CHECK_IS(c->munmap(c, at(c, 20), c->page), 0);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 5), 0, NULL), -EAGAIN);
	CHECK_IS(c->mremap(c, p, pages(c, 4), pages(c, 4),
			   MREMAP_MAYMOVE | MREMAP_FIXED, at(c, 64)),
		 at(c, 64));
}

/* A move keeps memory locked, and it counts once. */
static void the_lock_limit_comes_before_the_end(const struct caller *c)
{
	char *p = map(c, 16, 4, RW);

	CHECK_IS(c->mlock(c, p, -c->page), -EINVAL);
	limit_locked(8 * c->page);
	CHECK_IS(c->mlock(c, p, -c->page), -ENOMEM);
	CHECK_IS(c->munlock(c, p, -c->page), -EINVAL);
}

static void moved_locks_are_counted_once(const struct caller *c)
{
	size_t before = figure("VmLck:");
	char *p = map(c, 16, 4, RW);

	CHECK_IS(c->mlock(c, p, pages(c, 4)), 0);
	for (size_t i = 0; i < 4; i++)
		CHECK_IS(c->mremap(c, at(c, 16 + 64 * i), pages(c, 4),
				   pages(c, 4), MREMAP_MAYMOVE | MREMAP_FIXED,
				   at(c, 80 + 64 * i)), at(c, 80 + 64 * i));
	CHECK_IS(figure("VmLck:") - before, pages(c, 4));
	CHECK_IS(c->munmap(c, at(c, 272), pages(c, 4)), 0);
	CHECK_IS(figure("VmLck:") - before, 0);
}

/*
 * These are raw calls, since a sanitizer's do nothing. Memory is locked when it is
 * touched: a sanitizer has more addresses than memory.
 */
static void locks_of_the_process_are_seen(const struct caller *c)
{
	char *p = map(c, 16, 2, RW);
	size_t now = 2;

	CHECK_IS(c->mlock(c, p, pages(c, 2)), 0);
	CHECK_IS(syscall(SYS_munlockall), 0);
	CHECK_IS(c->mremap(c, p, pages(c, 2), pages(c, 4), 0, NULL), p);
	CHECK_IS(figure("VmLck:"), 0);
	for (now = 4; now < 8; now++)
		CHECK_IS(c->mremap(c, p, pages(c, now), pages(c, now + 1), 0,
				   NULL), p);
	CHECK_IS(figure("VmLck:"), 0);
	CHECK_IS(syscall(SYS_mlockall, MCL_CURRENT | MCL_ONFAULT), 0);
	CHECK_IS(c->mremap(c, p, pages(c, 8), pages(c, 9), 0, NULL), p);
	CHECK_IS(host_flag_at(p + pages(c, 8), "lo"), 1);
	CHECK_IS(c->mremap(c, p, pages(c, 9), pages(c, 900), 0, NULL), p);
	CHECK_IS(host_flag_at(p + pages(c, 899), "lo"), 1);
	CHECK_IS(syscall(SYS_munlockall), 0);
	CHECK_IS(c->mremap(c, p, pages(c, 900), pages(c, 901), 0, NULL), p);
	CHECK_IS(host_flag_at(p + pages(c, 900), "lo"), 0);
}

/* Seals and bad arguments are reported before a limit. */
static void limits_come_last(const struct caller *c)
{
	struct rlimit limit = { 0, 0 };

	need_mseal();
	(void)map(c, 16, 4, RW);
	CHECK_IS(c->mseal(c, at(c, 16), pages(c, 4), 0), 0);
	CHECK_IS(setrlimit(RLIMIT_AS, &limit), 0);
	CHECK_IS(c->mmap(c, at(c, 16), pages(c, 8), RW, ANON | MAP_FIXED, -1, 0),
		 -EPERM);
	CHECK_IS(c->mremap(c, at(c, 16), pages(c, 4), pages(c, 8),
			   MREMAP_MAYMOVE, NULL), -EPERM);
	CHECK_IS(c->mmap(c, NULL, pages(c, 8), RW, MAP_PRIVATE, -1, 0), -EBADF);
	CHECK_IS(c->mmap(c, NULL, pages(c, 8), RW, ANON, -1, 0), -ENOMEM);
}

static size_t map_count_limit(void)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
	size_t value = 0;

	CHECK(file && fscanf(file, "%zu", &value) == 1);
	fclose(file);
	return value;
}

static size_t window_of_holes(void)
{
	size_t limit = map_count_limit();

	if (limit > 1000000)
		SKIP("vm.max_map_count is higher than a test can fill");
	return 2 * limit * (size_t)sysconf(_SC_PAGESIZE);
}

/*
 * Holes in memory without rights, up to two thirds of the map-count limit: each
 * costs the kernel one mapping, and a space no more.
 */
static void holes_in_untouched_memory(const struct caller *c)
{
	size_t holes = map_count_limit() / 3 * 2;

	CHECK_IS(c->mmap(c, at(c, 0), pages(c, 2 * holes), PROT_NONE,
			 ANON | MAP_NORESERVE | MAP_FIXED, -1, 0), at(c, 0));
	for (size_t i = 0; i < holes; i++)
		CHECK_IS(c->munmap(c, at(c, 2 * i), c->page), 0);
	CHECK_IS(mapped_at(c, at(c, 2 * holes - 2)), 0);
	CHECK_IS(mapped_at(c, at(c, 2 * holes - 1)), 1);
	/* A hole is unmapped, and memory mapped there is new. */
	CHECK_IS(try_map(c, at(c, 2 * holes - 2), 1, RW, ANON | MAP_FIXED),
		 at(c, 2 * holes - 2));
	CHECK_IS(poke(at(c, 2 * holes - 2), 1), 0);
	CHECK_IS(peek(at(c, 2 * holes - 4)), -SIGSEGV);
}

#define S "limits: "

static const struct semantics_case cases[] = {
	CASE(addresses_are_counted_to_the_page, S "RLIMIT_AS, to the page"),
	CASE(what_is_replaced_is_not_counted_twice,
	     S "RLIMIT_AS: FIXED counts the net"),
	CASE(a_new_limit_counts_anew, S "RLIMIT_AS that is set again"),
	CASE(growth_is_counted_to_the_page,
	     S "RLIMIT_AS: growth; DONTUNMAP counts twice"),
	CASE(data_is_private_and_writable,
	     S "RLIMIT_DATA: private writable memory, to the page"),
	CASE(data_of_reused_addresses, S "RLIMIT_DATA: memory used again"),
	CASE(data_limit_0_means_the_break,
	     S "RLIMIT_DATA of 0 with a higher hard limit"),
	CASE(locked_memory_comes_before_room,
	     S "EAGAIN: the locked-memory limit comes before room"),
	CASE(the_lock_limit_comes_before_the_end,
	     S "mlock: the limit comes before a length that wraps"),
	CASE(moved_locks_are_counted_once, S "locks of moved memory"),
	CASE(locks_of_the_process_are_seen,
	     S "mlockall and munlockall decide on growth"),
	CASE_IN(holes_in_untouched_memory, window_of_holes,
		S "vm.max_map_count: holes in untouched PROT_NONE memory"),
	CASE(limits_come_last, S "seals and bad arguments come first"),
};

SEMANTICS_MAIN(cases)
