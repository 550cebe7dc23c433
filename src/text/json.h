/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TEXT_JSON_H
#define VMSI_TEXT_JSON_H

#include <stddef.h>
#include <stdint.h>

/* Writes the members of a struct as JSON, by a table of them. */

enum vmsi_member_type {
	VMSI_MEMBER_NUMBER,  /* unsigned, of 1, 4 or 8 bytes; an array is a list */
	VMSI_MEMBER_INTEGER, /* int */
	VMSI_MEMBER_TRUTH,   /* bool, or an int that is 0 or 1 */
	VMSI_MEMBER_WORD,    /* an enum */
};

struct vmsi_json_member {
	const char *name;
	unsigned short offset;
	unsigned short size;  /* of all of it */
	unsigned short width; /* of one element, or of the member itself */
	enum vmsi_member_type type;
	const char *const *words; /* by value; NULL: one that has none */
	unsigned word_count;
	unsigned known;       /* the bit that tells whether it is; 0: it always is */
};

/* Rows of such a table. */
#define VMSI_MEMBER(of_type, member, how) \
	{ .name = #member, .offset = offsetof(of_type, member), \
	  .size = sizeof(((of_type *)0)->member), \
	  .width = sizeof(((of_type *)0)->member), .type = (how) }
#define VMSI_MEMBER_AS_WORD(of_type, member, of) \
	{ .name = #member, .offset = offsetof(of_type, member), \
	  .size = sizeof(((of_type *)0)->member), \
	  .width = sizeof(((of_type *)0)->member), .type = VMSI_MEMBER_WORD, \
	  .words = (of), .word_count = sizeof(of) / sizeof((of)[0]) }
#define VMSI_MEMBER_IF_KNOWN(of_type, member, bit) \
	{ .name = #member, .offset = offsetof(of_type, member), \
	  .size = sizeof(((of_type *)0)->member), \
	  .width = sizeof(((of_type *)0)->member), .type = VMSI_MEMBER_NUMBER, \
	  .known = (bit) }
#define VMSI_MEMBER_LIST(of_type, member) \
	{ .name = #member, .offset = offsetof(of_type, member), \
	  .size = sizeof(((of_type *)0)->member), \
	  .width = sizeof(((of_type *)0)->member[0]), .type = VMSI_MEMBER_NUMBER }

struct vmsi_json_members {
	const struct vmsi_json_member *rows;
	size_t count;
};

/*
 * Write an object as snprintf(3) does: at most size bytes with a final 0. Members that
 * are not within the first given bytes of the struct are left out, and those are null
 * whose bit known lacks. Returns the length of the whole text without the final 0.
 */
int vmsi_write_members(const struct vmsi_json_members *members, const void *figures,
		       size_t given, unsigned known, char *buffer, size_t size);

#endif
