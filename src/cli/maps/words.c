/* SPDX-License-Identifier: MIT */
#include "cli/maps/words.h"

#include <stddef.h>
#include <sys/mman.h>

#include <vmspace.h>

const struct vmsi_flag_word vmsi_flag_words[] = {
	{ VMS_MAPPING_NORESERVE, "noreserve" },
	{ VMS_MAPPING_LOCKED, "locked" },
	{ VMS_MAPPING_GROWSDOWN, "growsdown" },
	{ VMS_MAPPING_HUGETLB, "hugetlb" },
	{ VMS_MAPPING_HUGE_FALLBACK, "hugefallback" },
	{ VMS_MAPPING_SEALED, "sealed" },
	{ VMS_MAPPING_DONTFORK, "dontfork" },
	{ VMS_MAPPING_WIPEONFORK, "wipeonfork" },
	{ VMS_MAPPING_DONTDUMP, "dontdump" },
	{ VMS_MAPPING_MERGEABLE, "mergeable" },
	{ VMS_MAPPING_HUGEPAGE, "hugepage" },
	{ VMS_MAPPING_NOHUGEPAGE, "nohugepage" },
	{ 0, NULL },
};

struct vmsi_prot_text vmsi_prot_text(int prot)
{
	return (struct vmsi_prot_text){ {
		prot & PROT_READ ? 'r' : '-',
		prot & PROT_WRITE ? 'w' : '-',
		prot & PROT_EXEC ? 'x' : '-',
		'\0',
	} };
}
