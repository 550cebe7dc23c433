/* SPDX-License-Identifier: MIT */
#include "snapshot.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace/process.h>

#include "base/align.h"
#include "host/host.h"
#include "space/space.h"

/* Stands for contents that cannot be read, past a file's end. */
#define UNREADABLE 1

static uint64_t hash_bytes(const void *bytes, size_t length)
{
	const unsigned char *at = bytes;
	uint64_t hash = 14695981039346656037u; /* FNV-1a */

	while (length-- > 0)
		hash = (hash ^ *at++) * 1099511628211u;
	return hash;
}

void snapshot_make(struct snapshot *snapshot, size_t size)
{
	*snapshot = (struct snapshot){ .count = size / vmsi_page_size() };
	snapshot->pages = mmap(NULL, snapshot->count * sizeof(*snapshot->pages),
			       PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(snapshot->pages != MAP_FAILED);
}

void snapshot_drop(struct snapshot *snapshot)
{
	munmap(snapshot->pages, snapshot->count * sizeof(*snapshot->pages));
}

static struct vmsi_range range_of(const struct snapshot *snapshot)
{
	return (struct vmsi_range){
		snapshot->base,
		snapshot->base + snapshot->count * vmsi_page_size()
	};
}

/* Return the page numbers of a mapping in the space. */
static struct vmsi_range pages_of(const struct snapshot *snapshot,
				  const struct vms_mapping_info *info)
{
	struct vmsi_range range = { info->start, info->start + info->length };

	range = vmsi_range_common(range, range_of(snapshot));
	range.start = (range.start - snapshot->base) / vmsi_page_size();
	range.end = (range.end - snapshot->base) / vmsi_page_size();
	return range;
}

/* --- the host -------------------------------------------------------------------- */

static void note_host(struct snapshot *snapshot,
		      const struct vms_mapping_info *info)
{
	/* These flags of the kernel's mapping are not compared. */
	const unsigned own = VMS_MAPPING_NORESERVE | VMS_MAPPING_ANONYMOUS |
		VMS_MAPPING_HUGE_FALLBACK | VMS_MAPPING_SEALED;
	struct vmsi_range pages = pages_of(snapshot, info);
	bool held = info->prot == PROT_NONE && info->inode == 0 &&
		!(info->flags & VMS_MAPPING_SHARED);

	for (size_t i = pages.start; i < pages.end; i++)
		snapshot->pages[i] = (struct snapshot_page){
			.host = held ? HOST_HELD : HOST_MAPPED,
			.host_prot = (uint8_t)info->prot,
			.host_flags = (uint16_t)(info->flags & ~own),
			.accounted = info->committed != 0,
		};
}

/*
 * An open gap is unmapped, but the kernel places nothing there by itself, so it
 * counts as held.
 */
static void note_gaps(struct snapshot *snapshot, const struct vms_space *space)
{
	for (unsigned i = 0; i < space->gaps.count; i++)
		for (uintptr_t at = space->gaps.all[i].open.start;
		     at < space->gaps.all[i].open.end; at += vmsi_page_size())
			snapshot->pages[(at - snapshot->base) /
					vmsi_page_size()].host = HOST_HELD;
}

void snapshot_take_host(struct snapshot *snapshot, vms_space *space)
{
	static struct vms_mapping_info info;
	vms_process_maps *maps = vms_process_maps_open(0);
	int found;

	assert_non_null(maps);
	snapshot->base = (uintptr_t)vms_space_base(space);
	memset(snapshot->pages, 0, snapshot->count * sizeof(*snapshot->pages));
	info.struct_size = sizeof(info);
	while ((found = vms_process_maps_next(maps, &info)) > 0 &&
	       info.start < range_of(snapshot).end)
		if (info.start + info.length > snapshot->base)
			note_host(snapshot, &info);
	assert_true(found >= 0);
	vms_process_maps_close(maps);
	note_gaps(snapshot, space);
}

/* --- the space --------------------------------------------------------------------- */

static uint64_t contents_of(int memory, uintptr_t address)
{
	uint64_t words[(1 << 16) / sizeof(uint64_t)];
	size_t length = vmsi_page_size();
	uint64_t hash = 0;

	if (pread(memory, words, length, (off_t)address) != (ssize_t)length)
		return UNREADABLE;
	for (size_t i = 0; i < length / sizeof(words[0]); i++)
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u;
	return hash;
}

static void note_mapping(struct snapshot *snapshot, int memory,
			 const struct vms_mapping_info *info)
{
	struct vmsi_range pages = pages_of(snapshot, info);

	for (size_t i = pages.start; i < pages.end; i++) {
		struct snapshot_page *page = &snapshot->pages[i];
		size_t within = (i - pages.start) * vmsi_page_size();

		page->mapped = true;
		page->host = page->host == HOST_FREE ? HOST_FREE : HOST_MAPPED;
		page->prot = (uint8_t)info->prot;
		page->flags = (uint16_t)info->flags;
		page->file = (uint32_t)info->inode;
		page->name = info->name[0] ?
			(uint32_t)hash_bytes(info->name, strlen(info->name)) : 0;
		if (info->inode || (info->flags & VMS_MAPPING_SHARED))
			page->offset = info->offset + within;
		page->contents = contents_of(memory, info->start + within);
	}
	snapshot->listed_committed += info->committed;
}

void snapshot_take_handles(struct snapshot *snapshot, vms_space *space,
			   const vms_handle *handles, unsigned handle_count)
{
	snapshot->handle_count = handle_count;
	for (unsigned i = 0; i < handle_count; i++) {
		uintptr_t address =
			(uintptr_t)vms_handle_address(space, handles[i]);

		snapshot->handles[i].offset =
			address ? address - snapshot->base : SIZE_MAX;
		snapshot->handles[i].length =
			vms_handle_length(space, handles[i]);
	}
}

/* Of a hole, compare only whether the reservation covers it. */
static void forget_holes(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->count; i++) {
		struct snapshot_page *page = &snapshot->pages[i];

		if (!page->mapped)
			*page = (struct snapshot_page){ .host = page->host };
	}
}

