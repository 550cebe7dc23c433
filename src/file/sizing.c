/* SPDX-License-Identifier: MIT */
#include "file/sizing.h"

#include "file/base.h"
#include "file/file.h"

void vmsi_sizing_begin(struct vms_file *file)
{
	if (!vmsi_base_is_private(file))
		return;
	vmsi_lock_acquire(&file->sizing);
	vmsi_gate_close(&file->copies);
}

void vmsi_sizing_end(struct vms_file *file)
{
	if (!vmsi_base_is_private(file))
		return;
	vmsi_gate_open(&file->copies);
	vmsi_lock_release(&file->sizing);
}

void vmsi_sizing_begin_copy(struct vms_file *file)
{
	if (vmsi_base_is_private(file))
		vmsi_gate_enter(&file->copies);
}

void vmsi_sizing_end_copy(struct vms_file *file)
{
	if (vmsi_base_is_private(file))
		vmsi_gate_leave(&file->copies);
}

void vmsi_sizing_init(struct vms_file *file)
{
	vmsi_lock_init(&file->sizing, VMSI_RANK_FILE_SIZING);
	vmsi_gate_init(&file->copies);
}
