/* SPDX-License-Identifier: MIT */
#include "compare.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Comparison of a space with the kernel. */

#define FLAGS_COMPARED \
	(VMS_MAPPING_NORESERVE | VMS_MAPPING_LOCKED | VMS_MAPPING_GROWSDOWN | \
	 VMS_MAPPING_SEALED | VMS_MAPPING_DONTFORK | VMS_MAPPING_WIPEONFORK | \
	 VMS_MAPPING_DONTDUMP | VMS_MAPPING_MERGEABLE | VMS_MAPPING_HUGEPAGE | \
	 VMS_MAPPING_NOHUGEPAGE | LAYOUT_ACCOUNTED)

_Noreturn void differ(struct subject *s, const char *format, ...)
{
	FILE *stream = fmemopen(s->lockstep->report, REPORT_SIZE, "w");
	va_list arguments;

	if (stream == NULL)
		_exit(2);
	(void)fputs("# ", stream);
	va_start(arguments, format);
	(void)vfprintf(stream, format, arguments);
	va_end(arguments);
	(void)fprintf(stream, "\n# the space's list (pages):\n");
	layout_print(stream, &s->listing, s->space.page);
	(void)fprintf(stream, "# the kernel's mappings (pages):\n");
	layout_print(stream,
		     s->peer.channel->want_flags ? &s->peer.channel->flagged :
						   &s->peer.channel->layout,
		     s->space.page);
	(void)fprintf(stream, "# /proc/self/maps in the space (pages):\n");
	layout_print(stream, &s->host, s->space.page);
	(void)fclose(stream);
	_exit(1);
}

static const char *result_text(intptr_t value, bool is_address, size_t page,
			       char text[64])
{
	const char *name = value < 0 && value > -4096 ?
				   strerrorname_np((int)-value) : NULL;

	if (name != NULL)
		(void)snprintf(text, 64, "-%s", name);
	else if (is_address)
		(void)snprintf(text, 64, "at(%zd)", (ssize_t)value / (ssize_t)page);
	else
		(void)snprintf(text, 64, "%zd", (ssize_t)value);
	return text;
}

/* Answers. */

/* Return whether a range is private anonymous memory up to its first hole. */
static bool has_comparable_vector(const struct subject *s,
				  const struct operation *op)
{
	if (op->address.kind != PLACE_WINDOW || op->length > WINDOW)
		return false;
	for (size_t i = 0; i < s->listing.count; i++) {
		const struct layout_entry *e = &s->listing.entries[i];

		if (e->start < op->address.offset + op->length &&
		    e->end > op->address.offset &&
		    (e->shared || e->file != FILES ||
		     e->flags & VMS_MAPPING_HUGEPAGE))
			return false;
	}
	return true;
}

static void compare_vectors(struct subject *s, const struct operation *op)
{
	const unsigned char *theirs = s->peer.channel->answer.vector;

	if (op->kind != OP_MINCORE || s->answer.result != 0 ||
	    !has_comparable_vector(s, op))
		return;
	for (size_t i = 0; i < MINCORE_PAGES; i++)
		if ((s->answer.vector[i] & 1) != (theirs[i] & 1))
			differ(s, "mincore of page %zu: %u on the space, %u on the kernel",
			       i, s->answer.vector[i], theirs[i]);
}

void compare_answers(struct subject *s, const struct operation *op,
		     intptr_t wanted)
{
	intptr_t result = s->peer.channel->answer.result;
	bool is_address = ANSWERS_ADDRESS(op->kind);
	char ours[64], theirs[64];

	if (wanted != result)
		differ(s, "answered %s on the space, %s on the kernel",
		       result_text(wanted, is_address, s->space.page, ours),
		       result_text(result, is_address, s->space.page, theirs));
	compare_vectors(s, op);
}

/* Layouts. */

