/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_SIGN_TABLE_H
#define VMSI_SPACE_SIGN_TABLE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The table of names: what a process tells others about its spaces. It is a memfd that
 * the process has open and mapped, "/memfd:vmspace-names (deleted)" under
 * /proc/PID/fd, with a sign for each space:
 *
 *   head | sign 0 | sign 1 | ...
 *
 * The table belongs to the process that has it mapped: a child of fork(2) has its
 * parent's descriptor until it changes a space, but not the mapping.
 *
 * A sign is written between two increments of its sequence, which is odd meanwhile, and
 * stays so where the process ends midway. Only the process itself writes, but another
 * library could have made the file, so that nothing that is read may be trusted.
 */

#define VMSI_SIGNS_FD_NAME "vmspace-names"
#define VMSI_SIGNS_MAGIC UINT64_C(0x73656d614e736d56) /* "VmsNames" */
#define VMSI_SIGNS_VERSION 1u

/* All of the table, head and signs, most of which is never touched. */
#define VMSI_SIGNS_BYTES ((size_t)512 << 10)
#define VMSI_SIGN_BYTES ((size_t)128)
#define VMSI_SIGNS (VMSI_SIGNS_BYTES / VMSI_SIGN_BYTES - 1)
/* The longest name in bytes; longer ones are cut. */
#define VMSI_SIGN_NAME_MAX 103

/* What a range of addresses is. These numbers are part of the layout. */
enum vmsi_sign_kind {
	VMSI_SIGN_FREE = 0,
	VMSI_SIGN_SPACE = 1,
	VMSI_SIGN_BUFFERS = 2,
	VMSI_SIGN_HEAP = 3,
	VMSI_SIGN_FILE = 4,
	VMSI_SIGN_SHARE = 5,
	VMSI_SIGN_RING = 6,
	VMSI_SIGN_STACKS = 7,
	VMSI_SIGN_CODE = 8,
	VMSI_SIGN_POOL = 9,
	VMSI_SIGN_KINDS,
};

struct vmsi_sign {
	_Atomic uint32_t sequence;
	_Atomic uint32_t kind;  /* enum vmsi_sign_kind */
	_Atomic uint64_t start; /* the range of addresses */
	_Atomic uint64_t end;
	char name[VMSI_SIGN_NAME_MAX + 1]; /* "": it has none */
};

struct vmsi_sign_head {
	uint64_t magic;
	uint32_t version;
	uint32_t sign_bytes;
	uint32_t capacity;     /* how many signs there is room for */
	_Atomic uint32_t used; /* no sign from this number on was ever used */
	char unused[VMSI_SIGN_BYTES - 24];
};

struct vmsi_sign_table {
	struct vmsi_sign_head head;
	struct vmsi_sign signs[VMSI_SIGNS];
};

_Static_assert(sizeof(struct vmsi_sign) == VMSI_SIGN_BYTES &&
	       sizeof(struct vmsi_sign_table) == VMSI_SIGNS_BYTES,
	       "the layout is not what its version number says");

#endif
