/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_OVERLAY_H
#define VMSI_FILE_OVERLAY_H

#include <stdint.h>

#include "file/pageset.h"

struct vms_file;

/*
 * What the commits in the journal have and the home file has not, laid over base in
 * anonymous memory. With READING of the home lock, while no access is open. Each
 * returns 0 or -errno; after a failure some pages may be laid over, and the next call
 * begins anew.
 */

/*
 * *size: of the file, by the latest commit. lay_more: what the journal has more than when
 * it was laid.
 */
int vmsi_overlay_lay(struct vms_file *file, uint64_t *size);
int vmsi_overlay_lay_more(struct vms_file *file, uint64_t *size);
int vmsi_overlay_remove(struct vms_file *file);

/*
 * Show pages again that were lost: those of the home file. What was lost of the overlay
 * was laid anew before this; -EIO where that could not be.
 */
int vmsi_overlay_show_again(struct vms_file *file, struct vmsi_page_run run);

#endif
