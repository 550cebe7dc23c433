/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kernel/random.h"
#include "base/align.h"
#include "budget/budget.h"
#include "budget/member.h"
#include "budget/slots.h"
#include "budget_fixture.h"

/*
 * Another process can write anything into the memory of a shared budget: no reader
 * may crash, hang or return figures that cannot be. A reader without the right to
 * write must do without it.
 */

#define ROUNDS 50
#define ROUNDS_UNDER_WAY 8

/* The test keeps overwriting this many bytes of the first slots' objects. */
#define OBJECTS_BYTES ((size_t)32 << 10)

static vms_budget *budget;
static struct random numbers = { 1 };

static int open_one(void **state)
{
	(void)state;
	budget = open_shared(1000, VMS_COMMIT_STRICT);
	/* A test that hangs must end as a failure. */
	alarm(3600);
	return 0;
}

static int close_one(void **state)
{
	(void)state;
	return vms_budget_close(budget);
}

#define WITH_SHARED(test) \
	cmocka_unit_test_setup_teardown(test, open_one, close_one)

/* --- what is no budget --------------------------------------------------- */

static void expect_no_budget(int fd, int wanted)
{
	struct vmsi_budget_figures figures;

	errno = 0;
	assert_null(vms_budget_from_fd(fd));
	assert_int_equal(errno, wanted);
	assert_true(vmsi_budget_read(fd, &figures) < 0);
}

