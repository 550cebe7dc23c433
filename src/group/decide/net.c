/* SPDX-License-Identifier: MIT */
#include "group/decide/request.h"

#include "group/measure/measure.h"
#include "group/measure/shared.h"
#include "group/pages.h"
#include "group/process/proc.h"

size_t vmsi_request_heap_growth(const struct vmsi_request *request)
{
	const size_t known = vmsi_pages(request->heap->data_end);
	const size_t asked = vmsi_pages(request->data_end);

	return known && asked > known ? asked - known : 0;
}

/* --- forks ---------------------------------------------------------------- */

/*
 * What is marked MADV_DONTFORK is left out, unless another thread may change
 * that mark. What was granted and may not have been made yet is not.
 */
static size_t net_of_fork(const struct vmsi_process *process, size_t most)
{
	struct vmsi_proc_stat stat;

	if (process->not_copied == 0 || process->not_copied > most ||
	    !vmsi_proc_read_stat(process->pid, &stat) || stat.threads != 1)
		return most;
	return most - process->not_copied;
}

/* --- files in memory ------------------------------------------------------ */

/*
 * All that is missing is charged, but for the private memory that it replaces.
 */
void vmsi_request_update_file(const struct vms_group *group,
			  struct vmsi_request *request)
{
	size_t missing;

	if (request->file.end == 0)
		return;
	missing = vmsi_memory_files_missing(&group->shared->files, &request->file);
	if (request->replaced > missing)
		request->replaced = missing;
	request->bytes = missing - request->replaced;
}

/*
 * The kernel itself refuses to map a file writable that is sealed against that.
 */
static size_t net_of_file(const struct vms_group *group, pid_t thread,
			  struct vmsi_request *request)
{
	size_t private, charged;

	if (vmsi_proc_is_write_sealed(thread, request->descriptor)) {
		request->file = (struct vmsi_file_part){ .end = 0 };
		return 0;
	}
	if (request->end &&
	    vmsi_measure_range(group, thread, request->start, request->end,
			       &private, &charged) == 0)
		request->replaced = charged;
	vmsi_request_update_file(group, request);
	return request->bytes;
}

/* --- all ------------------------------------------------------------------ */

static size_t net_bytes(const struct vms_group *group,
			const struct vmsi_process *process, pid_t thread,
			struct vmsi_request *request)
{
	size_t private, charged;

	if (request->file.end)
		return net_of_file(group, thread, request);
	if (request->call == VMS_GROUP_BRK)
		return vmsi_request_heap_growth(request);
	if (request->call == VMS_GROUP_SHMGET &&
	    vmsi_segment_exists(request->key))
		return 0;
	if (request->call == VMS_GROUP_FORK)
		return net_of_fork(process, request->bytes);
	if (request->end == 0 ||
	    vmsi_measure_range(group, thread, request->start, request->end,
			       &private, &charged))
		return request->bytes;
	switch (request->call) {
	case VMS_GROUP_MMAP:
		return request->bytes - charged;
	case VMS_GROUP_MPROTECT:
		return private - charged;
	case VMS_GROUP_MREMAP:
		/* What is not charged grows for nothing. */
		return charged ? request->bytes : 0;
	default:
		return request->bytes;
	}
}

void vmsi_request_net(const struct vms_group *group,
		      const struct vmsi_process *process, pid_t thread,
		      struct vmsi_request *request)
{
	request->bytes = net_bytes(group, process, thread, request);
}
