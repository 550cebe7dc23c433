/* SPDX-License-Identifier: MIT */
#include "procfs/smaps.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "base/align.h"
#include "text/fields.h"
#include "text/maps.h"

/* What is read of the lines that follow a mapping's first line. */
struct figures {
	uint64_t page_size;
	uint64_t resident;        /* without the pages of hugetlb */
	uint64_t hugetlb_shared;
	uint64_t hugetlb_private;
	bool has_resident;
	bool accounted;
};

static const struct vmsi_field table[] = {
	VMSI_FIELD(KIB, struct figures, "Rss", resident),
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

#define DELETED " (deleted)"

/* Set the mapping's name to the length bytes at text, and clear its path. */
static void set_name(struct vms_mapping_info *info, const char *text,
		     size_t length)
{
	if (length > VMS_NAME_MAX)
		length = VMS_NAME_MAX;
	memcpy(info->name, text, length);
	info->name[length] = '\0';
	info->path[0] = '\0';
	info->flags |= VMS_MAPPING_ANONYMOUS;
}

/*
 * The kernel shows a name that a program gave as "[anon:NAME]" or
 * "[anon_shmem:NAME]"; the mapping gets NAME. Names of the kernel ("[heap]",
 * "[vdso]") keep their brackets, which a program's name cannot have.
 */
static bool take_given_name(struct vms_mapping_info *info, const char *prefix)
{
	size_t skipped = strlen(prefix);
	size_t length = strlen(info->path);

	if (strncmp(info->path, prefix, skipped) != 0 ||
	    info->path[length - 1] != ']')
		return false;
	set_name(info, info->path + skipped, length - skipped - 1);
	return true;
}

static bool take_bracketed(struct vms_mapping_info *info)
{
	if (info->path[0] != '[')
		return false;
	if (take_given_name(info, "[anon_shmem:"))
		return true;
	/* With an inode, it is a file whose path begins with a bracket. */
	if (info->inode != 0)
		return false;
	if (!take_given_name(info, "[anon:"))
		set_name(info, info->path, strlen(info->path));
	return true;
}

/* Whether the kernel made the file itself, and shows it by this label. */
static bool is_made_up(const struct vms_mapping_info *info, const char *label)
{
	return major(info->device) == 0 && strcmp(info->path, label) == 0;
}

/* Whether the path is of a System V segment: "/SYSV" and a key of 8 digits. */
static bool is_system_v(const struct vms_mapping_info *info)
{
	static const char prefix[] = "/SYSV";
	const char *key = info->path + sizeof(prefix) - 1;

	return major(info->device) == 0 &&
		(info->flags & VMS_MAPPING_SHARED) != 0 &&
		strncmp(info->path, prefix, sizeof(prefix) - 1) == 0 &&
		strspn(key, "0123456789abcdef") == 8 &&
		strcmp(key + 8, DELETED) == 0;
}

static void take_made_up(struct vms_mapping_info *info)
{
	bool shared = (info->flags & VMS_MAPPING_SHARED) != 0;
	bool huge = (info->flags & VMS_MAPPING_HUGETLB) != 0;

	if ((shared && is_made_up(info, "/dev/zero" DELETED)) ||
	    (huge && is_made_up(info, "/anon_hugepage" DELETED)))
		set_name(info, "", 0);
	else if (is_system_v(info))
		set_name(info, info->path, strlen("/SYSV00000000"));
}

/*
 * Decide whether the label in info->path is a path or a name, and set path, name
 * and VMS_MAPPING_ANONYMOUS. It needs the mapping's other members.
 */
static void classify(struct vms_mapping_info *info)
{
	if (info->path[0] == '\0')
		info->flags |= VMS_MAPPING_ANONYMOUS;
	else if (!take_bracketed(info))
		take_made_up(info);
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
