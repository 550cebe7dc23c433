/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_PROCESS_NAME_H
#define VMSI_CLI_PROCESS_NAME_H

#include <sys/types.h>

/* Threads of the kernel have longer names than the 15 bytes of programs. */
#define VMSI_PROCESS_NAME_SIZE 64

/* A process's own name for itself; "": not known. */
void vmsi_process_name_read(char name[VMSI_PROCESS_NAME_SIZE], pid_t pid);

#endif
