/* SPDX-License-Identifier: MIT */
#include "pages.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct object *pages_object(struct pages *p, size_t count)
{
	struct object *object = calloc(1, sizeof *object);

	if (object == NULL)
		abort();
	object->pages = count;
	object->next = p->objects;
	p->objects = object;
	p->charged += count;
	return object;
}

static void free_object(struct pages *p, struct object *object)
{
	struct object **link = &p->objects;

	while (*link != object)
		link = &(*link)->next;
	*link = object->next;
	p->charged -= object->pages;
	free(object);
}

void pages_release(struct pages *p)
{
	pages_unmap(p, 0, PAGES);
}

bool pages_continue(const struct pages *p, size_t i)
{
	const struct page *a = &p->pages[i], *b = a + 1;

	if (i + 1 >= PAGES || !a->mapped || !b->mapped)
		return false;
	return a->prot == b->prot && a->object == b->object &&
	       a->charged == b->charged &&
	       (a->object == NULL || a->index + 1 == b->index);
}

size_t pages_run_end(const struct pages *p, size_t i)
{
	while (pages_continue(p, i))
		i++;
	return i + 1;
}

bool pages_are_free(const struct pages *p, size_t start, size_t count)
{
	if (start + count > PAGES)
		return false;
	for (size_t i = start; i < start + count; i++)
		if (p->pages[i].mapped)
			return false;
	return true;
}

size_t pages_charged_in(const struct pages *p, size_t start, size_t count)
{
	size_t sum = 0;

	for (size_t i = start; i < start + count; i++)
		sum += p->pages[i].charged;
	return sum;
}

bool pages_have_object(const struct pages *p, size_t start, size_t count)
{
	for (size_t i = start; i < start + count; i++)
		if (p->pages[i].object != NULL)
			return true;
	return false;
}

bool pages_may_charge(const struct pages *p, size_t count, size_t refund)
{
	return count == 0 || p->charged - refund + count <= p->limit;
}

void pages_set_charged(struct pages *p, size_t i, bool charged)
{
	if (p->pages[i].charged && !charged)
		p->charged--;
	if (!p->pages[i].charged && charged)
		p->charged++;
	p->pages[i].charged = charged;
}

static void unmap_page(struct pages *p, size_t i)
{
	struct object *object = p->pages[i].object;

	pages_set_charged(p, i, false);
	(void)memset(&p->pages[i], 0, sizeof p->pages[i]);
	if (object != NULL && --object->mapped == 0)
		free_object(p, object);
}

void pages_unmap(struct pages *p, size_t start, size_t count)
{
	for (size_t i = start; i < start + count; i++)
		if (p->pages[i].mapped)
			unmap_page(p, i);
}

void pages_map(struct pages *p, size_t start, size_t count, int prot,
	       struct object *object)
{
	pages_unmap(p, start, count);
	for (size_t i = start; i < start + count; i++) {
		p->pages[i].mapped = true;
		p->pages[i].prot = prot;
		p->pages[i].object = object;
		p->pages[i].index = i - start;
		if (object != NULL)
			object->mapped++;
		else
			pages_set_charged(p, i, prot & PROT_WRITE);
	}
}

void pages_extend(struct pages *p, size_t end, size_t count)
{
	for (size_t i = end; i < end + count; i++) {
		struct page *page = &p->pages[i];

		*page = p->pages[i - 1];
		page->byte = 0;
		page->charged = false;
		if (page->object != NULL) {
			page->index++;
			page->object->mapped++;
		}
		pages_set_charged(p, i, p->pages[i - 1].charged);
	}
}

void pages_alias(struct pages *p, size_t from, size_t count, size_t to)
{
	for (size_t i = 0; i < count; i++) {
		p->pages[to + i] = p->pages[from];
		p->pages[to + i].index = p->pages[from].index + i;
		p->pages[from].object->mapped++;
	}
}

void pages_spread_touched(struct pages *p)
{
	for (size_t i = 0; i < PAGES;) {
		size_t end = pages_run_end(p, i);
		bool touched = false;

		for (size_t j = i; j < end; j++)
			touched = touched || p->pages[j].touched;
		for (size_t j = i; j < end; j++)
			p->pages[j].touched = touched;
		i = end;
	}
}

void pages_move(struct pages *p, size_t from, size_t count, size_t to,
		size_t new_count)
{
	pages_unmap(p, to, new_count);
	(void)memcpy(&p->pages[to], &p->pages[from],
		     count * sizeof *p->pages);
	if (new_count > count)
		pages_extend(p, to + count, new_count - count);
	/*
	 * Linux makes the new mapping before it unmaps the old one, so for a moment
	 * it may merge with the old one's neighbours.
	 */
	pages_spread_touched(p);
	(void)memset(&p->pages[from], 0, count * sizeof *p->pages);
}

void pages_discard(struct pages *p, size_t start, size_t count)
{
	for (size_t i = start; i < start + count; i++)
		p->pages[i].byte = 0;
}

static unsigned char *byte_of(struct pages *p, size_t i)
{
	struct page *page = &p->pages[i];

	return page->object != NULL ? &page->object->bytes[page->index] :
				      &page->byte;
}

static bool past_the_end(const struct page *page)
{
	return page->object != NULL && page->index >= page->object->pages;
}

int pages_peek(const struct pages *p, size_t i)
{
	const struct page *page = &p->pages[i];

	if (!page->mapped || !(page->prot & PROT_READ))
		return -SIGSEGV;
	if (past_the_end(page))
		return -SIGBUS;
	return page->object != NULL ? page->object->bytes[page->index] :
				      page->byte;
}

int pages_poke(struct pages *p, size_t i, unsigned char byte)
{
	const struct page *page = &p->pages[i];

	if (!page->mapped || !(page->prot & PROT_WRITE))
		return -SIGSEGV;
	if (past_the_end(page))
		return -SIGBUS;
	*byte_of(p, i) = byte;
	if (page->object == NULL)
		p->pages[i].touched = true;
	return 0;
}
