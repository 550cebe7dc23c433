/* SPDX-License-Identifier: MIT */
#include "procfs/smaps.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "base/align.h"
#include "procfs/label.h"
#include "text/fields.h"
#include "text/maps.h"

/* What is read of the lines that follow a mapping's first line. */
struct figures {
	uint64_t page_size;
	uint64_t resident;        /* without the pages of hugetlb */
	uint64_t hugetlb_shared;
	uint64_t hugetlb_private;
	uint64_t huge_anonymous, huge_shared, huge_file;
	struct vmsi_smaps_pages pages;
	bool has_resident;
	bool accounted;
};

static const struct vmsi_field table[] = {
	VMSI_FIELD(KIB, struct figures, "Rss", resident),
	VMSI_FIELD(KIB, struct figures, "Pss", pages.proportional),
	VMSI_FIELD(KIB, struct figures, "Anonymous", pages.anonymous),
	VMSI_FIELD(KIB, struct figures, "AnonHugePages", huge_anonymous),
	VMSI_FIELD(KIB, struct figures, "ShmemPmdMapped", huge_shared),
	VMSI_FIELD(KIB, struct figures, "FilePmdMapped", huge_file),
	VMSI_FIELD(KIB, struct figures, "Swap", pages.swapped),
	VMSI_FIELD(KIB, struct figures, "KernelPageSize", page_size),
	VMSI_FIELD(KIB, struct figures, "Shared_Hugetlb", hugetlb_shared),
	VMSI_FIELD(KIB, struct figures, "Private_Hugetlb", hugetlb_private),
};

#define FIELD_RSS 0
#define FIELD_COUNT (sizeof(table) / sizeof(table[0]))

static const struct {
	char text[3];
	unsigned flag;
} flag_table[] = {
	{ "nr", VMS_MAPPING_NORESERVE },
	{ "lo", VMS_MAPPING_LOCKED },
	{ "gd", VMS_MAPPING_GROWSDOWN },
	{ "ht", VMS_MAPPING_HUGETLB },
	{ "sl", VMS_MAPPING_SEALED },
	{ "dc", VMS_MAPPING_DONTFORK },
	{ "wf", VMS_MAPPING_WIPEONFORK },
	{ "dd", VMS_MAPPING_DONTDUMP },
	{ "mg", VMS_MAPPING_MERGEABLE },
	{ "hg", VMS_MAPPING_HUGEPAGE },
	{ "nh", VMS_MAPPING_NOHUGEPAGE },
};

/* All flags are two letters. */
static bool is_flag(const char *word, const char *text)
{
	return word[0] == text[0] && word[1] == text[1];
}

static void store_flag(const struct vmsi_scan *word,
		       struct vms_mapping_info *info, struct figures *figures)
{
	if (vmsi_scan_left(word) != 2)
		return;
	if (is_flag(word->at, "ac"))
		figures->accounted = true;
	for (size_t i = 0; i < sizeof(flag_table) / sizeof(flag_table[0]); i++)
		if (is_flag(word->at, flag_table[i].text))
			info->flags |= flag_table[i].flag;
}

static void parse_flags(struct vmsi_scan scan, struct vms_mapping_info *info,
			struct figures *figures)
{
	struct vmsi_scan word;

	while (vmsi_scan_word(&scan, ' ', &word)) {
		store_flag(&word, info, figures);
		vmsi_scan_blanks(&scan);
	}
}

static int parse_field(const struct vmsi_line *line,
		       struct vms_mapping_info *info, struct figures *figures)
{
	struct vmsi_scan key, value;
	int result = vmsi_field_split(vmsi_line_scan(line), &key, &value);

	if (result)
		return result;
	if (vmsi_scan_is(&key, "VmFlags")) {
		parse_flags(value, info, figures);
		return line->cut ? -EPROTO : 0;
	}
	result = vmsi_field_store(table, FIELD_COUNT, key, value, figures);
	if (result < 0)
		return result;
	if (result == FIELD_RSS)
		figures->has_resident = true;
	return 0;
}

/* First lines begin with an address, the lines that follow with a capital. */
static bool is_first_line(const struct vmsi_line *line)
{
	return line->length > 0 && vmsi_is_hex_digit(line->start[0]);
}

static int parse_first_line(const struct vmsi_line *line,
			    struct vms_mapping_info *info)
{
	struct vmsi_maps_line found;

