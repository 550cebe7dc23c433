/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/align.h"
#include "budget/distinct.h"
#include "budget/shared.h"
#include "host/host.h"

/* For programs that show the figures of shared budgets and join none. */

/* --- read ---------------------------------------------------------------- */

#define SLOTS_AT_ONCE 32u

static int read_all(int fd, void *buffer, size_t length, uint64_t offset)
{
	long result = vmsi_host.pread(fd, buffer, length, offset);

	if (result < 0)
		return (int)result;
	return (size_t)result == length ? 0 : -EINVAL;
}

/* Whether a process has the slot; true if the host does not tell. */
static bool is_held(int fd, unsigned i)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = i,
		.l_len = 1,
	};

	return vmsi_host.file_lock(fd, F_OFD_GETLK, &lock) < 0 ||
		lock.l_type != F_UNLCK;
}

/* The different processes; one that opens a budget twice has two slots. */
struct pids {
	unsigned count;
	uint32_t all[VMSI_BUDGET_SLOTS];
};

static void add_pid(struct pids *pids, uint32_t pid)
{
	for (unsigned i = 0; i < pids->count; i++)
		if (pids->all[i] == pid)
			return;
	pids->all[pids->count++] = pid;
}

/* A copy of the objects of all slots, and the table for the sum over them. */
struct copy {
	struct vmsi_budget_object *objects;
	uint32_t *table;
	uint32_t used[VMSI_BUDGET_SLOTS];  /* places in use of each slot */
};

#define OBJECTS_BYTES (VMSI_BUDGET_BYTES - VMSI_BUDGET_OBJECTS_OFFSET)

static int get_copy(struct copy *copy)
{
	long address = vmsi_host.mmap(0, OBJECTS_BYTES, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS |
					      MAP_NORESERVE, -1, 0);

	if (address < 0)
		return -ENOMEM;
	copy->objects = (struct vmsi_budget_object *)address;
	copy->table = vmsi_distinct_table();
	if (copy->table)
		return 0;
	vmsi_host.munmap((uintptr_t)address, OBJECTS_BYTES);
	return -ENOMEM;
}

static void free_copy(struct copy *copy)
{
	vmsi_host.munmap((uintptr_t)copy->objects, OBJECTS_BYTES);
	vmsi_distinct_free(copy->table);
}

static int copy_objects(int fd, unsigned slot, uint32_t used, struct copy *copy)
{
	const size_t first = (size_t)slot * VMSI_BUDGET_OBJECTS;

	used = (uint32_t)vmsi_min(used, VMSI_BUDGET_OBJECTS);
	copy->used[slot] = used;
	return used == 0 ? 0 :
		read_all(fd, &copy->objects[first],
			 used * sizeof(*copy->objects),
			 VMSI_BUDGET_OBJECTS_OFFSET +
				 first * sizeof(*copy->objects));
}

static size_t sum_of_objects(const struct copy *copy, unsigned slots)
{
	struct vmsi_distinct distinct;
	size_t count = 0;

	for (unsigned i = 0; i < slots; i++)
		count += copy->used[i];
	vmsi_distinct_begin(&distinct, copy->table, copy->objects, count);
	for (unsigned i = 0; i < slots; i++)
		for (uint32_t k = 0; k < copy->used[i]; k++) {
			uint32_t index = i * VMSI_BUDGET_OBJECTS + k;

			if (vmsi_object_value(&copy->objects[index],
					      VMSI_OBJECT_CHARGED))
				vmsi_distinct_add(&distinct, index,
						  VMSI_OBJECT_CHARGED);
		}
	return distinct.sum;
}

/* Add one slot to the figures, if a process has it, and copy its objects. */
static int read_slot(int fd, unsigned i, const struct vmsi_budget_slot *slot,
		     struct vmsi_budget_figures *figures, struct pids *pids,
		     struct copy *copy)
{
	uint32_t pid = atomic_load(&slot->pid);

	copy->used[i] = 0;
	if (pid == 0 || !is_held(fd, i))
		return 0;
	add_pid(pids, pid);
	figures->charged = vmsi_add_saturating(figures->charged,
					       atomic_load(&slot->charged));
	return copy_objects(fd, i, atomic_load(&slot->objects_used), copy);
}

