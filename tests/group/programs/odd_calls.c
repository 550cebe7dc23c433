/* SPDX-License-Identifier: MIT */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Calls that can charge, with arguments that no program means. Each is made by
 * a process of its own, which asks for something sensible afterwards. A line is
 * "NAME free ERRNO ERRNO", or "NAME large ERRNO ERRNO" where more is asked for
 * than any group has.
 */

#define KIB ((size_t)1 << 10)
#define PAGE 4096L
#define HIGH (-(1L << 47))   /* the kernel's half */
#define LARGE (1L << 45)
#define UNMAPPED 4096L       /* below what may be mapped */
#define EVERYTHING (-1L)
#define RW (PROT_READ | PROT_WRITE)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)

static char long_text[1 << 20];
static char none[] = "/nowhere/program", self[] = "/proc/self/exe";
static char directory[] = "/", empty[] = "";
static char *no_arguments[] = { NULL };
static char *long_arguments[] = { long_text, NULL };

enum kind { FREE, LARGE_ONE };

struct odd_call {
	const char *name;
	enum kind kind;
	long number, arguments[6];
};

#define TEXT(text) ((long)(intptr_t)(text))

static const struct odd_call mmaps[] = {
	{ "no-length", FREE, SYS_mmap, { 0, 0, RW, ANONYMOUS, -1, 0 } },
	{ "all-length", FREE, SYS_mmap,
	  { 0, EVERYTHING, RW, ANONYMOUS, -1, 0 } },
	{ "wrapped-length", FREE, SYS_mmap,
	  { 0, -2 * PAGE, RW, ANONYMOUS, -1, 0 } },
	{ "large-length", LARGE_ONE, SYS_mmap,
	  { 0, LARGE, RW, ANONYMOUS, -1, 0 } },
	{ "large-shared", LARGE_ONE, SYS_mmap,
	  { 0, LARGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0 } },
	{ "large-no-file", LARGE_ONE, SYS_mmap,
	  { 0, LARGE, RW, MAP_PRIVATE, -1, 0 } },
	{ "high", FREE, SYS_mmap,
	  { HIGH, PAGE, RW, ANONYMOUS | MAP_FIXED, -1, 0 } },
	{ "unaligned", FREE, SYS_mmap,
	  { 1, PAGE, RW, ANONYMOUS | MAP_FIXED, -1, 0 } },
	{ "to-the-end", LARGE_ONE, SYS_mmap,
	  { PAGE * 16, (1L << 47) - 17 * PAGE, RW, ANONYMOUS | MAP_FIXED, -1,
	    0 } },
	{ "no-file", FREE, SYS_mmap, { 0, PAGE, RW, MAP_PRIVATE, -1, 0 } },
	{ "no-kind", FREE, SYS_mmap, { 0, PAGE, RW, MAP_ANONYMOUS, -1, 0 } },
	{ "all-kinds", FREE, SYS_mmap,
	  { 0, PAGE, RW, MAP_ANONYMOUS | 0x0f, -1, 0 } },
	{ "validated", FREE, SYS_mmap,
	  { 0, PAGE, RW, MAP_ANONYMOUS | MAP_SHARED_VALIDATE, -1, 0 } },
	{ "all-flags", FREE, SYS_mmap, { 0, PAGE, RW, EVERYTHING, -1, 0 } },
	{ "high-flags", FREE, SYS_mmap,
	  { 0, PAGE, RW, ANONYMOUS | (1L << 40), -1, 0 } },
	{ "all-rights", FREE, SYS_mmap,
	  { 0, PAGE, EVERYTHING, ANONYMOUS, -1, 0 } },
	{ "huge-pages-of-no-size", FREE, SYS_mmap,
	  { 0, PAGE, RW, ANONYMOUS | MAP_HUGETLB | (63L << 26), -1, 0 } },
	{ "unaligned-offset", FREE, SYS_mmap,
	  { 0, PAGE, RW, ANONYMOUS, -1, 1 } },
	{ "high-offset", FREE, SYS_mmap,
	  { 0, PAGE, RW, ANONYMOUS, -1, -PAGE } },
	{ NULL, FREE, 0, { 0 } },
};

