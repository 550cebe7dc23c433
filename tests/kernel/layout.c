/* SPDX-License-Identifier: MIT */
#include "layout.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The space's own list. */

static struct layout_entry *new_entry(struct layout *layout)
{
	if (layout->count == LAYOUT_ENTRIES) {
		layout->overflow = true;
		return NULL;
	}
	return &layout->entries[layout->count++];
}

static void add_listed(struct layout *layout, const struct caller *caller,
		       const struct files *files,
		       const struct vms_mapping_info *info)
{
	struct layout_entry *entry = new_entry(layout);

	if (entry == NULL)
		return;
	*entry = (struct layout_entry){
		.start = info->start - (uintptr_t)caller->base,
		.prot = info->prot,
		.shared = info->flags & VMS_MAPPING_SHARED,
		.file = files_index(files, info->device, info->inode),
		.offset = info->offset,
		.flags = info->flags & ~(VMS_MAPPING_SHARED |
					 VMS_MAPPING_ANONYMOUS),
		.committed = info->committed,
	};
	entry->end = entry->start + info->length;
	entry->accounted = info->committed != 0 && !entry->shared;
}

int layout_of_space(struct layout *layout, const struct caller *caller,
		    const struct files *files)
{
	static struct vms_mapping_info info;
	uintptr_t cursor = 0;
	int more;

	layout->count = 0;
	layout->overflow = false;
	layout->has_flags = true;
	info.struct_size = sizeof info;
	while ((more = vms_space_next_mapping(caller->space, &cursor, &info,
					      0)) == 1)
		add_listed(layout, caller, files, &info);
	return more == 0 ? 0 : -errno;
}

/* The host's files. */

int layout_reader_open(struct layout_reader *reader)
{
	reader->maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	reader->smaps = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);
	return reader->maps < 0 || reader->smaps < 0 ? -errno : 0;
}

void layout_reader_close(struct layout_reader *reader)
{
	(void)close(reader->maps);
	(void)close(reader->smaps);
}

static const char *parse_hex(const char *text, uint64_t *value)
{
	*value = 0;
	for (;; text++) {
		unsigned digit;

		if (*text >= '0' && *text <= '9')
			digit = (unsigned)(*text - '0');
		else if (*text >= 'a' && *text <= 'f')
			digit = (unsigned)(*text - 'a') + 10;
		else
			return text;
		*value = *value << 4 | digit;
	}
}

static const char *parse_decimal(const char *text, uint64_t *value)
{
	*value = 0;
	for (; *text >= '0' && *text <= '9'; text++)
		*value = *value * 10 + (unsigned)(*text - '0');
	return text;
}

/* "start-end rwxp offset major:minor inode path" */
struct maps_line {
	uint64_t start, end, offset, device, inode;
	int prot;
	bool shared;
};

static bool parse_maps_line(const char *text, struct maps_line *line)
{
	uint64_t major, minor;

	text = parse_hex(text, &line->start);
	if (*text++ != '-')
		return false;
	text = parse_hex(text, &line->end);
	if (*text++ != ' ')
		return false;
	line->prot = (text[0] == 'r' ? PROT_READ : 0) |
		     (text[1] == 'w' ? PROT_WRITE : 0) |
		     (text[2] == 'x' ? PROT_EXEC : 0);
	line->shared = text[3] == 's';
	text = parse_hex(text + 5, &line->offset);
	text = parse_hex(text + 1, &major);
	text = parse_hex(text + 1, &minor);
	line->device = makedev((unsigned)major, (unsigned)minor);
	(void)parse_decimal(text + 1, &line->inode);
	return true;
}

static struct layout_entry *add_host_line(struct layout *layout,
					  const struct caller *caller,
					  const struct files *files,
					  const struct maps_line *line)
{
	struct layout_entry *entry = new_entry(layout);
	int file = files_index(files, line->device, line->inode);
	uintptr_t base = (uintptr_t)caller->base;

	if (entry == NULL)
		return NULL;
	*entry = (struct layout_entry){
		.start = line->start > base ? line->start - base : 0,
		.end = line->end - base < caller->size ? line->end - base :
							 caller->size,
		.prot = line->prot,
		.shared = line->shared,
		.file = file,
		.object = file == FILES && line->shared ? line->inode : 0,
		.offset = line->inode != 0 ? line->offset : 0,
	};
	if (line->start < base && line->inode != 0)
		entry->offset += base - line->start;
	return entry;
}