void compare_layouts(struct subject *s)
{
	struct peer_channel *channel = s->peer.channel;
	struct layout_difference difference;

	if (!layout_equal(&s->listing, &channel->layout, HOLES_ARE_FREE, 0,
			  NULL, &difference))
		differ(s, "layout: %s at page %zu (first: space's list, second: kernel)",
		       difference.what, difference.offset / s->space.page);
	if (!layout_equal(&s->listing, &s->host, HOLES_ARE_RESERVED, 0, NULL,
			  &difference))
		differ(s, "layout: %s at page %zu (first: space's list, second: /proc/self/maps of the space)",
		       difference.what, difference.offset / s->space.page);
	if (!layout_equal(&channel->layout, &s->host, HOLES_ARE_RESERVED, 0,
			  &s->pairs, &difference))
		differ(s, "layout: %s at page %zu (first: kernel, second: /proc/self/maps of the space)",
		       difference.what, difference.offset / s->space.page);
}

static void mark_accounted(struct layout *layout)
{
	for (size_t i = 0; i < layout->count; i++)
		if (layout->entries[i].accounted)
			layout->entries[i].flags |= LAYOUT_ACCOUNTED;
}

/* The ledger. */

/*
 * Check the rules of Commit that the list alone can show. The others depend on what
 * was touched, and are compared with the kernel's own marks.
 */
void check_ledger(struct subject *s)
{
	size_t sum = 0;

	for (size_t i = 0; i < s->listing.count; i++) {
		const struct layout_entry *e = &s->listing.entries[i];

		sum += e->committed;
		if (!e->shared && e->committed != 0 &&
		    e->committed != e->end - e->start)
			differ(s, "ledger: a private mapping at page %zu is charged in part",
			       e->start / s->space.page);
		if (e->shared && e->file != FILES && e->committed != 0)
			differ(s, "ledger: a shared file at page %zu is charged",
			       e->start / s->space.page);
	}
	if (sum != s->committed)
		differ(s, "ledger: %zu is charged, the list has %zu",
		       s->committed, sum);
}

/* Shared anonymous objects of the peer, with the size that they are charged. */
void note_object(struct subject *s, const struct operation *op,
			intptr_t wanted)
{
	const int uncharged = s->strict ? MAP_HUGETLB :
					  MAP_HUGETLB | MAP_NORESERVE;
	const struct layout_entry *e;
	size_t page = s->space.page;

	if (op->kind != OP_MMAP || wanted < 0 ||
	    s->object_count == OBJECTS_MOST)
		return;
	e = layout_at(&s->peer.channel->layout, (size_t)wanted);
	if (e == NULL || e->object == 0)
		return;
	s->objects[s->object_count++] = (struct object){
		.inode = e->object,
		.charged = op->flags & uncharged ?
				   0 : (op->length + page - 1) & ~(page - 1),
	};
}

static bool object_is_mapped(const struct layout *layout, uint64_t inode)
{
	for (size_t i = 0; i < layout->count; i++)
		if (layout->entries[i].object == inode)
			return true;
	return false;
}

static size_t kernel_charge(const struct subject *s)
{
	const struct layout *layout = &s->peer.channel->flagged;
	size_t sum = 0;

	for (size_t i = 0; i < layout->count; i++)
		if (layout->entries[i].accounted)
			sum += layout->entries[i].end -
			       layout->entries[i].start;
	for (size_t i = 0; i < s->object_count; i++)
		if (object_is_mapped(layout, s->objects[i].inode))
			sum += s->objects[i].charged;
	return sum;
}

static void copy_layout(struct layout *copy, const struct layout *layout)
{
	copy->count = layout->count;
	(void)memcpy(copy->entries, layout->entries,
		     layout->count * sizeof *layout->entries);
}

void compare_flags(struct subject *s)
{
	static struct layout listing;
	struct layout *flagged = &s->peer.channel->flagged;
	struct layout_difference difference;
	size_t excess;

	/*
	 * Copy the list, since taking the excess off splits entries where the
	 * kernel's mappings end.
	 */
	copy_layout(&listing, &s->listing);
	mark_accounted(&listing);
	mark_accounted(flagged);
	excess = taint_excess(&s->taint, &listing, flagged);
	s->lockstep->excess += excess != 0;
	if (!layout_equal(&listing, flagged, HOLES_ARE_FREE, FLAGS_COMPARED,
			  NULL, &difference))
		differ(s, "smaps: %s at page %zu (first: space's list, second: kernel)",
		       difference.what, difference.offset / s->space.page);
	if (kernel_charge(s) + excess != s->committed)
		differ(s, "ledger: the space is charged %zu, by the kernel it would be %zu",
		       s->committed, kernel_charge(s) + excess);
}
