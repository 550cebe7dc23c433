/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace.h>

#include "../kernel/random.h"
#include "arguments.h"
#include "budget/shared.h"
#include "budget_worker.h"

/*
 * A tree of processes under one shared budget, which map, unmap, fork, end and
 * are killed as a seed has it, one at a time. After each step the budget must be
 * charged what the model says, in the account of this process, in that of the
 * one that acted, and to a reader from outside: private memory of each process,
 * and each object that any of them has mapped, once. What does not fit must be
 * refused, and what fits must not be.
 */

static struct arguments given = { .operations = 4000 };

/* --- the model ----------------------------------------------------------- */

struct object {
	size_t pages;
	bool is_file;
};

/* The files come first; an anonymous object gets a new entry each time. */
static struct object objects[1 << 20];
static unsigned object_count;

struct mapping {
	bool is_used;
	unsigned object;
	unsigned space;
	size_t pages;
};

static struct worker {
	bool lives;
	pid_t pid;
	struct mapping mappings[MAPPINGS];
	size_t by_hand;
} workers[WORKERS];

static unsigned refused, forked, killed;

static bool has(const struct worker *worker, unsigned object, bool in_part)
{
	for (unsigned i = 0; i < MAPPINGS; i++)
		if (worker->mappings[i].is_used &&
		    worker->mappings[i].object == object &&
		    (!in_part || worker->mappings[i].space > 0))
			return true;
	return false;
}

static bool is_held(unsigned object)
{
	for (unsigned i = 0; i < WORKERS; i++)
		if (workers[i].lives && has(&workers[i], object, false))
			return true;
	return false;
}

/* Return the sum of a worker's objects, each counted once. */
static size_t held_by(const struct worker *worker, bool in_part)
{
	size_t pages = 0;

	for (unsigned i = 0; i < MAPPINGS; i++) {
		const struct mapping *mapping = &worker->mappings[i];
		bool is_first = mapping->is_used &&
			(!in_part || mapping->space > 0);

		for (unsigned k = 0; k < i && is_first; k++)
			is_first = !worker->mappings[k].is_used ||
				worker->mappings[k].object != mapping->object ||
				(in_part && worker->mappings[k].space == 0);
		if (is_first)
			pages += objects[mapping->object].pages;
	}
	return pages;
}

static size_t charged(void)
{
	size_t pages = 0;

	for (unsigned i = 0; i < WORKERS; i++) {
		const struct worker *worker = &workers[i];

		if (!worker->lives)
			continue;
		pages += worker->by_hand;
		for (unsigned k = 0; k < MAPPINGS; k++) {
			unsigned object = worker->mappings[k].object;
			bool is_first = worker->mappings[k].is_used;

			for (unsigned j = 0; j < k && is_first; j++)
				is_first = !worker->mappings[j].is_used ||
					worker->mappings[j].object != object;
			for (unsigned j = 0; j < i && is_first; j++)
				is_first = !workers[j].lives ||
					!has(&workers[j], object, false);
			if (is_first)
				pages += objects[object].pages;
		}
	}
	return pages;
}

static unsigned living(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < WORKERS; i++)
		count += workers[i].lives;
	return count;
}

/* --- steps --------------------------------------------------------------- */

static struct answer hear(unsigned worker)
{
	struct answer answer = { .error = EPIPE };

	assert_int_equal(read(pipes[worker].answers[0], &answer,
			      sizeof(answer)), sizeof(answer));
	return answer;
}

static void tell(unsigned worker, const struct order *order)
{
	assert_int_equal(write(pipes[worker].orders[1], order, sizeof(*order)),
			 sizeof(*order));
}

/*
 * Wait until a worker has ended, by itself or by a signal, and its files are closed.
 */
