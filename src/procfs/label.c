/* SPDX-License-Identifier: MIT */
#include "procfs/label.h"

#include <string.h>
#include <sys/sysmacros.h>

#define DELETED " (deleted)"

static bool ends_with(struct vmsi_scan text, const char *suffix)
{
	const size_t length = strlen(suffix);

	return vmsi_scan_left(&text) >= length &&
		memcmp(text.end - length, suffix, length) == 0;
}

bool vmsi_label_is_deleted(struct vmsi_scan *path)
{
	/* A path is more than the remark. */
	if (vmsi_scan_left(path) < sizeof(DELETED) || !ends_with(*path, DELETED))
		return false;
	path->end -= sizeof(DELETED) - 1;
	return true;
}

/*
 * The kernel shows a name that a program gave as "[anon:NAME]" or
 * "[anon_shmem:NAME]". Names of its own ("[heap]", "[vdso]") keep their brackets,
 * which a program's name cannot have.
 */
static bool take_given(struct vmsi_label *label, const char *prefix)
{
	if (!vmsi_scan_begins(&label->text, prefix) || !ends_with(label->text, "]"))
		return false;
	label->kind = VMSI_LABEL_GIVEN;
	label->text.at += strlen(prefix);
	label->text.end--;
	return true;
}

/* With an inode, it is a file whose path begins with a bracket. */
static bool take_bracketed(struct vmsi_label *label, uint64_t inode)
{
	if (*label->text.at != '[')
		return false;
	if (take_given(label, "[anon_shmem:"))
		return true;
	if (inode != 0)
		return false;
	if (!take_given(label, "[anon:"))
		label->kind = VMSI_LABEL_KERNEL;
	return true;
}

/* Whether a path is of a System V segment: "/SYSV" and a key of 8 digits. */
static bool is_system_v(struct vmsi_scan path)
{
	static const char form[] = "/SYSV00000000" DELETED;

	if (!vmsi_scan_begins(&path, "/SYSV") || !ends_with(path, DELETED) ||
	    vmsi_scan_left(&path) != sizeof(form) - 1)
		return false;
	for (path.at += strlen("/SYSV"); *path.at != ' '; path.at++)
		if (!vmsi_is_hex_digit(*path.at))
			return false;
	return true;
}

/* The kernel's own files have no device of a driver's. */
static void take_made_up(struct vmsi_label *label,
			 const struct vmsi_maps_line *line, bool is_huge)
{
	if (major(line->device) != 0)
		return;
	if ((line->is_shared &&
	     vmsi_scan_is(&label->text, "/dev/zero" DELETED)) ||
	    (is_huge && vmsi_scan_is(&label->text, "/anon_hugepage" DELETED))) {
		label->kind = VMSI_LABEL_NONE;
		label->text.end = label->text.at;
	} else if (line->is_shared && is_system_v(label->text)) {
		label->kind = VMSI_LABEL_KERNEL;
		(void)vmsi_label_is_deleted(&label->text);
	}
}

struct vmsi_label vmsi_label_read(const struct vmsi_maps_line *line,
				  bool is_huge)
{
	struct vmsi_label label = { VMSI_LABEL_NONE, line->label };

	if (vmsi_scan_left(&line->label) == 0)
		return label;
	label.kind = VMSI_LABEL_FILE;
	if (!take_bracketed(&label, line->inode))
		take_made_up(&label, line, is_huge);
	return label;
}