static const struct {
	char name[3];
	unsigned flag;
} flag_names[] = {
	{ "nr", VMS_MAPPING_NORESERVE }, { "lo", VMS_MAPPING_LOCKED },
	{ "gd", VMS_MAPPING_GROWSDOWN }, { "ht", VMS_MAPPING_HUGETLB },
	{ "sl", VMS_MAPPING_SEALED },    { "dc", VMS_MAPPING_DONTFORK },
	{ "wf", VMS_MAPPING_WIPEONFORK }, { "dd", VMS_MAPPING_DONTDUMP },
	{ "mg", VMS_MAPPING_MERGEABLE }, { "hg", VMS_MAPPING_HUGEPAGE },
	{ "nh", VMS_MAPPING_NOHUGEPAGE },
};

static void add_vm_flags(struct layout_entry *entry, const char *text)
{
	while (text[0] == ' ')
		text++;
	for (; text[0] > ' ' && text[1] > ' '; text += text[2] == ' ' ? 3 : 2) {
		if (text[0] == 'a' && text[1] == 'c')
			entry->accounted = true;
		for (size_t i = 0; i < sizeof flag_names / sizeof *flag_names;
		     i++)
			if (memcmp(flag_names[i].name, text, 2) == 0)
				entry->flags |= flag_names[i].flag;
	}
}

/* Lines of a /proc file, as many bytes at a time as it gives. */
struct line_source {
	int fd;
	off_t position;
	char *buffer;
	size_t size, begin, end;
};

static char *next_line(struct line_source *source)
{
	for (;;) {
		char *line = source->buffer + source->begin;
		char *newline = memchr(line, '\n', source->end - source->begin);
		size_t left = source->end - source->begin;
		ssize_t got;

		if (newline != NULL) {
			*newline = '\0';
			source->begin = (size_t)(newline + 1 - source->buffer);
			return line;
		}
		(void)memmove(source->buffer, line, left);
		source->begin = 0;
		source->end = left;
		got = pread(source->fd, source->buffer + left,
			    source->size - left, source->position);
		if (got <= 0)
			return NULL;
		source->position += got;
		source->end += (size_t)got;
	}
}

int layout_of_host(struct layout *layout, struct layout_reader *reader,
		   const struct caller *caller, const struct files *files,
		   enum layout_detail detail)
{
	struct line_source source = {
		.fd = detail == LAYOUT_SMAPS ? reader->smaps : reader->maps,
		.buffer = reader->buffer,
		.size = sizeof reader->buffer,
	};
	uintptr_t base = (uintptr_t)caller->base;
	struct layout_entry *entry = NULL;
	struct maps_line line;
	char *text;

	layout->count = 0;
	layout->overflow = false;
	layout->has_flags = detail == LAYOUT_SMAPS;
	while ((text = next_line(&source)) != NULL) {
		if (parse_maps_line(text, &line)) {
			entry = NULL;
			if (line.start >= base + caller->size)
				break;
			if (line.end > base)
				entry = add_host_line(layout, caller, files,
						      &line);
		} else if (entry != NULL && strncmp(text, "VmFlags:", 8) == 0) {
			add_vm_flags(entry, text + 8);
		}
	}
	return layout->overflow ? -EOVERFLOW : 0;
}

/* Comparison. */

const struct layout_entry *layout_at(const struct layout *layout, size_t offset)
{
	for (size_t i = 0; i < layout->count; i++)
		if (offset < layout->entries[i].end)
			return offset >= layout->entries[i].start ?
				       &layout->entries[i] : NULL;
	return NULL;
}

size_t layout_entries_in(const struct layout *layout, size_t start, size_t end)
{
	size_t count = 0;

	for (size_t i = 0; i < layout->count; i++)
		if (layout->entries[i].start < end &&
		    layout->entries[i].end > start)
			count++;
	return count;
}

