/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "budget_worker.h"

struct pipes pipes[WORKERS];
int files[FILES];
vms_budget *budget;
static vms_budget *part;          /* of the worker, under it */
static vms_space *spaces[SPACES]; /* 0: under budget; the rest under part */
static void *memory[MAPPINGS];
static size_t lengths[MAPPINGS];
static size_t by_hand;

static vms_space *space_of(unsigned mapping)
{
	return vms_space_of(memory[mapping]);
}

static int map(const struct order *order, int flags, int fd)
{
	void *at = vms_mmap(spaces[order->space], NULL, order->pages * PAGE,
			    PROT_READ | PROT_WRITE, flags, fd,
			    (off_t)(order->offset * PAGE));

	if (at == MAP_FAILED)
		return errno;
	memory[order->mapping] = at;
	lengths[order->mapping] = order->pages * PAGE;
	return 0;
}

static int map_alias(const struct order *order)
{
	void *at = vms_mremap(space_of(order->other), memory[order->other], 0,
			      lengths[order->other], MREMAP_MAYMOVE, NULL);

	if (at == MAP_FAILED)
		return errno;
	memory[order->mapping] = at;
	lengths[order->mapping] = lengths[order->other];
	return 0;
}

static int unmap(unsigned mapping, size_t length)
{
	char *at = memory[mapping];

	/* Unmap from the end, so that the rest keeps its start. */
	if (vms_munmap(space_of(mapping), at + lengths[mapping] - length,
		       length) != 0)
		return errno;
	lengths[mapping] -= length;
	if (lengths[mapping] == 0)
		memory[mapping] = NULL;
	return 0;
}

/* Move a mapping over another one. */
static int move(unsigned mapping)
{
	vms_space *space = space_of(mapping);
	void *target = vms_mmap(space, NULL, lengths[mapping], PROT_NONE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *at;

	if (target == MAP_FAILED)
		return errno;
	at = vms_mremap(space, memory[mapping], lengths[mapping],
			lengths[mapping], MREMAP_MAYMOVE | MREMAP_FIXED,
			target);
	if (at == MAP_FAILED)
		return errno;
	memory[mapping] = at;
	return 0;
}

static int act(const struct order *order)
{
	switch (order->action) {
	case MAP_A_FILE:
		return map(order, MAP_SHARED, files[order->other]);
	case MAP_AN_OBJECT:
		return map(order, MAP_SHARED | MAP_ANONYMOUS, -1);
	case MAP_ALIAS:
		return map_alias(order);
	case UNMAP:
		return unmap(order->mapping, lengths[order->mapping]);
	case UNMAP_PART:
		return unmap(order->mapping, PAGE);
	case MOVE:
		return move(order->mapping);
	case CHARGE:
		if (vms_budget_charge(part, order->pages * PAGE) != 0)
			return errno;
		by_hand += order->pages;
		return 0;
	case UNCHARGE:
		if (vms_budget_uncharge(part, by_hand * PAGE) != 0)
			return errno;
		by_hand = 0;
		return 0;
	default:
		return EINVAL;
	}
}

static void reply(unsigned self, int error)
{
	struct vms_budget_stats all = { .struct_size = sizeof(all) };
	struct vms_budget_stats own = { .struct_size = sizeof(own) };
	struct answer answer = { .error = error, .pid = getpid() };

	(void)vms_budget_get_stats(budget, &all);
	(void)vms_budget_get_stats(part, &own);
	answer.charged = all.committed / PAGE;
	answer.charged_here = all.committed_here / PAGE;
	answer.part_charged = own.committed / PAGE;
	if (write(pipes[self].answers[1], &answer, sizeof(answer)) !=
	    sizeof(answer))
		_exit(1);
}

/* Fork; the child returns too, as the other worker. */
static unsigned fork_worker(unsigned self, unsigned other, bool at_once)
{
	pid_t child = fork();

	if (child == 0) {
		self = other;
		reply(self, 0);
	} else {
		/* A parent that ends at once does not wait for the child. */
		if (at_once)
			_exit(0);
		reply(self, child < 0 ? errno : 0);
	}
	return self;
}

void work(unsigned self)
{
	struct order order;

	reply(self, 0);
	while (read(pipes[self].orders[0], &order, sizeof(order)) ==
	       sizeof(order)) {
		if (order.action == END)
			_exit(0);
		if (order.action == FORK)
			self = fork_worker(self, order.other,
					   order.pages != 0);
		else
			reply(self, act(&order));
	}
	_exit(0);
}

void open_worker(void)
{
	struct vms_budget_options below = {
		.struct_size = sizeof(below), .limit = SIZE_MAX,
		.policy = VMS_COMMIT_STRICT, .parent = budget,
	};

	/* With only the test holding these ends, all workers end with it. */
	for (unsigned i = 0; i < WORKERS; i++) {
		close(pipes[i].orders[1]);
		close(pipes[i].answers[0]);
	}
	part = vms_budget_open(&below);
	for (unsigned i = 0; i < SPACES; i++) {
		struct vms_space_options options = {
			.struct_size = sizeof(options),
			.commit_policy = VMS_COMMIT_ALWAYS,
			.budget = i == 0 ? budget : part,
		};

		spaces[i] = vms_space_open(4096 * PAGE, &options);
		if (!spaces[i])
			_exit(1);
	}
}
