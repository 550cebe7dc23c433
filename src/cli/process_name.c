/* SPDX-License-Identifier: MIT */
#include "cli/process_name.h"

#include <stdio.h>
#include <string.h>

void vmsi_process_name_read(char name[VMSI_PROCESS_NAME_SIZE], pid_t pid)
{
	char path[64];
	FILE *file;

	name[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return;
	if (!fgets(name, VMSI_PROCESS_NAME_SIZE, file))
		name[0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	fclose(file);
}
