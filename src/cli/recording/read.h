/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_RECORDING_READ_H
#define VMSI_CLI_RECORDING_READ_H

#include "cli/recording/recording.h"

/*
 * Read a recording that may be cut off or damaged anywhere, or still be written. What
 * is whole up to the first damage is read, and is_cut is set; what follows tells only
 * of changes to what is lost, and is left.
 *
 * Returns 0, and the caller frees the recording; -EPROTO where the bytes are no
 * recording, or have no head; -ENOTSUP where they are one of a later version; -ENOMEM;
 * of a file, -errno of reading it.
 */
int vmsi_recording_read(struct vmsi_recording *recording, const void *bytes,
			size_t size);
int vmsi_recording_read_file(struct vmsi_recording *recording, const char *path);
void vmsi_recording_free(struct vmsi_recording *recording);

#endif
