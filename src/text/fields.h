/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TEXT_FIELDS_H
#define VMSI_TEXT_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "text/lines.h"
#include "text/scan.h"

/* "Key: value" lines, as in smaps, status and meminfo. */

enum vmsi_field_unit {
	VMSI_FIELD_COUNT, /* a bare number */
	VMSI_FIELD_HEX,   /* the same, in hexadecimal */
	VMSI_FIELD_KIB,   /* a number and "kB", which means 1,024 bytes */
};

/* A key, and the uint64_t of a record where its value goes; KIB become bytes. */
struct vmsi_field {
	const char *key;
	size_t offset; /* in the record */
	enum vmsi_field_unit unit;
};

#define VMSI_FIELD(unit, record, key, member) \
	{ key, offsetof(record, member), VMSI_FIELD_##unit }

/*
 * Split a line at its colon. value is what comes after the colon and blanks.
 * Returns 0, or -EPROTO where the line has no key and colon.
 */
int vmsi_field_split(struct vmsi_scan line, struct vmsi_scan *key,
		     struct vmsi_scan *value);

/* Find the value of a key in the lines of a text. False: it has no such key. */
bool vmsi_field_find(struct vmsi_scan text, const char *key,
		     struct vmsi_scan *value);

/*
 * Store a value in the record, where the table has its key. Returns the key's
 * index in the table; count where the table does not have it, as kernels add new
 * keys; -EPROTO where the value is not understood.
 */
int vmsi_field_store(const struct vmsi_field *table, size_t count,
		     struct vmsi_scan key, struct vmsi_scan value,
		     void *record);

/*
 * Read such lines until all fields of the table are stored, or to the end. *seen
 * gets a bit for each stored field, bit 0 for the first of the table, which has
 * fewer than 64; other members of the record stay as they are.
 *
 * Returns 0; -EPROTO where a line is not understood, or -errno of the read.
 */
int vmsi_fields_read(struct vmsi_lines *lines, const struct vmsi_field *table,
		     size_t count, void *record, uint64_t *seen);

#endif
