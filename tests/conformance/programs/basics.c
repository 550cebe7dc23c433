/* SPDX-License-Identifier: MIT */
#include "../../outcome.h"

/* Every hooked function, on memory that the program asked for and on memory of others. */

static void hints(void)
{
	char *memory = anonymous(8);

	munmap(memory + 2 * page, page);
	mapped_at("free hint", mmap(memory + 2 * page, page, RW, ANON, -1, 0),
		  memory + 2 * page);
	munmap(memory + 2 * page, page);
	mapped_at("unaligned hint",
		  mmap(memory + 2 * page + 5, page, RW, ANON, -1, 0),
		  memory + 2 * page);
	mapped_at("busy hint", mmap(memory, page, RW, ANON, -1, 0), memory);
	mapped_at("hint below a page", mmap((void *)7, page, RW, ANON, -1, 0),
		  (void *)7);
	mapped("hint far away",
	       mmap((void *)0x10000000, page, RW, ANON, -1, 0));
}

static void fixed(void)
{
	char *memory = anonymous(4);

	strcpy(memory + page, "old");
	mapped_at("fixed", mmap(memory + page, page, RW, ANON | MAP_FIXED, -1,
				0), memory + page);
	reads("fixed replaces", memory + page);
	mapped("fixed unaligned",
	       mmap(memory + 1, page, RW, ANON | MAP_FIXED, -1, 0));
	mapped("noreplace busy", mmap(memory, page, RW,
				      ANON | MAP_FIXED_NOREPLACE, -1, 0));
	munmap(memory, page);
	mapped_at("noreplace free",
		  mmap(memory, page, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0),
		  memory);
	mapped("fixed at the top",
	       mmap((void *)(UINTPTR_MAX - 2 * page + 1), page, RW,
		    ANON | MAP_FIXED, -1, 0));
	mapped_at("fixed outside",
		  mmap((void *)0x20000000, page, RW, ANON | MAP_FIXED, -1, 0),
		  (void *)0x20000000);
	outcome("unmap outside", munmap((void *)0x20000000, page));
}

static void refused_maps(void)
{
	int fd = lettered_file(1);

	mapped("length 0", mmap(NULL, 0, RW, ANON, -1, 0));
	mapped("neither kind", mmap(NULL, page, RW, MAP_ANONYMOUS, -1, 0));
	mapped("bad descriptor", mmap(NULL, page, RW, MAP_PRIVATE, -1, 0));
	mapped("bad descriptor, length 0",
	       mmap(NULL, 0, RW, MAP_PRIVATE, -1, 0));
	mapped("unaligned offset", mmap(NULL, page, RW, MAP_PRIVATE, fd, 3));
	mapped("unaligned offset, anonymous",
	       mmap(NULL, page, RW, ANON, -1, 3));
	mapped("too large", mmap(NULL, SIZE_MAX - page, RW, ANON, -1, 0));
	mapped("larger than the space",
	       mmap(NULL, (size_t)1 << 46, PROT_NONE, ANON | MAP_NORESERVE, -1,
		    0));
	close(fd);
}

static void offsets(void)
{
	int fd = lettered_file(3);
	char *memory = must(mmap64(NULL, page, PROT_READ, MAP_SHARED, fd,
				   (off_t)(2 * page)));

	reads("mmap64 at an offset", memory);
	outcome("unmap", munmap(memory, page));
	reads("unmapped", memory);
	close(fd);
}

/* Memory that libc, the loader or the kernel made. */
static void foreign(void)
{
	char *heap = aligned_alloc(page, 4 * page);
	unsigned char vector[4];

	outcome("mprotect malloc", mprotect(heap, page, PROT_READ));
	writes("write it", heap);
	outcome("mprotect back", mprotect(heap, page, RW));
	writes("write it again", heap);
	outcome("madvise malloc", madvise(heap, 4 * page, MADV_DONTNEED));
	reads("gone", heap);
	outcome("mincore malloc", mincore(heap, 4 * page, vector));
	outcome("mlock malloc", mlock(heap + 5, page));
	outcome("munlock malloc", munlock(heap + 5, page));
	outcome("msync malloc", msync(heap, page, MS_SYNC));
	free(heap);

	char *large = malloc((size_t)4 << 20);

	mapped("mremap malloc in place",
	       mremap(large - 16, page, page, MREMAP_MAYMOVE));
	free(large);
	outcome("unmap nothing", munmap((void *)0x30000000, page));
	outcome("unmap unaligned", munmap((void *)0x30000001, page));
}