static bool pair_objects(struct object_pairs *pairs, uint64_t a, uint64_t b)
{
	for (size_t i = 0; i < pairs->count; i++)
		if (pairs->pairs[i].a == a || pairs->pairs[i].b == b)
			return pairs->pairs[i].a == a &&
			       pairs->pairs[i].b == b;
	if (pairs->count < OBJECT_PAIRS) {
		pairs->pairs[pairs->count].a = a;
		pairs->pairs[pairs->count++].b = b;
	}
	return true;
}

/* Return what differs at an offset that both entries hold, or NULL. */
static const char *entries_differ(const struct layout_entry *a,
				  const struct layout_entry *b, size_t offset,
				  unsigned mask, struct object_pairs *pairs)
{
	bool has_offset = a->shared || a->file != FILES;

	if (a->prot != b->prot)
		return "protection";
	if (a->shared != b->shared)
		return "sharing";
	if (a->file != b->file)
		return "file";
	if (has_offset &&
	    a->offset + (offset - a->start) != b->offset + (offset - b->start))
		return "offset in the file";
	if (pairs != NULL && a->object != 0 && b->object != 0 &&
	    !pair_objects(pairs, a->object, b->object))
		return "shared object";
	if ((a->flags & mask) != (b->flags & mask))
		return "flags";
	return NULL;
}

static const char *differs_at(const struct layout_entry *a,
			      const struct layout_entry *b, size_t offset,
			      enum layout_holes holes, unsigned mask,
			      struct object_pairs *pairs)
{
	if (a != NULL && b != NULL)
		return entries_differ(a, b, offset, mask, pairs);
	if (a != NULL)
		return "mapped only in the first";
	if (b == NULL || (holes == HOLES_ARE_RESERVED && b->prot == PROT_NONE &&
			  !b->shared && b->file == FILES))
		return NULL;
	return "mapped only in the second";
}

/* Return where entry i next begins or ends, behind an offset. */
static size_t next_edge(const struct layout *layout, size_t i, size_t offset)
{
	if (i >= layout->count)
		return SIZE_MAX;
	return layout->entries[i].start > offset ? layout->entries[i].start :
						   layout->entries[i].end;
}

static const struct layout_entry *entry_from(const struct layout *layout,
					     size_t *i, size_t offset)
{
	while (*i < layout->count && layout->entries[*i].end <= offset)
		(*i)++;
	if (*i < layout->count && layout->entries[*i].start <= offset)
		return &layout->entries[*i];
	return NULL;
}

bool layout_equal(const struct layout *a, const struct layout *b,
		  enum layout_holes holes, unsigned flags_mask,
		  struct object_pairs *pairs,
		  struct layout_difference *difference)
{
	size_t i = 0, j = 0, offset = 0;

	while (offset != SIZE_MAX) {
		const struct layout_entry *x = entry_from(a, &i, offset);
		const struct layout_entry *y = entry_from(b, &j, offset);
		size_t edge_a = next_edge(a, i, offset);
		size_t edge_b = next_edge(b, j, offset);

		difference->offset = offset;
		difference->what = differs_at(x, y, offset, holes, flags_mask,
					      pairs);
		if (difference->what != NULL)
			return false;
		offset = edge_a < edge_b ? edge_a : edge_b;
	}
	return true;
}

void layout_print(FILE *stream, const struct layout *layout, size_t page)
{
	for (size_t i = 0; i < layout->count; i++) {
		const struct layout_entry *e = &layout->entries[i];

		(void)fprintf(stream,
			      "#   [%zu, %zu) %c%c%c%c file %d object %llu offset %llu flags %#x%s committed %zu\n",
			      e->start / page, e->end / page,
			      e->prot & PROT_READ ? 'r' : '-',
			      e->prot & PROT_WRITE ? 'w' : '-',
			      e->prot & PROT_EXEC ? 'x' : '-',
			      e->shared ? 's' : 'p',
			      e->file == FILES ? -1 : e->file,
			      (unsigned long long)e->object,
			      (unsigned long long)(e->offset / page), e->flags,
			      e->accounted ? " accounted" : "",
			      e->committed / page);
	}
}
