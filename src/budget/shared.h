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
 * Each process has a slot, in which it writes what it is charged for its
 * private memory, and places for the objects that it may share with others. An
 * object that several slots have is charged once, with the largest size in any.
 * Most of the file is never touched, and so takes no memory.
 *
 * The file has no lock and no stored sum, so a process can end at any instant
 * and leave nothing half done: what is charged is the sum over the slots, and
 * only its owner writes a slot. The owner holds an open file description lock
 * (F_OFD_SETLK) on byte i of the file for slot i. The kernel drops that when
 * the process ends or execs, and whoever can take the lock may clear the slot.
 * slots.h has the states of a slot.
 *
 * Any process with the descriptor can write anything here, so nothing that is
 * read may be trusted to be in range.
 */

#define VMSI_BUDGET_FD_NAME "vmspace-budget"

#define VMSI_BUDGET_MAGIC UINT64_C(0x7465676475427356) /* "VsBudget" */
#define VMSI_BUDGET_VERSION 2u
#define VMSI_BUDGET_LABEL_MAX 63

#define VMSI_BUDGET_HEAD_BYTES ((size_t)4096)
#define VMSI_BUDGET_SLOTS 1024u
/* Places of a slot. */
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
	VMSI_BUDGET_PUBLISHED = 2, /* the maker; see vmsi_budget_publish */
};

/* A slot is a cache line, since each has another writer. */
struct vmsi_budget_slot {
	/* Bytes charged for private memory, without the objects in places. */
	_Alignas(64) _Atomic uint64_t charged;
	/* Bytes of private memory that its owner asks for; see ask.c. */
	_Atomic uint64_t asking;
	_Atomic uint32_t pid;                  /* 0: free */
	/* No place from this number on was ever used. */
	_Atomic uint32_t objects_used;
	/* 1 while its owner changes a place; see places.c. */
	_Atomic uint32_t changing;
};

/* A place for an object that a process holds. */
struct vmsi_budget_object {
	_Atomic uint64_t device;
	_Atomic uint64_t inode;
	_Atomic uint64_t bytes;                /* charged; 0: a free place */
	_Atomic uint64_t asking;               /* size that is asked for */
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
	/* Of a published budget only. */
	_Atomic uint32_t processes;
	_Atomic uint64_t charged;       /* bytes */
	/* How often a place was changed; see places.c. */
	_Atomic uint64_t changes;
	/* The number of the next object that is no file. */
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

/* --- figures.c and publish.c ---------------------------------------------- */

/*
 * The figures of a shared budget. Names end with a 0 and enums are in range;
 * whether the figures are true depends on those who can write the file.
 */
struct vmsi_budget_figures {
	size_t limit;                   /* bytes */
	size_t charged;
	size_t peak;
	uint64_t refusals;
	enum vms_commit_policy policy;
	enum vmsi_budget_kind kind;
	unsigned processes;             /* number of charged processes */
	unsigned maker;                 /* pid, in the maker's namespace */
	char name[VMS_NAME_MAX + 1];    /* may have any bytes, not only text */
	char label[VMSI_BUDGET_LABEL_MAX + 1]; /* likewise, or "" */
};

/*
 * Read the figures of a budget through a descriptor of its memfd, which may be
 * read-only. The charge of processes that have ended is left out. Changes
 * nothing.
 *
 * Returns 0, or -errno, and then *figures is as before: EINVAL if it is no
 * budget, EPROTONOSUPPORT if it is of another version, ENOMEM, and those of
 * pread(2).
 */
int vmsi_budget_read(int fd, struct vmsi_budget_figures *figures);

/* Whether a descriptor is of a shared budget; *version is its version. */
bool vmsi_budget_version(int fd, long *version);

/* The figures that the owner of a published budget shows. */
struct vmsi_budget_publication {
	size_t charged;                 /* bytes */
	size_t peak;
	uint64_t refusals;
	unsigned processes;
	const char *label;              /* cut if long; NULL: leave as it is */
};

/*
 * Show figures in a budget that this process has opened with VMS_BUDGET_SHARED.
 * From the first time on it does nothing else: no process can charge or join
 * it. Its limit is set by vms_budget_set_limit. Only the first time makes a
 * system call.
 *
 * Returns 0, or -EINVAL if the budget is not shared, or something is charged to
 * it or uses it in this process.
 */
int vmsi_budget_publish(vms_budget *budget,
			const struct vmsi_budget_publication *publication);

#endif
