/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_RECORDER_H
#define VMSI_TESTS_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../kernel/random.h"

/*
 * Stands in the host's table, lets every call through, and keeps a log of those that
 * change the home file, the journal or their directory, or make them durable.
 */

enum operation_kind {
	OPERATION_WRITE,
	OPERATION_SIZE,        /* the file has this size from now on */
	OPERATION_ATTRIBUTE,
	OPERATION_CREATE,      /* the journal's name is this file's */
	OPERATION_UNLINK,      /* the journal's name is gone */
	OPERATION_SYNC_DATA,
	OPERATION_SYNC_ALL,
	OPERATION_SYNC_FAILED,
	OPERATION_SYNC_DROPPED, /* failed, and nothing of what it was for is there */
	OPERATION_SYNC_DIRECTORY,
	OPERATION_BEGIN,       /* the workload begins to make commit number */
	OPERATION_ACKNOWLEDGE, /* and was told that it is durable */
};

struct operation {
	enum operation_kind kind;
	int file;              /* as those of struct memory_disk */
	/*
	 * SIZE: the size. BEGIN, ACKNOWLEDGE: the number. SYNC: how many operations were over
	 * when it began; others may come meanwhile.
	 */
	uint64_t offset;
	size_t length;
	uint8_t *bytes;        /* of WRITE and ATTRIBUTE; NULL: zeros */
};

struct log {
	struct operation *operations;
	size_t count, room;
};

/*
 * How often calls fail: percent, of those that sync and of those that write; and how many
 * of the failed syncs of a journal drop what they could not write, which is read then as
 * it is on disk.
 */
struct failures {
	unsigned sync;
	unsigned write;
	unsigned drop;
};

/*
 * home: a descriptor of the home file; paths tell the other descriptors that are opened
 * later. first_journal: the file that is at the journal's path; -1: none. made: files
 * that there are. seed: of failures, and of what random(2) gives.
 */
void recorder_begin(int home, const char *home_path, const char *journal_path,
		    int first_journal, int made, uint64_t seed);
void recorder_fail(struct failures failures);

/* Another file that there is: its path, and its index. After recorder_begin. */
void recorder_follow(const char *path, int file);

/* Whether something was dropped since the last time that this was asked. */
bool recorder_has_dropped(void);

/* What workloads tell. */
void recorder_note_begin(uint64_t number);
void recorder_note_acknowledged(uint64_t number);

/* Stop; the log is the caller's. */
struct log recorder_end(void);
void log_free(struct log *log);

#endif
