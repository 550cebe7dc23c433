/* SPDX-License-Identifier: MIT */
#include "taint.h"

#include <string.h>
#include <sys/mman.h>

static void set(struct taint *taint, size_t start, size_t length, bool value)
{
	size_t first = start / taint->page;
	size_t end = (start + length + taint->page - 1) / taint->page;

	for (size_t i = first; i < end && i < TAINT_PAGES; i++)
		taint->pages[i] = value;
}

static void move(struct taint *taint, const struct operation *op, size_t to)
{
	size_t first = op->address.offset / taint->page;
	size_t target = to / taint->page;
	size_t count = (op->new_length + taint->page - 1) / taint->page;
	bool any = false;

	/* A part that has grown is of the mapping that it grew from. */
	for (size_t i = 0; i * taint->page < op->length; i++)
		any = any || (first + i < TAINT_PAGES &&
			      taint->pages[first + i]);
	for (size_t i = 0; any && i < count && target + i < TAINT_PAGES; i++)
		taint->pages[target + i] = true;
}

void taint_follow(struct taint *taint, const struct operation *op,
		  intptr_t result)
{
	if (result < 0)
		return;
	if (op->kind == OP_MMAP)
		set(taint, (size_t)result, op->length, false);
	else if (op->kind == OP_MUNMAP && op->address.kind == PLACE_WINDOW)
		set(taint, op->address.offset, op->length, false);
	else if (op->kind == OP_MREMAP && op->address.kind == PLACE_WINDOW)
		move(taint, op, (size_t)result);
}

static bool is_private_anonymous(const struct layout_entry *e)
{
	return !e->shared && e->file == FILES;
}

void taint_target(struct taint *taint, const struct operation *op,
		  const struct layout *listing)
{
	size_t start = op->new_address.offset, source = op->address.offset;
	bool met = false;

	if (op->kind != OP_MREMAP || !(op->flags & MREMAP_FIXED) ||
	    op->new_address.kind != PLACE_WINDOW)
		return;
	for (size_t i = 0; i < listing->count; i++) {
		const struct layout_entry *e = &listing->entries[i];

		if (is_private_anonymous(e) && e->end >= start &&
		    e->start <= start + op->new_length + taint->page) {
			set(taint, e->start, e->end - e->start, true);
			met = true;
		}
	}
	/* The first mapping may merge with what the next one is to replace. */
	if (met && op->address.kind == PLACE_WINDOW &&
	    layout_entries_in(listing, source, source + op->length) > 1)
		set(taint, source, op->length, true);
}

static bool has_taint(const struct taint *taint, const struct layout_entry *e)
{
	for (size_t at = e->start; at < e->end; at += taint->page)
		if (taint->pages[at / taint->page])
			return true;
	return false;
}

void taint_add(struct taint *taint, const struct layout *listing,
	       const struct layout *kernel)
{
	for (size_t i = 0; i < listing->count; i++) {
		const struct layout_entry *e = &listing->entries[i];

		/*
		 * Uncharged memory counts too: guards and stacks mark it as touched.
		 */
		if (!is_private_anonymous(e))
			continue;
		if (has_taint(taint, e) ||
		    layout_entries_in(kernel, e->start, e->end) > 1)
			set(taint, e->start, e->end - e->start, true);
	}
}

/* Cut entry i in two at an offset. */
static void cut(struct layout *layout, size_t i, size_t offset)
{
	struct layout_entry *e = &layout->entries[i];

	if (layout->count == LAYOUT_ENTRIES)
		return;
	(void)memmove(e + 1, e, (layout->count - i) * sizeof *e);
	layout->count++;
	e[1].start = offset;
	e[1].offset += offset - e->start;
	e->end = offset;
}

/*
 * Return whether the kernel charges the entry at an offset; *end: how far that
 * holds.
 */
static bool kernel_charges(const struct layout *flagged, size_t offset,
			   size_t *end)
{
	const struct layout_entry *k = layout_at(flagged, offset);

	if (k == NULL)
		return true;
	if (k->end < *end)
		*end = k->end;
	return k->accounted;
}

size_t taint_excess(const struct taint *taint, struct layout *listing,
		    const struct layout *flagged)
{
	size_t excess = 0;

	for (size_t i = 0; i < listing->count; i++) {
		struct layout_entry *e = &listing->entries[i];
		size_t end = e->end;

		if (!e->accounted || !is_private_anonymous(e))
			continue;
		if (kernel_charges(flagged, e->start, &end)) {
			if (end < e->end)
				cut(listing, i, end);
			continue;
		}
		if (end < e->end)
			cut(listing, i, end);
		for (size_t at = e->start; at < end; at += taint->page)
			if (!taint->pages[at / taint->page])
				return excess;
		e->flags &= ~LAYOUT_ACCOUNTED;
		excess += end - e->start;
	}
	return excess;
}
