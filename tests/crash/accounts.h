/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_ACCOUNTS_H
#define VMSI_TESTS_ACCOUNTS_H

#include <stdatomic.h>
#include <stdint.h>

#include <vmspace/file.h>

/*
 * A file of accounts, a page each, between which threads move money: the sum never
 * changes. Each thread counts its transfers in the file, too, in the same update.
 */

#define THREADS 4
#define ACCOUNTS 24
#define MONEY 1000000u

/* In memory that the processes of a test share. */
struct progress {
	_Atomic uint64_t acknowledged[THREADS]; /* transfers whose commit returned 0 */
	_Atomic uint64_t readings;              /* by a reader, of a whole file */
	_Atomic uint32_t stop;
	_Atomic uint32_t wrong;
};

/* How the program's stores are known: see VMS_FILE_TELLS. */
enum knowing { TELLS, PROTECTED, STALLED, KNOWINGS };

/* Open the accounts, and make them if there are none. Not NULL, or the test fails. */
vms_file *accounts_open(const char *path, enum knowing knowing);

/*
 * Transfers of all threads until progress->stop. Returns what went wrong, NULL: nothing.
 */
const char *accounts_transfer(vms_file *file, struct progress *progress,
			      uint64_t seed);

/*
 * Whether the sum is right, and each thread's transfers are as many as were
 * acknowledged, or one more. NULL: all is well.
 */
const char *accounts_check(vms_file *file, const struct progress *progress);

/* Read whole files until progress->stop, as another process. */
const char *accounts_read(const char *path, struct progress *progress);

#endif
