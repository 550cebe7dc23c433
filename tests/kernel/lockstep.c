/* SPDX-License-Identifier: MIT */
#include "lockstep.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "generate.h"
#include "older.h"
#include "peer.h"
#include "taint.h"

#define STACK_REACH 8 /* pages below a stack that are looked at */
#define OBJECTS_MOST 1024

#define FLAGS_COMPARED \
	(VMS_MAPPING_NORESERVE | VMS_MAPPING_LOCKED | VMS_MAPPING_GROWSDOWN | \
	 VMS_MAPPING_SEALED | VMS_MAPPING_DONTFORK | VMS_MAPPING_WIPEONFORK | \
	 VMS_MAPPING_DONTDUMP | VMS_MAPPING_MERGEABLE | VMS_MAPPING_HUGEPAGE | \
	 VMS_MAPPING_NOHUGEPAGE | LAYOUT_ACCOUNTED)

/* A shared anonymous object of the peer, and what it is charged. */
struct object {
	uint64_t inode;
	size_t charged;
};

struct subject {
	struct lockstep *lockstep;
	struct caller space;
	struct files files;
	struct peer peer;
	struct layout_reader reader;
	struct generator generator;
	struct random sampler;
	struct layout listing;
	struct layout host;
	struct object_pairs pairs;
	struct object objects[OBJECTS_MOST];
	size_t object_count;
	size_t committed; /* when listing was made: looks can make stacks grow */
	struct answer answer;
	const struct operation *operation; /* the one being compared */
	struct older older;
	bool strict; /* vm.overcommit_memory is 2 */
	/* Pages that may be charged more than in the kernel; see taint.h. */
	struct taint taint;
};

/* Reports. */

