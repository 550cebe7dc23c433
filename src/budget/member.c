/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/mman.h"
#include "budget/distinct.h"
#include "budget/member.h"
#include "budget/slots.h"
#include "host/disk.h"
#include "host/host.h"

/* The memory file of a shared budget, and the slot of this process in it. */

struct vms_budget *vmsi_budget_shared_list;

/* --- the file ------------------------------------------------------------ */

static long make_file(void)
{
	long fd = vmsi_disk_make_memory(VMSI_BUDGET_FD_NAME, MFD_NOEXEC_SEAL);
	long error;

	if (fd < 0)
		return fd;
	error = vmsi_host.ftruncate((int)fd, VMSI_BUDGET_BYTES);
	if (!error)
		error = vmsi_host.add_seals((int)fd, F_SEAL_SHRINK |
						     F_SEAL_GROW | F_SEAL_SEAL);
	if (!error)
		return fd;
	vmsi_host.close((int)fd);
	return error;
}

/*
 * Refuse a file that somebody could cut short, since to read it could be
 * SIGBUS. The version comes first: another one has another length.
 */
static int check_file(int fd)
{
	struct stat status;
	long result = vmsi_host.fstat(fd, &status);

	if (result < 0)
		return (int)result;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	if (vmsi_budget_version(fd, &result) && result != VMSI_BUDGET_VERSION)
		return -EPROTONOSUPPORT;
	if (status.st_size != (off_t)VMSI_BUDGET_BYTES)
		return -EINVAL;
	result = vmsi_host.seals(fd);
	if (result < 0)
		return (int)result;
	return result & F_SEAL_SHRINK ? 0 : -EINVAL;
}

/* --- the mappings -------------------------------------------------------- */

static int map_file(struct vms_budget *budget)
{
	long address = vmsi_host.mmap(0, VMSI_BUDGET_BYTES,
				      PROT_READ | PROT_WRITE, MAP_SHARED,
				      budget->fd, 0);

	if (address < 0)
		return (int)address;
	budget->shared = (struct vmsi_budget_shared *)address;
	return 0;
}

static int get_table(struct vms_budget *budget)
{
	budget->table = vmsi_distinct_table();
	return budget->table ? 0 : -ENOMEM;
}

static int watch_fork(struct vms_budget *budget)
{
	const long page = vmsi_host_wiped_page();

	if (page < 0)
		return -ENOMEM;
	budget->joined = (_Atomic unsigned *)page;
	atomic_store(budget->joined, 1);
	return 0;
}

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		vmsi_host.close(*fd);
	*fd = -1;
}

/* --- a slot -------------------------------------------------------------- */

/* Find and clear a slot whose lock lock_fd can take; false: none is left. */
static bool find_slot(struct vms_budget *budget, int lock_fd, unsigned *slot)
{
	for (unsigned i = 0; i < VMSI_BUDGET_SLOTS; i++) {
		if (!vmsi_slots_take(budget, lock_fd, i))
			continue;
		vmsi_slots_note_used(budget, i + 1);
		*slot = i;
		return true;
	}
	return false;
}

static void take_over_slot(struct vms_budget *budget)
{
	atomic_store(&budget->shared->slots[budget->slot].pid,
		     (uint32_t)vmsi_host.getpid());
}

int vmsi_member_join(struct vms_budget *budget)
{
	long fd = vmsi_host.reopen(budget->fd);

	if (fd < 0)
		return (int)fd;
	if (!find_slot(budget, (int)fd, &budget->slot)) {
		vmsi_host.close((int)fd);
		return -EAGAIN;
	}
	budget->lock_fd = (int)fd;
	take_over_slot(budget);
	vmsi_places_fill(budget);
	vmsi_slots_publish(budget);
	vmsi_slots_note_peak(budget, UINT64_MAX);
	return 0;
}

void vmsi_member_leave(struct vms_budget *budget)
{
	if (budget->lock_fd < 0)
		return;
	vmsi_slots_release(budget, budget->slot);
	close_descriptor(&budget->lock_fd);
	vmsi_places_forget(budget);
}

void vmsi_member_renew(struct vms_budget *budget)
{
	/* The parent keeps its lock, since it has the description open, too. */
	close_descriptor(&budget->lock_fd);
	/* A raw clone can have copied what another thread opened for fork. */
	close_descriptor(&budget->child_fd);
	vmsi_places_forget(budget);
	/* If this fails, ask.c tries again at each charge. */
	if (!budget->is_published)
		(void)vmsi_member_join(budget);
	atomic_store(budget->joined, 1);
}

/* --- fork ---------------------------------------------------------------- */

