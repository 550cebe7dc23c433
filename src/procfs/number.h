/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PROCFS_NUMBER_H
#define VMSI_PROCFS_NUMBER_H

#include <stdint.h>

#include "procfs/lines.h"

/*
 * A file that is one number, as most of /proc/sys/vm.
 *
 * Returns 0 and the number; -EPROTO where the text is anything else than one
 * line with an unsigned decimal number, or -errno of the read. The result is as
 * before on failure.
 */
int vmsi_number_read(struct vmsi_lines *lines, uint64_t *number);

#endif
