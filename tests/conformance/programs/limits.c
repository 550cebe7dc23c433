/* SPDX-License-Identifier: MIT */
#include "../../outcome.h"

#include <sys/resource.h>

/*
 * RLIMIT_AS, RLIMIT_DATA and RLIMIT_MEMLOCK that a program sets for itself,
 * each in a process of its own.
 */

#define MIB ((size_t)1 << 20)

/* A figure of /proc/self/status, in bytes. */
static size_t status_figure(const char *key)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	size_t value = 0;

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtoul(line + strlen(key) + 1, NULL, 10);
	if (file)
		fclose(file);
	return value * 1024;
}

static void set_limit(int resource, size_t soft)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) == 0) {
		limit.rlim_cur = soft;
		if (setrlimit(resource, &limit) == 0)
			return;
	}
	perror("setrlimit");
	exit(1);
}

/* So many bytes more than are mapped now. */
static void leave_addresses(size_t bytes)
{
	set_limit(RLIMIT_AS, status_figure("VmSize:") + bytes);
}

static void leave_data(size_t bytes)
{
	set_limit(RLIMIT_DATA, status_figure("VmData:") + bytes);
}

static char *try(size_t bytes, int prot, int flags)
{
	return mmap(NULL, bytes, prot, flags, -1, 0);
}

static char *need(size_t bytes, int prot, int flags)
{
	return must(try(bytes, prot, flags));
}

/* Blocks of a MiB until one is refused, at most 64. */
static unsigned count_blocks(int prot, int flags)
{
	unsigned count = 0;

	while (count < 64 && try(MIB, prot, flags) != MAP_FAILED)
		count++;
	return count;
}

static void in_child(void (*body)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		body();
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		abort();
	if (status != 0)
		say("child", "ended with %#x", status);
}

/* --- addresses ------------------------------------------------------------------- */

static void addresses_of_one_mapping(void)
{
	leave_addresses(20 * MIB);
	mapped("too large", try(200 * MIB, PROT_NONE, ANON));
	mapped("too large, shared", try(200 * MIB, RW, SHARED_ANON));
	mapped("fits", try(10 * MIB, PROT_NONE, ANON));
	mapped("the next does not", try(12 * MIB, PROT_READ, ANON));
}

static void addresses_add_up(void)
{
	char *memory;

	leave_addresses(20 * MIB);
	say("blocks", "%u", count_blocks(PROT_NONE, ANON));
	memory = try(MIB, PROT_NONE, ANON);
	mapped("one more", memory);
	set_limit(RLIMIT_AS, RLIM_INFINITY);
	memory = need(30 * MIB, PROT_NONE, ANON);
	leave_addresses(4 * MIB);
	say("blocks with others mapped before", "%u",
	    count_blocks(RW, SHARED_ANON));
	outcome("munmap", munmap(memory, 30 * MIB));
	say("blocks after munmap", "%u", count_blocks(RW, ANON));
}

static void addresses_of_growth(void)
{
	char *memory = need(MIB, RW, ANON), *wall;
	unsigned grown = 0;

	memory[0] = 1;
	leave_addresses(16 * MIB);
	mapped("growth too large",
	       mremap(memory, MIB, 100 * MIB, MREMAP_MAYMOVE));
	while (grown < 64) {
		char *longer = mremap(memory, (grown + 1) * MIB,
				      (grown + 2) * MIB, MREMAP_MAYMOVE);

		if (longer == MAP_FAILED)
			break;
		memory = longer;
		grown++;
	}
	say("grown by", "%u", grown);
	outcome("shrink", mremap(memory, (grown + 1) * MIB, MIB, 0) == memory);
	mapped("growth after it", mremap(memory, MIB, 10 * MIB, MREMAP_MAYMOVE));
	wall = try(20 * MIB, PROT_NONE, ANON);
	mapped("another", wall);
}

static void addresses_of_small_growth(void)
{
	char *memory = must(mmap(NULL, 600 * page, PROT_NONE,
				 ANON | MAP_NORESERVE, -1, 0));
	size_t length = page, steps = 0;

	outcome("room", munmap(memory + page, 599 * page));
	outcome("rights", mprotect(memory, page, RW));
	for (int i = 0; i < 6; i++, length += page)
		if (mremap(memory, length, length + page, 0) != memory)
			say("step", "%d refused", i);
	leave_addresses(40 * page);
	while (steps < 200 && mremap(memory, length, length + page, 0) == memory) {
		steps++;
		length += page;
	}
	/* What the program's own figures take makes this differ a little. */
	say("steps below a limit", "%s", steps > 30 && steps <= 41 ? "as many" :
						"another number");
	mapped("refused", mremap(memory, length, length + page, MREMAP_MAYMOVE));
}

