/* SPDX-License-Identifier: MIT */
#include "procfs/smaps_label.h"

#include <stdbool.h>
#include <string.h>
#include <sys/sysmacros.h>

#define DELETED " (deleted)"

void vmsi_label_take(struct vms_mapping_info *info, struct vmsi_scan label)
{
	static const char newline[] = "\\012";
	size_t length = 0;

	while (label.at < label.end && length < sizeof(info->path) - 1) {
		if (vmsi_scan_left(&label) >= sizeof(newline) - 1 &&
		    memcmp(label.at, newline, sizeof(newline) - 1) == 0) {
			info->path[length++] = '\n';
			label.at += sizeof(newline) - 1;
		} else {
			info->path[length++] = *label.at++;
		}
	}
	info->path[length] = '\0';
}

/* Make the length bytes at text the mapping's name, and its path nothing. */
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
 * "[anon:NAME]" and "[anon_shmem:NAME]" are names that a program gave: NAME.
 * Other bracketed ones ("[heap]", "[vdso]") are the kernel's and keep their
 * brackets, which no program can have in a name.
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
	/* A file's label may begin with a bracket too, if hardly ever. */
	if (info->inode != 0)
		return false;
	if (!take_given_name(info, "[anon:"))
		set_name(info, info->path, strlen(info->path));
	return true;
}

/* Whether the kernel made up the file: it lives on a mount of its own. */
static bool is_made_up(const struct vms_mapping_info *info, const char *label)
{
	return major(info->device) == 0 && strcmp(info->path, label) == 0;
}

/* "/SYSV" and the segment's key, eight digits. */
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

void vmsi_label_classify(struct vms_mapping_info *info)
{
	if (info->path[0] == '\0')
		info->flags |= VMS_MAPPING_ANONYMOUS;
	else if (!take_bracketed(info))
		take_made_up(info);
	/* Anonymous huge pages have a file inside the kernel, hence an offset. */
	if ((info->flags & VMS_MAPPING_ANONYMOUS) != 0 &&
	    (info->flags & VMS_MAPPING_SHARED) == 0)
		info->offset = 0;
}
