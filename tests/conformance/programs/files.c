/* SPDX-License-Identifier: MIT */
#include "../../outcome.h"

#include <fcntl.h>
#include <linux/memfd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif

/* Files, and everything else that has a descriptor. */

static void rights(void)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR, O_PATH };
	char path[] = "/tmp/vmspace-rehome-XXXXXX";
	int fd = mkstemp(path);

	if (write(fd, "text", 4) != 4)
		abort();
	close(fd);
	for (size_t i = 0; i < 4; i++) {
		fd = open(path, modes[i]);
		for (int prot = 0; prot < 8; prot++) {
			char name[64];
			char *memory = mmap(NULL, page, prot, MAP_SHARED, fd,
					    0);

			snprintf(name, sizeof(name), "mode %zu, shared %d", i,
				 prot);
			mapped(name, memory);
			if (memory != MAP_FAILED) {
				snprintf(name, sizeof(name),
					 "mode %zu, shared %d made writable", i,
					 prot);
				outcome(name, mprotect(memory, page, RW));
			}
			snprintf(name, sizeof(name), "mode %zu, private %d", i,
				 prot);
			mapped(name, mmap(NULL, page, prot, MAP_PRIVATE, fd,
					  0));
		}
		close(fd);
	}
	unlink(path);
}

static void odd_descriptors(void)
{
	int fd = open("/", O_RDONLY), pipes[2];

	mapped("directory", mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0));
	close(fd);
	mapped("closed", mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0));
	if (pipe(pipes))
		abort();
	mapped("pipe", mmap(NULL, page, PROT_READ, MAP_PRIVATE, pipes[0], 0));
	fd = open("/dev/null", O_RDWR);
	mapped("/dev/null", mmap(NULL, page, RW, MAP_PRIVATE, fd, 0));
	close(fd);
	fd = open("/dev/zero", O_RDWR);

	char *zero = mmap(NULL, 2 * page, RW, MAP_PRIVATE, fd, 0);

	mapped("/dev/zero", zero);
	writes("/dev/zero written", zero);
	mapped("/dev/zero grown", mremap(zero, 2 * page, 4 * page,
					 MREMAP_MAYMOVE));
	mapped("/dev/zero shared", mmap(NULL, page, RW, MAP_SHARED, fd, 0));
	close(fd);
	fd = open("/proc/self/maps", O_RDONLY);
	mapped("/proc file", mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0));
	close(fd);
	fd = lettered_file(1);
	mapped("validate", mmap(NULL, page, RW, MAP_SHARED_VALIDATE, fd, 0));
	mapped("validate unknown", mmap(NULL, page, RW, MAP_SHARED_VALIDATE |
					0x8000000, fd, 0));
	mapped("validate sync", mmap(NULL, page, RW, MAP_SHARED_VALIDATE |
				     MAP_SYNC, fd, 0));
	mapped("validate noreplace",
	       mmap((void *)0x50000000, page, RW, MAP_SHARED_VALIDATE |
		    MAP_FIXED_NOREPLACE, fd, 0));
	mapped("validate anonymous", mmap(NULL, page, RW, MAP_SHARED_VALIDATE |
					  MAP_ANONYMOUS, -1, 0));
	mapped("unknown flags", mmap(NULL, page, RW, MAP_PRIVATE | 0x8000000,
				     fd, 0));
	mapped("unknown rights", mmap(NULL, page, RW | 0x100, MAP_PRIVATE, fd,
				      0));
	mapped("both kinds of growth", mmap(NULL, page, RW, MAP_PRIVATE |
					    MAP_GROWSDOWN, fd, 0));
	mapped("offset overflows", mmap(NULL, 2 * page, RW, MAP_SHARED, fd,
					(off_t)(INT64_MAX - (int64_t)page + 1)));
	mapped("offset far behind", mmap(NULL, page, RW, MAP_SHARED, fd,
					 (off_t)1 << 40));
	mapped("anonymous with a descriptor", mmap(NULL, page, RW, ANON, 999,
						   0));
	mapped("huge pages that there are not",
	       mmap(NULL, page, RW, ANON | MAP_HUGETLB, -1, 0));
	mapped("huge pages of no size", mmap(NULL, page, RW, ANON | MAP_HUGETLB |
					     (13 << MAP_HUGE_SHIFT), -1, 0));
	close(fd);
}

