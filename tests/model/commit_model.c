/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace/file.h>

#include "../fault/host_fault.h"
#include "../kernel/random.h"
#include "arguments.h"
#include "host/host.h"

/*
 * Random operations on an atomic file and on two arrays: what the file has now, and
 * what it had at its latest commit. Calls of the host fail now and then. What fails
 * must have changed nothing; a reader must see the commit, the writer what is now.
 */

#define OPERATIONS_USUAL 12000
#define OPERATIONS_PER_ROUND 400
#define PAGES 48
#define CHECK_EVERY 20

static struct arguments given = { .operations = OPERATIONS_USUAL };

struct contents {
	size_t size;
	char *bytes;   /* [most]; what is behind size is zero */
};

static struct {
	char path[64];
	vms_file *file, *reader;
	struct vms_file_options options;
	struct contents now, committed;
	size_t most;
	struct random random;
	unsigned long step, failed, commits;
	const char *last;
} run;

static size_t below(size_t limit)
{
	return random_below(&run.random, limit);
}

static void check(bool holds, const char *condition)
{
	if (!holds)
		fail_msg("step %lu, %s: %s; errno %d", run.step, run.last,
			 condition, errno);
}

#define expect(condition) check(condition, #condition)

/* --- the file and the arrays -------------------------------------------------------- */

static void copy_contents(struct contents *to, const struct contents *from)
{
	to->size = from->size;
	memcpy(to->bytes, from->bytes, run.most);
}

static void set_size(struct contents *contents, size_t size)
{
	if (size < contents->size)
		memset(contents->bytes + size, 0, contents->size - size);
	contents->size = size;
}

static void compare(vms_file *file, const struct contents *contents)
{
	expect(vms_file_size(file) == contents->size);
	if (contents->size)
		expect(memcmp(vms_file_at(file, 0, contents->size),
			      contents->bytes, contents->size) == 0);
}

static void check_reader(void)
{
	struct vms_file_access access;

	expect(vms_file_begin_access(run.reader, &access) == 0);
	compare(run.reader, &run.committed);
	expect(vms_file_end_access(&access, NULL) == 0);
}

/* --- operations --------------------------------------------------------------------- */

static void fill(char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = (char)random_next(&run.random);
}

static bool store(void)
{
	const size_t most = below(5) ? 200 : run.most / 3;
	size_t offset, length;

	run.last = "store";
	if (!run.now.size)
		return true;
	offset = below(run.now.size);
	length = below(most) + 1;
	if (length > run.now.size - offset)
		length = run.now.size - offset;
	vms_file_begin_update(run.file);
	if (vms_file_will_write(run.file, offset, length) == 0) {
		fill(run.now.bytes + offset, length);
		memcpy(vms_file_at(run.file, offset, length),
		       run.now.bytes + offset, length);
		vms_file_end_update(run.file);
		return true;
	}
	vms_file_end_update(run.file);
	return false;
}

/* What lies behind the end in the last page is no part of the file, also when it grows. */
static bool store_behind(void)
{
	const size_t page = vmsi_page_size();
	const size_t rest = run.now.size % page;

	run.last = "store behind the end";
	if (rest)
		memset((char *)vms_file_at(run.file, run.now.size, 0), 's',
		       page - rest);
	return true;
}

static bool append(void)
{
	const size_t length = below(3 * vmsi_page_size());
	const bool zeros = below(4) == 0;
	uint64_t offset = 0;
	char *bytes;

	run.last = "append";
	if (length > run.most - run.now.size)
		return true;
	bytes = run.now.bytes + run.now.size;
	if (!zeros)
		fill(bytes, length);
	if (vms_file_append(run.file, zeros ? NULL : bytes, length, &offset)) {
		memset(bytes, 0, length);
		return false;
	}
	expect(offset == run.now.size);
	run.now.size += length;
	return true;
}

static bool resize(void)
{
	const size_t size = below(run.most + 1);

	run.last = "resize";
	if (vms_file_resize(run.file, size))
		return false;
	set_size(&run.now, size);
	return true;
}

static bool commit(void)
{
	run.last = "commit";
	if (vms_file_commit(run.file))
		return false;
	copy_contents(&run.committed, &run.now);
	run.commits++;
	return true;
}

