/* SPDX-License-Identifier: MIT */
#include "file/accesses.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#include "file/file.h"

_Thread_local struct vms_file_access *vmsi_accesses
	__attribute__((tls_model("initial-exec")));

bool vmsi_accesses_has(const struct vms_file *file)
{
	const struct vms_file_access *access = vmsi_accesses;

	while (access && access->file != file)
		access = access->outer;
	return access != NULL;
}

bool vmsi_accesses_has_reader(void)
{
	const struct vms_file_access *access = vmsi_accesses;

	while (access && !vmsi_file_reads_commits(access->file))
		access = access->outer;
	return access != NULL;
}

unsigned vmsi_accesses_count(const struct vms_file *file)
{
	unsigned count = 0;

	for (const struct vms_file_access *access = vmsi_accesses; access;
	     access = access->outer)
		count += access->file == file;
	return count;
}

/* The end of an access looks at the error where it finds another count of losses. */
void vmsi_accesses_spoil(const struct vms_file *file)
{
	vmsi_accesses_tell(file, 0, EIO);
	for (struct vms_file_access *access = vmsi_accesses; access;
	     access = access->outer)
		if (access->file == file)
			access->losses = UINT64_MAX;
}

void vmsi_accesses_tell(const struct vms_file *file, uint64_t offset, int error)
{
	for (struct vms_file_access *access = vmsi_accesses; access;
	     access = access->outer) {
		if (access->file != file || access->error)
			continue;
		access->lost_at = offset;
		access->error = error;
	}
}

void vmsi_accesses_begin(struct vms_file_access *access, struct vms_file *file)
{
	*access = (struct vms_file_access){ .file = file,
					    .outer = vmsi_accesses };
	atomic_signal_fence(memory_order_release);
	vmsi_accesses = access;
	atomic_signal_fence(memory_order_seq_cst);
}

int vmsi_accesses_end(struct vms_file_access *access)
{
	atomic_signal_fence(memory_order_seq_cst);
	vmsi_accesses = access->outer;
	return -access->error;
}
