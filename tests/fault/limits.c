/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "process_limits.h"
#include "run.h"
#include "space/space.h"

/*
 * Every operation at the limits of the process, with none to a few of what is
 * limited left: it fails cleanly or succeeds, as in the sweeps of host calls,
 * and vms_last_refusal tells which limit it was.
 */

static const unsigned slacks[] = { 0, 1, 2, 3, 4, 5, 6, 8, 12, 23, 24, 32 };
#define SLACKS (sizeof(slacks) / sizeof(slacks[0]))

static size_t page_size(void)
{
	return vmsi_page_size();
}

/* --- vm.max_map_count -------------------------------------------------------------- */

#define SPARE_MAPPINGS 200

static bool prepare_map_count(void)
{
	return fill_map_count(SPARE_MAPPINGS);
}

static void impose_map_count(struct vms_space *space, unsigned slack)
{
	(void)space;
	use_up_mappings(slack);
}

static void lift_map_count(struct vms_space *space)
{
	(void)space;
	give_mappings_back();
}

/* --- resource limits ------------------------------------------------------------------ */

static void impose_addresses(struct vms_space *space, unsigned slack)
{
	(void)space;
	limit_to(RLIMIT_AS, process_bytes() + slack * page_size());
}

static void lift_addresses(struct vms_space *space)
{
	(void)space;
	limit_to(RLIMIT_AS, SIZE_MAX);
}

static void impose_data(struct vms_space *space, unsigned slack)
{
	(void)space;
	limit_to(RLIMIT_DATA, status_bytes("VmData:") + slack * page_size());
}

static void lift_data(struct vms_space *space)
{
	(void)space;
	limit_to(RLIMIT_DATA, SIZE_MAX);
}

static void impose_locked(struct vms_space *space, unsigned slack)
{
	(void)space;
	limit_to(RLIMIT_MEMLOCK, status_bytes("VmLck:") + slack * page_size());
}

static void lift_locked(struct vms_space *space)
{
	(void)space;
	limit_to(RLIMIT_MEMLOCK, SIZE_MAX);
}

/* --- the space's own records ------------------------------------------------------------ */

/* Pools of which some free records are hidden. */
#define HIDING_POOLS 6
static struct {
	struct vmsi_pool *pool;
	size_t hidden;          /* free records that the pool does not count */
} hiding[HIDING_POOLS];

static long (*usual_mmap)(uintptr_t address, size_t length, int prot, int flags,
			  int fd, uint64_t offset);

/* The library maps memory for records as PROT_NONE without an address. */
static long refuse_records(uintptr_t address, size_t length, int prot,
			   int flags, int fd, uint64_t offset)
{
	if (address == 0 && prot == PROT_NONE && (flags & MAP_NORESERVE))
		return -ENOMEM;
	return usual_mmap(address, length, prot, flags, fd, offset);
}

static void impose_records(struct vms_space *space, unsigned slack)
{
	struct vmsi_pool *pools[HIDING_POOLS] = {
		&space->map.pool, &space->objects.object_pool,
		&space->objects.name_pool,
		&space->stacks.pool,
		&space->objects.short_path_pool,
		&space->objects.long_path_pool,
	};

	for (size_t i = 0; i < HIDING_POOLS; i++) {
		size_t left = vmsi_min(pools[i]->free_count, slack);

		hiding[i].pool = pools[i];
		hiding[i].hidden = pools[i]->free_count - left;
		pools[i]->free_count = left;
	}
	usual_mmap = vmsi_host.mmap;
	vmsi_host.mmap = refuse_records;
}

static void lift_records(struct vms_space *space)
{
	(void)space;
	vmsi_host.mmap = usual_mmap;
	for (size_t i = 0; i < HIDING_POOLS; i++)
		hiding[i].pool->free_count += hiding[i].hidden;
}

/* --- program --------------------------------------------------------------------------------- */

static bool nothing_to_prepare(void)
{
	return true;
}

/* A limit, how to reach it, and which reasons a refusal may give. */
static const struct known_limit {
	struct limit limit;
	bool (*prepare)(void);
	const char *skipped;
	enum vms_refusal reason;
	/* The limit may also refuse memory for records. */
	bool meets_records;
} limits[] = {
	{ { "map-count", impose_map_count, lift_map_count },
	  prepare_map_count, "vm.max_map_count is too large to be reached",
	  VMS_REFUSAL_MAP_COUNT, true },
	{ { "addresses", impose_addresses, lift_addresses },
	  nothing_to_prepare, "", VMS_REFUSAL_HOST, true },
	{ { "data", impose_data, lift_data },
	  nothing_to_prepare, "", VMS_REFUSAL_HOST, true },
	{ { "records", impose_records, lift_records },
	  nothing_to_prepare, "", VMS_REFUSAL_RECORDS, true },
	{ { "locked", impose_locked, lift_locked },
	  drop_right_to_lock, "CAP_IPC_LOCK cannot be given up",
	  VMS_REFUSAL_HOST, false },
};

static const struct known_limit *chosen;
static bool is_reached;
static unsigned refusals;

static void expect_reason(const struct run *run)
{
	if (run->status == 0 || run->error != ENOMEM || run->scenario->fails)
		return;
	refusals++;
	if (run->refusal == chosen->reason ||
	    (chosen->meets_records && run->refusal == VMS_REFUSAL_RECORDS))
		return;
	run_complain(run, "another reason than the limit", 0);
}

static void the_limit_is_met_cleanly(void **state)
{
	const struct scenario *scenario = *state;

	if (!is_reached) {
		print_message("# %s\n", chosen->skipped);
		skip();
	}
	run_learn(scenario);
	for (size_t i = 0; i < SLACKS; i++) {
		struct run run = {
			.scenario = scenario,
			.limit = &chosen->limit,
			.slack = slacks[i],
		};

		run_try(&run);
		expect_reason(&run);
	}
}

/* The limit must have refused something. */
static void the_limit_was_met(void **state)
{
	(void)state;
	if (is_reached && refusals == 0 && chosen->reason != VMS_REFUSAL_HOST)
		fail_msg("nothing was refused");
}

static int run_all(const char *wanted)
{
	static struct CMUnitTest tests[256];
	struct family families[FAMILIES];
	size_t count = 0;

	run_families(families);
	for (size_t i = 0; i < FAMILIES; i++)
		for (size_t j = 0; j < families[i].count; j++) {
			const struct scenario *scenario =
				&families[i].scenarios[j];

			if (!wanted || strstr(scenario->name, wanted))
				tests[count++] = (struct CMUnitTest){
					.name = scenario->name,
					.test_func = the_limit_is_met_cleanly,
					.initial_state = (void *)scenario,
				};
		}
	tests[count++] = (struct CMUnitTest)cmocka_unit_test(the_limit_was_met);
	return _cmocka_run_group_tests(chosen->limit.name, tests, count, NULL,
				       NULL);
}

/* limits LIMIT [PART-OF-A-NAME] */
int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (argc > 1 && strcmp(argv[1], limits[i].limit.name) == 0)
			chosen = &limits[i];
	if (!chosen)
		return 2;
	is_reached = chosen->prepare();
	run_prepare();
	return run_all(argc > 2 ? argv[2] : NULL);
}
