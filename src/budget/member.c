/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "budget/budget.h"
#include "host/host.h"

/* The memory of a shared budget, and this process's place in it. */

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* --- the file ------------------------------------------------------------ */

static long create_file(void)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	long fd = vmsi_host.memfd_create(VMSI_BUDGET_FD_NAME,
					 flags | MFD_NOEXEC_SEAL);

	/* Linux before 6.3 does not know that files need not be programs. */
	if (fd == -EINVAL)
		fd = vmsi_host.memfd_create(VMSI_BUDGET_FD_NAME, flags);
	return fd;
}

static long make_file(void)
{
	long fd = create_file();
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

/* What nobody can cut short, so that reading it cannot be SIGBUS. */
static int check_file(int fd)
{
	struct stat status;
	long result = vmsi_host.fstat(fd, &status);

	if (result < 0)
		return (int)result;
	if (!S_ISREG(status.st_mode) ||
	    status.st_size != (off_t)VMSI_BUDGET_BYTES)
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

static int watch_fork(struct vms_budget *budget)
{
	const size_t bytes = vmsi_page_size();
	long page = vmsi_host.mmap(0, bytes, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long error;

	if (page < 0)
		return -ENOMEM;
	error = vmsi_host.madvise((uintptr_t)page, bytes, MADV_WIPEONFORK);
	if (error < 0) {
		vmsi_host.munmap((uintptr_t)page, bytes);
		return -ENOMEM;
	}
	budget->settled = (_Atomic unsigned *)page;
	atomic_store(budget->settled, 1);
	return 0;
}

/* --- a slot -------------------------------------------------------------- */

/* Whoever reads the slots looks at this one from now on. */
static void note_used(struct vms_budget *budget, uint32_t used)
{
	_Atomic uint32_t *slots_used = &budget->shared->head.slots_used;
	uint32_t seen = atomic_load(slots_used);

	/* As many tries as there are processes to come in between. */
	for (unsigned i = 0; i < VMSI_BUDGET_SLOTS && seen < used; i++)
		if (atomic_compare_exchange_strong(slots_used, &seen, used))
			break;
}

int vmsi_member_join(struct vms_budget *budget)
{
	long fd = vmsi_host.reopen(budget->fd);

	if (fd < 0)
		return (int)fd;
	budget->lock_fd = (int)fd;
	for (unsigned i = 0; i < VMSI_BUDGET_SLOTS; i++) {
		if (!vmsi_slots_take(budget, i))
			continue;
		budget->slot = i;
		note_used(budget, i + 1);
		atomic_store(&budget->shared->slots[i].pid,
			     (uint32_t)vmsi_host.getpid());
		vmsi_slots_publish(budget);
		vmsi_slots_note_peak(budget);
		return 0;
	}
	vmsi_host.close(budget->lock_fd);
	budget->lock_fd = -1;
	return -EAGAIN;
}

void vmsi_member_leave(struct vms_budget *budget)
{
	if (budget->lock_fd < 0)
		return;
	vmsi_slots_release(budget, budget->slot);
	vmsi_host.close(budget->lock_fd);
	budget->lock_fd = -1;
}

void vmsi_member_renew(struct vms_budget *budget)
{
	/* The lock stays: the parent has the description open. */
	if (budget->lock_fd >= 0)
		vmsi_host.close(budget->lock_fd);
	budget->lock_fd = -1;
	/* Where it fails, it is tried again at each charge. */
	if (!budget->is_published)
		(void)vmsi_member_join(budget);
	atomic_store(budget->settled, 1);
}

/* --- create, attach, close ----------------------------------------------- */

static void enlist(struct vms_budget *budget)
{
	vmsi_lock_acquire(&vmsi_budget_lock);
	budget->next = vmsi_budget_shared_list;
	vmsi_budget_shared_list = budget;
	vmsi_lock_release(&vmsi_budget_lock);
}

static void release(struct vms_budget *budget)
{
	vmsi_member_leave(budget);
	if (budget->settled)
		vmsi_host.munmap((uintptr_t)budget->settled, vmsi_page_size());
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

/* Take over what the maker said, which need not make sense. */
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

/* The end of create and attach; error is what the steps before came to. */
static int join_or_release(struct vms_budget *budget, int error)
{
	if (!error)
		error = watch_fork(budget);
	if (!error)
		error = vmsi_member_join(budget);
	if (error)
		release(budget);
	else
		enlist(budget);
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

void vmsi_member_close(struct vms_budget *budget)
{
	struct vms_budget **link = &vmsi_budget_shared_list;

	while (*link != budget)
		link = &(*link)->next;
	*link = budget->next;
	release(budget);
}
