/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/align.h"
#include "budget/budget.h"
#include "host/host.h"

/* Figures of shared budgets: for readers, and from owners who know better. */

/* --- read ---------------------------------------------------------------- */

#define SLOTS_AT_ONCE 32u

static int read_all(int fd, void *buffer, size_t length, uint64_t offset)
{
	long result = vmsi_host.pread(fd, buffer, length, offset);

	if (result < 0)
		return (int)result;
	return (size_t)result == length ? 0 : -EINVAL;
}

/* Whether a process has the slot; yes, where the host does not tell. */
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

/* The processes that were found; one can have several slots. */
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

/* Sum up the slots of processes that live. */
static int read_slots(int fd, unsigned used,
		      struct vmsi_budget_figures *figures)
{
	struct vmsi_budget_slot slots[SLOTS_AT_ONCE];
	struct pids pids = { .count = 0 };

	for (unsigned i = 0; i < used; i++) {
		const struct vmsi_budget_slot *slot = &slots[i % SLOTS_AT_ONCE];
		uint32_t pid;

		if (i % SLOTS_AT_ONCE == 0) {
			int error = read_all(fd, slots, sizeof(slots),
					     VMSI_BUDGET_HEAD_BYTES +
						     i * sizeof(*slots));

			if (error)
				return error;
		}
		pid = atomic_load(&slot->pid);
		if (pid == 0 || !is_held(fd, i))
			continue;
		add_pid(&pids, pid);
		figures->charged = vmsi_add_saturating(
			figures->charged, atomic_load(&slot->charged));
	}
	figures->processes = pids.count;
	return 0;
}

static bool makes_sense(const struct vmsi_budget_head *head)
{
	uint32_t kind = atomic_load(&head->kind);

	return head->magic == VMSI_BUDGET_MAGIC &&
		head->version == VMSI_BUDGET_VERSION &&
		(kind == VMSI_BUDGET_BY_SLOTS ||
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
	/* The last byte of each stays 0. */
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
	int error = read_all(fd, &head, sizeof(head), 0);

	if (error)
		return error;
	if (!makes_sense(&head))
		return -EINVAL;
	copy_head(&head, &found);
	if (found.kind == VMSI_BUDGET_BY_SLOTS)
		error = read_slots(fd,
				   (unsigned)vmsi_min(
					   atomic_load(&head.slots_used),
					   VMSI_BUDGET_SLOTS),
				   &found);
	if (!error)
		*figures = found;
	return error;
}

/* --- publish ------------------------------------------------------------- */

static void set_label(struct vmsi_budget_head *head, const char *label)
{
	size_t length = strnlen(label, VMSI_BUDGET_LABEL_MAX);

	memset(head->label, 0, sizeof(head->label));
	memcpy(head->label, label, length);
}

int vmsi_budget_publish(struct vms_budget *budget,
			const struct vmsi_budget_publication *publication)
{
	struct vmsi_budget_head *head;
	int error = -EINVAL;

	vmsi_budget_enter(budget);
	if (budget->shared && budget->ledger.charged == 0 && !budget->users) {
		head = &budget->shared->head;
		vmsi_member_leave(budget);
		budget->is_published = true;
		atomic_store(&head->charged, publication->charged);
		atomic_store(&head->peak, publication->peak);
		atomic_store(&head->refusals, publication->refusals);
		atomic_store(&head->processes, publication->processes);
		if (publication->label)
			set_label(head, publication->label);
		atomic_store(&head->kind, VMSI_BUDGET_PUBLISHED);
		error = 0;
	}
	vmsi_budget_leave();
	return error;
}