static const struct odd_call mprotects[] = {
	{ "no-length", FREE, SYS_mprotect, { PAGE, 0, RW } },
	{ "all-length", FREE, SYS_mprotect, { PAGE, EVERYTHING, RW } },
	{ "large", LARGE_ONE, SYS_mprotect, { PAGE, LARGE, RW } },
	{ "large-unaligned", LARGE_ONE, SYS_mprotect, { 1, LARGE, RW } },
	{ "unaligned", FREE, SYS_mprotect, { 1, PAGE, RW } },
	{ "high", FREE, SYS_mprotect, { HIGH, PAGE, RW } },
	{ "wrapped", FREE, SYS_mprotect, { -PAGE, 4 * PAGE, RW } },
	{ "unmapped", FREE, SYS_mprotect, { UNMAPPED, PAGE, RW } },
	{ "all-rights", FREE, SYS_mprotect, { UNMAPPED, PAGE, EVERYTHING } },
	{ "no-key", FREE, SYS_pkey_mprotect, { UNMAPPED, PAGE, RW, 99 } },
	{ "all-keys", FREE, SYS_pkey_mprotect,
	  { UNMAPPED, PAGE, RW, EVERYTHING } },
	{ NULL, FREE, 0, { 0 } },
};

static const struct odd_call mremaps[] = {
	{ "unaligned", FREE, SYS_mremap, { 1, PAGE, 2 * PAGE, 1 } },
	{ "unmapped", FREE, SYS_mremap, { UNMAPPED, PAGE, 2 * PAGE, 1 } },
	{ "high", FREE, SYS_mremap, { HIGH, PAGE, 2 * PAGE, 1 } },
	{ "no-length", FREE, SYS_mremap, { UNMAPPED, PAGE, 0, 1 } },
	{ "no-old-length", FREE, SYS_mremap, { UNMAPPED, 0, PAGE, 1 } },
	{ "all-length", FREE, SYS_mremap, { UNMAPPED, PAGE, EVERYTHING, 1 } },
	{ "all-old-length", FREE, SYS_mremap,
	  { UNMAPPED, EVERYTHING, PAGE, 1 } },
	{ "wrapped-length", LARGE_ONE, SYS_mremap,
	  { UNMAPPED, PAGE, -2 * PAGE, 1 } },
	{ "large", LARGE_ONE, SYS_mremap, { UNMAPPED, PAGE, LARGE, 1 } },
	{ "all-flags", FREE, SYS_mremap,
	  { UNMAPPED, PAGE, 2 * PAGE, EVERYTHING } },
	{ "fixed-but-not-moved", FREE, SYS_mremap,
	  { UNMAPPED, PAGE, 2 * PAGE, MREMAP_FIXED, UNMAPPED } },
	{ "fixed-high", FREE, SYS_mremap,
	  { UNMAPPED, PAGE, 2 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, HIGH } },
	{ "left-behind-smaller", FREE, SYS_mremap,
	  { UNMAPPED, 2 * PAGE, PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE } },
	{ NULL, FREE, 0, { 0 } },
};

/* brk answers where the heap ends, whatever it is asked. */
static const struct odd_call brks[] = {
	{ "one", FREE, SYS_brk, { 1 } },
	{ "all", FREE, SYS_brk, { EVERYTHING } },
	{ "wrapped", FREE, SYS_brk, { -2 * PAGE } },
	{ "high", FREE, SYS_brk, { HIGH } },
	{ NULL, FREE, 0, { 0 } },
};

static const struct odd_call clones[] = {
	{ "no-signal", FREE, SYS_clone, { 0 } },
	{ "odd-signal", FREE, SYS_clone, { CSIGNAL } },
	{ "thread-of-its-own", FREE, SYS_clone, { CLONE_THREAD } },
	{ "handlers-only", FREE, SYS_clone, { CLONE_SIGHAND } },
	{ "contradiction", FREE, SYS_clone,
	  { CLONE_NEWNS | CLONE_FS | SIGCHLD } },
	{ "sibling", FREE, SYS_clone, { CLONE_PARENT | SIGCHLD } },
	{ "descriptor-nowhere", FREE, SYS_clone,
	  { CLONE_PIDFD | SIGCHLD, 0, HIGH } },
	{ "number-nowhere", FREE, SYS_clone,
	  { CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, HIGH, HIGH,
	    HIGH } },
	{ "untraced", FREE, SYS_clone, { CLONE_UNTRACED | SIGCHLD } },
	{ "high-flags", FREE, SYS_clone, { (1L << 40) | SIGCHLD } },
	{ "detached", FREE, SYS_clone, { CLONE_DETACHED | SIGCHLD } },
	{ NULL, FREE, 0, { 0 } },
};

