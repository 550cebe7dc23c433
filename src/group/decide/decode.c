/* SPDX-License-Identifier: MIT */
#include "group/decide/request.h"

#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "group/decide/kernel_refuses.h"
#include "group/measure/mapped_files.h"
#include "group/measure/measure.h"
#include "group/measure/shared.h"
#include "group/pages.h"
#include "group/process/proc.h"
#include "group/refresh/counter.h"
#include "group/refresh/heap_end.h"

/*
 * A request is decoded to the most that it may be charged. A call that replaces
 * mappings, or makes writable what is writable already, is charged less, which
 * only a look at the process tells (net.c).
 */

/* The bits of mmap's flags that say whether a mapping is shared. */
#define MAP_KIND 0x0fu

#ifndef SHM_HUGETLB
#define SHM_HUGETLB 04000
#endif
#ifndef SHM_NORESERVE
#define SHM_NORESERVE 010000
#endif

static void set_range(struct vmsi_request *request, uintptr_t start,
		      size_t bytes)
{
	request->start = start;
	request->end = start + bytes < start ? UINTPTR_MAX : start + bytes;
}

/* --- shared mappings ---------------------------------------------------- */

/* Whether the kernel charges a mapping of these flags when it is mapped. */
static bool counts_whole(const struct vms_group *group, uint64_t flags)
{
	return !(flags & MAP_NORESERVE) ||
		group->counts_noreserve;
}

static void decode_shared_anonymous(struct vms_group *group,
				    const struct seccomp_data *data,
				    struct vmsi_request *request)
{
	if (counts_whole(group, data->args[3]))
		request->bytes = vmsi_pages(data->args[1]);
	else
		group->shared->maps_pages = true;
}

static bool is_memory_file(struct vms_group *group, pid_t thread,
			   int descriptor, const struct vmsi_proc_file *file)
{
	char path[32];

	if (!file->is_regular)
		return false;
	return vmsi_tmpfs_has(group->shared, file->device) ||
		(vmsi_proc_read_descriptor(thread, descriptor, path,
					   sizeof path) &&
		 vmsi_is_in_memory(path) &&
		 vmsi_tmpfs_learn(group->shared, thread, file->device));
}

/* Whether the kernel maps a file as it was opened; none in memory has MAP_SYNC. */
static bool kernel_maps(const struct seccomp_data *data,
			const struct vmsi_proc_file *file)
{
	return file->may_read &&
		(file->may_write || !(data->args[2] & PROT_WRITE)) &&
		!(data->args[3] & MAP_SYNC);
}

/* The part of the mapping that lies within the file as it is now. */
static struct vmsi_file_part part_of(const struct seccomp_data *data,
				     const struct vmsi_proc_file *file)
{
	const uint64_t start = data->args[5], size = vmsi_pages(file->size);
	const uint64_t length = vmsi_pages(data->args[1]);
	struct vmsi_file_part part = {
		.device = file->device, .inode = file->inode,
		.size = size, .start = start, .end = size,
	};

	if (start >= size)
		return (struct vmsi_file_part){ .end = 0 };
	if (length < size - start)
		part.end = start + length;
	return part;
}

/*
 * The kernel charges a file in memory by the page when it is touched, so now
 * and then the group is looked at. In a strict group what may be written to
 * counts at once.
 */
static void decode_memory_file(struct vms_group *group,
			       const struct seccomp_data *data,
			       const struct vmsi_proc_file *file,
			       struct vmsi_request *request)
{
	struct vmsi_memory_file *known;

	group->shared->maps_pages = true;
	if (group->account.policy != VMS_COMMIT_STRICT)
		return;
	known = vmsi_memory_files_note(&group->shared->files, file->device,
				       file->inode, vmsi_pages(file->size));
	if (known && file->may_write)
		known->may_write = true;
	if (!(data->args[2] & PROT_WRITE) ||
	    !counts_whole(group, data->args[3]))
		return;
	request->file = part_of(data, file);
	request->descriptor = (int)data->args[4];
	if (data->args[3] & MAP_FIXED)
		set_range(request, (uintptr_t)data->args[0],
			  vmsi_pages(data->args[1]));
	vmsi_request_update_file(group, request);
}

static void decode_shared(struct vms_group *group, pid_t thread,
			  const struct seccomp_data *data,
			  struct vmsi_request *request)
{
	const int descriptor = (int)data->args[4];
	struct vmsi_proc_file file = { .size = 0 };

	request->shared = true;
	/* Huge pages come from a pool of their own, and are not charged. */
	if (data->args[3] & MAP_HUGETLB)
		return;
	if (!(data->args[3] & MAP_ANONYMOUS) &&
	    !vmsi_proc_read_file(thread, descriptor, &file)) {
		group->shared->maps_pages = true;
		return;
	}
	/* /dev/zero is anonymous memory; opened for reading only it is free. */
	if ((data->args[3] & MAP_ANONYMOUS) ||
	    (file.is_zero_device && file.may_write))
		decode_shared_anonymous(group, data, request);
	else if (is_memory_file(group, thread, descriptor, &file) &&
		 kernel_maps(data, &file))
		decode_memory_file(group, data, &file, request);
}

/* --- calls -------------------------------------------------------------- */

