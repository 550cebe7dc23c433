/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_JSON_STREAM_H
#define VMSI_CLI_JSON_STREAM_H

#include <jansson.h>
#include <stdbool.h>

/*
 * JSON on standard output that is written while it is made: what is as long as a
 * process has mappings is never in memory as a whole. It looks as vmsi_json_print has
 * it.
 */

/* Objects and arrays that lie in each other. */
#define VMSI_JSON_DEPTH 8

struct vmsi_json_stream {
	unsigned depth;
	char ends[VMSI_JSON_DEPTH]; /* the bracket that ends each that is open */
	bool has_members;           /* the innermost has some */
	int error;                  /* 0, or -ENOMEM: something is left out */
};

/* Open an object or an array. key is that of a member; NULL in an array. */
void vmsi_json_open_object(struct vmsi_json_stream *stream, const char *key);
void vmsi_json_open_array(struct vmsi_json_stream *stream, const char *key);
/* Close the innermost; the outermost ends the output with a newline. */
void vmsi_json_close(struct vmsi_json_stream *stream);

/* Write a value and free it; NULL is an error. */
void vmsi_json_add(struct vmsi_json_stream *stream, const char *key, json_t *value);

#endif