_Noreturn static void differ(struct subject *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

_Noreturn static void differ(struct subject *s, const char *format, ...)
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

/* Samples. */

/*
 * A look at a hole below a stack makes it grow, at any distance in the kernel
 * and to the guard gap in a space: only what is near is looked at.
 */
static bool may_look(const struct subject *s, size_t page_number)
{
	size_t offset = page_number * s->space.page;

	for (size_t i = 0; i < s->listing.count; i++) {
		const struct layout_entry *e = &s->listing.entries[i];

		if (offset >= e->end)
			continue;
		return offset >= e->start ||
		       !(e->flags & VMS_MAPPING_GROWSDOWN) ||
		       e->start - offset <= STACK_REACH * s->space.page;
	}
	return true;
}

static void add_sample(struct subject *s, size_t page_number)
{
	struct peer_channel *channel = s->peer.channel;

	if (page_number < WINDOW / s->space.page &&
	    channel->sample_count < PEER_SAMPLES && may_look(s, page_number))
		channel->samples[channel->sample_count++] =
			(uint32_t)page_number;
}

static void sample_range(struct subject *s, intptr_t start, size_t length)
{
	size_t first = (size_t)start / s->space.page;
	size_t count = length / s->space.page;

	if (start < 0)
		return;
	add_sample(s, first);
	if (count > 1 && count < WINDOW / s->space.page) {
		add_sample(s, first + count - 1);
		add_sample(s, first + random_below(&s->sampler, count));
		add_sample(s, first + count);
	}
}

static void sample_some(struct subject *s, const struct operation *op,
			intptr_t wanted)
{
	if (op->address.kind == PLACE_WINDOW)
		sample_range(s, (intptr_t)op->address.offset, op->length);
	if (op->kind == OP_MREMAP)
		sample_range(s, wanted, op->new_length);
	else if (op->kind == OP_MMAP)
		sample_range(s, wanted, op->length);
	for (size_t i = 0; i < 3 && s->listing.count > 0; i++) {
		const struct layout_entry *e =
			&s->listing.entries[random_below(&s->sampler,
							 s->listing.count)];

		add_sample(s, (e->start + random_below(&s->sampler,
						       e->end - e->start)) /
				      s->space.page);
	}
}

static void sample_all(struct subject *s)
{
	for (size_t i = 0; i < s->listing.count; i++)
		for (size_t at = s->listing.entries[i].start;
		     at < s->listing.entries[i].end; at += s->space.page)
			add_sample(s, at / s->space.page);
}

/* The kernel may drop pages of MAP_DROPPABLE at any time; they read zero then. */
static bool may_be_dropped(const struct subject *s, size_t page_number)
{
	const unsigned droppable = VMS_MAPPING_NORESERVE |
				   VMS_MAPPING_WIPEONFORK |
				   VMS_MAPPING_DONTDUMP;
	const struct layout_entry *e =
		layout_at(&s->listing, page_number * s->space.page);

	return e != NULL && (e->flags & droppable) == droppable;
}

static void compare_samples(struct subject *s, const int64_t *digests)
{
	struct peer_channel *channel = s->peer.channel;

	for (size_t i = 0; i < channel->sample_count; i++) {
		bool zero = digests[i] == 0 || channel->digests[i] == 0;

		if (zero && may_be_dropped(s, channel->samples[i]))
			continue;
		if (digests[i] != channel->digests[i])
			differ(s, "contents of page %u: %lld on the space, %lld on the kernel",
			       channel->samples[i], (long long)digests[i],
			       (long long)channel->digests[i]);
	}
}

static void take_samples(struct subject *s, int64_t *digests)
{
	const struct peer_channel *channel = s->peer.channel;

	for (size_t i = 0; i < channel->sample_count; i++)
		digests[i] = peek_page(s->space.base + channel->samples[i] *
							       s->space.page,
				       s->space.page);
}

/* Answers. */

/* Whether a range is private anonymous memory all over, up to its first hole. */
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

static void compare_answers(struct subject *s, const struct operation *op,
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

static void compare_layouts(struct subject *s)
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
 * The rules of Commit that the list alone can show; the others need to know
 * what was touched, and are checked against the kernel's own marks.
 */
static void check_ledger(struct subject *s)
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

/* The peer's shared anonymous objects: what they are charged when made. */
static void note_object(struct subject *s, const struct operation *op,
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

static void compare_flags(struct subject *s)
{
	static struct layout listing;
	struct layout *flagged = &s->peer.channel->flagged;
	struct layout_difference difference;
	size_t excess;

	/* A copy, since the excess is cut off where the kernel's mappings end. */
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

/* Steps. */

static void refresh(struct subject *s)
{
	struct vms_space_stats stats = { .struct_size = sizeof stats };
	int result = layout_of_space(&s->listing, &s->space, &s->files);

	if (vms_space_get_stats(s->space.space, &stats) != 0)
		differ(s, "vms_space_get_stats failed with errno %d", errno);
	s->committed = stats.committed;
	if (result == 0)
		result = layout_of_host(&s->host, &s->reader, &s->space,
					&s->files, LAYOUT_MAPS);
	if (result != 0)
		differ(s, "the mappings cannot be listed: %s",
		       strerrorname_np(-result));
}

static bool has_stack(const struct layout *layout)
{
	for (size_t i = 0; i < layout->count; i++)
		if (layout->entries[i].flags & VMS_MAPPING_GROWSDOWN)
			return true;
	return false;
}

/* The last looks may have made stacks grow: see both layouts as they are now. */
static void see_stacks(struct subject *s)
{
	struct peer_channel *channel = s->peer.channel;

	if (!has_stack(&s->listing))
		return;
	refresh(s);
	channel->has_operation = false;
	channel->want_flags = false;
	channel->sample_count = 0;
	peer_send(&s->peer);
	if (peer_wait(&s->peer) != 0)
		differ(s, "the peer has failed");
	taint_add(&s->taint, &s->listing, &channel->layout);
}

/* Whether a range cuts a locked mapping. */
static bool keeps_part_of_locked(const struct layout *layout, size_t start,
				 size_t end)
{
	for (size_t i = 0; i < layout->count; i++) {
		const struct layout_entry *e = &layout->entries[i];

		if (e->start < end && start < e->end &&
		    (e->flags & VMS_MAPPING_LOCKED) &&
		    (start > e->start || end < e->end))
			return true;
	}
	return false;
}

/* Whether the mapping at an offset begins elsewhere in the kernel. */
static bool begins_elsewhere(const struct subject *s, size_t offset)
{
	const struct layout_entry *ours = layout_at(&s->listing, offset);
	const struct layout_entry *theirs =
		layout_at(&s->peer.channel->layout, offset);

	return ours != NULL && theirs != NULL && ours->start != theirs->start;
}

/*
 * Equal neighbours that the kernel keeps apart (each was touched before they
 * met, or they are of two descriptors) are one mapping in a space, and may
 * keep a charge there that then keeps them apart from others. A call
 * whose answer depends on their number is not made. Nor is a touch that would
 * make a stack of the kernel grow from further away than one of a space; nor a
 * move that keeps a part of locked memory: all of the kernel's mapping loses
 * its lock then, where what the host of a space has may be two. Nor a call
 * that kernels older than a space's answers take otherwise.
 */
static bool must_skip(const struct subject *s, const struct operation *op)
{
	size_t page = s->space.page;
	size_t length = (op->length + page - 1) & ~(page - 1);
	size_t new_length = (op->new_length + page - 1) & ~(page - 1);
	size_t start = op->address.offset;
	bool fixed = op->flags & MREMAP_FIXED;
	bool keep = op->flags & MREMAP_DONTUNMAP;

	if (op->kind == OP_TOUCH)
		return !may_look(s, op->address.offset / page);
	if (older_differs(&s->older, op, &s->listing, page))
		return true;
	if (op->kind == OP_MPROTECT && op->prot & PROT_GROWSDOWN)
		return begins_elsewhere(s, start);
	if (op->kind != OP_MREMAP || op->address.kind != PLACE_WINDOW ||
	    length > WINDOW)
		return false;
	if (keep && keeps_part_of_locked(&s->listing, start, start + length))
		return true;
	if (!keep && new_length == length && (!fixed || !s->older.moves_one))
		return false;
	if (!keep && !fixed && new_length < length)
		return false;
	return layout_entries_in(&s->listing, start, start + length) !=
	       layout_entries_in(&s->peer.channel->layout, start,
				 start + length);
}

static intptr_t execute(struct subject *s, const struct operation *op)
{
	intptr_t wanted;

	operation_execute(op, &s->space, &s->files, &s->answer);
	wanted = s->answer.result;
	if (wanted >= 0 && ANSWERS_ADDRESS(op->kind)) {
		wanted -= (intptr_t)s->space.base;
		if ((uintptr_t)wanted >= WINDOW)
			differ(s, "the address is outside the space");
	}
	return wanted;
}

enum look { LOOK_AT_SOME, LOOK_AT_ALL };

static void look(struct subject *s, const struct operation *op, intptr_t wanted,
		 enum look how)
{
	static int64_t digests[PEER_SAMPLES];
	struct peer_channel *channel = s->peer.channel;

	channel->sample_count = 0;
	if (how == LOOK_AT_ALL)
		sample_all(s);
	if (op != NULL)
		sample_some(s, op, wanted);
	peer_send(&s->peer);
	take_samples(s, digests);
	if (peer_wait(&s->peer) != 0)
		differ(s, "the peer has failed");
	if (op != NULL)
		compare_answers(s, op, wanted);
	compare_layouts(s);
	if (op != NULL)
		taint_follow(&s->taint, op, wanted);
	taint_add(&s->taint, &s->listing, &channel->layout);
	check_ledger(s);
	if (op != NULL)
		note_object(s, op, wanted);
	if (channel->want_flags)
		compare_flags(s);
	compare_samples(s, digests);
}

static bool is_turn(size_t index, unsigned every)
{
	return every != 0 && index % every == every - 1;
}

static void step(struct subject *s, size_t index, const struct operation *op)
{
	const struct lockstep_options *options = &s->lockstep->options;
	struct peer_channel *channel = s->peer.channel;
	intptr_t wanted;

	see_stacks(s);
	if (must_skip(s, op)) {
		s->lockstep->skipped++;
		return;
	}
	channel->operation = *op;
	channel->has_operation = true;
	channel->want_flags = is_turn(index, options->flags_every);
	taint_target(&s->taint, op, &s->listing);
	wanted = execute(s, op);
	channel->wanted = wanted;
	refresh(s);
	look(s, op, wanted,
	     is_turn(index, options->all_every) ? LOOK_AT_ALL : LOOK_AT_SOME);
}

static void open_all(struct subject *s)
{
	/* Without the fall-back to ordinary pages, which the kernel has not. */
	struct vms_space_options options = {
		.struct_size = sizeof options,
		.flags = VMS_SPACE_HUGETLB_EXACT,
	};
	int result = peer_start(&s->peer, WINDOW, 0);

	s->strict = kernel_is_strict();
	if (s->strict) {
		options.commit_policy = VMS_COMMIT_STRICT;
		options.commit_limit = (size_t)1 << 40;
	}

	if (result == 0)
		result = caller_open(&s->space, CALLER_SPACE, WINDOW, &options,
				     0);
	if (result == 0)
		result = files_open(&s->files, s->space.page);
	if (result == 0)
		result = layout_reader_open(&s->reader);
	if (result != 0) {
		(void)fprintf(stderr, "# setting up: %s\n",
			      strerrorname_np(-result));
		_exit(2);
	}
	older_ask(&s->older);
	catch_faults();
}

/* What is sealed stays for good: such a space cannot be closed. */
static bool has_sealed(const struct layout *layout)
{
	for (size_t i = 0; i < layout->count; i++)
		if (layout->entries[i].flags & VMS_MAPPING_SEALED)
			return true;
	return false;
}

static void close_all(struct subject *s)
{
	refresh(s);
	if (has_sealed(&s->listing)) {
		if (vms_space_close(s->space.space) == 0 || errno != EPERM)
			differ(s, "closing a space with a seal is not EPERM");
		return;
	}
	if (vms_munmap(s->space.space, s->space.base, WINDOW) != 0)
		differ(s, "unmapping the whole space: errno %d", errno);
	refresh(s);
	if (s->listing.count != 0 || s->committed != 0)
		differ(s, "an empty space has %zu mappings and %zu charged",
		       s->listing.count, s->committed);
	if (vms_space_close(s->space.space) != 0)
		differ(s, "closing the space: errno %d", errno);
	(void)layout_of_host(&s->host, &s->reader, &s->space, &s->files,
			     LAYOUT_MAPS);
	if (s->host.count != 0)
		differ(s, "a closed space has left mappings");
}

int lockstep_run(struct lockstep *lockstep)
{
	static struct subject s;

	s.lockstep = lockstep;
	open_all(&s);
	s.generator = (struct generator){
		.random = { lockstep->options.seed },
		.layout = &s.listing,
		.page = s.space.page,
		.window = WINDOW,
		.features = lockstep->options.features,
	};
	s.sampler.state = ~lockstep->options.seed;
	s.taint.page = s.space.page;
	if (!lockstep->options.replay)
		lockstep->count = lockstep->options.length;
	for (size_t i = 0; i < lockstep->count; i++) {
		struct operation *op = &lockstep->operations[i];

		if (!lockstep->options.replay)
			generate(&s.generator, op);
		lockstep->started = i + 1;
		step(&s, i, op);
	}
	refresh(&s);
	s.peer.channel->has_operation = false;
	s.peer.channel->want_flags = true;
	look(&s, NULL, 0, LOOK_AT_ALL);
	close_all(&s);
	peer_stop(&s.peer);
	return 0;
}
