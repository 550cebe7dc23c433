/* SPDX-License-Identifier: MIT */
#include "pager/access.h"

#include <ucontext.h>

#if defined(__x86_64__)

/* Of the error code of a page fault. */
#define CODE_STORE 0x2
#define CODE_FETCH 0x10

static unsigned long code_of(const void *context)
{
	return (unsigned long)((const ucontext_t *)context)->uc_mcontext.gregs[REG_ERR];
}

enum vmsi_access vmsi_access_of(const void *context)
{
	return code_of(context) & CODE_STORE ? VMSI_ACCESS_STORE : VMSI_ACCESS_LOAD;
}

bool vmsi_access_is_fetch(const void *context)
{
	return code_of(context) & CODE_FETCH;
}

#elif defined(__aarch64__)

#include <asm/sigcontext.h>

/* Of the syndrome: what happened, and of a data abort that it was a store. */
#define CLASS_SHIFT 26
#define CLASS_FETCH 0x20 /* and 0x21 */
#define CLASS_DATA 0x24  /* and 0x25 */
#define DATA_STORE (1u << 6)

/* 0: the kernel has left none. */
static uint64_t syndrome_of(const void *context)
{
	const mcontext_t *machine = &((const ucontext_t *)context)->uc_mcontext;
	const char *next = (const char *)machine->__reserved;
	const char *end = next + sizeof(machine->__reserved);

	while (next + sizeof(struct _aarch64_ctx) <= end) {
		const struct _aarch64_ctx *head = (const struct _aarch64_ctx *)next;

		if (head->magic == ESR_MAGIC)
			return ((const struct esr_context *)next)->esr;
		if (head->magic == 0 || head->size == 0)
			break;
		next += head->size;
	}
	return 0;
}

static unsigned class_of(uint64_t syndrome)
{
	return (unsigned)(syndrome >> CLASS_SHIFT) & 0x3e;
}

enum vmsi_access vmsi_access_of(const void *context)
{
	const uint64_t syndrome = syndrome_of(context);

	if (class_of(syndrome) != CLASS_DATA)
		return VMSI_ACCESS_UNKNOWN;
	return syndrome & DATA_STORE ? VMSI_ACCESS_STORE : VMSI_ACCESS_LOAD;
}

bool vmsi_access_is_fetch(const void *context)
{
	return class_of(syndrome_of(context)) == CLASS_FETCH;
}

#endif