static const struct odd_call shmgets[] = {
	{ "no-size", FREE, SYS_shmget, { IPC_PRIVATE, 0, 0600 } },
	{ "all-size", FREE, SYS_shmget, { IPC_PRIVATE, EVERYTHING, 0600 } },
	{ "wrapped-size", LARGE_ONE, SYS_shmget,
	  { IPC_PRIVATE, -2 * PAGE, 0600 } },
	{ "large", LARGE_ONE, SYS_shmget, { IPC_PRIVATE, LARGE, 0600 } },
	{ "missing", FREE, SYS_shmget, { 0x5eed1e55, PAGE, 0600 } },
	{ "large-missing", FREE, SYS_shmget, { 0x5eed1e55, LARGE, 0600 } },
	{ "huge-pages-of-no-size", FREE, SYS_shmget,
	  { IPC_PRIVATE, PAGE, SHM_HUGETLB | (63L << 26) | 0600 } },
	{ NULL, FREE, 0, { 0 } },
};

/* --- making them ---------------------------------------------------------- */

/* What the call has made goes with the process, but for a segment. */
static int make_call(const struct odd_call *odd)
{
	const long *a = odd->arguments;
	uintptr_t before = odd->number == SYS_brk ?
		(uintptr_t)syscall(SYS_brk, 0) : 0;
	long result = syscall(odd->number, a[0], a[1], a[2], a[3], a[4], a[5]);

	if (odd->number == SYS_brk)
		return (uintptr_t)result == before ? 0 : ERANGE;
	if (odd->number == SYS_clone && result == 0)
		_exit(0);
	if (odd->number == SYS_shmget && result >= 0)
		shmctl((int)result, IPC_RMID, NULL);
	return answer(result);
}

static int ask_sensibly(void)
{
	uintptr_t end = (uintptr_t)syscall(SYS_brk, 0);
	void *start = mmap(NULL, 64 * KIB, RW, ANONYMOUS, -1, 0);

	if (start == MAP_FAILED)
		return errno;
	if (mprotect(start, PAGE, PROT_NONE) || mprotect(start, PAGE, RW))
		return errno;
	/* By the system call, for libc remembers where the heap ends. */
	if ((uintptr_t)syscall(SYS_brk, end + 64 * KIB) != end + 64 * KIB)
		return ENOTSUP;
	return 0;
}

/* The errno that a process has ended with. */
static const char *outcome_of(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child)
		return "lost";
	if (!WIFEXITED(status))
		return "killed";
	return WEXITSTATUS(status) ? strerrorname_np(WEXITSTATUS(status)) :
				     "ok";
}

static const char *make_in_child(const struct odd_call *odd, int out)
{
	pid_t child = fork();
	int error;

	if (child == 0) {
		error = make_call(odd);
		if (write(out, &error, sizeof error) != sizeof error)
			_exit(EPIPE);
		_exit(ask_sensibly());
	}
	return outcome_of(child);
}

static int make_calls(const char *family, const struct odd_call *odd)
{
	char name[64], what[64];
	const char *afterwards;
	int ends[2], error;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return errno;
	for (; odd->name; odd++) {
		afterwards = make_in_child(odd, ends[1]);
		if (read(ends[0], &error, sizeof error) != sizeof error)
			return EPIPE;
		snprintf(name, sizeof name, "%s-%s %s", family, odd->name,
			 odd->kind == FREE ? "free" : "large");
		snprintf(what, sizeof what, "%s %s",
			 error ? strerrorname_np(error) : "ok", afterwards);
		say(name, what);
	}
	close(ends[0]);
	close(ends[1]);
	return 0;
}

