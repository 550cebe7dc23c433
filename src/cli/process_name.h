/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_PROCESS_NAME_H
#define VMSI_CLI_PROCESS_NAME_H

#include <sys/types.h>

/* Large enough for names of kernel threads; those of programs have 15 bytes. */
#define VMSI_PROCESS_NAME_SIZE 64

/* Read the name of a process from /proc/PID/comm; "" where it cannot be read. */
void vmsi_process_name_read(char name[VMSI_PROCESS_NAME_SIZE], pid_t pid);

#endif
