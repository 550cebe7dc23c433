/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_JSON_H
#define VMSI_CLI_JSON_H

#include <jansson.h>
#include <stdint.h>

/*
 * Helpers for all JSON of the command. The functions that make a value return
 * NULL without memory; json_pack, json_object_set_new and json_array_append_new
 * fail for NULL, so that a caller checks only the whole value.
 */

json_t *vmsi_json_amount(uint64_t number);

/*
 * A string of any bytes, with U+FFFD in place of each byte that is not UTF-8;
 * null for "".
 */
json_t *vmsi_json_text(const char *text);

/*
 * The exit status or the signal of a waitpid(2) status; null where the process
 * ended the other way.
 */
json_t *vmsi_json_exit_status(int status);
json_t *vmsi_json_signal(int status);

/*
 * Returns an object or array whose members were set; where that failed for one of
 * them, frees it and returns NULL.
 */
json_t *vmsi_json_complete(json_t *value, int failed);

/*
 * Write a value to standard output and free it. Returns 0, or -ENOMEM for NULL.
 * vmsi_finish_output reports writes that failed.
 */
int vmsi_json_print(json_t *value);

#endif