static bool roll_back(void)
{
	run.last = "rollback";
	if (vms_file_rollback(run.file))
		return false;
	copy_contents(&run.now, &run.committed);
	return true;
}

static bool (*const operations[])(void) = {
	store, store, store, store, store, store_behind, append, resize, commit, commit,
	roll_back,
};

/* A commit whose fdatasync failed may be there for who opens the file next. */
static bool is_unsure;

static void step(void)
{
	const size_t which = below(sizeof(operations) / sizeof(operations[0]));
	const struct fault_plan plan = {
		.mode = below(8) == 0 ? FAULT_ONCE : FAULT_NEVER,
		.n = (unsigned)below(12) + 1,
		.which = below(2) ? FAULT_USUAL : FAULT_OTHER,
	};
	bool done;

	fault_begin(&plan);
	done = operations[which]();
	if (fault_end().failed == 0)
		expect(done);
	/* Of a rollback that has failed, a part may be done; it is done again. */
	if (!done && operations[which] == roll_back)
		expect(roll_back());
	if (operations[which] == commit)
		is_unsure = !done;
	run.failed += !done;
}

/* --- rounds ------------------------------------------------------------------------- */

static void open_both(void)
{
	struct vms_file_options reader = {
		.struct_size = sizeof(reader),
		.flags = VMS_FILE_READ_ONLY | VMS_FILE_ATOMIC,
		.maximum = run.options.maximum,
	};

	run.last = "open";
	run.file = vms_file_open(run.path, &run.options);
	expect(run.file);
	run.reader = vms_file_open(run.path, &reader);
	expect(run.reader);
}

static void close_both(void)
{
	run.last = "close";
	expect(vms_file_close(run.reader) == 0);
	expect(vms_file_close(run.file) == 0);
}

/* What was not committed is gone, and a commit is not. */
static void open_again(void)
{
	if (is_unsure)
		while (!commit())
			;
	is_unsure = false;
	close_both();
	copy_contents(&run.now, &run.committed);
	open_both();
	compare(run.file, &run.now);
}

static long no_userfaultfd(int flags)
{
	(void)flags;
	return -EPERM;
}

/* How written pages are found: told; by the kernel, one way or the other. */
enum way { TOLD, TOLD_AND_SPILLED, PROTECTED, HELD, WAYS };

static void round_of(enum way way)
{
	const struct vmsi_host_calls earlier = vmsi_host;

	if (way == HELD)
		vmsi_host.userfaultfd = no_userfaultfd;
	run.options = (struct vms_file_options){
		.struct_size = sizeof(run.options),
		.flags = VMS_FILE_ATOMIC | VMS_FILE_CREATE |
			(way <= TOLD_AND_SPILLED ? VMS_FILE_TELLS : 0),
		.maximum = run.most,
		.dirty_limit = (way == TOLD_AND_SPILLED || below(2) ?
				6 : 10 * PAGES) * vmsi_page_size(),
	};
	snprintf(run.path, sizeof(run.path), "%s/vmspace-commit-%d",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", getpid());
	set_size(&run.now, 0);
	copy_contents(&run.committed, &run.now);
	open_both();
	fault_install();
	for (int i = 0; i < OPERATIONS_PER_ROUND; i++, run.step++) {
		step();
		if (i % CHECK_EVERY == 0) {
			compare(run.file, &run.now);
			check_reader();
		}
		if (below(60) == 0)
			open_again();
	}
	fault_remove();
	close_both();
	unlink(run.path);
	vmsi_host = earlier;
}

static void an_atomic_file_is_as_two_arrays(void **state)
{
	(void)state;
	run.most = PAGES * vmsi_page_size();
	run.now.bytes = calloc(1, run.most);
	run.committed.bytes = calloc(1, run.most);
	run.random.state = given.seed;
	for (unsigned i = 0; run.step < given.operations; i++)
		round_of((enum way)(i % WAYS));
	print_message("# %lu operations, %lu failed, %lu commits\n", run.step,
		      run.failed, run.commits);
	free(run.now.bytes);
	free(run.committed.bytes);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_atomic_file_is_as_two_arrays),
	};

	read_arguments("commit_model", argc, argv, &given);
	return cmocka_run_group_tests_name("commit_model", tests, NULL, NULL);
}
