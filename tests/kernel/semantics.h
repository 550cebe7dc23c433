/* SPDX-License-Identifier: MIT */
#ifndef SEMANTICS_H
#define SEMANTICS_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "caller.h"

/*
 * Cases that each state one fact of docs/semantics.md and run in a process of their
 * own, first on the kernel and then on a space. A check that does not hold
 * ends the case. Where a kernel older than the one the facts were read off
 * answers otherwise, the case on the space must end at the same check with the
 * same answer as it did on that kernel.
 */
struct semantics_case {
	const char *name;
	const char *line; /* section and words of docs/semantics.md */
	void (*body)(const struct caller *c);
	size_t (*window)(void); /* bytes; NULL: DEFAULT_WINDOW */
	enum semantics_on { ON_BOTH, ON_SPACE, ON_KERNEL } on;
};

#define DEFAULT_WINDOW ((size_t)256 << 20)

#define CASE(body, line) { #body, line, body, NULL, ON_BOTH }
#define CASE_IN(body, window, line) { #body, line, body, window, ON_BOTH }
#define CASE_KERNEL(body, line) { #body, line, body, NULL, ON_KERNEL }
#define CASE_SPACE(body, line) { #body, line, body, NULL, ON_SPACE }
#define CASE_SPACE_IN(body, window, line) { #body, line, body, window, ON_SPACE }

/*
 * Run the cases of a program as TAP, or with --list print "name<TAB>line" for
 * each. Returns what main returns.
 */
int semantics_main(int argc, char **argv, const struct semantics_case *cases,
		   size_t count);
#define SEMANTICS_MAIN(cases) \
	int main(int argc, char **argv) \
	{ \
		return semantics_main(argc, argv, cases, \
				      sizeof(cases) / sizeof *(cases)); \
	}

void semantics_check(intptr_t actual, intptr_t expected, int line,
		     const char *text);
_Noreturn void semantics_skip(const char *reason);

/* End the case as failed if the two differ, or the condition does not hold. */
#define CHECK_IS(actual, expected) \
	semantics_check((intptr_t)(actual), (intptr_t)(expected), __LINE__, \
			#actual " is " #expected)
#define CHECK(condition) semantics_check(!!(condition), 1, __LINE__, #condition)

/* End the case as skipped: a probe, named in the reason, has failed. */
#define SKIP(reason) semantics_skip(reason)

/* Return the address of page n of the window, and the size of n pages. */
static inline char *at(const struct caller *c, size_t n)
{
	return c->base + n * c->page;
}

static inline size_t pages(const struct caller *c, size_t n)
{
	return n * c->page;
}

/*
 * Read the byte at an address, or write one there. Returns the byte (0 for a
 * write), or -SIGSEGV or -SIGBUS where that faults.
 */
int peek(const char *address);
int poke(char *address, int byte);

/* Write first, first + 1, ... to the first byte of each of n pages. */
void fill(const struct caller *c, char *address, size_t n, int first);

/* Make a mapping at page n of the window, and check that it is there. */
char *map(const struct caller *c, size_t n, size_t count, int prot);
char *map_shared(const struct caller *c, size_t n, size_t count, int prot);
char *map_file(const struct caller *c, size_t n, size_t count, int prot,
	       int flags, int fd, size_t page_offset);

/* mmap of private anonymous memory without the check. */
intptr_t try_map(const struct caller *c, char *address, size_t count, int prot,
		 int flags);

/*
 * Make a file of n pages and extra bytes, on disk or as a memfd. Every byte of page
 * i is 'a' + i.
 */
int disk_file(const struct caller *c, size_t n, size_t extra);
int memory_file(const struct caller *c, size_t n, size_t extra);
/* Open the same file again with these flags. */
int reopen(int fd, int flags);

/* Return the PROT_* of the mapping at an address; -1 if there is none. */
int prot_at(const struct caller *c, const char *address);
/* Return whether an address is mapped, by mincore. */
int mapped_at(const struct caller *c, const char *address);
/* Return whether the kernel's VmFlags at an address have a flag. */
int host_flag_at(const char *address, const char *flag);
/* Return the Rss of the kernel's mapping at an address in bytes. */
size_t host_resident_at(const char *address);

/* Give up all capabilities, or skip the case. */
void drop_rights(void);
/* Set this process's limit of locked memory, and give up capabilities. */
void limit_locked(size_t bytes);

/* Return RAM plus swap in bytes, which is the most that one charge may be. */
size_t machine_memory(void);
/*
 * Return a part of the machine's memory that other processes' changes stay far
 * below.
 */
size_t charge_unit(void);
size_t window_of_units(void);    /* 24 units */
size_t window_over_memory(void); /* RAM plus swap and 4 GiB, thrice */
/*
 * Return what is charged: to the space's ledger, or the machine's Committed_AS.
 * Checks of the latter tolerate half a charge_unit().
 */
size_t charge(const struct caller *c);
#define CHECK_CHARGED(c, before, units) \
	semantics_check_charge(c, before, units, __LINE__)
void semantics_check_charge(const struct caller *c, size_t before, long units,
			    int line);

/*
 * Run a function in a fork of this process. Returns its result (0 to 255), or
 * -1 where a signal ended it.
 */
int in_fork(const struct caller *c, int (*body)(const struct caller *c));

/* Make mappings from page n on until the map-count limit stops that. */
size_t fill_map_count(const struct caller *c, size_t n);
size_t window_of_map_count(void);

/* Skip the case if the kernel has no mseal. */
void need_mseal(void);
/* Skip the case if the kernel has no guard pages. */
void need_guards(void);
void need_several_moves(void);
/* Watch [address, address + length) with a userfaultfd, or skip the case. */
int watch(char *address, size_t length);

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif
#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED_ANON (MAP_SHARED | MAP_ANONYMOUS)

#endif