static void past_the_end(void)
{
	int fd = lettered_file(3);
	char *memory = must(mmap(NULL, 5 * page, RW, MAP_SHARED, fd, 0));

	if (ftruncate(fd, (off_t)(2 * page + 10)))
		abort();
	reads("last byte", memory + 2 * page + 9);
	reads("rest of the page", memory + 2 * page + 10);
	reads("past the end", memory + 3 * page);
	if (ftruncate(fd, (off_t)page))
		abort();
	reads("cut off", memory + page);
	writes("written past the end", memory + page);
	if (ftruncate(fd, (off_t)(5 * page)))
		abort();
	reads("there again", memory + 4 * page);
	writes("and writable", memory + 4 * page);
	outcome("sync", msync(memory, 5 * page, MS_SYNC));

	char byte = 0;

	outcome("read", pread(fd, &byte, 1, (off_t)(4 * page)));
	say("written through", "%c", byte);
	memory = mremap(memory, 5 * page, 8 * page, MREMAP_MAYMOVE);
	mapped("grown past the end", memory);
	reads("old end", memory + 4 * page);
	reads("behind it", memory + 6 * page);
	close(fd);
	reads("closed file", memory);
	munmap(memory, 8 * page);
}

static void sealed_memory_files(void)
{
	int fd = (int)syscall(SYS_memfd_create, "rehome", MFD_ALLOW_SEALING);
	char *memory;

	if (ftruncate(fd, (off_t)(4 * page)))
		abort();
	memory = must(mmap(NULL, 4 * page, RW, MAP_SHARED, fd, 0));
	outcome("seal while writable", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	munmap(memory, 4 * page);
	outcome("seal", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK));
	mapped("writable", mmap(NULL, page, RW, MAP_SHARED, fd, 0));
	memory = must(mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0));
	outcome("made writable", mprotect(memory, page, RW));
	mapped("private", mmap(NULL, page, RW, MAP_PRIVATE, fd, 0));
	close(fd);
	fd = (int)syscall(SYS_memfd_create, "rehome", MFD_ALLOW_SEALING);
	if (ftruncate(fd, (off_t)page))
		abort();
	memory = must(mmap(NULL, page, RW, MAP_SHARED, fd, 0));
	outcome("seal the future", fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	writes("old mapping writes", memory);
	mapped("new one", mmap(NULL, page, RW, MAP_SHARED, fd, 0));
	close(fd);
}

/* Code that is written and then run. */
static void code(void)
{
#if defined(__x86_64__)
	static const unsigned char text[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
#else
	static const unsigned char text[] = {
		0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6,
	};
#endif
	char *memory = anonymous(1);
	int (*function)(void);

	memcpy(memory, text, sizeof(text));
	__builtin___clear_cache(memory, memory + sizeof(text));
	outcome("make it run", mprotect(memory, page, PROT_READ | PROT_EXEC));
	memcpy(&function, &memory, sizeof(function));
	say("runs", "%d", function());
	munmap(memory, page);
}

/* Two mappings of one file see each other; a private one does not tell. */
static void coherence(void)
{
	int fd = lettered_file(2);
	char *one = must(mmap(NULL, page, RW, MAP_SHARED, fd, (off_t)page));
	char *two = must(mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, fd, 0));
	char *private = must(mmap(NULL, 2 * page, RW, MAP_PRIVATE, fd, 0));

	one[5] = '!';
	reads("seen by the other", two + page + 5);
	reads("seen by the private one", private + page + 5);
	private[page + 5] = '?';
	one[5] = '#';
	reads("own copy", private + page + 5);
	reads("file", two + page + 5);
	outcome("async", msync(one, page, MS_ASYNC));
	outcome("invalidate", msync(one, page, MS_SYNC | MS_INVALIDATE));
	close(fd);
}

int main(void)
{
	begin();
	rights();
	odd_descriptors();
	past_the_end();
	sealed_memory_files();
	code();
	coherence();
	return 0;
}
