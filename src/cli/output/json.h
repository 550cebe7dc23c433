/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_JSON_H
#define VMSI_CLI_JSON_H

#include <jansson.h>
#include <stdint.h>

/*
 * What all JSON of the command is made with. The functions that make a value
 * return NULL where there is no memory, and json_pack, json_object_set_new and
 * json_array_append_new refuse NULL, so that one check a value is enough.
 */

json_t *vmsi_json_amount(uint64_t number);

/*
 * Text that others chose, with U+FFFD in place of each byte that is not UTF-8;
 * null for "".
 */
json_t *vmsi_json_text(const char *text);

/* Of a status as of waitpid(2): null where the process ended otherwise. */
json_t *vmsi_json_exit_status(int status);
json_t *vmsi_json_signal(int status);

/*
 * An object or array after all its members were set: itself, or, where that has
 * failed for one of them, NULL and it is freed.
 */
json_t *vmsi_json_complete(json_t *value, int failed);

/*
 * Write to standard output, and free. Returns 0, or -ENOMEM for NULL and
 * nothing is written. Failed writes are told by vmsi_finish_output.
 */
int vmsi_json_print(json_t *value);

#endif
