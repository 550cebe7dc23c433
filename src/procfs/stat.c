/* SPDX-License-Identifier: MIT */
#include "procfs/stat.h"

#include <stdio.h>

#include "host/file.h"

bool vmsi_process_stat(pid_t pid, char text[static VMSI_STAT_BYTES],
		       struct vmsi_stat *stat)
{
	char path[64];
	size_t length;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	length = vmsi_host_read_start(path, text, VMSI_STAT_BYTES);
	return vmsi_stat_read((struct vmsi_scan){ text, text + length }, stat);
}