static void addresses_replaced(void)
{
	char *memory = need(8 * MIB, RW, ANON), *other;

	leave_addresses(2 * MIB);
	mapped("replaced", mmap(memory, 8 * MIB, PROT_READ, ANON | MAP_FIXED,
				-1, 0));
	mapped("replaced by rights", mmap(memory, 4 * MIB, RW,
					  SHARED_ANON | MAP_FIXED, -1, 0));
	outcome("part away", munmap(memory + 4 * MIB, 4 * MIB));
	mapped("half replaced", mmap(memory, 8 * MIB, RW, ANON | MAP_FIXED, -1,
				     0));
	mapped("kept twice", mremap(memory, 8 * MIB, 8 * MIB,
				    MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
	other = mremap(memory, MIB, MIB, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	mapped("a MiB kept twice", other);
	mapped("moved", mremap(memory + 4 * MIB, MIB, MIB,
			       MREMAP_MAYMOVE | MREMAP_FIXED, memory));
}

static void addresses_of_an_alias(void)
{
	char *memory = need(8 * MIB, RW, SHARED_ANON);

	leave_addresses(10 * MIB);
	mapped("alias", mremap(memory, 0, 8 * MIB, MREMAP_MAYMOVE));
	mapped("second alias", mremap(memory, 0, 8 * MIB, MREMAP_MAYMOVE));
	mapped("growth", mremap(memory, 8 * MIB, 16 * MIB, MREMAP_MAYMOVE));
}

/* --- data --------------------------------------------------------------------------- */

static void data_of_one_mapping(void)
{
	char *small = need(page, RW, ANON);

	leave_data(8 * MIB);
	mapped("private", try(16 * MIB, RW, ANON));
	mapped("write only", try(16 * MIB, PROT_WRITE, ANON));
	mapped("NORESERVE", try(16 * MIB, RW, ANON | MAP_NORESERVE));
	mapped("growth", mremap(small, page, 16 * MIB, MREMAP_MAYMOVE));
	mapped("read-only", try(16 * MIB, PROT_READ, ANON));
	mapped("shared", try(16 * MIB, RW, SHARED_ANON));
	mapped("grows down", try(16 * MIB, RW, ANON | MAP_GROWSDOWN));
	mapped("small", try(MIB, RW, ANON));
}

static void data_adds_up(void)
{
	leave_data(8 * MIB);
	say("blocks of data", "%u", count_blocks(RW, ANON));
	mapped("a page", try(page, RW, ANON));
	mapped("shared after it", try(16 * MIB, RW, SHARED_ANON));
	mapped("readable after it", try(16 * MIB, PROT_READ, ANON));
}

static void data_by_mprotect(void)
{
	char *memory = need(16 * MIB, PROT_NONE, ANON);
	char *shared = need(16 * MIB, PROT_NONE, SHARED_ANON);

	leave_data(8 * MIB);
	outcome("mprotect of all", mprotect(memory, 16 * MIB, RW));
	outcome("to read", mprotect(memory, 16 * MIB, PROT_READ));
	outcome("of a part", mprotect(memory, 4 * MIB, RW));
	outcome("of the rest", mprotect(memory + 4 * MIB, 12 * MIB, RW));
	outcome("of a shared one", mprotect(shared, 16 * MIB, RW));
	outcome("back", mprotect(memory, 4 * MIB, PROT_NONE));
	outcome("another part", mprotect(memory + 6 * MIB, 4 * MIB, RW));
}

static void data_again_and_again(void)
{
	char *memory;

	leave_data(8 * MIB);
	for (int i = 0; i < 4; i++) {
		memory = try(6 * MIB, RW, ANON);
		mapped("6 MiB", memory);
		mapped("6 MiB more", try(6 * MIB, RW, ANON));
		outcome("munmap", munmap(memory, 6 * MIB));
	}
}

static void data_replaced(void)
{
	char *memory = need(16 * MIB, PROT_READ, ANON);

	leave_data(4 * MIB);
	mapped("data over other memory", mmap(memory, 16 * MIB, RW,
					      ANON | MAP_FIXED, -1, 0));
	mapped("a page after it", try(page, RW, ANON));
	outcome("munmap", munmap(memory, 16 * MIB));
	mapped("a page after munmap", try(page, RW, ANON));
}

static void data_limit_of_nothing(void)
{
	struct rlimit limit = { 0, RLIM_INFINITY };

	setrlimit(RLIMIT_DATA, &limit);
	mapped("limit 0, no hard one", try(MIB, RW, ANON));
	limit.rlim_max = 0;
	setrlimit(RLIMIT_DATA, &limit);
	mapped("limit 0 and hard 0", try(MIB, RW, ANON));
	mapped("read-only with it", try(MIB, PROT_READ, ANON));
}

static void data_of_kept_and_files(void)
{
	char *memory = need(4 * MIB, RW, ANON);
	int fd = lettered_file(4);

	leave_data(2 * MIB);
	mapped("kept twice", mremap(memory, 4 * MIB, 4 * MIB,
				    MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
	mapped("part kept twice", mremap(memory, MIB, MIB,
					 MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
					 NULL));
	mapped("private file", mmap(NULL, 4 * MIB, RW, MAP_PRIVATE, fd, 0));
	mapped("private file to read", mmap(NULL, 4 * MIB, PROT_READ,
					    MAP_PRIVATE, fd, 0));
	mapped("shared file", mmap(NULL, 4 * MIB, PROT_READ, MAP_SHARED, fd, 0));
}

/* --- the order of refusals ------------------------------------------------------------ */

static void order_of_refusals(void)
{
	char *sealed = need(4 * page, RW, ANON);
	char *memory = need(4 * page, RW, ANON);
	int fd = lettered_file(1);
	bool can_seal = syscall(SYS_mseal, sealed, 4 * page, 0L) == 0;

	leave_addresses(MIB);
	mapped("bad descriptor", mmap(NULL, 2 * MIB, RW, MAP_PRIVATE, 777, 0));
	mapped("bad type", mmap(NULL, 2 * MIB, RW, MAP_ANONYMOUS, -1, 0));
	mapped("bad offset", mmap(NULL, 2 * MIB, RW, ANON, -1, 1));
	mapped("past addresses", try(2 * MIB, RW, ANON));
	mapped("bad flags of growth",
	       mremap(memory, 4 * page, 4 * MIB, 0x100 | MREMAP_MAYMOVE));
	mapped("growth across mappings",
	       mremap(memory, 4096 * page, 8192 * page, MREMAP_MAYMOVE));
	mapped("growth of nothing",
	       mremap((char *)page, page, 4 * MIB, MREMAP_MAYMOVE));
	if (can_seal) {
		mapped("over what is sealed",
		       mmap(sealed, 2 * MIB, RW, ANON | MAP_FIXED, -1, 0));
		mapped("growth of what is sealed",
		       mremap(sealed, 4 * page, 4 * MIB, MREMAP_MAYMOVE));
	}
	mapped("growth to a place",
	       mremap(memory, 4 * page, 4 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED,
		      memory + 64 * MIB));
	mapped("alias of private memory",
	       mremap(memory, 0, 4 * MIB, MREMAP_MAYMOVE));
	close(fd);
}

/* --- locked memory ---------------------------------------------------------------------- */

static bool drop_rights(size_t limit)
{
	struct rlimit limits = { limit, limit };

	return setrlimit(RLIMIT_MEMLOCK, &limits) == 0 &&
		(getuid() != 0 || setresuid(65534, 65534, 65534) == 0);
}

static char *with_room(size_t before, size_t count, size_t after)
{
	char *memory = must(mmap(NULL, (before + count + after) * page,
				 PROT_NONE, ANON, -1, 0));

	memory += before * page;
	must(mmap(memory, count * page, RW, ANON | MAP_FIXED, -1, 0));
	return memory;
}

static size_t limit_of_test;
static bool all_of_it;

static void locked_growth(void)
{
	char *blocked = with_room(2, 2, 4), *free = with_room(2, 2, 4);
	char *shared = must(mmap(NULL, 2 * page, RW, SHARED_ANON, -1, 0));
	char *result;

	munmap(free + 2 * page, 4 * page);
	if (all_of_it) {
		outcome("mlockall", mlockall(MCL_CURRENT));
	} else {
		outcome("mlock blocked", mlock(blocked, 2 * page));
		outcome("mlock free", mlock(free, 2 * page));
		outcome("mlock shared", mlock(shared, 2 * page));
	}
	if (!drop_rights(limit_of_test))
		exit(1);
	mapped("blocked in place", mremap(blocked, 2 * page, 3 * page, 0));
	mapped("blocked in place, far", mremap(blocked, 2 * page, 64 * MIB, 0));
	mapped("from the middle", mremap(blocked, page, 2 * page, 0));
	mapped("blocked, may move",
	       mremap(blocked, 2 * page, 3 * page, MREMAP_MAYMOVE));
	mapped("no length", mremap(blocked, 2 * page, 0, MREMAP_MAYMOVE));
	mapped("alias of shared", mremap(shared, 0, 2 * page, MREMAP_MAYMOVE));
	mapped("alias without leave", mremap(shared, 0, 2 * page, 0));
	mapped("to a place", mremap(blocked, 2 * page, 3 * page,
				    MREMAP_MAYMOVE | MREMAP_FIXED,
				    blocked + 256 * MIB));
	result = mremap(free, 2 * page, 3 * page, 0);
	mapped("room behind", result);
	result = mremap(free, 2 * page, 4 * page, 0);
	mapped("room behind again", result);
	result = mremap(free, 2 * page, 5 * page, 0);
	mapped("room behind once more", result);
	mapped("kept twice", mremap(free, page, page,
				    MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
	mapped("new and locked", try(page, RW, ANON | MAP_LOCKED));
	say("locked", "%zu", all_of_it ? 0 : status_figure("VmLck:") / page);
	outcome("shrink", mremap(free, 2 * page, page, 0) == free);
}

static void locked_growth_at(size_t pages, bool all)
{
	limit_of_test = pages * page;
	all_of_it = all;
	say("limit of pages", "%zu, %s", pages, all ? "mlockall" : "mlock");
	in_child(locked_growth);
}

static size_t locked_bytes(void)
{
	return status_figure("VmLck:");
}

static void locks_that_are_gone(void)
{
	char *memory = with_room(1, 2, 600), *other;

	munmap(memory + 2 * page, 600 * page);
	outcome("mlock", mlock(memory, 2 * page));
	outcome("munlockall", munlockall());
	mapped("growth", mremap(memory, 2 * page, 4 * page, MREMAP_MAYMOVE));
	say("locked", "%zu", locked_bytes() / page);
	mapped("growth again", mremap(memory, 4 * page, 8 * page, 0));
	mapped("growth by much", mremap(memory, 8 * page, 500 * page, 0));
	say("locked then", "%zu", locked_bytes() / page);
	outcome("mlock all of it", mlock(memory, 500 * page));
	say("locked now", "%zu", locked_bytes() / page);
	outcome("munlockall again", munlockall());
	other = mremap(memory, 500 * page, 900 * page, MREMAP_MAYMOVE);
	mapped("growth elsewhere", other);
	say("locked at last", "%zu", locked_bytes() / page);
}

/* MS_INVALIDATE is refused for locked memory. */
static bool is_locked(char *address)
{
	return msync(address, page, MS_ASYNC | MS_INVALIDATE) != 0 &&
		errno == EBUSY;
}

static void locks_that_came(void)
{
	char *memory = with_room(1, 2, 600);

	munmap(memory + 2 * page, 600 * page);
	for (size_t i = 2; i < 8; i++)
		mremap(memory, i * page, (i + 1) * page, 0);
	outcome("mlockall", mlockall(MCL_CURRENT));
	mapped("growth", mremap(memory, 8 * page, 9 * page, 0));
	say("is locked", "%d", is_locked(memory + 8 * page));
	mapped("growth by much", mremap(memory, 9 * page, 500 * page, 0));
	say("is locked", "%d", is_locked(memory + 499 * page));
	memory = mremap(memory, 500 * page, 900 * page, MREMAP_MAYMOVE);
	mapped("growth elsewhere", memory);
	say("is locked", "%d", is_locked(memory + 899 * page));
	outcome("munlockall", munlockall());
	memory = mremap(memory, 900 * page, 901 * page, MREMAP_MAYMOVE);
	mapped("growth unlocked", memory);
	say("is locked", "%d", is_locked(memory + 900 * page));
}

int main(void)
{
	begin();
	in_child(addresses_of_one_mapping);
	in_child(addresses_add_up);
	in_child(addresses_of_growth);
	in_child(addresses_of_small_growth);
	in_child(addresses_replaced);
	in_child(addresses_of_an_alias);
	in_child(data_of_one_mapping);
	in_child(data_adds_up);
	in_child(data_by_mprotect);
	in_child(data_again_and_again);
	in_child(data_replaced);
	in_child(data_limit_of_nothing);
	in_child(data_of_kept_and_files);
	in_child(order_of_refusals);
	for (size_t pages = 0; pages < 8; pages++)
		locked_growth_at(pages, false);
	if (getuid() == 0)
		locked_growth_at(0, true);
	in_child(locks_that_are_gone);
	if (getuid() == 0)
		in_child(locks_that_came);
	return 0;
}
