/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SIZE_H
#define VMSI_CLI_SIZE_H

#include "text/size.h"

/*
 * Sizes as they are told to people. The user chooses the style once, for all that a
 * command writes: rounded, or exact by --bytes.
 */

/* From now on sizes are told in bytes. */
void vmsi_tell_bytes(void);

struct vmsi_size_text vmsi_told_size(uint64_t bytes);

/* The width of a column of them: as given for rounded ones, or what exact ones need. */
int vmsi_told_width(int rounded);

#endif
