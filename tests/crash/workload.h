/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_WORKLOAD_H
#define VMSI_TESTS_WORKLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "../kernel/random.h"

/* What the home file is to be by one commit. */
struct content {
	uint64_t size;
	uint8_t *bytes;        /* size of them, and zeros to the end of the page */
};

/*
 * The commits that a workload has begun, by their numbers; 0 is what there was before.
 * A crash must leave one of them: the latest that was acknowledged, or one begun later.
 */
struct history {
	struct content *contents;
	size_t count, room;
};

/* Keep a copy of a content. Returns its number. */
size_t history_add(struct history *history, const uint8_t *bytes, uint64_t size);
void history_free(struct history *history);

/* Where a workload's files are. */
struct workload_files {
	const char *home_path;
	const char *journal_path;
};

/*
 * A workload: makes commits of the home file, which is empty when it begins. It begins
 * the recorder for its files (recorder_begin), adds each content that it is about to
 * commit to the history, and tells the recorder when it begins (recorder_note_begin)
 * and when it was told that it is durable (recorder_note_acknowledged).
 */
struct workload {
	const char *name;
	void (*run)(const struct workload_files *files, struct random *random,
		    struct history *history);
};

extern const struct workload workload_journal; /* the journal's own calls */
extern const struct workload workload_commit;  /* those of vmspace/file.h */

#endif
