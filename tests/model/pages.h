/* SPDX-License-Identifier: MIT */
#ifndef PAGES_H
#define PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A space as an array of pages: what each of them is, holds and is charged.
 * Nothing here knows of mappings; a mapping is a run of pages that belong
 * together.
 */
#define PAGES 4096
#define OBJECT_PAGES 64

/* A shared anonymous object. Charged whole while a page of it is mapped. */
struct object {
	struct object *next;
	size_t pages;
	size_t mapped;
	unsigned char bytes[OBJECT_PAGES];
};

struct page {
	bool mapped;
	bool charged;           /* as private memory */
	bool touched;           /* its run has or had pages of its own */
	int prot;
	unsigned char byte;     /* of private memory */
	struct object *object;  /* NULL: private anonymous */
	size_t index;           /* in object */
};

struct pages {
	struct page pages[PAGES];
	struct object *objects;
	size_t charged; /* pages, of private memory and of objects */
	size_t limit;   /* pages that may be charged */
};

struct object *pages_object(struct pages *p, size_t count);
void pages_release(struct pages *p);

/* Whether page i + 1 goes on with what page i is. */
bool pages_continue(const struct pages *p, size_t i);
/* The end of the run that holds page i. */
size_t pages_run_end(const struct pages *p, size_t i);
bool pages_are_free(const struct pages *p, size_t start, size_t count);
size_t pages_charged_in(const struct pages *p, size_t start, size_t count);
bool pages_have_object(const struct pages *p, size_t start, size_t count);

/* Whether so many more pages may be charged when so many come back. */
bool pages_may_charge(const struct pages *p, size_t count, size_t refund);

/* Changes; none of them asks the limit. */
void pages_unmap(struct pages *p, size_t start, size_t count);
void pages_map(struct pages *p, size_t start, size_t count, int prot,
	       struct object *object);
/* Add count pages behind a run that ends at end. */
void pages_extend(struct pages *p, size_t end, size_t count);
/* Move count pages, to be new_count there; the new place does not overlap. */
void pages_move(struct pages *p, size_t from, size_t count, size_t to,
		size_t new_count);
void pages_alias(struct pages *p, size_t from, size_t count, size_t to);
/* Private pages read zero again. */
void pages_discard(struct pages *p, size_t start, size_t count);
void pages_set_charged(struct pages *p, size_t i, bool charged);
/* After every change: what one page of a run is, all of it is. */
void pages_spread_touched(struct pages *p);

/* The byte of a page, -SIGSEGV or -SIGBUS; what writing it answers. */
int pages_peek(const struct pages *p, size_t i);
int pages_poke(struct pages *p, size_t i, unsigned char byte);

#endif
