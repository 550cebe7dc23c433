/* SPDX-License-Identifier: MIT */
#include "cli/process_name.h"

#include <stdio.h>
#include <string.h>

void vmsi_process_name_read(char name[VMSI_PROCESS_NAME_SIZE], pid_t pid)
{
	char path[64];
	size_t length;
	FILE *file;

	name[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return;
	/* The newline at the end is the kernel's, and others are the name's. */
	length = fread(name, 1, VMSI_PROCESS_NAME_SIZE - 1, file);
	if (length && name[length - 1] == '\n')
		length--;
	name[length] = '\0';
	fclose(file);
}
