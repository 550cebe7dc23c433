/* SPDX-License-Identifier: MIT */
#include "procfs/status.h"

#include <errno.h>

#include "text/fields.h"

#define COUNT(key, member) VMSI_FIELD(COUNT, struct vmsi_status, key, member)
#define KIB(key, member) VMSI_FIELD(KIB, struct vmsi_status, key, member)
#define HEX(key, member) VMSI_FIELD(HEX, struct vmsi_status, key, member)

/* The SEEN_ bits below are of the first four. */
static const struct vmsi_field table[] = {
	COUNT("Tgid", thread_group),
	COUNT("PPid", parent),
	COUNT("Threads", threads),
	KIB("VmSize", mapped),
	KIB("VmPeak", mapped_peak),
	KIB("VmRSS", resident),
	KIB("VmHWM", resident_peak),
	KIB("RssAnon", resident_anonymous),
	KIB("RssFile", resident_file),
	KIB("RssShmem", resident_shared),
	KIB("VmLck", locked),
	KIB("VmData", data),
	KIB("VmStk", stack),
	KIB("VmPTE", page_tables),
	KIB("VmSwap", swapped),
	KIB("HugetlbPages", hugetlb),
	HEX("CapEff", capabilities),
};

#define SEEN_ALWAYS 0x7u /* Tgid, PPid, Threads */
#define SEEN_MAPPED 0x8u /* VmSize */

int vmsi_status_read(struct vmsi_lines *lines, struct vmsi_status *status,
		     enum vmsi_status_memory *memory)
{
	struct vmsi_status figures = { 0 };
	uint64_t seen;
	int error = vmsi_fields_read(lines, table,
				     sizeof(table) / sizeof(table[0]),
				     &figures, &seen);

	if (error)
		return error;
	if ((seen & SEEN_ALWAYS) != SEEN_ALWAYS)
		return -EPROTO;
	*status = figures;
	*memory = seen & SEEN_MAPPED ? VMSI_STATUS_HAS_MEMORY :
				       VMSI_STATUS_NO_MEMORY;
	return 0;
}