void vmsi_member_prepare_child(struct vms_budget *budget)
{
	struct vmsi_budget_slot *slot;
	long fd;

	if (!atomic_load(budget->joined))
		vmsi_member_renew(budget);
	if (budget->lock_fd < 0)
		return;
	fd = vmsi_host.reopen(budget->fd);
	if (fd < 0)
		return;
	if (!find_slot(budget, (int)fd, &budget->child_slot)) {
		vmsi_host.close((int)fd);
		return;
	}
	budget->child_fd = (int)fd;
	slot = &budget->shared->slots[budget->child_slot];
	/* The slot has the parent's id until the child writes its own. */
	atomic_store(&slot->pid, (uint32_t)vmsi_host.getpid());
	vmsi_places_copy(budget, budget->child_slot);
	atomic_store(&slot->charged,
		     budget->ledger.charged - budget->in_places);
}

void vmsi_member_leave_child(struct vms_budget *budget)
{
	close_descriptor(&budget->child_fd);
}

void vmsi_member_become_child(struct vms_budget *budget)
{
	if (budget->child_fd < 0) {
		vmsi_member_renew(budget);
		return;
	}
	close_descriptor(&budget->lock_fd);
	budget->lock_fd = budget->child_fd;
	budget->child_fd = -1;
	budget->slot = budget->child_slot;
	take_over_slot(budget);
	vmsi_slots_note_peak(budget, UINT64_MAX);
	atomic_store(budget->joined, 1);
}

/* --- create, attach, close ----------------------------------------------- */

static void release(struct vms_budget *budget)
{
	vmsi_member_leave(budget);
	if (budget->joined)
		vmsi_host.munmap((uintptr_t)budget->joined, vmsi_page_size());
	vmsi_distinct_free(budget->table);
	if (budget->shared)
		vmsi_host.munmap((uintptr_t)budget->shared, VMSI_BUDGET_BYTES);
	vmsi_host.close(budget->fd);
}

static void describe(const struct vms_budget *budget)
{
	struct vmsi_budget_head *head = &budget->shared->head;

	head->maker = (uint32_t)vmsi_host.getpid();
	head->version = VMSI_BUDGET_VERSION;
	atomic_store(&head->kind, VMSI_BUDGET_BY_SLOTS);
	atomic_store(&head->policy, budget->ledger.policy);
	atomic_store(&head->limit, budget->ledger.limit);
	memcpy(head->name, budget->name, sizeof(head->name));
	head->magic = VMSI_BUDGET_MAGIC;
}

/* Check what the maker of the file wrote, and take over policy and name. */
static int believe(struct vms_budget *budget)
{
	const struct vmsi_budget_head *head = &budget->shared->head;
	uint32_t policy = atomic_load(&head->policy);

	if (head->magic != VMSI_BUDGET_MAGIC ||
	    head->version != VMSI_BUDGET_VERSION ||
	    atomic_load(&head->kind) != VMSI_BUDGET_BY_SLOTS ||
	    policy > VMS_COMMIT_STRICT)
		return -EINVAL;
	vmsi_ledger_init(&budget->ledger, 0, (enum vms_commit_policy)policy);
	memcpy(budget->name, head->name, sizeof(budget->name) - 1);
	return 0;
}

/* The end of create and attach, whose steps came to error. */
static int join_or_release(struct vms_budget *budget, int error)
{
	if (!error)
		error = get_table(budget);
	if (!error)
		error = watch_fork(budget);
	if (!error)
		error = vmsi_member_join(budget);
	if (error)
		release(budget);
	return error;
}

int vmsi_member_create(struct vms_budget *budget)
{
	long fd = make_file();
	int error;

	if (fd < 0)
		return (int)fd;
	budget->fd = (int)fd;
	error = map_file(budget);
	if (!error)
		describe(budget);
	return join_or_release(budget, error);
}

int vmsi_member_attach(struct vms_budget *budget, int fd)
{
	int error = check_file(fd);
	long own;

	if (error)
		return error;
	own = vmsi_host.reopen(fd);
	if (own < 0)
		return (int)own;
	budget->fd = (int)own;
	error = map_file(budget);
	if (!error)
		error = believe(budget);
	return join_or_release(budget, error);
}

void vmsi_member_enlist(struct vms_budget *budget)
{
	budget->next = vmsi_budget_shared_list;
	vmsi_budget_shared_list = budget;
}

void vmsi_member_close(struct vms_budget *budget)
{
	struct vms_budget **link = &vmsi_budget_shared_list;

	while (*link != budget)
		link = &(*link)->next;
	*link = budget->next;
	release(budget);
}
