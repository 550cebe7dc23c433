/* SPDX-License-Identifier: MIT */
#include "../../outcome.h"

/* mseal through syscall(2), and what sealed memory refuses. */

static int seal(void *address, size_t length)
{
	return (int)syscall(SYS_mseal, address, length, 0L);
}

static void arguments(void)
{
	char *memory = anonymous(4);

	outcome("flags", syscall(SYS_mseal, memory, page, 1L));
	outcome("unaligned", seal(memory + 1, page));
	outcome("wraps", seal(memory, SIZE_MAX - 1));
	outcome("nothing", seal(memory, 0));
	munmap(memory + 2 * page, page);
	outcome("over a hole", seal(memory, 4 * page));
	outcome("nothing sealed", munmap(memory, page));
	outcome("hole", seal(memory, page));
	outcome("hole at the end", seal(memory + page, 2 * page));
}

static void refusals(int prot, int flags)
{
	char *memory = must(mmap(NULL, 8 * page, prot, flags, -1, 0));
	char *other = anonymous(8);
	int fixed = MREMAP_MAYMOVE | MREMAP_FIXED;

	outcome("seal", seal(memory + 2 * page, 2 * page));
	outcome("again", seal(memory + 2 * page, 2 * page));
	outcome("munmap", munmap(memory + 2 * page, page));
	outcome("munmap around", munmap(memory, 8 * page));
	outcome("still there", mincore(memory, 8 * page,
				       (unsigned char[8]){ 0 }));
	outcome("mprotect", mprotect(memory + 3 * page, page, PROT_NONE));
	outcome("mprotect around", mprotect(memory, 8 * page, PROT_READ));
	outcome("mprotect before", mprotect(memory, 2 * page, prot));
	mapped("map over", mmap(memory + page, 2 * page, RW, ANON | MAP_FIXED,
				-1, 0));
	mapped("move away", mremap(memory + 2 * page, page, page, fixed,
				   other));
	mapped("move onto", mremap(other, page, page, fixed,
				   memory + 3 * page));
	mapped("shrink", mremap(memory + 2 * page, 2 * page, page, 0));
	mapped("grow", mremap(memory + 2 * page, 2 * page, 3 * page,
			      MREMAP_MAYMOVE));
	mapped("same size", mremap(memory + 2 * page, 2 * page, 2 * page, 0));
	outcome("dontneed", madvise(memory + 2 * page, page, MADV_DONTNEED));
	outcome("free", madvise(memory + 2 * page, page, MADV_FREE));
	outcome("wipeonfork", madvise(memory + 2 * page, page,
				      MADV_WIPEONFORK));
	outcome("willneed", madvise(memory + 2 * page, page, MADV_WILLNEED));
	outcome("mlock", mlock(memory + 2 * page, page));
	outcome("munlock", munlock(memory + 2 * page, page));
	outcome("msync", msync(memory + 2 * page, page, MS_SYNC));
	outcome("neighbour", munmap(memory + 4 * page, page));
	outcome("neighbour before", munmap(memory, 2 * page));
}

static void several_moves(void)
{
	char *memory = anonymous(6);
	char *target = anonymous(6);

	if (!kernel_moves_several())
		return;
	memset(memory, 's', 6 * page);
	mprotect(memory + 2 * page, 2 * page, PROT_READ);
	outcome("seal the middle", seal(memory + 2 * page, 2 * page));
	mapped("move all", mremap(memory, 6 * page, 6 * page, MREMAP_MAYMOVE |
				  MREMAP_FIXED, target));
	reads("first has moved", target);
	reads("and left", memory);
	reads("sealed has not", target + 2 * page);
	reads("last has not", target + 4 * page);
}

int main(void)
{
	begin();
	arguments();
	refusals(RW, ANON);
	refusals(PROT_READ, ANON);
	refusals(RW, SHARED_ANON);
	several_moves();
	return 0;
}
