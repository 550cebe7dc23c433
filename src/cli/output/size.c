/* SPDX-License-Identifier: MIT */
#include "cli/output/size.h"

/* Digits of a size below 10 TB, and a space in front of them. */
#define EXACT_WIDTH 14

static enum vmsi_size_style style = VMSI_SIZE_HUMAN;

void vmsi_tell_bytes(void)
{
	style = VMSI_SIZE_BYTES;
}

struct vmsi_size_text vmsi_told_size(uint64_t bytes)
{
	return vmsi_size_text(bytes, style);
}

int vmsi_told_width(int rounded)
{
	return style == VMSI_SIZE_BYTES ? EXACT_WIDTH : rounded;
}