void snapshot_take_space(struct snapshot *snapshot, vms_space *space)
{
	static struct vms_mapping_info info;
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	uintptr_t cursor = 0;

	assert_true(memory >= 0);
	snapshot->listed_committed = 0;
	info.struct_size = sizeof(info);
	while (vms_space_next_mapping(space, &cursor, &info, 0) == 1)
		note_mapping(snapshot, memory, &info);
	close(memory);
	snapshot->stats.struct_size = sizeof(snapshot->stats);
	assert_int_equal(vms_space_get_stats(space, &snapshot->stats), 0);
	snapshot->handle_count = 0;
	forget_holes(snapshot);
}

void snapshot_take(struct snapshot *snapshot, vms_space *space,
		   const vms_handle *handles, unsigned handle_count)
{
	snapshot_take_host(snapshot, space);
	snapshot_take_space(snapshot, space);
	snapshot_take_handles(snapshot, space, handles, handle_count);
}

/* --- comparing ---------------------------------------------------------------------- */

/* Flags that both the space and the kernel show. */
#define BOTH_SHOW \
	(VMS_MAPPING_SHARED | VMS_MAPPING_LOCKED | VMS_MAPPING_GROWSDOWN | \
	 VMS_MAPPING_HUGETLB | VMS_MAPPING_DONTFORK | VMS_MAPPING_WIPEONFORK | \
	 VMS_MAPPING_DONTDUMP | VMS_MAPPING_MERGEABLE | VMS_MAPPING_HUGEPAGE | \
	 VMS_MAPPING_NOHUGEPAGE)

/* The guard gap of a growing mapping, in pages. */
#define GUARD_GAP 256

