/* SPDX-License-Identifier: MIT */
#include <vmspace/file.h>

#include <errno.h>

#include "base/align.h"
#include "file/atomic.h"
#include "file/atomic_state.h"
#include "file/commit.h"
#include "file/descriptor.h"
#include "file/file.h"
#include "file/rollback.h"
#include "file/spill.h"
#include "host/host.h"
#include "space/inside.h"

/* The public calls on commits. */

/* Returns 0, or why the file cannot be committed to. */
static int check_writer(const struct vms_file *file)
{
	if (!file->atomic)
		return -EINVAL;
	if (file->atomic->reads)
		return -EBADF;
	return 0;
}

static bool is_childs(const struct vms_file *file)
{
	return atomic_load(&file->atomic->inherited);
}

/* The journal is the parent's. */
static int check_committer(const struct vms_file *file)
{
	int error = check_writer(file);

	if (!error && is_childs(file))
		error = -EPERM;
	if (!error)
		error = vmsi_descriptor_look(file, NULL);
	return error ? error : vmsi_atomic_check_descriptors(file);
}

/*
 * In a child nobody waits for an update to end. What threads of its parent have open is
 * not to be ended there, and what the forking one had open has no gate to leave.
 */
void vms_file_begin_update(vms_file *file)
{
	if (check_writer(file) || is_childs(file))
		return;
	vmsi_gate_enter(&file->atomic->gate);
	vmsi_spill_note_update(file);
}

void vms_file_end_update(vms_file *file)
{
	if (check_writer(file) || is_childs(file))
		return;
	vmsi_spill_note_update(NULL);
	vmsi_gate_leave(&file->atomic->gate);
}

static int tell(struct vms_file *file, uint64_t offset, size_t length)
{
	const size_t page = vmsi_page_size();
	uint64_t end;
	int error = check_writer(file);

	if (error)
		return error;
	if (!vmsi_add(offset, length, &end) || end > atomic_load(&file->size))
		return -ERANGE;
	/* A child commits nothing, and the journal is its parent's. */
	if (!file->atomic->tells || length == 0 || is_childs(file))
		return 0;
	error = vmsi_spill_if_large(file);
	if (!error)
		vmsi_pageset_add(&file->atomic->written, (struct vmsi_page_run){
			offset / page, (end - 1) / page + 1 });
	return error;
}

int vms_file_will_write(vms_file *file, uint64_t offset, size_t length)
{
	return vmsi_status(tell(file, offset, length));
}

int vms_file_commit(vms_file *file)
{
	int error = check_committer(file);

	return vmsi_status(error ? error : vmsi_commit(file));
}

int vms_file_rollback(vms_file *file)
{
	int error = check_committer(file);

	return vmsi_status(error ? error : vmsi_rollback(file));
}
