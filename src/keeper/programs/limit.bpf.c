/* SPDX-License-Identifier: MIT
 *
 * Limits of control groups, kept by the kernel: these programs refuse a request for
 * memory by which a group would pass its limit.
 *
 * The account has an entry for each memory (mm_struct) of a limited group, whose figure
 * the kernel itself keeps: data_vm and stack_vm. A group has an estimate, which may only
 * be too high. A request that fits beneath the limit by the estimate is granted by one
 * compare-and-swap. Where it does not fit, the whole account is walked, and the sum
 * replaces the estimate.
 */
#include "types.h"

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "keeper/shared.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#include "account.h"
#include "grant.h"
#include "request.h"

/* Nothing is refused to who is outside of all limited groups: it has no entry. */
SEC("fmod_ret/security_vm_enough_memory_mm")
int BPF_PROG(vms_enough, struct mm_struct *mm, long pages)
{
	struct account *account = find(mm);

	if (!account)
		return 0;
	switch (kind_of_request()) {
	case REQUEST_CHARGED:
		return 0;
	case REQUEST_SEGMENT:
		return grant_entry(segment_of_task(), KIND_OBJECT, account->groups, pages);
	case REQUEST_REFUSABLE:
		return grant_locked(account, mm, pages);
	default:
		force(account->groups, pages);
		return 0;
	}
}

/*
 * Growth by mremap of memory without reserve: the memory hook is not called for it, but
 * this function is, and the next hook afterwards.
 */
SEC("fexit/may_expand_vm")
int BPF_PROG(vms_may_expand, struct mm_struct *mm, unsigned long flags,
	     unsigned long pages, _Bool may)
{
	struct arguments arguments;
	struct account *account;

	if (read_call(&arguments) != CALL_MREMAP)
		return 0;
	account = find(mm);
	if (account)
		account->growth = may && is_data(flags) && !(flags & vm_account) ?
			pages : 0;
	return 0;
}

/* The growth that is noted may be of another mremap, which failed. */
static inline u64 growth_of(const struct account *account,
			    const struct arguments *arguments)
{
	const u64 old = pages_of(arguments->second), new = pages_of(arguments->third);
	const u64 pages = arguments->fourth & mremap_dontunmap ? old : new - old;

	return account->growth == pages ? pages : 0;
}

static inline int grant_growth(struct account *account, struct mm_struct *mm,
			       const struct arguments *arguments)
{
	const u64 pages = growth_of(account, arguments);
	int result;

	if (!pages)
		return 0;
	result = grant_locked(account, mm, pages);
	/* Who is refused where it stands asks again, for another place. */
	if (!result)
		account->growth = 0;
	return result;
}

/*
 * Of the hooks that mmap and mremap call for every mapping, this is the one that is
 * called with mmap_lock held. The memory hook is not called for memory without reserve,
 * and what it is told of shared memory without a name is counted here.
 */
SEC("fmod_ret/security_mmap_addr")
int BPF_PROG(vms_mmap_addr, unsigned long addr)
{
	struct mm_struct *mm = bpf_get_current_task_btf()->mm;
	struct account *account = find(mm);
	struct arguments arguments;
	struct mapping mapping;
	enum call call;

	if (!account)
		return 0;
	call = read_call(&arguments);
	if (call == CALL_MREMAP)
		return grant_growth(account, mm, &arguments);
	if (!read_mapping(call, &arguments, &mapping) || !is_unasked(&mapping))
		return 0;
	return grant_locked(account, mm, mapping.pages);
}

/*
 * What becomes writable. The memory hook is called for what never was, and for no memory
 * without reserve.
 */
SEC("fmod_ret/security_file_mprotect")
int BPF_PROG(vms_mprotect, struct vm_area_struct *vma, unsigned long asked,
	     unsigned long prot)
{
	struct account *account = find(vma->vm_mm);
	struct arguments arguments;
	u64 start, end;

	if (!account || !(prot & prot_write) || is_data(vma->vm_flags) ||
	    !is_data(vma->vm_flags | vm_write))
		return 0;
	if (read_call(&arguments) != CALL_MPROTECT)
		return 0;
	start = arguments.first;
	end = start + (pages_of(arguments.second) << page_shift);
	if (start < vma->vm_start)
		start = vma->vm_start;
	if (end > vma->vm_end)
		end = vma->vm_end;
	return start < end ?
		grant_locked(account, vma->vm_mm, (end - start) >> page_shift) : 0;
}

/* Shared memory that was granted becomes an object, which outlives the mapping. */
SEC("fexit/shmem_zero_setup")
int BPF_PROG(vms_shared_made, struct vm_area_struct *vma, int result)
{
	struct mm_struct *mm = bpf_get_current_task_btf()->mm;
	struct account *account = find(mm);

	if (!account || result)
		return 0;
	enter_object(vma->vm_file->f_inode, account->groups,
		     (vma->vm_end - vma->vm_start) >> page_shift);
	/* Or it would count twice until mmap_lock is let go. */
	account->pending = 0;
	return 0;
}

