/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../kernel/random.h"
#include "../unit/guard_again.h"
#include "accounts.h"

/*
 * A program of four threads that commit is killed at random moments. What it had
 * acknowledged is in its file, and nothing is there by half, for the next program that
 * opens it, and before that for one that only reads.
 *
 *	crash-kill [KILLS] [SEED]
 */

#define KILLS_USUAL 200

static unsigned kills = KILLS_USUAL;
static uint64_t seed = 1;
static char path[64];
static struct progress *progress;

static void choose_path(void)
{
	snprintf(path, sizeof(path), "%s/vmspace-kill-%d",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", getpid());
}

static void remove_files(void)
{
	char journal[80];

	snprintf(journal, sizeof(journal), "%s.journal", path);
	unlink(journal);
	unlink(path);
}

static uint64_t all_acknowledged(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < THREADS; i++)
		sum += atomic_load(&progress->acknowledged[i]);
	return sum;
}

static int setup(void **state)
{
	(void)state;
	choose_path();
	remove_files();
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return progress == MAP_FAILED;
}

static int teardown(void **state)
{
	(void)state;
	remove_files();
	return munmap(progress, sizeof(*progress));
}

/* In a child of its own, which ends by itself only where something is wrong. */
static pid_t start(enum knowing knowing, uint64_t of)
{
	const pid_t pid = fork();

	if (pid == 0) {
		vms_file *file = accounts_open(path, knowing);

		if (file)
			accounts_transfer(file, progress, of);
		_exit(1);
	}
	assert_true(pid > 0);
	return pid;
}

static void check_by_reader(void)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_ATOMIC | VMS_FILE_READ_ONLY,
	};
	vms_file *file = vms_file_open(path, &options);
	struct vms_file_access access;
	const char *problem;

	assert_non_null(file);
	guard_again();
	assert_int_equal(vms_file_begin_access(file, &access), 0);
	problem = accounts_check(file, progress);
	assert_int_equal(vms_file_end_access(&access, NULL), 0);
	if (problem)
		fail_msg("a reader: %s", problem);
	assert_int_equal(vms_file_close(file), 0);
}

/* The counters begin where the file is. */
static void check_by_writer(enum knowing knowing)
{
	vms_file *file = accounts_open(path, knowing);
	const char *problem;

	if (!file)
		fail_msg("open: %s; %s", strerror(errno),
			 vms_file_journal_problem());
	problem = accounts_check(file, progress);
	if (problem)
		fail_msg("%s", problem);
	for (unsigned i = 0; i < THREADS; i++) {
		const uint64_t *transfers = vms_file_at(
			file, (ACCOUNTS + i) * (uint64_t)sysconf(_SC_PAGESIZE),
			sizeof(*transfers));

		atomic_store(&progress->acknowledged[i], *transfers);
	}
	assert_int_equal(vms_file_close(file), 0);
}

/* The moment is a number of commits that is reached, and what chance adds to it. */
static void kill_once(enum knowing knowing, struct random *random)
{
	const uint64_t until = all_acknowledged() + random_below(random, 30);
	const pid_t pid = start(knowing, random_next(random));
	int status;

	while (all_acknowledged() < until) {
		assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
		sched_yield();
	}
	for (size_t i = random_below(random, 3000); i > 0; i--)
		__asm__ volatile("");
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	if (all_acknowledged())
		check_by_reader();
	check_by_writer(knowing);
}

static void what_was_acknowledged_survives_a_kill(void **state)
{
	struct random random = { seed };

	(void)state;
	print_message("# %u kills, seed %llu\n", kills,
		      (unsigned long long)seed);
	for (unsigned i = 0; i < kills; i++)
		kill_once((enum knowing)(i % KNOWINGS), &random);
}

/* --- readers while commits are made -------------------------------------------------- */

#define READINGS 300u

static void readers_in_other_processes_see_whole_commits(void **state)
{
	const char *problem;
	int status;
	pid_t pids[2], reader;

	(void)state;
	assert_int_equal(vms_file_close(accounts_open(path, TELLS)), 0);
	pids[0] = fork();
	if (pids[0] == 0) {
		vms_file *file = accounts_open(path, TELLS);

		problem = file ? accounts_transfer(file, progress, seed) : "open";
		_exit(problem || vms_file_close(file) != 0);
	}
	reader = pids[1] = fork();
	if (reader == 0) {
		problem = accounts_read(path, progress);
		if (problem)
			fprintf(stderr, "# %s\n", problem);
		_exit(problem != NULL);
	}
	while (atomic_load(&progress->readings) < READINGS ||
	       all_acknowledged() < READINGS)
		for (int i = 0; i < 2; i++)
			assert_int_equal(waitpid(pids[i], &status, WNOHANG), 0);
	atomic_store(&progress->stop, 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_was_acknowledged_survives_a_kill, setup, teardown),
		cmocka_unit_test_setup_teardown(
			readers_in_other_processes_see_whole_commits, setup,
			teardown),
	};

	if (argc > 1)
		kills = (unsigned)strtoul(argv[1], NULL, 10);
	if (argc > 2)
		seed = strtoull(argv[2], NULL, 10);
	return cmocka_run_group_tests_name("crash_kill", tests, NULL, NULL);
}
