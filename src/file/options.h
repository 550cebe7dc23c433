/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_OPTIONS_H
#define VMSI_FILE_OPTIONS_H

#include <vmspace/file.h>

/*
 * Take and check the options of a file. Returns 0, -EINVAL or -E2BIG. options: NULL
 * for the defaults.
 */
int vmsi_file_options(struct vms_file_options *known,
		      const struct vms_file_options *options);

#endif
