/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_COMMIT_FIGURES_H
#define VMSI_CLI_COMMIT_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

#include "procfs/meminfo.h"

/*
 * How the kernel's overcommit accounting stands, worked out of what it tells
 * (vm_commit_limit and __vm_enough_memory of mm/util.c). No calls: the numbers
 * come in as data.
 */

/* A number, or why it is not known. */
struct vmsi_reading {
	int error; /* 0: it is known; or -errno */
	uint64_t value;
};

/* Whether some process may use the reserve of the administrator. */
enum vmsi_exemption {
	VMSI_EXEMPT_NO,
	VMSI_EXEMPT_YES, /* CAP_SYS_ADMIN in the initial user namespace */
	VMSI_EXEMPT_UNKNOWN,
};

/* The files of /proc/sys/vm that matter; each is a number. */
enum vmsi_vm_setting {
	VMSI_OVERCOMMIT_MEMORY, /* enum vmsi_commit_mode */
	VMSI_OVERCOMMIT_RATIO,  /* percent */
	VMSI_OVERCOMMIT_KBYTES,
	VMSI_ADMIN_RESERVE, /* KiB */
	VMSI_USER_RESERVE,  /* KiB */
	VMSI_VM_SETTINGS,
};

/* What the kernel tells. */
struct vmsi_commit_sources {
	uint64_t page_size;
	struct vmsi_reading settings[VMSI_VM_SETTINGS];
	int meminfo_error; /* of reading meminfo; 0 or -errno */
	struct vmsi_meminfo meminfo;
	enum vmsi_exemption exemption;
};

enum vmsi_commit_mode {
	VMSI_MODE_HEURISTIC, /* each request is looked at by itself */
	VMSI_MODE_ALWAYS,    /* every request is granted */
	VMSI_MODE_STRICT,    /* the sum has a limit */
	VMSI_MODE_UNKNOWN,
};

/* What share of RAM goes into the limit. */
enum vmsi_commit_basis {
	VMSI_BASIS_RATIO,  /* part of RAM without huge pages */
	VMSI_BASIS_KBYTES, /* so much, whatever the RAM */
	VMSI_BASIS_UNKNOWN,
};

/*
 * The limit, step by step: with a ratio
 *
 *	ram - huge_pages = usable,  usable * ratio / 100 = share
 *
 * and share + swap = sum. share is rounded down to whole pages.
 */
struct vmsi_commit_limit {
	enum vmsi_commit_basis basis;
	struct vmsi_reading ram;
	struct vmsi_reading huge_pages;
	struct vmsi_reading usable;
	struct vmsi_reading ratio; /* percent */
	struct vmsi_reading share;
	struct vmsi_reading swap;
	struct vmsi_reading sum;
	struct vmsi_reading kernel; /* the kernel's own sum */
};

/* What is left below a limit, or by how much it is passed. */
struct vmsi_balance {
	int error; /* 0: it is known; or -errno */
	bool passed;
	uint64_t bytes;
};

/*
 * What mode 2 leaves, or would leave:
 *
 *	limit - admin_taken - committed - page = small
 *	small - user_reserve = large
 *
 * The last page is because the sum must stay below the limit. The user's
 * reserve is a 32nd of what the process has mapped, if that is less: next to
 * nothing for a small process, all of it from large_size on.
 */
struct vmsi_commit_left {
	struct vmsi_reading limit; /* the kernel's, or else the sum */
	struct vmsi_reading admin_reserve;
	struct vmsi_reading admin_taken; /* 0 where exempt */
	enum vmsi_exemption exemption;
	struct vmsi_reading committed;
	uint64_t page;
	struct vmsi_balance small;
	struct vmsi_reading user_reserve;
	struct vmsi_reading large_size;
	struct vmsi_balance large;
};

/* In bytes, unless said otherwise. */
struct vmsi_commit_figures {
	enum vmsi_commit_mode mode;
	/* What is larger gets ENOMEM in mode 0: RAM and swap. */
	struct vmsi_reading largest_request;
	struct vmsi_commit_limit limit;
	struct vmsi_commit_left left;
};

struct vmsi_commit_figures
vmsi_commit_work_out(const struct vmsi_commit_sources *sources);

/* Whether the kernel's own limit is another than the sum; both are known. */
bool vmsi_commit_limits_differ(const struct vmsi_commit_limit *limit);

#endif
