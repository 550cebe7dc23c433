/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_SPILL_H
#define VMSI_FILE_SPILL_H

#include <stdint.h>

struct vms_file;

/*
 * Where a commit that is being made gets larger than may be in memory, what was
 * written so far goes to the journal, without a sync, and its pages show their images
 * there. Only with VMS_FILE_TELLS: pages that the program has not told of may be stored
 * to at any instant.
 *
 * Nothing is done while an update is open, but the caller's own, or a commit under way:
 * then there is more in memory for a while. Returns 0 or -errno of the journal: all is in
 * memory still.
 */
int vmsi_spill_if_large(struct vms_file *file);

/* Tell that this thread is in an update of a file; NULL: not any more. */
void vmsi_spill_note_update(const struct vms_file *file);

/*
 * Write a SPILL record of what is staged; with `committing`, alone. offsets: where the
 * images lie in the journal; NULL: not wanted. Returns 0 or -errno.
 */
int vmsi_spill_staged(struct vms_file *file, uint64_t *offsets);

#endif
