/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vmspace/file.h>

#include "file/atomic_state.h"
#include "file/file.h"
#include "host/host.h"
#include "recorder.h"
#include "workload.h"

/*
 * Commits by the public calls on files: stores that are told, and spilled, or that the
 * kernel is asked for; growth and cuts, roll backs, closing and opening again, and
 * calls that fail. The recorder lets all calls through, so the file can be mapped.
 */

#define PAGES_MOST 40
#define SPILL_AT 5 /* pages */
#define STEPS 70

/* More than the memory for the copies that a commit begins with has, in pages. */
#define PIECE_MOST 20

/* How written pages are found: told; by the kernel, one way or the other. */
enum way { TOLD_AND_SPILLED, TOLD, PROTECTED, STALLED, WAYS };

/* What the file is, with zeros behind its size. */
struct bytes {
	uint8_t *bytes;        /* [run.most] */
	uint64_t size;
};

static struct {
	const struct workload_files *files;
	struct random *random;
	struct history *history;
	vms_file *file;
	size_t page, most;
	struct bytes committed, now;
	size_t acknowledged;   /* the number of what is in committed */
	bool is_short;         /* of memory: commits copy in small pieces */
	bool commits;          /* a commit is under way */
	struct vmsi_host_calls host;
} run;

static void must(bool right, const char *what)
{
	if (right)
		return;
	(void)printf("# the workload: %s; errno %d\n", what, errno);
	(void)fflush(stdout);
	abort();
}

static bool chance(unsigned percent)
{
	return random_percent(run.random, percent);
}

static void copy(struct bytes *to, const struct bytes *from)
{
	memcpy(to->bytes, from->bytes, run.most);
	to->size = from->size;
}

static void check_now(const char *what)
{
	must(vms_file_size(run.file) == run.now.size, what);
	if (run.now.size)
		must(memcmp(vms_file_at(run.file, 0, run.now.size),
			    run.now.bytes, run.now.size) == 0, what);
}

/* --- what the host refuses ------------------------------------------------------------------- */

static long no_userfaultfd(int flags)
{
	(void)flags;
	return -EPERM;
}

static long short_mmap(uintptr_t address, size_t length, int prot, int flags,
		       int fd, uint64_t offset)
{
	if (run.is_short && run.commits && (flags & MAP_ANONYMOUS) &&
	    !(flags & MAP_FIXED) && length > PIECE_MOST * run.page)
		return -ENOMEM;
	return run.host.mmap(address, length, prot, flags, fd, offset);
}

static void fail_calls(void)
{
	recorder_fail((struct failures){ .sync = 15, .write = 3, .drop = 90 });
}

/* --- changes -------------------------------------------------------------------------------- */

/* Few bytes of each page, so that logs stay small in what differs. */
static void change_bytes(uint64_t offset, uint64_t length)
{
	for (uint64_t at = offset; at < offset + length; at += 61)
		run.now.bytes[at] = (uint8_t)random_next(run.random);
}

static void store_range(uint64_t offset, uint64_t length)
{
	vms_file_begin_update(run.file);
	if (vms_file_will_write(run.file, offset, length) == 0) {
		change_bytes(offset, length);
		memcpy(vms_file_at(run.file, offset, length),
		       run.now.bytes + offset, length);
	}
	vms_file_end_update(run.file);
}

static void store(void)
{
	const uint64_t most = chance(20) ? run.most : 2 * run.page;
	uint64_t offset;

	if (run.now.size == 0)
		return;
	offset = random_below(run.random, run.now.size);
	store_range(offset, vmsi_min(1 + random_below(run.random, most),
				     run.now.size - offset));
}

/*
 * Told before others are, which may be spilled with it; stored to afterwards, in the
 * same update.
 */
static void store_late(void)
{
	const uint64_t pages = run.now.size / run.page;
	uint64_t early, others;

	if (pages < 2 * SPILL_AT)
		return;
	early = random_below(run.random, pages) * run.page;
	others = random_below(run.random, pages - SPILL_AT) * run.page;
	vms_file_begin_update(run.file);
	if (vms_file_will_write(run.file, early, run.page) == 0) {
		const bool told = vms_file_will_write(run.file, others,
						      SPILL_AT * run.page) == 0 &&
			vms_file_will_write(run.file, others, 1) == 0;

		if (told) {
			change_bytes(others, SPILL_AT * run.page);
			memcpy(vms_file_at(run.file, others, 1),
			       run.now.bytes + others, SPILL_AT * run.page);
		}
		change_bytes(early, run.page);
		memcpy(vms_file_at(run.file, early, 1), run.now.bytes + early,
		       run.page);
	}
	vms_file_end_update(run.file);
}

static void append(void)
{
	const uint64_t room = run.most - run.now.size;
	const size_t length = random_below(run.random,
					   vmsi_min(room, 3 * run.page) + 1);
	const bool zeros = chance(25);

	if (!zeros)
		change_bytes(run.now.size, length);
	if (vms_file_append(run.file, zeros ? NULL :
			    run.now.bytes + run.now.size, length, NULL) == 0)
		run.now.size += length;
	else
		memset(run.now.bytes + run.now.size, 0, length);
}

static void resize_to(uint64_t size)
{
	if (vms_file_resize(run.file, size) != 0)
		return;
	if (size < run.now.size)
		memset(run.now.bytes + size, 0, run.now.size - size);
	run.now.size = size;
}