static void decode_mmap(struct vms_group *group, pid_t thread,
			const struct seccomp_data *data,
			struct vmsi_request *request)
{
	request->call = VMS_GROUP_MMAP;
	if ((data->args[3] & MAP_KIND) != MAP_PRIVATE) {
		decode_shared(group, thread, data, request);
		return;
	}
	if (data->args[3] & MAP_HUGETLB)
		return;
	request->bytes = vmsi_pages(data->args[1]);
	request->is_plain = (data->args[3] & MAP_ANONYMOUS) &&
		!(data->args[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE));
	if (data->args[3] & MAP_FIXED)
		set_range(request, (uintptr_t)data->args[0], request->bytes);
}

/* PROT_GROWSDOWN has mprotect begin where the mapping begins, which /proc tells. */
static void decode_down(pid_t thread, const struct seccomp_data *data,
			struct vmsi_request *request)
{
	const uintptr_t end = (uintptr_t)data->args[0] + vmsi_pages(data->args[1]);
	const uintptr_t start =
		vmsi_measure_start(thread, (uintptr_t)data->args[0], end);

	if (start == 0)
		return;
	request->bytes = end - start;
	set_range(request, start, request->bytes);
}

/* Make a request one for a part of a file in memory that is mapped already. */
static void set_file(const struct vms_group *group,
		     const struct vmsi_file_part *part,
		     struct vmsi_request *request)
{
	request->file = *part;
	request->descriptor = -1;
	request->shared = true;
	request->moved = 0;
	set_range(request, 0, 0);
	vmsi_request_update_file(group, request);
}

static void decode_mprotect(struct vms_group *group, pid_t thread,
			    const struct seccomp_data *data,
			    struct vmsi_request *request)
{
	struct vmsi_file_part part;

	request->call = VMS_GROUP_MPROTECT;
	if (data->args[2] & PROT_GROWSDOWN) {
		decode_down(thread, data, request);
		return;
	}
	request->bytes = vmsi_pages(data->args[1]);
	set_range(request, (uintptr_t)data->args[0], request->bytes);
	if (vmsi_mapped_files_range(group, thread, request->start, request->end,
				    &part))
		set_file(group, &part, request);
}

static void decode_mremap(struct vms_group *group, pid_t thread,
			  const struct seccomp_data *data,
			  struct vmsi_request *request)
{
	const size_t old = vmsi_pages(data->args[1]);
	const size_t new = vmsi_pages(data->args[2]);
	struct vmsi_file_part part;

	request->call = VMS_GROUP_MREMAP;
	if (data->args[3] & MREMAP_DONTUNMAP)
		request->bytes = new;
	else if (new > old && old > 0)
		request->bytes = new - old;
	if (data->args[3] & MREMAP_MAYMOVE)
		request->moved = old;
	set_range(request, (uintptr_t)data->args[0], 1);
	if (vmsi_mapped_files_moved(group, thread, request->start, new, &part))
		set_file(group, &part, request);
}

/*
 * A brk is charged for what lies above data_end, the highest end that the heap
 * was granted since the last look. Nobody tells whether it was lowered since.
 */
static void decode_brk(struct vms_group *group, struct vmsi_process *process,
		       const struct seccomp_data *data,
		       struct vmsi_request *request)
{
	request->call = VMS_GROUP_BRK;
	request->heap = vmsi_heap_update(group, process);
	request->data_end = (uintptr_t)data->args[0];
	request->bytes = vmsi_request_heap_growth(request);
	request->is_plain = true;
}

static void decode_fork(struct vms_group *group, struct vmsi_process *process,
			struct vmsi_request *request)
{
	request->call = VMS_GROUP_FORK;
	if (!(group->flags & VMS_GROUP_FORK_FREE))
		request->bytes = vmsi_counter_copy(group, process);
}

static void decode_shmget(const struct vms_group *group,
			  const struct seccomp_data *data,
			  struct vmsi_request *request)
{
	const uint64_t flags = data->args[2];

	request->call = VMS_GROUP_SHMGET;
	request->shared = true;
	request->key = (key_t)data->args[0];
	if (((key_t)data->args[0] == IPC_PRIVATE || (flags & IPC_CREAT)) &&
	    !(flags & SHM_HUGETLB) &&
	    (group->counts_noreserve ||
	     !(flags & SHM_NORESERVE)))
		request->bytes = vmsi_pages(data->args[1]);
}

bool vmsi_request_decode(struct vms_group *group, struct vmsi_process *process,
			 pid_t thread, const struct seccomp_data *data,
			 struct vmsi_request *request)
{
	*request = (struct vmsi_request){ .number = data->nr };
	if (vmsi_kernel_refuses(data, group->addresses_end))
		return false;
	switch (data->nr) {
	case SYS_mmap:
		decode_mmap(group, thread, data, request);
		break;
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		decode_mprotect(group, thread, data, request);
		break;
	case SYS_mremap:
		decode_mremap(group, thread, data, request);
		break;
	case SYS_brk:
		decode_brk(group, process, data, request);
		break;
#ifdef SYS_fork
	case SYS_fork:
#endif
	case SYS_clone:
		decode_fork(group, process, request);
		break;
	case SYS_execve:
	case SYS_execveat:
		request->call = VMS_GROUP_EXEC;
		break;
	case SYS_shmget:
		decode_shmget(group, data, request);
		break;
	}
	request->requested = request->bytes;
	return request->bytes > 0;
}
