/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_STACK_LINE_H
#define VMSI_CLI_SUPERVISE_STACK_LINE_H

#include <stdio.h>

/*
 * Write a backtrace as a part of a line: the functions from the allocator's on, each
 * with its caller behind it, as "malloc < read_all < main". What is before main, and
 * what is too long for a line, is left out.
 */
void vmsi_write_stack_line(FILE *stream, const char *backtrace);

#endif
