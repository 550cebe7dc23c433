/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_REPORT_FILE_H
#define VMSI_CLI_REPORT_FILE_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/output/json.h"

/*
 * The file of --report, which is written when the program has ended. /dev/stdout,
 * /dev/stderr and /dev/fd/N stand for inherited descriptors. The functions that
 * probe and write return false after an error message.
 */

/*
 * Take the argument of --report, or of another option that names such a file. "-" is
 * standard output, as in other commands. Any other argument that begins with a dash is a
 * usage error: it is the next option, or the "--" before the program, and the name of the
 * file was left out.
 */
enum vmsi_exit vmsi_report_take(const char *program, const char *option,
				const char *argument, const char **path);

/*
 * Find out before the program starts whether the report could be written. Where the
 * caller has opened the same file for the program to write to, *path becomes the
 * path of that descriptor: the report then goes behind what the program writes.
 */
bool vmsi_report_probe(const char **path);

/*
 * Writes a report to a stream. Returns 0 or -errno; whether a write has failed is asked of
 * the stream.
 */
struct vmsi_report_writer {
	int (*write)(FILE *stream, const void *context);
	const void *context;
};

/*
 * Replace a file as a whole, or leave it as it was; write to a descriptor, a pipe or a
 * device.
 */
bool vmsi_report_write_by(const struct vmsi_report_writer *writer, const char *path);
bool vmsi_report_write(const json_t *all, const char *path);
bool vmsi_report_write_text(const char *text, const char *path);

#endif