static void calls(void)
{
	char *memory = anonymous(8);
	unsigned char vector[8] = { 0 };

	memset(memory, 'x', 8 * page);
	outcome("mprotect", mprotect(memory, page, PROT_READ));
	writes("write read-only", memory);
	outcome("mprotect to the end", mprotect(memory, 8 * page, RW));
	outcome("mincore", mincore(memory, 8 * page, vector));
	say("mincore says", "%d %d", vector[0] & 1, vector[7] & 1);
	outcome("mincore of no room", mincore(memory, page, (void *)1));
	outcome("madvise", madvise(memory, page, MADV_DONTNEED));
	reads("dontneed", memory);
	outcome("madvise unknown", madvise(memory, page, 12345));
	say("posix_madvise dontneed", "%d",
	    posix_madvise(memory + page, page, POSIX_MADV_DONTNEED));
	reads("keeps", memory + page);
	say("posix_madvise", "%d",
	    posix_madvise(memory, 8 * page, POSIX_MADV_SEQUENTIAL));
	munmap(memory + 3 * page, page);
	errno = 77;
	say("posix_madvise over a hole", "%d",
	    posix_madvise(memory, 8 * page, POSIX_MADV_RANDOM));
	say("posix_madvise unaligned", "%d",
	    posix_madvise(memory + 1, page, POSIX_MADV_RANDOM));
	say("posix_madvise and errno", "%d", errno);
	outcome("mprotect over a hole", mprotect(memory, 8 * page, PROT_READ));
	writes("before the hole", memory);
	writes("behind the hole", memory + 4 * page);
	outcome("msync over a hole", msync(memory, 8 * page, MS_SYNC));
	outcome("msync both", msync(memory, page, MS_SYNC | MS_ASYNC));
	outcome("mincore over a hole", mincore(memory, 8 * page, vector));
	outcome("mlock over a hole", mlock(memory, 8 * page));
	outcome("munlock over a hole", munlock(memory, 8 * page));
	outcome("mlock2 unknown flag", mlock2(memory, page, 8));
	outcome("mlock2", mlock2(memory, page, MLOCK_ONFAULT));
	outcome("dontneed locked", madvise(memory, page, MADV_DONTNEED));
	outcome("munlock", munlock(memory, page));
	outcome("pkey_mprotect without a key",
		pkey_mprotect(memory, page, RW, -1));
	outcome("pkey_mprotect of a bad key",
		pkey_mprotect(memory, page, PROT_NONE, 999));
	writes("is as before", memory);
	outcome("munmap unaligned", munmap(memory + 1, page));
	outcome("munmap of 0", munmap(memory, 0));
	outcome("munmap over a hole", munmap(memory, 8 * page));
}

static void errno_is_kept(void)
{
	char *memory;
	unsigned char vector[2];

	errno = 4711;
	memory = anonymous(2);
	mprotect(memory, page, PROT_READ);
	mprotect(memory, page, RW);
	madvise(memory, page, MADV_NORMAL);
	msync(memory, page, MS_ASYNC);
	mlock(memory, page);
	munlock(memory, page);
	mincore(memory, 2 * page, vector);
	memory = mremap(memory, 2 * page, 64 * page, MREMAP_MAYMOVE);
	munmap(memory, 64 * page);
	say("errno after successes", "%d", errno);
}

int main(void)
{
	begin();
	hints();
	fixed();
	refused_maps();
	offsets();
	foreign();
	calls();
	errno_is_kept();
	return 0;
}