static void see_end(unsigned worker, int signal)
{
	struct pollfd ended = {
		.fd = (int)syscall(SYS_pidfd_open, workers[worker].pid, 0),
		.events = POLLIN,
	};

	assert_true(ended.fd >= 0);
	if (signal)
		assert_int_equal(kill(workers[worker].pid, signal), 0);
	while (poll(&ended, 1, -1) < 0)
		assert_int_equal(errno, EINTR);
	close(ended.fd);
	workers[worker].lives = false;
	/* Workers whose parents have ended are children of this process. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void check_answer(unsigned worker, const struct answer *answer)
{
	const struct worker *known = &workers[worker];

	assert_int_equal(answer->charged, charged());
	assert_int_equal(answer->charged_here,
			 known->by_hand + held_by(known, false));
	assert_int_equal(answer->part_charged,
			 known->by_hand + held_by(known, true));
}

static void check_charged(void)
{
	struct vms_budget_stats stats = { .struct_size = sizeof(stats) };
	struct vmsi_budget_figures figures;

	assert_int_equal(vms_budget_get_stats(budget, &stats), 0);
	assert_int_equal(stats.committed, charged() * PAGE);
	assert_int_equal(stats.committed_here, 0);
	assert_int_equal(vmsi_budget_read(vms_budget_fd(budget), &figures), 0);
	assert_int_equal(figures.charged, stats.committed);
}

static void check_all(void)
{
	struct vms_budget_stats stats = { .struct_size = sizeof(stats) };
	struct vmsi_budget_figures figures;

	check_charged();
	assert_int_equal(vms_budget_get_stats(budget, &stats), 0);
	assert_int_equal(stats.processes, living() + 1);
	assert_int_equal(vmsi_budget_read(vms_budget_fd(budget), &figures), 0);
	assert_int_equal(figures.processes, stats.processes);
}

static unsigned pick_living(struct random *random)
{
	unsigned worker;

	do
		worker = (unsigned)random_below(random, WORKERS);
	while (!workers[worker].lives);
	return worker;
}

/* Return a random mapping that is in use, or one that is not; MAPPINGS: none. */
static unsigned pick_mapping(struct random *random, unsigned worker, bool used)
{
	unsigned first = (unsigned)random_below(random, MAPPINGS);

	for (unsigned i = 0; i < MAPPINGS; i++) {
		unsigned mapping = (first + i) % MAPPINGS;

		if (workers[worker].mappings[mapping].is_used == used)
			return mapping;
	}
	return MAPPINGS;
}

/* Give an order; it must be refused if so many more pages do not fit. */
static bool granted(unsigned worker, const struct order *order, size_t more)
{
	bool fits = more == 0 || charged() + more <= LIMIT_PAGES;
	struct answer answer;

	tell(worker, order);
	answer = hear(worker);
	assert_int_equal(answer.error, fits ? 0 : ENOMEM);
	refused += !fits;
	if (!fits)
		check_answer(worker, &answer);
	return fits;
}

/* Map an object, which the worker may have mapped already. */
static void step_map(struct random *random, unsigned worker, bool is_file)
{
	struct order order = {
		.action = is_file ? MAP_A_FILE : MAP_AN_OBJECT,
		.mapping = pick_mapping(random, worker, false),
		.other = (unsigned)random_below(random, FILES),
		.space = (unsigned)random_below(random, SPACES),
	};
	unsigned object = is_file ? order.other : object_count;

	if (order.mapping == MAPPINGS ||
	    object_count == sizeof(objects) / sizeof(*objects))
		return;
	if (is_file) {
		order.offset = random_below(random, objects[object].pages);
		order.pages = 1 + random_below(random, objects[object].pages -
					       order.offset);
	} else {
		order.pages = 1 + random_below(random, 60);
		objects[object_count++] = (struct object){ order.pages, false };
	}
	if (granted(worker, &order,
		    is_held(object) ? 0 : objects[object].pages))
		workers[worker].mappings[order.mapping] = (struct mapping){
			true, object, order.space, order.pages,
		};
}

static void step_alias(struct random *random, unsigned worker)
{
	struct order order = {
		.action = MAP_ALIAS,
		.mapping = pick_mapping(random, worker, false),
		.other = pick_mapping(random, worker, true),
	};

	if (order.mapping == MAPPINGS || order.other == MAPPINGS)
		return;
	(void)granted(worker, &order, 0);
	workers[worker].mappings[order.mapping] =
		workers[worker].mappings[order.other];
}

static void step_unmap(struct random *random, unsigned worker,
		       enum action action)
{
	struct order order = {
		.action = action,
		.mapping = pick_mapping(random, worker, true),
	};
	struct mapping *mapping;

	if (order.mapping == MAPPINGS)
		return;
	mapping = &workers[worker].mappings[order.mapping];
	(void)granted(worker, &order, 0);
	if (action == UNMAP)
		mapping->is_used = false;
	else if (action == UNMAP_PART && --mapping->pages == 0)
		mapping->is_used = false;
}

static void step_charge(struct random *random, unsigned worker)
{
	struct order order = { .action = CHARGE,
			       .pages = 1 + random_below(random, 40) };

	if (granted(worker, &order, order.pages))
		workers[worker].by_hand += order.pages;
}

/* In an order to fork, pages tells whether the parent ends at once. */
static void step_fork(struct random *random, unsigned worker)
{
	struct order order = { .action = FORK, .other = 0,
			       .pages = random_percent(random, 30) };
	struct answer answer;

	while (order.other < WORKERS && workers[order.other].lives)
		order.other++;
	if (order.other == WORKERS)
		return;
	forked++;
	tell(worker, &order);
	if (order.pages)
		see_end(worker, 0);
	else
		(void)hear(worker);
	workers[order.other] = workers[worker];
	workers[order.other].lives = true;
	/*
	 * The child is charged before it runs. If its parent has ended, the child
	 * holds the copied lock until its fork handler has run.
	 */
	if (!order.pages)
		check_charged();
	answer = hear(order.other);
	workers[order.other].pid = answer.pid;
	/* The child may have seen the charge before its parent had ended. */
	if (order.pages)
		answer.charged = charged();
	check_answer(order.other, &answer);
}

static void step_end(struct random *random, unsigned worker)
{
	const struct order order = { .action = END };
	bool is_killed = random_percent(random, 60);

	if (living() == 1)
		return;
	killed += is_killed;
	if (!is_killed)
		tell(worker, &order);
	see_end(worker, is_killed ? SIGKILL : 0);
}

static void step(struct random *random)
{
	unsigned worker = pick_living(random);
	size_t choice = random_below(random, 100);
	struct order order = { .action = UNCHARGE };

	if (choice < 22)
		step_map(random, worker, true);
	else if (choice < 36)
		step_map(random, worker, false);
	else if (choice < 44)
		step_alias(random, worker);
	else if (choice < 60)
		step_unmap(random, worker, UNMAP);
	else if (choice < 66)
		step_unmap(random, worker, UNMAP_PART);
	else if (choice < 72)
		step_unmap(random, worker, MOVE);
	else if (choice < 79)
		step_charge(random, worker);
	else if (choice < 85) {
		(void)granted(worker, &order, 0);
		workers[worker].by_hand = 0;
	} else if (choice < 93)
		step_fork(random, worker);
	else
		step_end(random, worker);
}

/* --- the whole ----------------------------------------------------------- */

static void make_files(struct random *random)
{
	for (object_count = 0; object_count < FILES; object_count++) {
		size_t pages = 1 + random_below(random, 80);
		int fd = memfd_create("object", MFD_CLOEXEC);

		assert_true(fd >= 0);
		assert_int_equal(ftruncate(fd, (off_t)(pages * PAGE)), 0);
		files[object_count] = fd;
		objects[object_count] = (struct object){ pages, true };
	}
}

static void begin(struct random *random)
{
	struct vms_budget_options options = {
		.struct_size = sizeof(options), .limit = LIMIT_PAGES * PAGE,
		.policy = VMS_COMMIT_STRICT, .flags = VMS_BUDGET_SHARED,
	};
	pid_t first;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	make_files(random);
	for (unsigned i = 0; i < WORKERS; i++) {
		assert_int_equal(pipe2(pipes[i].orders, O_CLOEXEC), 0);
		assert_int_equal(pipe2(pipes[i].answers, O_CLOEXEC), 0);
	}
	budget = vms_budget_open(&options);
	assert_non_null(budget);
	first = fork();
	assert_true(first >= 0);
	if (first == 0) {
		open_worker();
		work(0);
	}
	workers[0].lives = true;
	workers[0].pid = hear(0).pid;
}

static void each_object_is_charged_once(void **state)
{
	struct random random = { given.seed };

	(void)state;
	begin(&random);
	for (unsigned long i = 0; i < given.operations; i++) {
		step(&random);
		check_all();
	}
	for (unsigned i = 0; i < WORKERS; i++)
		if (workers[i].lives)
			see_end(i, SIGKILL);
	check_all();
	print_message("# %lu operations, %u refused, %u forked, %u killed\n",
		      given.operations, refused, forked, killed);
	assert_true(refused > 0 && forked > 0 && killed > 0);
	assert_int_equal(vms_budget_close(budget), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_object_is_charged_once),
	};

	read_arguments("budget_model", argc, argv, &given);
	return cmocka_run_group_tests_name("budget_model", tests, NULL, NULL);
}
