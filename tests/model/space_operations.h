/* SPDX-License-Identifier: MIT */
#ifndef SPACE_OPERATIONS_H
#define SPACE_OPERATIONS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <vmspace.h>

#include "../kernel/random.h"
#include "arguments.h"
#include "pages.h"

/* A run of the space's model: random operations on a space and on its pages. */

#define PLACES 200  /* pages where MAP_FIXED mappings go */
#define RW (PROT_READ | PROT_WRITE)

struct space_model {
	vms_space *space;
	vms_budget *budget; /* NULL: the limit is the space's own */
	char *base;
	size_t page;
	struct pages model;
	struct random random;
	unsigned long step;
	unsigned long refused;
	bool reads_touch; /* a page that is read counts as one that is written */
	char last[200]; /* the operation, for messages */
};

extern struct space_model run;
extern struct arguments given;

/* Note the operation, for the message of wrong, which fails the test. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Compare the answers of a call: 0 or a page's number, or -errno. */
void expect(intptr_t got, intptr_t expected);

/* Return what a call answered, in that form. */
intptr_t status(int result);

/* Return a mapped page, when there is one behind a random place; else any. */
size_t some_page(void);

/* Make one random operation. */
void operate(void);

/* Unmap all pages but the first PLACES. */
void sweep(void);

/* Compare what the space is charged, lists and holds with its pages. */
void compare(void);

/* Let a page's read or write that faults return -SIGSEGV or -SIGBUS. */
void catch_faults(void);
int peek(size_t i);
int poke(size_t i, unsigned char byte);

static inline size_t below(size_t limit)
{
	return random_below(&run.random, limit);
}

static inline char *at(size_t i)
{
	return run.base + i * run.page;
}

static inline size_t bytes(size_t count)
{
	return count * run.page;
}

#endif