/* A page in the guard gap of a growing mapping may be unmapped in the kernel. */
static bool is_in_guard_gap(const struct snapshot *snapshot, size_t page)
{
	for (size_t i = page; i < snapshot->count && i <= page + GUARD_GAP; i++)
		if (snapshot->pages[i].mapped)
			return snapshot->pages[i].flags & VMS_MAPPING_GROWSDOWN;
	return false;
}

const char *snapshot_loose_hole(const struct snapshot *snapshot, size_t *page)
{
	size_t gap = 0;

	for (*page = snapshot->count; (*page)-- > 0;) {
		const struct snapshot_page *at = &snapshot->pages[*page];

		if (at->host == HOST_FREE && gap == 0)
			return "a hole is not held";
		/* The guard gap of a stack is open. */
		gap -= gap > 0;
		if (at->host_flags & VMS_MAPPING_GROWSDOWN)
			gap = GUARD_GAP;
	}
	*page = 0;
	return NULL;
}

static const char *page_disagreement(const struct snapshot *snapshot,
				     size_t number)
{
	const struct snapshot_page *page = &snapshot->pages[number];

	if (!page->mapped) {
		if (page->host == HOST_FREE &&
		    !is_in_guard_gap(snapshot, number))
			return "a hole is not held";
		return page->host == HOST_MAPPED ?
			"the host has memory in a hole" : NULL;
	}
	if (page->host == HOST_FREE)
		return "the host has nothing where a mapping is listed";
	if (page->prot != page->host_prot)
		return "the host has another protection";
	if ((page->flags ^ page->host_flags) & BOTH_SHOW)
		return "the host has other flags";
	return NULL;
}

const char *snapshot_disagreement(const struct snapshot *snapshot, size_t *page)
{
	for (*page = 0; *page < snapshot->count; ++*page) {
		const char *wrong = page_disagreement(snapshot, *page);

		if (wrong)
			return wrong;
	}
	*page = 0;
	if (snapshot->listed_committed != snapshot->stats.committed)
		return "the list shows another commit than the ledger";
	return NULL;
}

const char *snapshot_page_difference(const struct snapshot *a,
				     const struct snapshot *b, size_t page)
{
	const struct snapshot_page *x = &a->pages[page], *y = &b->pages[page];

	if (x->mapped != y->mapped)
		return x->mapped ? "a mapping is gone" : "a mapping is new";
	if (x->host != y->host)
		return "the host's memory";
	if (x->prot != y->prot || x->host_prot != y->host_prot)
		return "protection";
	if (x->flags != y->flags || x->host_flags != y->host_flags)
		return "flags";
	if (x->accounted != y->accounted)
		return "the host's accounting";
	if (x->file != y->file || x->offset != y->offset)
		return "file or offset";
	if (x->name != y->name)
		return "name";
	return x->contents == y->contents ? NULL : "contents";
}

const char *snapshot_figures_difference(const struct snapshot *a,
					const struct snapshot *b)
{
	const struct vms_space_stats *x = &a->stats, *y = &b->stats;

	if (x->mapped != y->mapped || x->mappings != y->mappings)
		return "mapped bytes or their number";
	if (x->committed != y->committed)
		return "committed";
	if (x->committed_peak != y->committed_peak)
		return "committed_peak";
	if (x->huge_fallbacks != y->huge_fallbacks)
		return "huge_fallbacks";
	if (x->moves != y->moves)
		return "moves";
	if (x->grown_in_place != y->grown_in_place)
		return "grown_in_place";
	if (x->lost != y->lost)
		return "lost";
	if (a->handle_count != b->handle_count ||
	    memcmp(a->handles, b->handles,
		   a->handle_count * sizeof(a->handles[0])) != 0)
		return "handles";
	return NULL;
}

/* --- the process ---------------------------------------------------------------------- */

size_t process_bytes(void)
{
	char text[256];
	int statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t length;

	assert_true(statm >= 0);
	length = read(statm, text, sizeof(text) - 1);
	close(statm);
	assert_true(length > 0);
	text[length] = '\0';
	return strtoul(text, NULL, 10) * vmsi_page_size();
}