static int make_file(size_t size, int seals)
{
	int fd = memfd_create("no budget", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void other_files_are_refused(void **state)
{
	const int files[] = {
		make_file(0, F_SEAL_SHRINK),
		make_file(VMSI_BUDGET_BYTES - 1, F_SEAL_SHRINK),
		make_file(VMSI_BUDGET_BYTES + 1, F_SEAL_SHRINK),
		make_file(VMSI_BUDGET_BYTES, F_SEAL_SHRINK),
		open("/dev/null", O_RDWR | O_CLOEXEC),
		open("/proc/self/stat", O_RDONLY | O_CLOEXEC),
	};
	int ends[2];

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		expect_no_budget(files[i], EINVAL);
		close(files[i]);
	}
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	expect_no_budget(ends[0], EINVAL);
	close(ends[0]);
	close(ends[1]);
	expect_no_budget(-1, EBADF);
	expect_no_budget(ends[0], EBADF);
}

static void a_file_that_can_be_cut_short_is_refused(void **state)
{
	int fd = make_file(VMSI_BUDGET_BYTES, 0);
	static char all[VMSI_BUDGET_BYTES];

	(void)state;
	assert_int_equal(pread(vms_budget_fd(budget), all, sizeof(all), 0),
			 sizeof(all));
	assert_int_equal(pwrite(fd, all, sizeof(all), 0), sizeof(all));
	errno = 0;
	assert_null(vms_budget_from_fd(fd));
	assert_int_equal(errno, EINVAL);
	/* Once F_SEAL_SHRINK is set, the same file is accepted. */
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	close_budget(vms_budget_from_fd(fd));
	close(fd);
}

static void a_budget_cannot_be_cut_short(void **state)
{
	(void)state;
	assert_refused(ftruncate(vms_budget_fd(budget), 0), EPERM);
}

/* --- garbage ------------------------------------------------------------- */

static void write_garbage(size_t start, size_t end)
{
	unsigned char *memory = (unsigned char *)budget->shared;

	for (size_t i = start; i < end; i++)
		memory[i] = random_percent(&numbers, 30) ?
			0xff : (unsigned char)random_next(&numbers);
}

static void use_it(void)
{
	struct vmsi_budget_figures figures;
	struct vms_budget_stats stats = { .struct_size = sizeof(stats) };
	vms_budget *other;

	if (vms_budget_charge(budget, 10) == 0)
		assert_int_equal(vms_budget_uncharge(budget, 10), 0);
	assert_int_equal(vms_budget_get_stats(budget, &stats), 0);
	other = vms_budget_from_fd(vms_budget_fd(budget));
	if (other)
		close_budget(other);
	if (vmsi_budget_read(vms_budget_fd(budget), &figures) != 0)
		return;
	assert_true(figures.policy <= VMS_COMMIT_STRICT);
	assert_true(figures.kind == VMSI_BUDGET_BY_SLOTS ||
		    figures.kind == VMSI_BUDGET_PUBLISHED);
	assert_true(strlen(figures.name) <= VMS_NAME_MAX);
	assert_true(strlen(figures.label) <= VMSI_BUDGET_LABEL_MAX);
}

static void garbage_does_no_harm(void **state)
{
	const struct vmsi_budget_head good = budget->shared->head;
	const size_t sound = offsetof(struct vmsi_budget_head, limit);

	(void)state;
	charge(budget, 100);
	for (int i = 0; i < ROUNDS; i++) {
		size_t start = random_below(&numbers, i % 2 ?
					    VMSI_BUDGET_BYTES :
					    VMSI_BUDGET_OBJECTS_OFFSET);
		size_t length = random_below(&numbers,
					     VMSI_BUDGET_OBJECTS_OFFSET);

		write_garbage(start, vmsi_min(start + length,
					      VMSI_BUDGET_BYTES));
		use_it();
		/* With a valid header, readers go on to the slots. */
		memcpy(&budget->shared->head, &good, sound);
		use_it();
		write_garbage(sound, sizeof(good));
		use_it();
	}
	/* The process keeps its own charge outside the shared memory. */
	assert_int_equal(stats_of(budget).committed_here, 100);
	uncharge(budget, 100);
}

/* Another process overwrites the memory while this one reads it. */
static void garbage_under_way_does_no_harm(void **state)
{
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			write_garbage(offsetof(struct vmsi_budget_head, limit),
				      VMSI_BUDGET_OBJECTS_OFFSET + OBJECTS_BYTES);
	}
	for (int i = 0; i < ROUNDS_UNDER_WAY; i++)
		use_it();
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* Open the budget's file anew, as another process would. */
static int reopen(int flags)
{
	char path[32];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d",
		       vms_budget_fd(budget));
	fd = open(path, flags | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* --- places -------------------------------------------------------------- */

static void without_a_place_there_is_no_joining(void **state)
{
	/* Lock every slot but the first, which the budget itself has locked. */
	struct flock all = { .l_type = F_WRLCK, .l_start = 1 };
	int fd = reopen(O_RDWR);
	vms_budget *other;

	(void)state;
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &all), 0);
	errno = 0;
	assert_null(vms_budget_from_fd(vms_budget_fd(budget)));
	assert_int_equal(errno, EAGAIN);
	close(fd);
	other = vms_budget_from_fd(vms_budget_fd(budget));
	assert_non_null(other);
	close_budget(other);
}

/* --- readers ------------------------------------------------------------- */

static void a_reader_needs_no_right_to_write(void **state)
{
	struct vmsi_budget_figures figures;
	int fd = reopen(O_RDONLY);
	vms_budget *other = vms_budget_from_fd(fd);
	pid_t child;
	siginfo_t info;

	(void)state;
	assert_non_null(other);
	charge(budget, 100);
	charge(other, 200);
	(void)vms_budget_charge(other, 701);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(0);
	/*
	 * The child had copies of all charges; nobody has looked at its slot since.
	 */
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT),
			 0);
	assert_int_equal(vmsi_budget_read(fd, &figures), 0);
	assert_int_equal(figures.kind, VMSI_BUDGET_BY_SLOTS);
	assert_int_equal(figures.charged, 300);
	assert_int_equal(figures.limit, 1000);
	assert_int_equal(figures.peak, 600);
	assert_int_equal(figures.refusals, 1);
	assert_int_equal(figures.policy, VMS_COMMIT_STRICT);
	assert_int_equal(figures.processes, 1);
	assert_int_equal(figures.maker, getpid());
	assert_string_equal(figures.name, "shared");
	assert_string_equal(figures.label, "");
	assert_int_equal(waitpid(child, NULL, 0), child);
	close_budget(other);
	close(fd);
}

