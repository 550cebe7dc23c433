/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_REPORT_JSON_TEXT_H
#define VMSI_CLI_REPORT_JSON_TEXT_H

#include <stdio.h>

#include "cli/recording/recording.h"

/*
 * JSON that is written as it is made, for a recording may have millions of events.
 */

/*
 * Write a text of any bytes as a JSON string, with U+FFFD in place of each byte that is
 * not UTF-8. Without memory it is empty.
 */
void vmsi_json_write_text(FILE *stream, const char *text);

/* Write a member, with a comma before it. */
void vmsi_json_write_string(FILE *stream, const char *key, const char *text);
void vmsi_json_write_number(FILE *stream, const char *key, uint64_t number);

/* Write the frames of a stack as an array. */
void vmsi_json_write_stack(FILE *stream, const struct vmsi_recorded_stack *stack);

#endif
