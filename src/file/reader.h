/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_READER_H
#define VMSI_FILE_READER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "file/journal.h"
#include "file/pageset.h"

struct vms_file;

/*
 * An atomic file that is only read. Between a writer's commits the home file has the
 * latest commit, and is mapped as it is. It has not, where the writer or the machine
 * has stopped in the midst of writing it; the home lock tells, and then
 * what the journal's commits have is laid over base, in memory of the reader's own:
 * nothing is written, and the next writer recovers.
 *
 * An access of any thread keeps READING of the home lock, so that no commit is written
 * home meanwhile. All this is looked at when the first access of the process begins.
 */
enum vmsi_reading {
	VMSI_READING_NONE,
	VMSI_READING_TAKING, /* a thread waits for it */
	VMSI_READING_HELD,   /* and base shows the latest commit */
};

/* What the overlay was laid from, so that it is laid again only when that changes. */
struct vmsi_laid {
	bool is_laid;
	bool is_frozen;      /* no writer was there: who comes begins a new epoch */
	uint64_t home_size;
	uint64_t size;       /* of the file, by the latest commit */
};

struct vmsi_reader {
	pthread_mutex_t mutex;        /* guards the rest */
	pthread_cond_t changed;       /* reading, at_door */
	enum vmsi_reading reading;    /* of the home lock */
	bool at_door;                 /* a thread comes through it, or waits there */
	unsigned inside;              /* accesses that are open, and threads that want
					 READING and have come past the door */
	uint64_t serial;              /* another one for each file that was opened */
	bool overlay_is_lost;         /* in part, perhaps: it is to be laid anew */
	int for_child;                /* while a fork is under way: a descriptor that has
					 the lock of the child's accesses; -1: none */
	struct vmsi_pageset overlaid; /* pages that are not mapped from home */
	struct vmsi_laid laid;
};

/* Opening and closing, by vmsi_atomic_open and the like. Each returns 0 or -errno. */
int vmsi_reader_open(struct vms_file *file, const char *path,
		     const char **problem);
int vmsi_reader_start(struct vms_file *file);
void vmsi_reader_close(struct vms_file *file);

/* Let base show the latest commit; with READING, no access open, and the mutex. */
int vmsi_reader_look(struct vms_file *file);

#endif
