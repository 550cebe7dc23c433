/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_NUMBERS_H
#define VMSI_CLI_NUMBERS_H

#include <dirent.h>
#include <stdbool.h>

/*
 * Get the next entry of a directory whose name is a number: of /proc the processes, of
 * /proc/PID/task the threads, of /proc/PID/fd the descriptors; all others are words.
 * Returns whether there is one.
 */
bool vmsi_next_number(DIR *directory, int *number);

#endif
