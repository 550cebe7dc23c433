/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file/journal.h"
#include "host/host.h"
#include "recorder.h"
#include "workload.h"

/*
 * Commits by the journal's own calls: random pages, sizes that grow and shrink, spills,
 * commits that are dropped, checkpoints, closing and opening again, and calls that fail.
 */

#define PAGES_MOST 20
#define COMMITS 40

static struct {
	struct vmsi_journal journal;
	const struct workload_files *files;
	struct random *random;
	struct history *history;
	size_t page;
	int home;
	/* What the file is by the latest commit, and by the one that is being made. */
	uint8_t *committed, *now;
	uint64_t committed_size, size;
	uint64_t smallest;        /* size since the latest commit */
	uint64_t record_smallest; /* size since the latest record */
	bool dirty[PAGES_MOST], spilled[PAGES_MOST];
	uint8_t *images;
} run;

static void must(bool right, const char *what)
{
	if (right)
		return;
	(void)printf("# the workload: %s\n", what);
	(void)fflush(stdout);
	abort();
}

static bool chance(unsigned percent)
{
	return random_percent(run.random, percent);
}

/* --- changes -------------------------------------------------------------------------------- */

static size_t pages_of(uint64_t size)
{
	return (size_t)((size + run.page - 1) / run.page);
}

static void change_page(void)
{
	const size_t pages = pages_of(run.size);
	const size_t page = pages ? random_below(run.random, pages) : 0;
	const uint64_t begin = page * run.page;
	const uint64_t end = vmsi_min(begin + run.page, run.size);

	for (uint64_t at = begin; at < end; at += 64)
		run.now[at] = (uint8_t)random_next(run.random);
	run.dirty[page] = true;
}

/* What was cut off reads as zeros when the file is longer again. */
static void change_size(void)
{
	const uint64_t size = 1 + random_below(run.random,
					       PAGES_MOST * run.page);

	if (size < run.size) {
		memset(run.now + size, 0, PAGES_MOST * run.page - size);
		run.dirty[size / run.page] = true;
	}
	run.size = size;
	run.smallest = vmsi_min(run.smallest, size);
	run.record_smallest = vmsi_min(run.record_smallest, size);
}

/* Images of the dirty pages below the end; what of the last is past it is anything. */
static size_t take_images(struct vmsi_image *image, unsigned percent)
{
	const size_t rest = run.size % run.page;
	size_t count = 0;

	for (size_t page = 0; page < pages_of(run.size); page++) {
		uint8_t *bytes = run.images + page * run.page;

		if (!run.dirty[page] || !chance(percent))
			continue;
		memcpy(bytes, run.now + page * run.page, run.page);
		if (rest && page == run.size / run.page)
			memset(bytes + rest, 0xdb, run.page - rest);
		image[count++] = (struct vmsi_image){ page, bytes };
	}
	return count;
}

static struct vmsi_sizes sizes_now(void)
{
	return (struct vmsi_sizes){ run.record_smallest, run.size };
}

static void spill(void)
{
	struct vmsi_image images[PAGES_MOST];
	const size_t count = take_images(images, 60);

	if (vmsi_journal_write(&run.journal, VMSI_RECORD_SPILL, sizes_now(),
			       images, count, NULL) != 0)
		return;
	run.record_smallest = run.size;
	for (size_t i = 0; i < count; i++) {
		run.dirty[images[i].page] = false;
		run.spilled[images[i].page] = true;
	}
}

static void forget_changes(void)
{
	memset(run.dirty, 0, sizeof(run.dirty));
	memset(run.spilled, 0, sizeof(run.spilled));
	run.smallest = run.record_smallest = run.size;
}

static void roll_back(void)
{
	memcpy(run.now, run.committed, PAGES_MOST * run.page);
	run.size = run.committed_size;
	forget_changes();
}

/* --- commits --------------------------------------------------------------------------------- */

static void acknowledge(size_t number)
{
	recorder_note_acknowledged(number);
	memcpy(run.committed, run.now, PAGES_MOST * run.page);
	run.committed_size = run.size;
	forget_changes();
}

