/* SPDX-License-Identifier: MIT */
#include "procfs/meminfo.h"

#include <errno.h>

#include "text/fields.h"

#define COUNT(key, member) VMSI_FIELD(COUNT, struct vmsi_meminfo, key, member)
#define KIB(key, member) VMSI_FIELD(KIB, struct vmsi_meminfo, key, member)

/* The SEEN_ bits below are of the first five. */
static const struct vmsi_field table[] = {
	KIB("MemTotal", ram),
	KIB("MemFree", ram_free),
	KIB("CommitLimit", commit_limit),
	KIB("Committed_AS", committed),
	KIB("Hugetlb", hugetlb),
	KIB("MemAvailable", ram_available),
	KIB("Shmem", shared),
	KIB("SwapTotal", swap),
	KIB("SwapFree", swap_free),
	KIB("Hugepagesize", huge_page_size),
	COUNT("HugePages_Total", huge_pages),
	COUNT("HugePages_Free", huge_pages_free),
	COUNT("HugePages_Rsvd", huge_pages_reserved),
};

#define SEEN_ALWAYS 0x03u  /* MemTotal, MemFree */
#define SEEN_COMMIT 0x0cu  /* CommitLimit, Committed_AS */
#define SEEN_HUGETLB 0x10u /* Hugetlb */

int vmsi_meminfo_read(struct vmsi_lines *lines, struct vmsi_meminfo *meminfo)
{
	struct vmsi_meminfo figures = { 0 };
	uint64_t seen;
	int error = vmsi_fields_read(lines, table,
				     sizeof(table) / sizeof(table[0]),
				     &figures, &seen);

	if (error)
		return error;
	if ((seen & SEEN_ALWAYS) != SEEN_ALWAYS)
		return -EPROTO;
	figures.tells_commit = (seen & SEEN_COMMIT) == SEEN_COMMIT;
	figures.tells_hugetlb = (seen & SEEN_HUGETLB) != 0;
	*meminfo = figures;
	return 0;
}