static void resize(void)
{
	resize_to(random_below(run.random, run.most + 1));
}

/* All of it is new in one commit, behind a cut. */
static void rewrite(void)
{
	resize_to(random_below(run.random, 2 * run.page));
	resize_to(run.most - random_below(run.random, run.page));
	if (run.now.size)
		store_range(0, run.now.size);
}

/* Cut and grown again in one commit: what was cut off must not come back. */
static void resize_twice(void)
{
	resize();
	if (chance(50))
		store();
	resize();
}

static void roll_back(void)
{
	/* Of one that has failed, a part may be done; it is done again. */
	while (vms_file_rollback(run.file) != 0)
		;
	copy(&run.now, &run.committed);
}

/* --- commits --------------------------------------------------------------------------------- */

static void acknowledge(size_t number)
{
	recorder_note_acknowledged(number);
	run.acknowledged = number;
	copy(&run.committed, &run.now);
}

static int try_commit(void)
{
	const size_t number = history_add(run.history, run.now.bytes,
					  run.now.size);
	int error;

	recorder_note_begin(number);
	run.commits = true;
	error = vms_file_commit(run.file);
	run.commits = false;
	if (!error)
		acknowledge(number);
	return error;
}

/*
 * What had gone to the journal alone may be dropped with it: then no commit comes to be
 * before it is rolled back.
 */
static void commit(void)
{
	(void)recorder_has_dropped();
	if (try_commit() != 0 && recorder_has_dropped() && try_commit() != 0)
		roll_back();
}

/* --- opening and closing --------------------------------------------------------------------- */

static void open_file(void)
{
	const enum way way = (enum way)random_below(run.random, WAYS);
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_ATOMIC | (way <= TOLD ? VMS_FILE_TELLS : 0),
		.maximum = run.most,
		.journal = run.files->journal_path,
		.dirty_limit = (way == TOLD_AND_SPILLED || chance(30) ?
				SPILL_AT : 2 * PAGES_MOST) * run.page,
	};

	vmsi_host.userfaultfd = way == STALLED ? no_userfaultfd :
						 run.host.userfaultfd;
	run.is_short = chance(50);
	/* Each try makes a journal, and a disk has room for a few. */
	for (int tries = 0; !run.file; tries++) {
		if (tries == 3)
			recorder_fail((struct failures){ 0 });
		run.file = vms_file_open(run.files->home_path, &options);
		must(run.file || !*vms_file_journal_problem(),
		     vms_file_journal_problem());
	}
	/* So that it is full now and then, and gives space back. */
	if (chance(50))
		run.file->atomic->journal.limit = (uint64_t)1 << 20;
	fail_calls();
}

static bool is_shown(const struct content *content)
{
	return content->size == vms_file_size(run.file) &&
		memcmp(content->bytes, vms_file_at(run.file, 0, content->size),
		       content->size) == 0;
}

/* A commit that has failed may be there for all that; then it counts from here on. */
static void take_what_is_there(void)
{
	size_t number = run.history->count;

	while (number > run.acknowledged &&
	       !is_shown(&run.history->contents[number - 1]))
		number--;
	must(number > run.acknowledged, "the file is no commit, or an old one");
	memset(run.now.bytes, 0, run.most);
	run.now.size = vms_file_size(run.file);
	memcpy(run.now.bytes, vms_file_at(run.file, 0, run.now.size),
	       run.now.size);
	number = history_add(run.history, run.now.bytes, run.now.size);
	recorder_note_begin(number);
	acknowledge(number);
}

static void open_again(void)
{
	(void)vms_file_close(run.file);
	run.file = NULL;
	open_file();
	take_what_is_there();
}

/* --- the whole -------------------------------------------------------------------------------- */

static void (*const steps[])(void) = {
	store, store, store, store_late, append, resize, resize_twice,
	rewrite, commit, commit, commit, commit,
};

static void step(void)
{
	steps[random_below(run.random, sizeof(steps) / sizeof(*steps))]();
	check_now("memory is not what was stored");
	if (chance(5)) {
		roll_back();
		check_now("memory is not what was committed");
	}
	if (chance(5))
		open_again();
}

static void begin(const struct workload_files *files, struct random *random,
		  struct history *history)
{
	int home;

	memset(&run, 0, sizeof(run));
	run.files = files;
	run.random = random;
	run.history = history;
	run.page = vmsi_page_size();
	run.most = PAGES_MOST * run.page;
	run.committed.bytes = calloc(1, run.most);
	run.now.bytes = calloc(1, run.most);
	home = open(files->home_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	must(run.committed.bytes && run.now.bytes && home >= 0 &&
	     close(home) == 0, "setup");
	(void)history_add(history, run.now.bytes, 0);
	recorder_begin(-1, files->home_path, files->journal_path, -1, 1,
		       random_next(random));
	run.host = vmsi_host;
	vmsi_host.mmap = short_mmap;
	open_file();
}

static void run_commits(const struct workload_files *files,
			struct random *random, struct history *history)
{
	begin(files, random, history);
	for (int i = 0; i < STEPS; i++)
		step();
	recorder_fail((struct failures){ 0 });
	must(vms_file_close(run.file) == 0, "close");
	(void)unlink(files->home_path);
	(void)unlink(files->journal_path);
	free(run.committed.bytes);
	free(run.now.bytes);
}

const struct workload workload_commit = { "file", run_commits };
