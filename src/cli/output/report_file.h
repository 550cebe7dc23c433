/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_REPORT_FILE_H
#define VMSI_CLI_REPORT_FILE_H

#include <stdbool.h>

#include "cli/output/json.h"

/*
 * The file of --report, which is written when the program has ended. /dev/stdout,
 * /dev/stderr and /dev/fd/N stand for inherited descriptors. Both functions
 * return false after an error message.
 */

/*
 * Find out before the program starts whether the report could be written. Where the
 * caller has opened the same file for the program to write to, *path becomes the
 * path of that descriptor: the report then goes behind what the program writes.
 */
bool vmsi_report_probe(const char **path);

/* Replace a file as a whole; write to a descriptor, a pipe or a device. */
bool vmsi_report_write(const json_t *all, const char *path);

#endif
