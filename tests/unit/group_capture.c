/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "group/serve/capture.h"
#include "group/serve/filter.h"

/*
 * A child stops below some functions, and is unwound from what was captured of it.
 *
 * usage: group_capture (the test), or group_capture stop
 */

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

#define DEEP_BYTES ((size_t)300 << 10)

static char self[PATH_MAX];

/* No call is interrupted here. */
bool vmsi_filter_notifies(long call)
{
	(void)call;
	return false;
}

static __attribute__((noinline)) void stop_here(volatile char *bytes)
{
	bytes[0] = 1;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
		(void)raise(SIGSTOP);
	bytes[0] = 2;
}

static __attribute__((noinline)) void stop_deep(void)
{
	volatile char bytes[DEEP_BYTES];

	stop_here(bytes);
	bytes[1] = bytes[0];
}

static __attribute__((noinline)) void stop_plain(void)
{
	volatile char bytes[16];

	stop_here(bytes);
	bytes[1] = bytes[0];
}

static pid_t stopped(pid_t child)
{
	int status;

	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFSTOPPED(status))
		skip();
	return child;
}

static pid_t start(void (*stop)(void))
{
	const pid_t child = fork();

	if (child == 0) {
		stop();
		_exit(0);
	}
	return stopped(child);
}

static void end(pid_t child)
{
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static struct vmsi_capture *capture_of(pid_t child)
{
	struct vmsi_capture *capture = vmsi_capture_make(child);

	assert_non_null(capture);
	assert_int_equal(vmsi_registers_read(child, &capture->registers), 0);
	return capture;
}

/* Its files are opened while it has them, some of them at once. */
static void take_all(struct vmsi_capture *capture)
{
	if (!vmsi_capture_take(capture))
		assert_true(vmsi_capture_open_files(capture));
}

/* This program has a frame for each of its functions: at least so many. */
static void expect_frames(struct vmsi_capture *capture, const char *path)
{
	struct vmsi_frames frames;
	unsigned own = 0;
	const char *why = vmsi_capture_unwind(capture, &frames);

	assert_null(why);
	for (size_t i = 0; i < frames.count; i++)
		own += frames.list[i].file &&
			strncmp(frames.list[i].file->path, path,
				strlen(path)) == 0;
	print_message("# %zu frames, %u of them in %s\n", frames.count, own, path);
	assert_true(own >= 3);
	vmsi_frames_drop(&frames);
}

static void a_process_that_is_gone_is_unwound(void **state)
{
	pid_t child = start(stop_plain);
	struct vmsi_capture *capture = capture_of(child), *again;

	(void)state;
	take_all(capture);
	end(child);
	expect_frames(capture, self);
	/* Another one has the same files, so it is not kept for them. */
	child = start(stop_plain);
	again = capture_of(child);
	assert_true(vmsi_capture_take(again));
	end(child);
	expect_frames(again, self);
	vmsi_capture_free(capture);
	vmsi_capture_free(again);
	vmsi_backtrace_forget();
}

/* And the kernel opens it without waiting for a name on the way to it. */
static bool is_on_disk(const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC,
				.resolve = RESOLVE_CACHED };
	const int file = (int)syscall(SYS_openat2, AT_FDCWD, path, &how,
				      sizeof how);
	struct stat status;
	bool is_one;

	if (file < 0)
		return false;
	is_one = fstat(file, &status) == 0 && major(status.st_dev) != 0;
	close(file);
	return is_one;
}

/* So that the thread that was stopped need not wait for another one. */
static void files_on_a_disk_are_opened_at_once(void **state)
{
	const pid_t child = start(stop_plain);
	struct vmsi_capture *capture = capture_of(child);
	const bool is_all = vmsi_capture_take(capture);
	bool are_on_disk = true;

	(void)state;
	assert_true(vmsi_capture_open_files(capture));
	for (size_t i = 0; i < capture->mapped.count; i++)
		are_on_disk = are_on_disk &&
			is_on_disk(capture->mapped.list[i].file->path);
	end(child);
	vmsi_capture_free(capture);
	vmsi_backtrace_forget();
	if (!are_on_disk)
		skip();
	assert_true(is_all);
}

static void a_stack_that_is_not_copied_is_read_where_it_is(void **state)
{
	const pid_t child = start(stop_deep);
	struct vmsi_capture *capture = capture_of(child);

	(void)state;
	assert_false(vmsi_capture_take(capture));
	assert_false(vmsi_capture_open_files(capture));
	assert_true(capture->is_live);
	expect_frames(capture, self);
	end(child);
	vmsi_capture_free(capture);
	vmsi_backtrace_forget();
}

/* --- files that change ---------------------------------------------------- */

static void copy_self(const char *path)
{
	const int from = open(self, O_RDONLY | O_CLOEXEC);
	const int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	struct stat status;

	assert_true(from >= 0 && to >= 0);
	assert_int_equal(fstat(from, &status), 0);
	while (status.st_size > 0) {
		const ssize_t sent = sendfile(to, from, NULL,
					      (size_t)status.st_size);

		assert_true(sent > 0);
		status.st_size -= sent;
	}
	close(from);
	close(to);
}

static pid_t execute(const char *path)
{
	const pid_t child = fork();

	if (child == 0) {
		execl(path, path, "stop", NULL);
		_exit(127);
	}
	return stopped(child);
}

static void a_program_without_a_name_is_read_where_it_is(void **state)
{
	char directory[] = "/tmp/group-capture-XXXXXX", path[64];
	struct vmsi_capture *capture;
	pid_t child;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/copy", directory);
	copy_self(path);
	child = execute(path);
	assert_int_equal(unlink(path), 0);
	capture = capture_of(child);
	assert_false(vmsi_capture_take(capture));
	assert_false(vmsi_capture_open_files(capture));
	expect_frames(capture, path);
	end(child);
	vmsi_capture_free(capture);
	vmsi_backtrace_forget();
	assert_int_equal(rmdir(directory), 0);
}

/* What was cut off would end the supervisor by SIGBUS. */
static void a_file_that_was_changed_is_looked_up_anew(void **state)
{
	char directory[] = "/tmp/group-capture-XXXXXX", path[64];
	const struct timespec times[2] = { { 1, 0 }, { 1, 0 } };
	struct vmsi_capture *capture;
	struct vmsi_code_file *before;
	pid_t child;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/copy", directory);
	copy_self(path);
	child = execute(path);
	capture = capture_of(child);
	take_all(capture);
	before = capture->mapped.list[0].file;
	assert_string_equal(before->path, path);
	vmsi_code_file_hold(before);
	assert_false(vmsi_code_file_has_changed(before));
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	assert_true(vmsi_code_file_has_changed(before));
	vmsi_capture_look_up_files(capture);
	assert_ptr_not_equal(capture->mapped.list[0].file, before);
	assert_true(vmsi_code_file_is_open(capture->mapped.list[0].file));
	vmsi_code_file_drop(before);
	end(child);
	vmsi_capture_free(capture);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		/* Before the others have opened these files. */
		cmocka_unit_test(files_on_a_disk_are_opened_at_once),
		cmocka_unit_test(a_process_that_is_gone_is_unwound),
		cmocka_unit_test(a_stack_that_is_not_copied_is_read_where_it_is),
		cmocka_unit_test(a_program_without_a_name_is_read_where_it_is),
		cmocka_unit_test(a_file_that_was_changed_is_looked_up_anew),
	};
	const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);

	(void)argv;
	if (argc > 1) {
		stop_plain();
		return 0;
	}
	return length < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
