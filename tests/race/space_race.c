/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../fault/snapshot.h"
#include "base/tsan.h"
#include "race.h"
#include "space/inside.h"

/*
 * Many threads on one space, and others in the process that hammer for its
 * addresses by mmap calls of their own: contents are never wrong, and no
 * foreign mapping lands in the space but those that stats.lost counts.
 */

#define SPACE_PAGES 16384

/*
 * ThreadSanitizer's runtime maps 256 KiB and more at a time wherever the kernel
 * places it, and keeps that.
 */
static bool may_be_a_sanitizers(size_t lost)
{
	return VMSI_HAS_TSAN && lost != 0;
}

static struct race race = { .seconds = 3 };

void race_fail(struct race *failed, const char *format, ...)
{
	va_list arguments;

	atomic_store(&failed->stop, true);
	if (atomic_exchange(&failed->failed, true))
		return;
	va_start(arguments, format);
	vsnprintf(failed->failure, sizeof(failed->failure), format, arguments);
	va_end(arguments);
}

/* splitmix64 */
size_t race_random(struct race_thread *thread, size_t below)
{
	uint64_t z = thread->random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (size_t)((z ^ (z >> 31)) % below);
}

static struct vmsi_host_calls real;

/* Make the moment longer in which addresses of the space are unmapped. */
static long munmap_and_wait(uintptr_t address, size_t length)
{
	long result = real.munmap(address, length);

	if (address >= race.range.start && address < race.range.end)
		usleep(20);
	return result;
}

static long mremap_and_wait(uintptr_t old_address, size_t old_length,
			    size_t new_length, int flags, uintptr_t new_address)
{
	long result = real.mremap(old_address, old_length, new_length, flags,
				  new_address);

	if (result >= 0 && result != (long)old_address && old_length > 0 &&
	    !(flags & MREMAP_DONTUNMAP))
		usleep(20);
	return result;
}

static void lengthen_windows(void)
{
	real = vmsi_host;
	vmsi_host.munmap = munmap_and_wait;
	vmsi_host.mremap = mremap_and_wait;
}

static void prepare(void)
{
	const size_t page = vmsi_page_size();

	race.space = vms_space_open(SPACE_PAGES * page, NULL);
	assert_non_null(race.space);
	race.range.start = (uintptr_t)vms_space_base(race.space);
	race.range.end = race.range.start + vms_space_size(race.space);
	race.file = memfd_create("race", MFD_CLOEXEC);
	assert_true(race.file >= 0);
	assert_int_equal(ftruncate(race.file, (off_t)(RACE_FILE_PAGES * page)),
			 0);
	for (uint64_t i = 0; i < RACE_FILE_PAGES; i++) {
		uint64_t word = i + 1;

		assert_int_equal(pwrite(race.file, &word, sizeof(word),
					(off_t)(i * page)), sizeof(word));
	}
}

static void run_threads(void)
{
	static const struct {
		void *(*run)(void *);
		unsigned count;
	} kinds[] = {
		{ race_worker, RACE_WORKERS },
		{ race_foreigner, 2 },
		{ race_lister, 1 },
		{ race_handle_reader, 1 },
		{ race_forker, 1 },
	};
	static struct race_thread threads[RACE_THREADS];
	struct timespec duration = { .tv_sec = 0 };
	unsigned count = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (unsigned j = 0; j < kinds[i].count; j++, count++) {
			threads[count] = (struct race_thread){
				.race = &race,
				.number = count,
				.random = race.seed + 7919 * (count + 1),
			};
			assert_int_equal(pthread_create(&threads[count].id,
							NULL, kinds[i].run,
							&threads[count]), 0);
		}
	duration.tv_sec = (time_t)race.seconds;
	duration.tv_nsec = (long)((race.seconds - (double)duration.tv_sec) *
				  1e9);
	nanosleep(&duration, NULL);
	atomic_store(&race.stop, true);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(pthread_join(threads[i].id, NULL), 0);
}

static void expect_sound_space(void)
{
	struct snapshot now;
	const char *wrong = vmsi_space_check(race.space);
	size_t page;

	if (wrong)
		fail_msg("%s", wrong);
	snapshot_make(&now, SPACE_PAGES * vmsi_page_size());
	/*
	 * All foreign mappings are gone, so this call covers their addresses again.
	 */
	snapshot_take_space(&now, race.space);
	if (may_be_a_sanitizers(now.stats.lost)) {
		print_message("# the sanitizer has mapped %zu bytes in it\n",
			      now.stats.lost);
		snapshot_drop(&now);
		return;
	}
	assert_int_equal(now.stats.lost, 0);
	snapshot_take(&now, race.space, NULL, 0);
	wrong = snapshot_disagreement(&now, &page);
	if (wrong)
		fail_msg("page %zu: %s", page, wrong);
	snapshot_drop(&now);
}

static void contents_and_addresses_are_never_wrong(void **state)
{
	(void)state;
	prepare();
	lengthen_windows();
	run_threads();
	vmsi_host = real;
	print_message("# %lu operations, %lu foreign calls (%lu landed), "
		      "%lu listings, %lu handle reads, %lu forks\n",
		      race.operations, race.foreign, race.landed, race.listings,
		      race.reads, race.forks);
	if (race.failed)
		fail_msg("%s", race.failure);
	/* Every kind of thread must have done something. */
	assert_true(race.operations && race.foreign && race.listings &&
		    race.reads && race.forks);
	expect_sound_space();
	assert_int_equal(vms_space_close(race.space), 0);
}

/* space_race [--seconds SECONDS] [--seed SEED], or VMS_SEED */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contents_and_addresses_are_never_wrong),
	};
	const char *seed = getenv("VMS_SEED");

	race.seed = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seconds") == 0)
			race.seconds = strtod(argv[i + 1], NULL);
		else if (strcmp(argv[i], "--seed") == 0)
			race.seed = strtoull(argv[i + 1], NULL, 0);
		else
			return 2;
	}
	printf("# seed %llu\n", (unsigned long long)race.seed);
	fflush(stdout);
	return cmocka_run_group_tests_name("space_race", tests, NULL, NULL);
}