/* Sum up the slots of processes that live. */
static int read_slots(int fd, unsigned used,
		      struct vmsi_budget_figures *figures, struct copy *copy)
{
	struct vmsi_budget_slot slots[SLOTS_AT_ONCE];
	struct pids pids = { .count = 0 };

	for (unsigned i = 0; i < used; i++) {
		int error = 0;

		if (i % SLOTS_AT_ONCE == 0)
			error = read_all(fd, slots, sizeof(slots),
					 VMSI_BUDGET_HEAD_BYTES +
						 i * sizeof(*slots));
		if (!error)
			error = read_slot(fd, i, &slots[i % SLOTS_AT_ONCE],
					  figures, &pids, copy);
		if (error)
			return error;
	}
	figures->charged = vmsi_add_saturating(figures->charged,
					       sum_of_objects(copy, used));
	figures->processes = pids.count;
	return 0;
}

/*
 * The slots are read again, so many times, if an object was changed meanwhile:
 * one that passes from a process to another could be missed or counted twice.
 */
#define TRIES 8

static int read_by_slots(int fd, struct vmsi_budget_head *head,
			 struct vmsi_budget_figures *figures)
{
	struct vmsi_budget_figures found;
	struct copy copy;
	int error = get_copy(&copy);

	if (error)
		return error;
	for (int i = 0; i < TRIES && !error; i++) {
		uint64_t changes = atomic_load(&head->changes);

		found = *figures;
		error = read_slots(fd, (unsigned)vmsi_min(
					       atomic_load(&head->slots_used),
					       VMSI_BUDGET_SLOTS),
				   &found, &copy);
		if (!error)
			error = read_all(fd, head, sizeof(*head), 0);
		if (!error && atomic_load(&head->changes) == changes)
			break;
	}
	free_copy(&copy);
	if (!error)
		*figures = found;
	return error;
}

/* --- the head ------------------------------------------------------------ */

bool vmsi_budget_version(int fd, long *version)
{
	struct vmsi_budget_head head;

	/* All versions have the fields before maker in common. */
	if (read_all(fd, &head, offsetof(struct vmsi_budget_head, maker), 0) ||
	    head.magic != VMSI_BUDGET_MAGIC)
		return false;
	*version = head.version;
	return true;
}

static bool makes_sense(const struct vmsi_budget_head *head)
{
	uint32_t kind = atomic_load(&head->kind);

	return (kind == VMSI_BUDGET_BY_SLOTS ||
		 kind == VMSI_BUDGET_PUBLISHED) &&
		atomic_load(&head->policy) <= VMS_COMMIT_STRICT;
}

static void copy_head(const struct vmsi_budget_head *head,
		      struct vmsi_budget_figures *figures)
{
	*figures = (struct vmsi_budget_figures){
		.limit = atomic_load(&head->limit),
		.peak = atomic_load(&head->peak),
		.refusals = atomic_load(&head->refusals),
		.policy = (enum vms_commit_policy)atomic_load(&head->policy),
		.kind = (enum vmsi_budget_kind)atomic_load(&head->kind),
		.maker = head->maker,
	};
	/* The names in the file may lack the 0 at their end: keep it. */
	memcpy(figures->name, head->name, VMS_NAME_MAX);
	if (figures->kind != VMSI_BUDGET_PUBLISHED)
		return;
	figures->charged = atomic_load(&head->charged);
	figures->processes = atomic_load(&head->processes);
	memcpy(figures->label, head->label, VMSI_BUDGET_LABEL_MAX);
}

int vmsi_budget_read(int fd, struct vmsi_budget_figures *figures)
{
	struct vmsi_budget_figures found;
	struct vmsi_budget_head head;
	long version;
	int error = read_all(fd, &head, sizeof(head), 0);

	if (error)
		return error;
	if (!vmsi_budget_version(fd, &version))
		return -EINVAL;
	if (version != VMSI_BUDGET_VERSION)
		return -EPROTONOSUPPORT;
	if (!makes_sense(&head))
		return -EINVAL;
	copy_head(&head, &found);
	if (found.kind == VMSI_BUDGET_BY_SLOTS)
		error = read_by_slots(fd, &head, &found);
	if (!error)
		*figures = found;
	return error;
}
