/* SPDX-License-Identifier: MIT */

#include "../unit/descriptors.h"
#include "../unit/ring_fixture.h"
#include "host_fault.h"

/*
 * Every host call of every operation on a ring is failed in turn: once, and from then on.
 * Where opening fails, no descriptor, mapping or file is left; where anything else does, the
 * ring goes on afterwards.
 */

#define CALLS_MAX 200

static struct {
	const struct place *place;
	struct fault_plan plan;
	struct fault_result result;
} run;

static void wrong(const char *name, const char *what)
{
	fail_msg("%s, host call %u (%s, errno %d) failed, mode %d: %s", name,
		 run.plan.n,
		 run.result.failed ? fault_call_name(run.result.call) : "none",
		 run.result.error, (int)run.plan.mode, what);
}

static size_t mapped_files(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[512];
	size_t count = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, "vmspace-ring") != NULL;
	(void)fclose(file);
	return count;
}

/* --- opening ------------------------------------------------------------------------------ */

static vms_ring *other;   /* to attach to */

static vms_ring *create_spsc(void)
{
	return create_with(VMS_RING_SPSC, 4096, BOTH | VMS_RING_EVENT, 0);
}

static vms_ring *create_mpsc(void)
{
	return create_with(VMS_RING_MPSC, 4096, BOTH, 0);
}

static vms_ring *create_file(void)
{
	const struct vms_ring_options options = {
		.struct_size = sizeof(options), .flags = BOTH,
	};

	return vms_ring_create(run.place->path, VMS_RING_BROADCAST, 4096, &options);
}

static vms_ring *attach_one(void)
{
	const struct vms_ring_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_RING_PRODUCER | VMS_RING_EVENT_FD,
		.event_fd = vms_ring_event_fd(other),
	};

	return vms_ring_attach(vms_ring_fd(other), &options);
}

static const struct {
	const char *name;
	vms_ring *(*open)(void);
} openings[] = {
	{ "create, one producer", create_spsc },
	{ "create, many producers", create_mpsc },
	{ "create, with a path", create_file },
	{ "attach", attach_one },
};
#define OPENINGS (sizeof(openings) / sizeof(openings[0]))

/*
 * A lock that another one has is told as EBUSY; no memory for records as ENOMEM; no
 * seals as EPERM.
 */
static bool fail_opening(size_t i)
{
	const size_t before = descriptors();
	const size_t mapped = mapped_files();
	vms_ring *ring;

	fault_begin(&run.plan);
	errno = ERRNO_BEFORE;
	ring = openings[i].open();
	run.result = fault_end();
	if (ring && errno != ERRNO_BEFORE)
		wrong(openings[i].name, "it has changed errno");
	if (!ring && run.plan.mode == FAULT_ONCE && errno != run.result.error &&
	    errno != EBUSY && errno != ENOMEM && errno != EPERM)
		wrong(openings[i].name, "it tells another errno");
	if (ring) {
		assert_true(put(ring, 1, 100));
		must_get(openings[i].open == attach_one ? other : ring, 1, 100);
	}
	if (vms_ring_close(ring) != 0)
		wrong(openings[i].name, "it cannot be closed");
	if (descriptors() != before)
		wrong(openings[i].name, "a descriptor is left");
	if (run.plan.mode == FAULT_ONCE && !ring &&
	    access(run.place->path, F_OK) == 0)
		wrong(openings[i].name, "the file is left");
	(void)unlink(run.place->path);
	(void)fault_sweep_refused(0, 0);
	if (mapped_files() != mapped)
		wrong(openings[i].name, "a mapping is left");
	return run.result.failed > 0;
}