	if (!vmsi_maps_line_read(vmsi_line_scan(line), &found))
		return -EPROTO;
	*info = (struct vms_mapping_info){
		.struct_size = info->struct_size,
		.start = found.start,
		.length = found.end - found.start,
		.prot = (found.is_readable ? PROT_READ : 0) |
			(found.is_writable ? PROT_WRITE : 0) |
			(found.is_executable ? PROT_EXEC : 0),
		.flags = found.is_shared ? VMS_MAPPING_SHARED : 0,
		.offset = found.offset,
		.device = found.device,
		.inode = found.inode,
	};
	vmsi_label_path(found.label, info->path, sizeof(info->path));
	return 0;
}

/* --- the label: the path of a file, a name in brackets, or nothing ------- */

static void set_name(struct vms_mapping_info *info, struct vmsi_scan text)
{
	const size_t length = vmsi_min(vmsi_scan_left(&text), VMS_NAME_MAX);

	memcpy(info->name, text.at, length);
	info->name[length] = '\0';
	info->path[0] = '\0';
	info->flags |= VMS_MAPPING_ANONYMOUS;
}

/*
 * Decide whether the label in info->path is a path or a name, and set path, name
 * and VMS_MAPPING_ANONYMOUS. It needs the mapping's other members.
 */
static void classify(struct vms_mapping_info *info)
{
	const struct vmsi_maps_line line = {
		.is_shared = (info->flags & VMS_MAPPING_SHARED) != 0,
		.device = info->device,
		.inode = info->inode,
		.label = vmsi_scan_text(info->path),
	};
	const bool huge = (info->flags & VMS_MAPPING_HUGETLB) != 0;
	const struct vmsi_label label = vmsi_label_read(&line, huge);

	if (label.kind != VMSI_LABEL_FILE)
		set_name(info, label.text);
	/* Anonymous huge pages have an offset into a file that the kernel made. */
	if ((info->flags & VMS_MAPPING_ANONYMOUS) != 0 &&
	    (info->flags & VMS_MAPPING_SHARED) == 0)
		info->offset = 0;
}

/* --- a mapping ---------------------------------------------------------- */

static int count_resident(struct vms_mapping_info *info,
			  const struct figures *figures)
{
	uintptr_t sum;

	if (!figures->has_resident) {
		info->resident = VMS_NOT_COUNTED;
		return 0;
	}
	if (!vmsi_add(figures->resident, figures->hugetlb_shared, &sum) ||
	    !vmsi_add(sum, figures->hugetlb_private, &sum))
		return -EPROTO;
	info->resident = sum;
	return 0;
}

/* Set the members that depend on several lines of the mapping. */
static int finish(struct vms_mapping_info *info, const struct figures *figures)
{
	info->page_size = (size_t)figures->page_size;
	if (figures->accounted)
		info->committed = info->length;
	classify(info);
	return count_resident(info, figures);
}

static int parse_fields(struct vmsi_lines *lines,
			struct vms_mapping_info *info, struct figures *figures)
{
	struct vmsi_line line;
	int result;

	while ((result = vmsi_lines_peek(lines, &line)) > 0 &&
	       !is_first_line(&line)) {
		result = parse_field(&line, info, figures);
		if (result)
			return result;
		vmsi_lines_advance(lines, &line);
	}
	return result < 0 ? result : 0;
}

/* The kernel counts pages of hugetlb apart from all others. */
static void count_huge(struct figures *figures)
{
	figures->pages.anonymous += figures->hugetlb_private;
	figures->pages.huge = figures->huge_anonymous + figures->huge_shared +
		figures->huge_file + figures->hugetlb_shared +
		figures->hugetlb_private;
}

int vmsi_smaps_next_pages(struct vmsi_lines *lines, struct vms_mapping_info *info,
			  struct vmsi_smaps_pages *pages)
{
	struct vms_mapping_info next = { .struct_size = info->struct_size };
	struct figures figures = { 0 };
	struct vmsi_line line;
	int result = vmsi_lines_peek(lines, &line);

	if (result <= 0)
		return result;
	result = parse_first_line(&line, &next);
	if (result)
		return result;
	vmsi_lines_advance(lines, &line);
	result = parse_fields(lines, &next, &figures);
	if (!result)
		result = finish(&next, &figures);
	if (result)
		return result;
	count_huge(&figures);
	*info = next;
	*pages = figures.pages;
	return 1;
}

int vmsi_smaps_next(struct vmsi_lines *lines, struct vms_mapping_info *info)
{
	struct vmsi_smaps_pages pages;

	return vmsi_smaps_next_pages(lines, info, &pages);
}
