/* SPDX-License-Identifier: MIT */
#ifndef VMSI_RING_LAYOUT_H
#define VMSI_RING_LAYOUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The file of a ring:
 *
 *   head | control | slots | cells (VMS_RING_MPSC) | data
 *
 * of which the data begin at a page, are a power of two long, and are mapped twice in a
 * row. Positions count bytes from the making of the ring on and never come back; the
 * place of one in the data is the position modulo the capacity. The first position is the
 * capacity, so that each one has an earlier one at the same place.
 *
 * Whoever has the descriptor can write anything here at any time, so what is read is read
 * once and checked, or only compared.
 */

#define VMSI_RING_MAGIC UINT64_C(0x676e69725f736d76) /* "vms_ring" */
#define VMSI_RING_VERSION 1u
#define VMSI_RING_SLOTS 128u
#define VMSI_RING_CAPACITY_MOST ((uint64_t)1 << 30)
#define VMSI_RING_ALIGNMENT_MOST 4096u

/* Two lines, since processors fetch lines in pairs. */
#define VMSI_RING_LINE 128

/* Written before the magic is, and not changed afterwards. */
struct vmsi_ring_head {
	_Atomic uint64_t magic;
	uint32_t version;
	uint32_t kind;
	uint64_t capacity;     /* bytes of the data */
	uint64_t data_offset;  /* of the data in the file */
	uint32_t alignment;    /* of records, in bytes */
	uint32_t unused;
};

/* A line for each side, and one for what both do seldom. */
struct vmsi_ring_control {
	/* Written by producers. */
	_Alignas(VMSI_RING_LINE) _Atomic uint64_t tail;
	_Atomic uint64_t floor;     /* broadcast: what lies before it may be overwritten */
	/* Written by the consumer. */
	_Alignas(VMSI_RING_LINE) _Atomic uint64_t head;
	_Atomic uint64_t releasing; /* the cells before it are being freed; see mpsc.h */
	_Atomic uint64_t records;
	_Atomic uint64_t bytes;
	_Atomic uint64_t skipped;
	_Atomic uint64_t aborted;
	/* Words that threads sleep on: VMSI_RING_SLEEPS, VMSI_RING_EPOLLS, and a count. */
	_Alignas(VMSI_RING_LINE) _Atomic uint32_t consumers;
	_Alignas(VMSI_RING_LINE) _Atomic uint32_t producers;
};

#define VMSI_RING_SLEEPS 1u  /* somebody waits by futex */
#define VMSI_RING_EPOLLS 2u  /* somebody waits for the eventfd */
#define VMSI_RING_WAITS (VMSI_RING_SLEEPS | VMSI_RING_EPOLLS)
#define VMSI_RING_WAKES 4u   /* the first bit of how often sleepers were woken */

/*
 * Of an attachment, which has a lock on the slot's byte of the file; see slots.h. Who
 * takes a free slot counts its generation up, so that claims of an earlier owner are not
 * taken for its own.
 */
struct vmsi_ring_slot {
	_Alignas(64) _Atomic uint32_t generation;
	_Atomic uint32_t pid;
};

struct vmsi_ring_shared {
	struct vmsi_ring_head head;
	struct vmsi_ring_control control;
	struct vmsi_ring_slot slots[VMSI_RING_SLOTS];
};

#endif
