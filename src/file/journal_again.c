/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "file/journal_inside.h"
#include "file/pageset.h"
#include "host/disk.h"
#include "host/host.h"
#include "space/inside.h"

/*
 * Writing what the home file has by the journal once more, after an fsync that has
 * failed. The program goes on to use the file meanwhile, so no byte of it is at any
 * instant another than that of the latest commit: the records are gone over from the last
 * one to the first, and what a later one has written, or has cut off, is left alone.
 */

struct again {
	struct vmsi_journal *journal;
	struct vmsi_walk *records; /* [count], each before its record */
	size_t room, count;
	uint64_t size;             /* of the home file, by the last record */
	uint64_t cut;              /* from here on later records have all bytes */
	struct vmsi_pageset done;  /* pages before that, which later records have */
};

static size_t records_bytes(const struct again *again)
{
	return vmsi_align_up(again->room * sizeof(struct vmsi_walk),
			     vmsi_page_size());
}

static int find_records(struct again *again)
{
	const struct vmsi_journal *journal = again->journal;
	struct vmsi_walk at = { .journal = journal,
				.end = journal->applied_end,
				.next = vmsi_journal_first(journal),
				.chain = journal->first_chain };

	while (at.next < journal->applied_end) {
		struct vmsi_walk record = at;
		const int found = vmsi_walk_next(&at);

		if (found <= 0)
			return found ? found : -EIO;
		again->records[again->count++] = record;
		again->size = vmsi_walk_head(&at)->size;
	}
	again->cut = again->size;
	return 0;
}

static int write_pages(const struct again *again, struct vmsi_page_run run,
		       const char *bytes)
{
	const uint64_t block = again->journal->block;
	const uint64_t offset = run.first * block;
	const uint64_t end = vmsi_min(run.end * block, again->cut);

	return offset >= end ? 0 :
		vmsi_disk_write(again->journal->home, bytes,
				(size_t)(end - offset), offset);
}

/* As far as no later record has the pages. */
static int write_run(void *context, uint64_t page, const char *bytes, size_t pages)
{
	struct again *again = context;
	struct vmsi_page_run run = {
		page, vmsi_min(page + pages, again->done.pages) };
	int error = 0;

	while (run.first < run.end && !error) {
		const struct vmsi_page_run part =
			vmsi_pageset_alike(&again->done, run);

		if (!vmsi_pageset_has(&again->done, part.first))
			error = write_pages(again, part, bytes);
		vmsi_pageset_add(&again->done, part);
		bytes += (part.end - part.first) * again->journal->block;
		run.first = part.end;
	}
	return error;
}

/* Zeros from a size on, where neither this record nor a later one has pages. */
static int write_zeros(struct again *again, uint64_t smallest)
{
	const uint64_t block = again->journal->block;
	struct vmsi_page_run run = { smallest / block, again->done.pages };
	int error = 0;

	while (run.first < run.end && !error) {
		const struct vmsi_page_run part =
			vmsi_pageset_alike(&again->done, run);
		const uint64_t start = vmsi_max(part.first * block, smallest);
		const uint64_t end = vmsi_min(part.end * block, again->cut);

		if (start < end && !vmsi_pageset_has(&again->done, part.first))
			error = vmsi_disk_write_zeros(again->journal->home, start,
						      end - start);
		run.first = part.end;
	}
	again->cut = vmsi_min(again->cut, smallest);
	return error;
}

static int write_record(struct again *again, struct vmsi_walk *record)
{
	uint64_t smallest;
	int result = vmsi_walk_next(record);

	if (result <= 0)
		return result ? result : -EIO;
	smallest = vmsi_walk_head(record)->smallest;
	result = vmsi_walk_images(record, write_run, again);
	if (result)
		return result < 0 ? result : -EIO;
	return smallest < again->cut ? write_zeros(again, smallest) : 0;
}

static int write_records(struct again *again)
{
	const size_t block = again->journal->block;
	int error = find_records(again);

	if (!error)
		error = vmsi_pageset_open(&again->done, again->size / block + 1);
	while (!error && again->count > 0)
		error = write_record(again, &again->records[--again->count]);
	vmsi_pageset_close(&again->done);
	return error;
}

int vmsi_home_write_again(struct vmsi_journal *journal)
{
	struct again again = {
		.journal = journal,
		.room = (journal->applied_end - vmsi_journal_first(journal)) /
			journal->block + 1,
	};
	int error;

	again.records = vmsi_records_get(NULL, records_bytes(&again));
	if (!again.records)
		return -ENOMEM;
	error = write_records(&again);
	vmsi_records_put(NULL, again.records, records_bytes(&again));
	return error;
}
