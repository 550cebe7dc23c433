/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_COMMIT_FIGURES_H
#define VMSI_CLI_COMMIT_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

#include "procfs/meminfo.h"

/*
 * The kernel's commit limit and what is left of it, computed as mm/util.c does
 * (vm_commit_limit, __vm_enough_memory) from numbers that the caller has read.
 * Nothing here makes a system call.
 */

/* A number, or the reason why it is not known. */
struct vmsi_reading {
	int error; /* 0: it is known; or -errno */
	uint64_t value;
};

/* Whether this process may use the memory of vm.admin_reserve_kbytes. */
enum vmsi_exemption {
	VMSI_EXEMPT_NO,
	VMSI_EXEMPT_YES, /* CAP_SYS_ADMIN in the initial user namespace */
	VMSI_EXEMPT_UNKNOWN,
};

/* Files of /proc/sys/vm, each with one number. */
enum vmsi_vm_setting {
	VMSI_OVERCOMMIT_MEMORY, /* enum vmsi_commit_mode */
	VMSI_OVERCOMMIT_RATIO,  /* percent */
	VMSI_OVERCOMMIT_KBYTES,
	VMSI_ADMIN_RESERVE, /* KiB */
	VMSI_USER_RESERVE,  /* KiB */
	VMSI_VM_SETTINGS,
};

/* The numbers as the kernel tells them. */
struct vmsi_commit_sources {
	uint64_t page_size;
	struct vmsi_reading settings[VMSI_VM_SETTINGS];
	int meminfo_error; /* of reading meminfo; 0 or -errno */
	struct vmsi_meminfo meminfo;
	enum vmsi_exemption exemption;
	bool is_supposed; /* some are not the kernel's: its own sum is of no use */
};

enum vmsi_commit_mode {
	VMSI_MODE_HEURISTIC, /* the sum does not count, only the size of a request */
	VMSI_MODE_ALWAYS,    /* every request is granted */
	VMSI_MODE_STRICT,    /* the sum has a limit */
	VMSI_MODE_UNKNOWN,
};

/* The setting that says how much of RAM goes into the limit. */
enum vmsi_commit_basis {
	VMSI_BASIS_RATIO,  /* a percentage of RAM without huge pages */
	VMSI_BASIS_KBYTES, /* an amount, whatever the RAM */
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

/* How much is left below a limit, or how much is committed above it. */
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
 * The page is subtracted since the kernel grants a request only while the sum stays
 * below the limit. Of the user's reserve it takes 1/32 of what the process has mapped
 * where that is less: next to nothing from a small process, and all of it from one
 * that has mapped large_size.
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
	/* RAM and swap: mode 0 refuses a single request that is larger. */
	struct vmsi_reading largest_request;
	struct vmsi_commit_limit limit;
	struct vmsi_commit_left left;
};

struct vmsi_commit_figures
vmsi_commit_work_out(const struct vmsi_commit_sources *sources);

/*
 * What mode 2 leaves, or would leave, for a process that has mapped so much: of the
 * user's reserve it takes the part that this process must leave.
 */
struct vmsi_balance vmsi_commit_left_for(const struct vmsi_commit_left *left,
					 enum vmsi_exemption exemption,
					 uint64_t mapped);

/* Whether kernel and sum are both known and differ. */
bool vmsi_commit_limits_differ(const struct vmsi_commit_limit *limit);

#endif
