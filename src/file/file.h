/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_FILE_H
#define VMSI_FILE_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace/file.h>

#include "base/align.h"
#include "base/lock.h"
#include "base/pool.h"
#include "file/losses.h"

struct vmsi_atomic;
struct vmsi_view;

/*
 * What a shared file knows of others that append to it (appenders.c).
 *
 *   ALONE --first append--> JOINED --fork--> SHARED (in the child) --append--> JOINED
 */
enum vmsi_appenders {
	VMSI_APPENDERS_ALONE,  /* the others do not see it */
	VMSI_APPENDERS_JOINED, /* the others see that it appends */
	VMSI_APPENDERS_SHARED, /* its description is the parent's too */
};

/* What is appended to a file that gathers; see gather.h. */
struct vmsi_gather {
	char *bytes;          /* NULL: the file does not gather */
	size_t length;        /* gathered; its place is behind the file's size */
	uint64_t space;       /* up to here the file has its space on disk */
	bool is_inherited;    /* by a forked child, which gathers nothing */
};

/*
 * What a mapped file consists of. A file has a space of its own, as large as its
 * maximum, in which one mapping, base, shows all of it:
 *
 *   base            size                    mapped                     maximum
 *    | the file      | past its end: SIGBUS  | private: not mapped yet    |
 *
 * A shared or read-only file is mapped up to its maximum once: what lies past the
 * end is there as soon as the file is longer, without a call. Private memory is
 * charged for as far as it is mapped, so a private file is mapped up to its size,
 * and further as it grows.
 *
 * Of an atomic file, base shows private pages over the file (MAP_PRIVATE), and
 * anonymous memory past what the file had at the latest commit; see atomic.h.
 */
struct vms_file {
	/* Written before the file is given out, read without a lock. */
	int fd;               /* a description of the library's own, or a duplicate */
	dev_t device;         /* what fd is of, while the program leaves it alone */
	ino_t inode;
	bool copies_on_write; /* its file system writes each block to a new place */
	unsigned flags;       /* VMS_FILE_* */
	vms_space *space;
	char *base;           /* NULL: only windows have addresses */
	uint64_t maximum;     /* bytes, whole pages */
	struct vmsi_view *view;     /* of base */
	struct vmsi_atomic *atomic; /* NULL: not VMS_FILE_ATOMIC */

	_Atomic uint64_t size;      /* written under the lock */

	struct vmsi_lock lock;      /* guards the rest, but what is atomic */
	uint64_t mapped;      /* bytes of base that are mapped */
	_Atomic bool sized;   /* private: its size is the program's own; see private.c */
	size_t windows;       /* that are open */
	struct vmsi_pool window_records;
	enum vmsi_appenders appenders;
	int append_lock;      /* a description for its locks, where that can be had; -1: none */
	bool others_append;   /* something was seen to be added that was not its own */
	struct vmsi_gather gather;
	uint64_t writing_back; /* up to here write-back of what was appended has begun */
	_Atomic int write_error; /* told to an internal call, and to be told by the next
				    vms_file_sync or _close: errno, 0: none */
	_Atomic int directory; /* to be synced, since the file was made; -1: no */
	_Atomic uint64_t syncs; /* fsync, fdatasync, msync; also of the journal */
	struct vmsi_lock sync_lock; /* of who syncs; see sync.c */

	struct vmsi_losses losses;  /* guarded by itself */
	struct vms_file *next;      /* of all files, for fork; guarded by their list */
};

static inline bool vmsi_file_has(const struct vms_file *file, unsigned flag)
{
	return (file->flags & flag) != 0;
}

/* Whether it is an atomic file that is only read. */
static inline bool vmsi_file_reads_commits(const struct vms_file *file)
{
	const unsigned both = VMS_FILE_READ_ONLY | VMS_FILE_ATOMIC;

	return (file->flags & both) == both;
}

#endif
