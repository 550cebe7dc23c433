/* SPDX-License-Identifier: MIT */
#ifndef TESTS_OUTCOME_H
#define TESTS_OUTCOME_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * A program that is run bare and under a preload library prints a line a case,
 * "name: outcome", without anything that differs from run to run. A script
 * compares the lines of both runs; those of the bare run are right.
 */

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define GUARD_INSTALL 102
#define GUARD_REMOVE 103
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED_ANON (MAP_SHARED | MAP_ANONYMOUS)

static size_t page;

/* printf of one case; through no buffer, so that a fork cannot repeat it. */
__attribute__((format(printf, 2, 3)))
static inline void say(const char *name, const char *format, ...)
{
	char line[512];
	int length = snprintf(line, sizeof(line), "%s: ", name);
	va_list arguments;

	va_start(arguments, format);
	length += vsnprintf(line + length, sizeof(line) - (size_t)length - 1,
			    format, arguments);
	va_end(arguments);
	line[length++] = '\n';
	if (write(STDOUT_FILENO, line, (size_t)length) != length)
		abort();
}

/* What a call that gives -1 and errno has given. */
static inline void outcome(const char *name, long result)
{
	if (result == -1)
		say(name, "%s", strerrorname_np(errno));
	else
		say(name, "%ld", result);
}

/* Likewise of a call that gives an address. */
static inline void mapped(const char *name, const void *address)
{
	say(name, "%s", address == MAP_FAILED ? strerrorname_np(errno) : "ok");
}

/* Likewise where the address is to be a certain one. */
static inline void mapped_at(const char *name, const void *address,
			     const void *expected)
{
	if (address == MAP_FAILED)
		mapped(name, address);
	else
		say(name, "%s", address == expected ? "there" : "elsewhere");
}

static inline void *must(void *address)
{
	if (address == MAP_FAILED) {
		perror("a mapping that the test needs");
		exit(1);
	}
	return address;
}

static inline char *anonymous(size_t pages)
{
	return must(mmap(NULL, pages * page, RW, ANON, -1, 0));
}

static sigjmp_buf fault_return;
static volatile sig_atomic_t fault_signal;

static volatile sig_atomic_t fault_expected;

static inline void on_fault(int number)
{
	if (!fault_expected) {
		signal(number, SIG_DFL); /* die by it */
		return;
	}
	fault_signal = number;
	siglongjmp(fault_return, 1);
}

static inline void catch_faults(void)
{
	struct sigaction action = { .sa_handler = on_fault };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

/* What reading, or writing, a byte does: its value, or the signal's name. */
static inline const char *touch(volatile char *address, bool write_it)
{
	static char text[16];
	volatile char seen = 0;

	fault_expected = 1;
	fault_signal = 0;
	if (sigsetjmp(fault_return, 1) == 0) {
		if (write_it)
			*address = 'w';
		seen = *address;
	}
	fault_expected = 0;
	if (fault_signal)
		return fault_signal == SIGBUS ? "SIGBUS" : "SIGSEGV";
	snprintf(text, sizeof(text), "%d", seen);
	return text;
}

static inline void reads(const char *name, char *address)
{
	say(name, "%s", touch(address, false));
}

static inline void writes(const char *name, char *address)
{
	say(name, "%s", touch(address, true));
}

/* Tell how a child ended. */
static inline void ended(const char *name, pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child)
		outcome(name, -1);
	else if (WIFSIGNALED(status))
		say(name, "signal %d", WTERMSIG(status));
	else
		say(name, "exit %d", WEXITSTATUS(status));
}

/* An unlinked file of so many pages, each filled with its own letter. */
static inline int lettered_file(size_t pages)
{
	FILE *file = tmpfile();
	int fd = file ? dup(fileno(file)) : -1;
	char *buffer = malloc(page);

	if (fd < 0 || !buffer)
		abort();
	for (size_t i = 0; i < pages; i++) {
		memset(buffer, (int)('a' + i % 26), page);
		if (write(fd, buffer, page) != (ssize_t)page)
			abort();
	}
	free(buffer);
	fclose(file);
	return fd;
}

/* Cases that cannot be compared on this kernel: which, and by what probe. */
static inline void skipped(const char *reason)
{
	say("SKIP", "%s", reason);
}

/*
 * Whether one mremap of the kernel moves several mappings (Linux 6.17 on), and
 * looks at all lengths first. A space does so on every kernel. Tried at
 * addresses that no space has, so that under the preload library, too, it is
 * the kernel that answers.
 */
static inline bool kernel_moves_several(void)
{
	char *place = must(mmap((void *)0x50000000, 4 * page, PROT_NONE,
				ANON | MAP_FIXED_NOREPLACE, -1, 0));
	bool moved;

	mprotect(place, page, PROT_READ);
	moved = mremap(place, 2 * page, 2 * page, MREMAP_MAYMOVE | MREMAP_FIXED,
		       place + 2 * page) != MAP_FAILED;
	munmap(place, 4 * page);
	if (!moved)
		skipped("one mremap of the kernel moves one mapping");
	return moved;
}

static inline void begin(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	catch_faults();
}

#endif
