/* SPDX-License-Identifier: MIT */
#include "host/shadow.h"

#include <sys/prctl.h>
#include <sys/syscall.h>

#include "host/raw.h"

#ifndef SYS_map_shadow_stack
#define SYS_map_shadow_stack 453
#endif
#ifndef PR_GET_SHADOW_STACK_STATUS
#define PR_GET_SHADOW_STACK_STATUS 74
#endif
#ifndef ARCH_SHSTK_STATUS
#define ARCH_SHSTK_STATUS 0x5005
#endif

long vmsi_raw_map_shadow_stack(uintptr_t address, size_t length, unsigned flags)
{
	return vmsi_raw_call(SYS_map_shadow_stack, (long)address, (long)length,
			     flags, 0, 0, 0);
}

long vmsi_raw_shadow_stack_status(uint64_t *features)
{
#ifdef __x86_64__
	return vmsi_raw_call(SYS_arch_prctl, ARCH_SHSTK_STATUS, (long)features, 0,
			     0, 0, 0);
#else
	return vmsi_raw_call(SYS_prctl, PR_GET_SHADOW_STACK_STATUS,
			     (long)features, 0, 0, 0, 0);
#endif
}
