/* SPDX-License-Identifier: MIT */
#include "host/shadow.h"

#include <errno.h>
#include <stdbool.h>
#ifdef __x86_64__
#include <cpuid.h>
#else
#include <sys/auxv.h>
#endif
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

#ifdef __x86_64__
static bool processor_has_them(void)
{
	unsigned a, b, c = 0, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & bit_SHSTK);
}
#else
#define HWCAP_SHADOW_STACKS (1ul << 32) /* HWCAP_GCS */

static bool processor_has_them(void)
{
	return getauxval(AT_HWCAP) & HWCAP_SHADOW_STACKS;
}
#endif

/* Emulators complain of a call that they do not know. */
long vmsi_raw_map_shadow_stack(uintptr_t address, size_t length, unsigned flags)
{
	if (!processor_has_them())
		return -ENOSYS;
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