static void an_owner_can_publish_an_account_of_his_own(void **state)
{
	char label[2 * VMSI_BUDGET_LABEL_MAX];
	struct vmsi_budget_publication publication = {
		.charged = 700, .peak = 800, .refusals = 3, .processes = 9,
		.label = label,
	};
	struct vmsi_budget_figures figures;
	vms_budget *private = open_strict(10, NULL);
	int fd = reopen(O_RDONLY);

	(void)state;
	memset(label, 'l', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';
	charge(budget, 1);
	assert_int_equal(vmsi_budget_publish(budget, &publication), -EINVAL);
	uncharge(budget, 1);
	assert_int_equal(vmsi_budget_publish(private, &publication), -EINVAL);
	assert_int_equal(vmsi_budget_publish(budget, &publication), 0);
	assert_int_equal(vmsi_budget_read(fd, &figures), 0);
	assert_int_equal(figures.kind, VMSI_BUDGET_PUBLISHED);
	assert_int_equal(figures.charged, 700);
	assert_int_equal(figures.peak, 800);
	assert_int_equal(figures.refusals, 3);
	assert_int_equal(figures.processes, 9);
	assert_int_equal(strlen(figures.label), VMSI_BUDGET_LABEL_MAX);
	assert_int_equal(stats_of(budget).committed, 700);
	assert_int_equal(stats_of(budget).processes, 9);
	/* Without a label the old one stays; a shorter one leaves nothing of it. */
	publication.label = NULL;
	publication.charged = 5;
	assert_int_equal(vmsi_budget_publish(budget, &publication), 0);
	assert_int_equal(vmsi_budget_read(fd, &figures), 0);
	assert_int_equal(figures.charged, 5);
	assert_int_equal(strlen(figures.label), VMSI_BUDGET_LABEL_MAX);
	publication.label = "postgres";
	assert_int_equal(vmsi_budget_publish(budget, &publication), 0);
	assert_int_equal(vmsi_budget_read(fd, &figures), 0);
	assert_string_equal(figures.label, "postgres");
	/*
	 * A budget whose owner keeps the account can neither be charged nor joined.
	 */
	assert_refused(vms_budget_charge(budget, 1), ENOMEM);
	errno = 0;
	assert_null(vms_budget_from_fd(fd));
	assert_int_equal(errno, EINVAL);
	close_budget(private);
	close(fd);
}

static void a_budget_of_another_version_is_told_apart(void **state)
{
	const uint64_t magic = VMSI_BUDGET_MAGIC;
	const uint32_t version = VMSI_BUDGET_VERSION - 1;
	struct vmsi_budget_figures figures;
	int fd = memfd_create("old", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)state;
	assert_int_equal(ftruncate(fd, 4096 + 64 * 1024), 0);
	assert_int_equal(pwrite(fd, &magic, sizeof(magic), 0), sizeof(magic));
	assert_int_equal(pwrite(fd, &version, sizeof(version), sizeof(magic)),
			 sizeof(version));
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	errno = 0;
	assert_null(vms_budget_from_fd(fd));
	assert_int_equal(errno, EPROTONOSUPPORT);
	assert_int_equal(vmsi_budget_read(fd, &figures), -EPROTONOSUPPORT);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SHARED(other_files_are_refused),
		cmocka_unit_test(a_budget_of_another_version_is_told_apart),
		WITH_SHARED(a_file_that_can_be_cut_short_is_refused),
		WITH_SHARED(a_budget_cannot_be_cut_short),
		WITH_SHARED(garbage_does_no_harm),
		WITH_SHARED(garbage_under_way_does_no_harm),
		WITH_SHARED(without_a_place_there_is_no_joining),
		WITH_SHARED(a_reader_needs_no_right_to_write),
		WITH_SHARED(an_owner_can_publish_an_account_of_his_own),
	};

	return cmocka_run_group_tests_name("budget_hostile", tests, NULL, NULL);
}