/* The records were taken back: what they had is dirty again. */
static void keep_trying(void)
{
	for (size_t page = 0; page < PAGES_MOST; page++)
		run.dirty[page] |= run.spilled[page];
	memset(run.spilled, 0, sizeof(run.spilled));
	run.record_smallest = run.smallest;
}

static void fail(void)
{
	vmsi_journal_discard(&run.journal);
	if (chance(50))
		roll_back();
	else
		keep_trying();
}

static void commit(void)
{
	struct vmsi_image images[PAGES_MOST];
	const size_t number = history_add(run.history, run.now, run.size);
	const size_t count = take_images(images, 100);
	bool written;

	recorder_note_begin(number);
	written = vmsi_journal_write(&run.journal, VMSI_RECORD_COMMIT,
				     sizes_now(), images, count, NULL) == 0;
	if (!written || vmsi_journal_sync(&run.journal) != 0) {
		/* The pages are in the image buffer only now, if at all. */
		for (size_t i = 0; i < count; i++)
			run.dirty[images[i].page] = true;
		fail();
		return;
	}
	acknowledge(number);
	(void)vmsi_journal_write_home(&run.journal, images, count);
}

/* A commit that is dropped when half of it is in the journal. */
static void change_and_drop(void)
{
	change_page();
	spill();
	vmsi_journal_discard(&run.journal);
	roll_back();
}

static void open_journal(void)
{
	const char *problem = NULL;
	int error;

	do {
		error = vmsi_journal_open(&run.journal, run.home,
					  run.files->journal_path,
					  VMSI_JOURNAL_WRITE, &problem);
		must(!problem, problem ? problem : "");
	} while (error);
}

static void check_home(void)
{
	uint8_t *bytes = calloc(PAGES_MOST, run.page);
	const long got = vmsi_host.pread(run.home, bytes, PAGES_MOST * run.page, 0);

	must(got == (long)run.committed_size, "the file has another size");
	must(memcmp(bytes, run.committed, PAGES_MOST * run.page) == 0,
	     "the file is not what was committed");
	free(bytes);
}

static void reopen(void)
{
	(void)vmsi_journal_close(&run.journal);
	open_journal();
	check_home();
}

static void step(void)
{
	for (size_t left = random_below(run.random, 4); left > 0; left--)
		change_page();
	if (chance(20))
		change_size();
	if (chance(20))
		spill();
	if (chance(15))
		change_size();
	commit();
	if (chance(10))
		(void)vmsi_journal_catch_up(&run.journal);
	if (chance(10))
		(void)vmsi_journal_checkpoint(&run.journal);
}

/* --- the whole -------------------------------------------------------------------------------- */

static void begin(const struct workload_files *files, struct random *random,
		  struct history *history)
{
	memset(&run, 0, sizeof(run));
	run.files = files;
	run.random = random;
	run.history = history;
	run.page = vmsi_page_size();
	run.committed = calloc(PAGES_MOST, run.page);
	run.now = calloc(PAGES_MOST, run.page);
	run.images = calloc(PAGES_MOST, run.page);
	run.home = open(files->home_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	must(run.committed && run.now && run.images && run.home >= 0, "setup");
	(void)history_add(history, run.now, 0);
	recorder_begin(run.home, files->home_path, files->journal_path, -1, 1,
		       random_next(random));
	open_journal();
	recorder_fail((struct failures){ .sync = 5, .write = 3 });
	run.size = 1 + random_below(random, PAGES_MOST * run.page);
	run.smallest = run.record_smallest = 0;
}

static void run_journal(const struct workload_files *files,
			struct random *random, struct history *history)
{
	begin(files, random, history);
	for (int i = 0; i < COMMITS; i++) {
		step();
		if (chance(5) && run.journal.next_end == run.journal.end)
			change_and_drop();
		if (chance(5)) {
			roll_back();
			vmsi_journal_discard(&run.journal);
			reopen();
		}
	}
	recorder_fail((struct failures){ 0 });
	(void)vmsi_journal_close(&run.journal);
	(void)close(run.home);
	(void)unlink(files->home_path);
	(void)unlink(files->journal_path);
	free(run.committed);
	free(run.now);
	free(run.images);
}

const struct workload workload_journal = { "journal", run_journal };