/* A segment of shmget is asked for without mmap_lock, by an entry of its own. */
SEC("fexit/shmem_kernel_file_setup")
int BPF_PROG(vms_segment_made, const char *name, s64 size, unsigned long flags,
	     struct file *file)
{
	struct account *account = find(bpf_get_current_task_btf()->mm);
	const void *asked = segment_of_task();

	if (!account || kind_of_request() != REQUEST_SEGMENT)
		return 0;
	/* The last page of the address space has errors. */
	if ((u64)file < -4095ULL)
		enter_segment(BPF_CORE_READ(file, f_inode), account->groups,
			      pages_of(size),
			      find(asked) != 0);
	leave(asked);
	return 0;
}

/*
 * A file of tmpfs, or of memfd_create, counts as long as it is from when it is mapped
 * writable, since its pages would be refused by a signal.
 */
SEC("fmod_ret/security_mmap_file")
int BPF_PROG(vms_mmap_file, struct file *file, unsigned long prot, unsigned long flags)
{
	struct account *account;
	struct inode *inode;

	if (!file || (flags & map_type) == map_private || !(prot & prot_write))
		return 0;
	account = find(bpf_get_current_task_btf()->mm);
	if (!account)
		return 0;
	inode = file->f_inode;
	if (inode->i_sb->s_magic != tmpfs_magic)
		return 0;
	return grant_object(inode, account->groups,
			    pages_of(inode->i_size));
}

SEC("fentry/shmem_evict_inode")
int BPF_PROG(vms_object_ends, struct inode *inode)
{
	leave(inode);
	return 0;
}

/*
 * A fork is one request for all that the parent has: the memory hook comes once a
 * mapping, where it is too late to be exact. The child has an entry of its own, by its
 * task, until it has a memory.
 */
SEC("fmod_ret/security_task_alloc")
int BPF_PROG(vms_fork, struct task_struct *task, unsigned long clone_flags)
{
	struct mm_struct *mm = bpf_get_current_task_btf()->mm;
	struct account *account;

	if (clone_flags & clone_vm)
		return 0;
	account = find(mm);
	if (!account)
		return 0;
	return grant_entry(task, KIND_NEWBORN, account->groups, figure(mm));
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(vms_forked, struct task_struct *parent, struct task_struct *child)
{
	const u64 groups = groups_of(child);

	if (groups)
		enter_memory(child->mm, groups);
	leave(child);
	return 0;
}

/* A fork that fails after it was granted. */
SEC("fentry/security_task_free")
int BPF_PROG(vms_task_ends, struct task_struct *task)
{
	leave(task);
	return 0;
}

/* The program that is executed has its new memory from here on. */
SEC("fentry/security_bprm_committing_creds")
int BPF_PROG(vms_executed)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const u64 groups = groups_of(task);

	if (groups)
		enter_memory(task->mm, groups);
	return 0;
}

SEC("fexit/exit_mmap")
int BPF_PROG(vms_memory_ends, struct mm_struct *mm)
{
	leave(mm);
	return 0;
}

SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(vms_attached, struct cgroup *cgroup, const char *path, struct task_struct *task)
{
	look_at(task);
	return 0;
}

/* No process is left in it. The command sets its slot free when it is next called. */
SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(vms_group_ends, struct cgroup *cgroup)
{
	u64 id = cgroup->kn->id;
	u32 *slot = bpf_map_lookup_elem(&slots, &id);
	struct vmsi_bpf_limit *limit;

	if (!slot)
		return 0;
	limit = bpf_map_lookup_elem(&limits, slot);
	if (limit)
		limit->id = VMSI_BPF_GONE;
	bpf_map_delete_elem(&slots, &id);
	return 0;
}

/* Read once for each limit that is set: it enters who was in the group before. */
SEC("iter/task")
int vms_look(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task)
		look_at(task);
	return 0;
}

/* The pages in use of a group, for the command's list. */
SEC("syscall")
int vms_count(struct vmsi_bpf_count *count)
{
	struct sums sums = { .group = count->group };

	bpf_for_each_map_elem(&accounts, add_entry, &sums, 0);
	count->pages = sums.low;
	count->entries = entries;
	count->lost = lost;
	return 0;
}

/* A group whose limit is taken away: its bit in all entries. */
SEC("syscall")
int vms_forget(struct vmsi_bpf_count *count)
{
	u64 group = count->group;

	bpf_for_each_map_elem(&accounts, forget_entry, &group, 0);
	return 0;
}
