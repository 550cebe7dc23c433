/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BUDGET_SHARED_H
#define VMSI_BUDGET_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/budget.h>

/*
 * A budget that processes share: a memfd of VMSI_BUDGET_BYTES, sealed so that
 * nobody can cut it short. It shows as "/memfd:vmspace-budget (deleted)" under
 * /proc/PID/fd.
 *
 *   head | slot 0 | slot 1 | ... | objects of slot 0 | objects of slot 1 | ...
 *
 * A slot holds what a process is charged for itself alone, its objects what it
 * holds together with others: an object that several slots have is charged once,
 * with the largest size that one of them has for it. Most of the file is never
 * touched, and so takes no memory.
 *
 * There is no lock in it and no stored sum, so a process can end at any
 * instant and leave nothing half done: what is charged is the sum over the
 * slots, and only its owner writes a slot. The owner holds an open file
 * description lock on the slot's byte (byte i of the file for slot i). The
 * kernel drops that when the process ends or execs; whoever can take the lock
 * may clear the slot.
 *
 * Any process that has the descriptor can write anything here, so nothing that
 * is read may be trusted to be in range.
 */

#define VMSI_BUDGET_FD_NAME "vmspace-budget"

#define VMSI_BUDGET_MAGIC UINT64_C(0x7465676475427356) /* "VsBudget" */
#define VMSI_BUDGET_VERSION 2u
#define VMSI_BUDGET_LABEL_MAX 63

#define VMSI_BUDGET_HEAD_BYTES ((size_t)4096)
#define VMSI_BUDGET_SLOTS 1024u
/* Objects that a slot has places for. */
#define VMSI_BUDGET_OBJECTS 128u
#define VMSI_BUDGET_OBJECTS_OFFSET \
	(VMSI_BUDGET_HEAD_BYTES + \
	 VMSI_BUDGET_SLOTS * sizeof(struct vmsi_budget_slot))
#define VMSI_BUDGET_BYTES \
	(VMSI_BUDGET_OBJECTS_OFFSET + (size_t)VMSI_BUDGET_SLOTS * \
	 VMSI_BUDGET_OBJECTS * sizeof(struct vmsi_budget_object))

/* Who keeps the account. */
enum vmsi_budget_kind {
	VMSI_BUDGET_BY_SLOTS = 1,  /* each process, in its slot */
	VMSI_BUDGET_PUBLISHED = 2, /* the maker, by other means; see publish */
};

/* A cache line each, since each has one writer. */
struct vmsi_budget_slot {
	/* Bytes that are the process's alone, so without its objects. */
	_Alignas(64) _Atomic uint64_t charged;
	/* Bytes that its owner will charge if they fit beside the rest. */
	_Atomic uint64_t asking;
	_Atomic uint32_t pid;                  /* 0: free */
	/* No place for an object from this number on was ever used. */
	_Atomic uint32_t objects_used;
	/* 1 while its owner changes an object; see places.c. */
	_Atomic uint32_t changing;
};

/* A place for an object that a process holds. */
struct vmsi_budget_object {
	_Atomic uint64_t device;
	_Atomic uint64_t inode;
	_Atomic uint64_t bytes;                /* that are charged; 0: none */
	/* Bytes that its owner will hold if they fit beside the rest. */
	_Atomic uint64_t asking;
};

struct vmsi_budget_head {
	uint64_t magic;
	uint32_t version;
	uint32_t maker;                 /* pid */
	_Atomic uint32_t kind;          /* enum vmsi_budget_kind */
	_Atomic uint32_t policy;        /* enum vms_commit_policy */
	_Atomic uint64_t limit;         /* bytes */
	_Atomic uint64_t peak;          /* bytes */
	_Atomic uint64_t refusals;
	/* No slot from this number on was ever used. */
	_Atomic uint32_t slots_used;
	/* Of a published budget. */
	_Atomic uint32_t processes;
	_Atomic uint64_t charged;       /* bytes */
	/* How often an object of a slot was changed. */
	_Atomic uint64_t changes;
	/* Objects that were made; gives each that is no file its number. */
	_Atomic uint64_t objects_made;
	char name[VMS_NAME_MAX + 1];
	char label[VMSI_BUDGET_LABEL_MAX + 1];
};

struct vmsi_budget_shared {
	struct vmsi_budget_head head;
	_Alignas(VMSI_BUDGET_HEAD_BYTES)
		struct vmsi_budget_slot slots[VMSI_BUDGET_SLOTS];
	struct vmsi_budget_object objects[VMSI_BUDGET_SLOTS][VMSI_BUDGET_OBJECTS];
};

_Static_assert(sizeof(struct vmsi_budget_shared) == VMSI_BUDGET_BYTES,
	       "the layout is not what its version number says");

/* --- figures.c: for readers, and for an owner with an account of its own - */

/* What a shared budget says of itself; made safe to use, not true. */
struct vmsi_budget_figures {
	size_t limit;                   /* bytes */
	size_t charged;
	size_t peak;
	uint64_t refusals;
	enum vms_commit_policy policy;
	enum vmsi_budget_kind kind;
	unsigned processes;             /* that are charged */
	unsigned maker;                 /* pid, in the maker's namespace */
	/* Ended by 0; any other bytes may be in them. */
	char name[VMS_NAME_MAX + 1];
	char label[VMSI_BUDGET_LABEL_MAX + 1]; /* "" but of published ones */
};

/*
 * Read the figures of a budget through any descriptor of its memfd, which may
 * be read-only (opened by /proc/PID/fd/N, for instance). Changes nothing. The
 * charge of processes that have ended is left out.
 *
 * Returns 0, or -errno: EINVAL where it is no budget, EPROTONOSUPPORT where it
 * is one of another version, ENOMEM, and what reading it answers. *figures is only written on success.
 */
int vmsi_budget_read(int fd, struct vmsi_budget_figures *figures);

/*
 * Whether a descriptor is of a shared budget, of whatever version, which is
 * written to *version then.
 */
bool vmsi_budget_version(int fd, long *version);

/* What the owner of a published budget has found. */
struct vmsi_budget_publication {
	size_t charged;                 /* bytes */
	size_t peak;
	uint64_t refusals;
	unsigned processes;
	/* Such as the name of a command; cut to VMSI_BUDGET_LABEL_MAX bytes. */
	const char *label;              /* NULL: leave as it is */
};

/*
 * Publish figures in a budget that was opened with VMS_BUDGET_SHARED by this
 * process. From the first time on it only shows what is published: nothing can
 * be charged to it and no process can join it. The limit is published by
 * vms_budget_set_limit. Makes no system call but the first time.
 *
 * Returns 0, or -EINVAL where the budget is not shared or something of this
 * process is charged to it.
 */
int vmsi_budget_publish(vms_budget *budget,
			const struct vmsi_budget_publication *publication);

#endif
