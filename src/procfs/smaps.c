/* SPDX-License-Identifier: MIT */
#include "procfs/smaps.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "base/align.h"
#include "procfs/fields.h"
#include "procfs/smaps_label.h"

/* The lines under a mapping's first line, as far as they are wanted. */
struct figures {
	uint64_t page_size;
	uint64_t resident;        /* of ordinary pages: hugetlb is not in it */
	uint64_t hugetlb_shared;
	uint64_t hugetlb_private;
	bool has_resident;
	bool accounted;
};

static const struct vmsi_field table[] = {
	{ "Rss", offsetof(struct figures, resident), VMSI_FIELD_KIB },
	{ "KernelPageSize", offsetof(struct figures, page_size),
	  VMSI_FIELD_KIB },
	{ "Shared_Hugetlb", offsetof(struct figures, hugetlb_shared),
	  VMSI_FIELD_KIB },
	{ "Private_Hugetlb", offsetof(struct figures, hugetlb_private),
	  VMSI_FIELD_KIB },
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

static void store_flag(const struct vmsi_scan *word,
		       struct vms_mapping_info *info, struct figures *figures)
{
	if (vmsi_scan_is(word, "ac"))
		figures->accounted = true;
	for (size_t i = 0; i < sizeof(flag_table) / sizeof(flag_table[0]); i++)
		if (vmsi_scan_is(word, flag_table[i].text))
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
	int result = vmsi_field_split(line, &key, &value);

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

/* First lines begin with an address, the lines under them with a capital. */
static bool is_first_line(const struct vmsi_line *line)
{
	return line->length > 0 && vmsi_is_hex_digit(line->start[0]);
}

static bool scan_range(struct vmsi_scan *scan, struct vms_mapping_info *info)
{
	uint64_t start, end;

	if (!vmsi_scan_hex(scan, &start) || !vmsi_scan_char(scan, '-') ||
	    !vmsi_scan_hex(scan, &end))
		return false;
	if (start >= end || end > UINTPTR_MAX)
		return false;
	info->start = (uintptr_t)start;
	info->length = (size_t)(end - start);
	return true;
}

static bool scan_right(struct vmsi_scan *scan, char letter, int right,
		       struct vms_mapping_info *info)
{
	if (vmsi_scan_char(scan, letter)) {
		info->prot |= right;
		return true;
	}
	return vmsi_scan_char(scan, '-');
}

static bool scan_rights(struct vmsi_scan *scan, struct vms_mapping_info *info)
{
	if (!scan_right(scan, 'r', PROT_READ, info) ||
	    !scan_right(scan, 'w', PROT_WRITE, info) ||
	    !scan_right(scan, 'x', PROT_EXEC, info))
		return false;
	/*
	 * Not "sh" of VmFlags: that is off for a shared mapping of a file that
	 * was opened for reading only.
	 */
	if (vmsi_scan_char(scan, 's')) {
		info->flags |= VMS_MAPPING_SHARED;
		return true;
	}
	return vmsi_scan_char(scan, 'p');
}

static bool scan_file(struct vmsi_scan *scan, struct vms_mapping_info *info)
{
	uint64_t major_number, minor_number;

	if (!vmsi_scan_hex(scan, &info->offset) || !vmsi_scan_char(scan, ' ') ||
	    !vmsi_scan_hex(scan, &major_number) || !vmsi_scan_char(scan, ':') ||
	    !vmsi_scan_hex(scan, &minor_number) || !vmsi_scan_char(scan, ' ') ||
	    !vmsi_scan_decimal(scan, &info->inode))
		return false;
	if (major_number > UINT32_MAX || minor_number > UINT32_MAX)
		return false;
	info->device = makedev((unsigned)major_number, (unsigned)minor_number);
	return true;
}

/* "START-END RIGHTS OFFSET MAJOR:MINOR INODE    LABEL" */
static int parse_first_line(const struct vmsi_line *line,
			    struct vms_mapping_info *info)
{
	struct vmsi_scan scan = vmsi_scan_line(line);

	*info = (struct vms_mapping_info){ .struct_size = info->struct_size };
	if (!scan_range(&scan, info) || !vmsi_scan_char(&scan, ' ') ||
	    !scan_rights(&scan, info) || !vmsi_scan_char(&scan, ' ') ||
	    !scan_file(&scan, info))
		return -EPROTO;
	if (vmsi_scan_left(&scan) > 0 && !vmsi_scan_char(&scan, ' '))
		return -EPROTO;
	vmsi_scan_blanks(&scan);
	vmsi_label_take(info, scan);
	return 0;
}

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

/* What only all the lines of a mapping together tell. */
static int finish(struct vms_mapping_info *info, const struct figures *figures)
{
	info->page_size = (size_t)figures->page_size;
	if (figures->accounted)
		info->committed = info->length;
	vmsi_label_classify(info);
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

int vmsi_smaps_next(struct vmsi_lines *lines, struct vms_mapping_info *info)
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
	*info = next;
	return 1;
}