#define MAKER(family) \
	static int do_##family(size_t unused) \
	{ \
		(void)unused; \
		return make_calls(#family, family##s); \
	}

MAKER(mmap)
MAKER(mprotect)
MAKER(mremap)
MAKER(brk)
MAKER(clone)
MAKER(shmget)

static int do_exec(size_t unused)
{
	const struct odd_call execs[] = {
		{ "no-path", FREE, SYS_execve, { 0, 0, 0 } },
		{ "unmapped-path", FREE, SYS_execve, { UNMAPPED, 0, 0 } },
		{ "high-path", FREE, SYS_execve, { HIGH, 0, 0 } },
		{ "long-path", FREE, SYS_execve, { TEXT(long_text), 0, 0 } },
		{ "empty-path", FREE, SYS_execve, { TEXT(empty), 0, 0 } },
		{ "missing", FREE, SYS_execve,
		  { TEXT(none), TEXT(no_arguments), 0 } },
		{ "directory", FREE, SYS_execve, { TEXT(directory), 0, 0 } },
		{ "unmapped-arguments", FREE, SYS_execve,
		  { TEXT(self), UNMAPPED, 0 } },
		{ "high-environment", FREE, SYS_execve,
		  { TEXT(self), TEXT(no_arguments), HIGH } },
		{ "long-argument", FREE, SYS_execve,
		  { TEXT(self), TEXT(long_arguments), 0 } },
		{ "at-no-path", FREE, SYS_execveat, { AT_FDCWD, 0, 0, 0, 0 } },
		{ "at-unmapped-path", FREE, SYS_execveat,
		  { -1, UNMAPPED, 0, 0, 0 } },
		{ "at-no-file", FREE, SYS_execveat,
		  { -1, TEXT(empty), 0, 0, AT_EMPTY_PATH } },
		{ "at-all-flags", FREE, SYS_execveat,
		  { AT_FDCWD, TEXT(self), 0, 0, EVERYTHING } },
		{ NULL, FREE, 0, { 0 } },
	};

	(void)unused;
	return make_calls("exec", execs);
}

/* --- what charges nothing after all --------------------------------------- */

#define MIB ((size_t)1 << 20)

/* A child whose execve has failed has still its parent's memory. */
static int do_failed_exec(size_t mebibytes)
{
	pid_t child;

	if (mmap(NULL, mebibytes * MIB, RW, ANONYMOUS, -1, 0) == MAP_FAILED)
		return errno;
	child = fork();
	if (child == 0) {
		execl(none, none, NULL);
		_exit(mmap(NULL, MIB, RW, ANONYMOUS, -1, 0) == MAP_FAILED ?
		      errno : 0);
	}
	if (child < 0)
		return errno;
	say("child", outcome_of(child));
	return 0;
}

/* It is made once, and found by its key from then on. */
static int do_same_segment(size_t mebibytes)
{
	const key_t key = (key_t)getpid() << 8 | 0x5e;
	int made = shmget(key, mebibytes * MIB, IPC_CREAT | IPC_EXCL | 0600);
	int found, error;

	if (made < 0)
		return errno;
	found = shmget(key, mebibytes * MIB, IPC_CREAT | 0600);
	error = answer(found);
	shmctl(made, IPC_RMID, NULL);
	return error;
}

/* --- what no kernel serves ------------------------------------------------ */

/*
 * Says what each answers; by this process itself, which asks for nothing else.
 */
static int do_hopeless(size_t unused)
{
	static const struct odd_call calls[] = {
		{ "all-addresses", FREE, SYS_mmap,
		  { 0, 1L << 57, RW, ANONYMOUS, -1, 0 } },
		{ "all-addresses-shared", FREE, SYS_mmap,
		  { 0, 1L << 57, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0 } },
		{ "no-length", FREE, SYS_mmap, { 0, 0, RW, ANONYMOUS, -1, 0 } },
		{ "no-kind", FREE, SYS_mmap,
		  { 0, PAGE, RW, MAP_ANONYMOUS, -1, 0 } },
		{ "no-file", FREE, SYS_mmap,
		  { 0, PAGE, RW, MAP_PRIVATE, -1, 0 } },
		{ "odd-place", FREE, SYS_mmap,
		  { 1, PAGE, RW, ANONYMOUS | MAP_FIXED, -1, 0 } },
		{ "odd-protected", FREE, SYS_mprotect, { 1, PAGE, RW } },
		{ "grown-to-all", FREE, SYS_mremap,
		  { UNMAPPED, PAGE, 1L << 57, MREMAP_MAYMOVE } },
		{ "odd-grown", FREE, SYS_mremap,
		  { 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE } },
		{ "lone-thread", FREE, SYS_clone, { CLONE_THREAD } },
		{ "half-of-64-bits", FREE, SYS_shmget,
		  { IPC_PRIVATE, -2 * PAGE, IPC_CREAT | 0600 } },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		const int error = make_call(&calls[i]);

		say(calls[i].name, error ? strerrorname_np(error) : "ok");
	}
	return 0;
}

/* --- the break elsewhere -------------------------------------------------- */

/* A field of /proc/self/stat, counted from 3. */
static unsigned long stat_field(const char *text, int number)
{
	text = strrchr(text, ')') + 1;
	for (; number > 3; number--)
		text = strchr(text + 1, ' ');
	return strtoul(text, NULL, 10);
}

/* All as it is, but for the heap, which begins at a place that is free. */
static struct prctl_mm_map other_map(void *heap)
{
	char text[1024] = "";
	const int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

	if (read(file, text, sizeof text - 1) <= 0)
		_exit(98);
	close(file);
	return (struct prctl_mm_map){
		.start_code = stat_field(text, 26),
		.end_code = stat_field(text, 27),
		.start_stack = stat_field(text, 28),
		.start_data = stat_field(text, 45),
		.end_data = stat_field(text, 46),
		.arg_start = stat_field(text, 48),
		.arg_end = stat_field(text, 49),
		.env_start = stat_field(text, 50),
		.env_end = stat_field(text, 51),
		.start_brk = (uintptr_t)heap, .brk = (uintptr_t)heap,
		.exe_fd = (uint32_t)-1,
	};
}

static int do_mm_map(size_t unused)
{
	void *heap = mmap(NULL, PAGE, PROT_NONE, ANONYMOUS, -1, 0);
	struct prctl_mm_map map = other_map(heap);

	(void)unused;
	munmap(heap, PAGE);
	return answer(prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0));
}

