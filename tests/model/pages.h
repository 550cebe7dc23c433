/* SPDX-License-Identifier: MIT */
#ifndef PAGES_H
#define PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A space as an array of pages, each with its attributes, contents and charge. A
 * mapping is a run of pages with equal attributes.
 */
#define PAGES 4096
#define OBJECT_PAGES 64

/* A shared anonymous object; it is charged whole while any page is mapped. */
struct object {
	struct object *next;
	size_t pages;
	size_t mapped;
	unsigned char bytes[OBJECT_PAGES];
};

struct page {
	bool mapped;
	bool charged;           /* as private memory */
	bool touched;           /* its mapping may have pages */
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

/* Return whether pages i and i + 1 are of one mapping. */
bool pages_continue(const struct pages *p, size_t i);
/* Return the end of the mapping that holds page i. */
size_t pages_run_end(const struct pages *p, size_t i);
bool pages_are_free(const struct pages *p, size_t start, size_t count);
size_t pages_charged_in(const struct pages *p, size_t start, size_t count);
bool pages_have_object(const struct pages *p, size_t start, size_t count);

/* Return whether so many pages may be charged when refund pages come back. */
bool pages_may_charge(const struct pages *p, size_t count, size_t refund);

/* These change pages without looking at the limit. */
void pages_unmap(struct pages *p, size_t start, size_t count);
void pages_map(struct pages *p, size_t start, size_t count, int prot,
	       struct object *object);
/* Add count pages behind a mapping that ends at end. */
void pages_extend(struct pages *p, size_t end, size_t count);
/* Move count pages, of which there are new_count then; the places do not overlap. */
void pages_move(struct pages *p, size_t from, size_t count, size_t to,
		size_t new_count);
void pages_alias(struct pages *p, size_t from, size_t count, size_t to);
/* Zero private pages. */
void pages_discard(struct pages *p, size_t start, size_t count);
void pages_set_charged(struct pages *p, size_t i, bool charged);
/* After each change, make all pages of a mapping touched if one is. */
void pages_spread_touched(struct pages *p);

/* Return a page's byte, or the answer to writing one: -SIGSEGV or -SIGBUS. */
int pages_peek(const struct pages *p, size_t i);
int pages_poke(struct pages *p, size_t i, unsigned char byte);

#endif
