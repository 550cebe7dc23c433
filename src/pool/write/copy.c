/* SPDX-License-Identifier: MIT */
#include "pool/write/copy.h"

#include <string.h>

#include "base/tsan.h"

/* A sanitizer takes a plain store that waits in a fault for done before that. */
#if VMSI_HAS_TSAN
__attribute__((no_sanitize("thread"), noinline))
void vmsi_copy_bytes(char *to, const char *from, size_t size)
{
	for (size_t i = 0; i < size; i += sizeof(uint64_t))
		*(volatile uint64_t *)(to + i) = *(const volatile uint64_t *)(from + i);
}
#else
void vmsi_copy_bytes(char *to, const char *from, size_t size)
{
	memcpy(to, from, size);
}
#endif

/*
 * A page that plain pointers store to: from now on a store makes it dirty. It is not dirty
 * before it is protected, so that a store in between is in the copy, or makes it so.
 */
static int protect_page(struct vms_pool *pool, uint64_t page)
{
	uint64_t *word = vmsi_pool_word(pool, page);
	const uintptr_t start = (uintptr_t)vmsi_pool_at(pool, page, 0);
	int error;

	if (!vmsi_word_begin_writing_stored(word))
		return -EBUSY;
	error = vmsi_pager_set_stores(&pool->pager,
				      (struct vmsi_range){ start, start + pool->page_size },
				      VMSI_STORES_FAULT);
	if (error)
		vmsi_word_abort_writing_stored(word);
	else
		vmsi_word_end_turn(word, 0);
	return error ? -ENOMEM : 0;
}

int vmsi_copy_begin(struct vms_pool *pool, uint64_t page, uint64_t seen, char *to)
{
	int error = 0;

	if (vmsi_pool_has(pool, VMS_POOL_TRANSPARENT))
		error = protect_page(pool, page);
	if (error)
		(void)vmsi_word_unlock(vmsi_pool_word(pool, page),
				       pool->view.version_shift);
	else
		vmsi_copy_bytes(to, vmsi_pool_at_word(pool, page, seen), pool->page_size);
	return error;
}

void vmsi_copy_end(struct vms_pool *pool, uint64_t page)
{
	uint64_t *word = vmsi_pool_word(pool, page);

	if (vmsi_pool_has(pool, VMS_POOL_TRANSPARENT))
		(void)vmsi_word_unlock(word, pool->view.version_shift);
	else
		vmsi_word_begin_writing(word);
}