static void opening(void **state)
{
	run.place = *state;
	other = must_create(VMS_RING_MPSC, 4096, VMS_RING_CONSUMER | VMS_RING_EVENT);
	for (size_t i = 0; i < OPENINGS; i++)
		for (int mode = FAULT_ONCE; mode <= FAULT_FROM; mode++)
			for (int which = 0; which < FAULT_ERRNOS; which++)
				for (unsigned n = 1; n < CALLS_MAX; n++) {
					run.plan = (struct fault_plan){
						.mode = (enum fault_mode)mode,
						.n = n,
						.which = (enum fault_errno)which,
					};
					if (!fail_opening(i) && run.result.calls < n)
						break;
				}
	must_close(other);
}

/* --- use ------------------------------------------------------------------------------------ */

static struct {
	vms_ring *ring;
	pid_t child;
} used;

/* A record is there, behind the claim of a producer that has died. */
static int wait_behind_the_dead(void)
{
	return vms_ring_wait(used.ring, 20000000);
}

static int wait_in_vain(void)
{
	struct vms_ring_record record;
	char bytes[100];

	while (vms_ring_wait(used.ring, 60 * SECOND) != 0)
		if (errno != EINTR)
			return -1;
	while (vms_ring_peek(used.ring, &record, 1) == 1)
		assert_int_equal(vms_ring_release(used.ring, &record), 0);
	return vms_ring_read(used.ring, bytes, sizeof(bytes), 2000000) == -1 &&
		errno == ETIMEDOUT ? 0 : -1;
}

static int arm_and_wake(void)
{
	struct vms_ring_record record;

	while (vms_ring_peek(used.ring, &record, 1) == 1)
		assert_int_equal(vms_ring_release(used.ring, &record), 0);
	if (vms_ring_arm(used.ring) < 0)
		return -1;
	return put(used.ring, 1, 50) ? 0 : -1;
}

static int read_figures(void)
{
	return stats_of(used.ring).attached > 0 ? 0 : -1;
}

static const struct {
	const char *name;
	int (*act)(void);
} uses[] = {
	{ "wait behind a dead claim", wait_behind_the_dead },
	{ "wait in vain", wait_in_vain },
	{ "arm, and wake", arm_and_wake },
	{ "figures", read_figures },
};
#define USES (sizeof(uses) / sizeof(uses[0]))

static void arrange(void)
{
	used.ring = must_create(VMS_RING_MPSC, 4096, BOTH | VMS_RING_EVENT);
	used.child = fork();
	if (used.child == 0) {
		vms_ring *mine = attach_with(vms_ring_fd(used.ring), VMS_RING_PRODUCER);

		child_needs(mine && vms_ring_try_claim(mine, 100));
		child_needs(put(mine, 7, 50));
		(void)raise(SIGKILL);
	}
	must_be_killed(used.child);
}

static bool fail_use(size_t i)
{
	arrange();
	fault_begin(&run.plan);
	(void)uses[i].act();
	run.result = fault_end();
	/* Whatever has failed, all that is there can be read, and more be written. */
	assert_true(put(used.ring, 8, 60));
	for (;;) {
		struct vms_ring_record record;

		assert_int_equal(vms_ring_wait(used.ring, 60 * SECOND), 0);
		assert_int_equal(vms_ring_peek(used.ring, &record, 1), 1);
		if (record.length == 60)
			break;
		assert_int_equal(vms_ring_release(used.ring, &record), 0);
	}
	must_get(used.ring, 8, 60);
	if (stats_of(used.ring).skipped != 1)
		wrong(uses[i].name, "the claim of the dead was not skipped once");
	must_close(used.ring);
	(void)fault_sweep_refused(0, 0);
	return run.result.failed > 0;
}

static void use(void **state)
{
	run.place = *state;
	for (size_t i = 0; i < USES; i++)
		for (int which = 0; which < FAULT_ERRNOS; which++)
			for (unsigned n = 1; n < 40; n++) {
				run.plan = (struct fault_plan){
					.mode = FAULT_ONCE,
					.n = n,
					.which = (enum fault_errno)which,
				};
				if (!fail_use(i) && run.result.calls < n)
					break;
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(opening),
		file_test(use),
	};
	int failed;

	fault_install();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fault_remove();
	return failed;
}
