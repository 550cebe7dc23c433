/* SPDX-License-Identifier: MIT */
/*
 * Makes mappings of many kinds, prints "KIND ADDRESS LENGTH" for each (or
 * "KIND skip REASON" after the host refused it), then "ready", and stays until
 * its standard input ends. Files are made in the directory it is given.
 *
 * usage: mappings DIRECTORY [COUNT]
 * With COUNT it makes that many small mappings besides.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_mseal
#define SYS_mseal 462
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#define PAGES 4
#define RW (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED (MAP_SHARED | MAP_ANONYMOUS)

static size_t page;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void report(const char *kind, const void *address, size_t length)
{
	printf("%s %jx %zu\n", kind, (uintmax_t)(uintptr_t)address, length);
}

static void skip(const char *kind)
{
	printf("%s skip %s\n", kind, strerror(errno));
}

/* Map between two pages of nothing, so that neighbours do not merge. */
static char *map(int prot, int flags, int fd, off_t offset)
{
	char *around = mmap(NULL, (PAGES + 2) * page, PROT_NONE,
			    PRIVATE | MAP_NORESERVE, -1, 0);

	if (around == MAP_FAILED)
		die("mmap");
	return mmap(around + page, PAGES * page, prot, flags | MAP_FIXED, fd,
		    offset);
}

static char *make(const char *kind, int prot, int flags, int fd, off_t offset)
{
	char *address = map(prot, flags, fd, offset);

	if (address == MAP_FAILED) {
		skip(kind);
		return NULL;
	}
	report(kind, address, PAGES * page);
	return address;
}

static void make_advised(const char *kind, int advice)
{
	char *address = map(RW, PRIVATE, -1, 0);

	if (address == MAP_FAILED)
		die("mmap");
	if (madvise(address, PAGES * page, advice))
		skip(kind);
	else
		report(kind, address, PAGES * page);
}

static void make_named(const char *kind, int flags, const char *name)
{
	char *address = map(RW, flags, -1, 0);

	if (address == MAP_FAILED)
		die("mmap");
	if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, address, PAGES * page, name))
		skip(kind);
	else
		report(kind, address, PAGES * page);
}

static void make_sealed(void)
{
	char *address = map(RW, PRIVATE, -1, 0);

	if (address == MAP_FAILED)
		die("mmap");
	if (syscall(SYS_mseal, address, PAGES * page, 0))
		skip("sealed");
	else
		report("sealed", address, PAGES * page);
}

static int make_file(const char *name, int flags)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)(8 * page)))
		die(name);
	close(fd);
	fd = open(name, flags);
	if (fd < 0)
		die(name);
	return fd;
}

static void make_anonymous(void)
{
	char *address = make("anon_rw", RW, PRIVATE, -1, 0);

	if (address) {
		madvise(address, PAGES * page, MADV_NOHUGEPAGE);
		address[0] = 1;
		address[2 * page] = 1;
	}
	make("anon_none", PROT_NONE, PRIVATE, -1, 0);
	make("anon_read", PROT_READ, PRIVATE, -1, 0);
	make("anon_exec", PROT_READ | PROT_EXEC, PRIVATE, -1, 0);
	make("noreserve", RW, PRIVATE | MAP_NORESERVE, -1, 0);
	make("growsdown", RW, PRIVATE | MAP_GROWSDOWN, -1, 0);
	make("locked", RW, PRIVATE | MAP_LOCKED, -1, 0);
	make("shared_anon", RW, SHARED, -1, 0);
	make_named("named", PRIVATE, "ring buffer: 2");
	make_named("shared_named", SHARED, "shared ring");
	make_advised("dontfork", MADV_DONTFORK);
	make_advised("wipeonfork", MADV_WIPEONFORK);
	make_advised("dontdump", MADV_DONTDUMP);
	make_advised("mergeable", MADV_MERGEABLE);
	make_advised("hugepage", MADV_HUGEPAGE);
	make_advised("nohugepage", MADV_NOHUGEPAGE);
	make_sealed();
}

static void make_files(void)
{
	make("file_private", RW, MAP_PRIVATE, make_file("plain", O_RDWR),
	     (off_t)(2 * page));
	make("file_shared", RW, MAP_SHARED, make_file("shared", O_RDWR), 0);
	make("file_shared_readonly", PROT_READ, MAP_SHARED,
	     make_file("readonly", O_RDONLY), 0);
	make("file_spaces", PROT_READ, MAP_PRIVATE,
	     make_file(" two  spaces ", O_RDWR), 0);
	make("file_newline", PROT_READ, MAP_PRIVATE,
	     make_file("new\nline", O_RDWR), 0);
	make("file_backslash", PROT_READ, MAP_PRIVATE,
	     make_file("back\\slash", O_RDWR), 0);
	make("file_escape", PROT_READ, MAP_PRIVATE,
	     make_file("\033[31mred\302\233m", O_RDWR), 0);
	make("file_bytes", PROT_READ, MAP_PRIVATE,
	     make_file("caf\303\251 \377\300\257", O_RDWR), 0);
	make("file_deleted", PROT_READ, MAP_SHARED, make_file("gone", O_RDWR),
	     (off_t)page);
	unlink("gone");
	make("zero", RW, MAP_PRIVATE, open("/dev/zero", O_RDWR), 0);

	int fd = memfd_create("queue", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)(8 * page)))
		die("memfd_create");
	make("memfd", RW, MAP_SHARED, fd, 0);
}

static void make_segment(void)
{
	int id = shmget(IPC_PRIVATE, PAGES * page, IPC_CREAT | 0600);
	char *address;

	if (id < 0) {
		skip("system_v");
		return;
	}
	address = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	if (address == (char *)-1)
		skip("system_v");
	else
		report("system_v", address, PAGES * page);
}

static void make_huge(void)
{
	size_t length = (size_t)2 << 20;
	char *address = mmap(NULL, length, RW, PRIVATE | MAP_HUGETLB, -1, 0);

	if (address == MAP_FAILED) {
		skip("hugetlb");
		return;
	}
	address[0] = 1;
	report("hugetlb", address, length);
}

/* Every other page of one mapping gets another protection. */
static void make_many(size_t count)
{
	char *address = mmap(NULL, count * page, PROT_READ, PRIVATE, -1, 0);

	if (address == MAP_FAILED)
		die("mmap");
	for (size_t i = 0; i < count; i += 2)
		if (mprotect(address + i * page, page, PROT_NONE))
			die("mprotect");
}

int main(int argc, char **argv)
{
	if (argc < 2 || chdir(argv[1]))
		die("chdir");
	page = (size_t)sysconf(_SC_PAGESIZE);
	/* A process chooses the name that others see of it. */
	prctl(PR_SET_NAME, "bad\033[2Jname");
	make_anonymous();
	make_files();
	make_segment();
	make_huge();
	if (argc > 2)
		make_many(strtoul(argv[2], NULL, 10));
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
