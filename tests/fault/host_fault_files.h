/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_HOST_FAULT_FILES_H
#define VMSI_TESTS_HOST_FAULT_FILES_H

#include "host_fault.h"

/* What the two files of the failing host share. */

/* The table as it was before fault_install. */
extern struct vmsi_host_calls fault_real;

/* Count a call; the -errno that it is to fail with, 0: it is to be made. */
long fault_decide(enum host_call call);

/* Put the functions of host_fault_files.c into a table. */
void fault_install_files(struct vmsi_host_calls *calls);

#endif
