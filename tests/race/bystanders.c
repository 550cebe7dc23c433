/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "race.h"
#include "space/inside.h"

/* Threads that look at the space, fork, or map memory of their own. */

#define RW (PROT_READ | PROT_WRITE)

/* --- foreign mappings ------------------------------------------------------------- */

static void fill(unsigned char *memory, size_t length, unsigned char byte)
{
	for (size_t i = 0; i < length; i += 64)
		memory[i] = byte;
}

static bool has_only(const unsigned char *memory, size_t length,
		     unsigned char byte)
{
	for (size_t i = 0; i < length; i += 64)
		if (memory[i] != byte)
			return false;
	return true;
}

/* Foreign memory in the space must be known to it as lost. */
static void check_landing(struct race *race, uintptr_t start, size_t length)
{
	struct vmsi_range landed = vmsi_range_common(
		(struct vmsi_range){ start, start + length }, race->range);
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };

	if (landed.start == landed.end)
		return;
	atomic_fetch_add(&race->landed, 1);
	if (vms_space_get_stats(race->space, &stats) != 0 ||
	    stats.lost < vmsi_range_length(landed))
		race_fail(race, "a foreign mapping of %zu bytes landed at %p, "
			  "and lost is %zu", length, (void *)start, stats.lost);
}

static void use_foreign(struct race_thread *thread, void *memory,
			size_t length)
{
	unsigned char byte = (unsigned char)(1 + race_random(thread, 255));

	fill(memory, length, byte);
	check_landing(thread->race, (uintptr_t)memory, length);
	for (size_t i = race_random(thread, 4); i > 0; i--)
		sched_yield();
	if (!has_only(memory, length, byte))
		race_fail(thread->race, "somebody wrote to a foreign mapping "
			  "at %p", memory);
	munmap(memory, length);
}

/* Use libc's mmap, which ThreadSanitizer follows. */
void *race_foreigner(void *argument)
{
	struct race_thread *thread = argument;
	struct race *race = thread->race;
	const size_t page = vmsi_page_size();

	while (!atomic_load(&race->stop)) {
		size_t length = (1 + race_random(thread, 8)) * page;
		size_t pages = vmsi_range_length(race->range) / page;
		/* Most mappings are low in the space. */
		size_t at = race_random(thread, race_random(thread, 8) ?
						pages / 16 : pages - 8);
		int fixed = race_random(thread, 4) ? MAP_FIXED_NOREPLACE : 0;
		void *memory = mmap((void *)(race->range.start + at * page),
				    length, RW,
				    MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);

		atomic_fetch_add(&race->foreign, 1);
		if (memory != MAP_FAILED)
			use_foreign(thread, memory, length);
		else if (errno != EEXIST)
			race_fail(race, "mmap: %s", strerror(errno));
	}
	return NULL;
}

/* --- looking ------------------------------------------------------------------------- */

/* Return what is wrong with a listing, or NULL. */
static const char *walk(struct race *race, struct vms_mapping_info *info,
			unsigned flags)
{
	uintptr_t cursor = 0, end = race->range.start;
	int more;

	info->struct_size = sizeof(*info);
	while ((more = vms_space_next_mapping(race->space, &cursor, info,
					      flags)) > 0) {
		if (info->start < end)
			return "a mapping was listed out of order";
		end = info->start + info->length;
		if (info->length == 0 || end > race->range.end)
			return "a mapping is not in the space";
		if (flags && info->resident > info->length)
			return "more is resident than mapped";
	}
	return more < 0 ? "the listing failed" : NULL;
}

void *race_lister(void *argument)
{
	static struct vms_mapping_info info;
	struct race_thread *thread = argument;
	struct race *race = thread->race;

	while (!atomic_load(&race->stop)) {
		unsigned flags = race_random(thread, 8) ? 0 : VMS_LIST_RESIDENT;
		const char *wrong = walk(race, &info, flags);

		if (wrong)
			race_fail(race, "%s", wrong);
		atomic_fetch_add(&race->listings, 1);
	}
	return NULL;
}

/* The mapping moves all the time, but the handle must always name its place. */
static void read_handle(struct race *race, vms_handle handle)
{
	char *address = vms_handle_address(race->space, handle);
	size_t length = vms_handle_length(race->space, handle);
	const size_t page = vmsi_page_size();

	if (!address || length == 0 || length % page ||
	    !vms_space_contains(race->space, address, length ? 1 : 0) ||
	    (uintptr_t)address % page)
		race_fail(race, "a handle is of %p, %zu bytes", (void *)address,
			  length);
	if (!vms_handle_at(race->space, handle, page - 1, 1))
		race_fail(race, "a handle has not a single page");
}

void *race_handle_reader(void *argument)
{
	struct race_thread *thread = argument;
	struct race *race = thread->race;

	while (!atomic_load(&race->stop)) {
		vms_handle handle = {
			atomic_load(&race->handles[race_random(thread,
							       RACE_WORKERS)]),
		};

		if (handle.value == 0)
			continue;
		read_handle(race, handle);
		/* Leave the processor to the other threads. */
		if (atomic_fetch_add(&race->reads, 1) % 64 == 0)
			sched_yield();
	}
	return NULL;
}

/* --- forking ------------------------------------------------------------------------- */

enum child_end {
	CHILD_WELL,
	CHILD_UNSOUND,
	CHILD_BAD_LISTING,
	CHILD_BAD_HANDLE,
	CHILD_CANNOT_MAP,
	CHILD_BAD_CONTENTS,
};

/* The child's copy of the space must work. */
static enum child_end use_copy(struct race *race)
{
	const size_t page = vmsi_page_size();
	char *memory = vms_mmap(race->space, NULL, page, RW,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || memory[0] != 0)
		return CHILD_CANNOT_MAP;
	memory[0] = 7;
	memory = vms_mremap(race->space, memory, page, 300 * page,
			    MREMAP_MAYMOVE, NULL);
	if (memory == MAP_FAILED || memory[0] != 7 || memory[299 * page] != 0)
		return CHILD_BAD_CONTENTS;
	if (vms_munmap(race->space, memory, 300 * page) != 0)
		return CHILD_CANNOT_MAP;
	return vmsi_space_check(race->space) ? CHILD_UNSOUND : CHILD_WELL;
}

static enum child_end judge_child(struct race *race)
{
	static struct vms_mapping_info info;

	if (vmsi_space_check(race->space))
		return CHILD_UNSOUND;
	if (walk(race, &info, 0))
		return CHILD_BAD_LISTING;
	for (unsigned i = 0; i < RACE_WORKERS; i++) {
		vms_handle handle = { atomic_load(&race->handles[i]) };
		char *address;

		if (handle.value == 0)
			continue;
		address = vms_handle_at(race->space, handle, 0, 1);
		if (!address || vms_space_of(address) != race->space)
			return CHILD_BAD_HANDLE;
		/* A fault here ends the child. */
		(void)*(volatile char *)address;
	}
	return use_copy(race);
}

void *race_forker(void *argument)
{
	struct race_thread *thread = argument;
	struct race *race = thread->race;
	const struct timespec pause = { 0, 20000000 };

	while (!atomic_load(&race->stop)) {
		int status = 0;
		pid_t child = fork();

		if (child == 0)
			_exit(judge_child(race));
		if (child < 0 || waitpid(child, &status, 0) != child ||
		    status != 0)
			race_fail(race, "a child ended with %#x", status);
		atomic_fetch_add(&race->forks, 1);
		nanosleep(&pause, NULL);
	}
	return NULL;
}