/* The kernel looks at the lower halves only. */
static int do_mm_map_high(size_t unused)
{
	const long high = 1L << 40;
	struct prctl_mm_map map = other_map(sbrk(0));

	(void)unused;
	return answer(syscall(SYS_prctl, PR_SET_MM | high,
			      PR_SET_MM_MAP | high, &map, sizeof map, 0));
}

static int do_mm_brk(size_t unused)
{
	(void)unused;
	return answer(prctl(PR_SET_MM, PR_SET_MM_BRK, sbrk(0), 0, 0));
}

static int do_mm_start_brk(size_t unused)
{
	(void)unused;
	return answer(prctl(PR_SET_MM, PR_SET_MM_START_BRK, sbrk(0), 0, 0));
}

static int do_mm_map_size(size_t unused)
{
	unsigned size;

	(void)unused;
	return answer(prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0));
}

int main(int argc, char **argv)
{
	static const struct step steps[] = {
		{ "mmap", do_mmap }, { "mprotect", do_mprotect },
		{ "mremap", do_mremap }, { "brk", do_brk },
		{ "clone", do_clone }, { "exec", do_exec },
		{ "shmget", do_shmget }, { "failed-exec", do_failed_exec },
		{ "same-segment", do_same_segment }, { "hopeless", do_hopeless },
		{ "mm-map", do_mm_map }, { "mm-map-high", do_mm_map_high },
		{ "mm-brk", do_mm_brk }, { "mm-start-brk", do_mm_start_brk },
		{ "mm-map-size", do_mm_map_size },
		{ "settled", do_settled }, { NULL, NULL },
	};

	memset(long_text, 'a', sizeof long_text - 1);
	return take_steps(argc, argv, steps, 1);
}
