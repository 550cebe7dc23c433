/* SPDX-License-Identifier: MIT */
#include "asker_maps.h"

#include <alloca.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "last_mapping.h"
#include "steps.h"

#define PAGE ((size_t)sysconf(_SC_PAGESIZE))

static int map(size_t bytes, int prot, int flags)
{
	return keep(mmap(NULL, bytes, prot, flags | MAP_ANONYMOUS, -1, 0),
		    bytes);
}

int do_mmap(size_t bytes)
{
	return map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

int do_none(size_t bytes)
{
	return map(bytes, PROT_NONE, MAP_PRIVATE);
}

int do_noreserve(size_t bytes)
{
	return map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);
}

int do_shared(size_t bytes)
{
	return map(bytes, PROT_READ | PROT_WRITE, MAP_SHARED);
}

int do_shared_noreserve(size_t bytes)
{
	return map(bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE);
}

static int map_file(int file, size_t bytes, int prot)
{
	void *mapped = file < 0 ? MAP_FAILED :
		mmap(NULL, bytes, prot, MAP_SHARED, file, 0);
	const int error = keep(mapped, bytes);

	if (file >= 0)
		close(file);
	return error;
}

int do_zero(size_t bytes)
{
	return map_file(open("/dev/zero", O_RDWR | O_CLOEXEC), bytes,
			PROT_READ | PROT_WRITE);
}

int do_zero_read(size_t bytes)
{
	return map_file(open("/dev/zero", O_RDWR | O_CLOEXEC), bytes,
			PROT_READ);
}

int do_zero_read_only(size_t bytes)
{
	return map_file(open("/dev/zero", O_RDONLY | O_CLOEXEC), bytes,
			PROT_READ);
}

/*
 * If the test could not make a device node, it is bound to a file of this name.
 */
int do_zero_named(size_t bytes)
{
	const char *name = getenv("ASKER_ZERO");
	struct stat status;

	if (stat(name, &status))
		return errno;
	if (S_ISREG(status.st_mode) &&
	    (unshare(CLONE_NEWUSER | CLONE_NEWNS) ||
	     mount("/dev/zero", name, NULL, MS_BIND, NULL)))
		return ENOTSUP;
	return map_file(open(name, O_RDWR | O_CLOEXEC), bytes,
			PROT_READ | PROT_WRITE);
}

int do_memfd_read(size_t bytes)
{
	const int file = memfd_create("asker", MFD_CLOEXEC);

	if (file >= 0 && ftruncate(file, (off_t)bytes))
		return errno;
	return map_file(file, bytes, PROT_READ);
}

/* On a file system in memory, where the tests say. */
int do_tmpfs(size_t bytes)
{
	const int file = open(getenv("ASKER_TMPFS"),
			      O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (file >= 0 && ftruncate(file, (off_t)bytes))
		return errno;
	return map_file(file, bytes, PROT_READ | PROT_WRITE);
}

int do_touch(size_t bytes)
{
	memset(last, 1, bytes);
	/* The supervisor looks for such pages now and then. */
	usleep(500000);
	return 0;
}

int do_keep(size_t bytes)
{
	(void)bytes;
	return answer(madvise(last, last_bytes, MADV_DONTFORK));
}

/* Map over the last mapping, which is charged already. */
int do_again(size_t bytes)
{
	return keep(mmap(last, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		    bytes);
}

int do_unmap(size_t bytes)
{
	(void)bytes;
	return answer(munmap(last, last_bytes));
}

int do_mprotect(size_t bytes)
{
	int error = do_none(bytes);

	return error ? error :
		answer(mprotect(last, bytes, PROT_READ | PROT_WRITE));
}

/* Memory that is writable is charged already. */
int do_writable(size_t bytes)
{
	(void)bytes;
	return answer(mprotect(last, last_bytes, PROT_READ | PROT_WRITE));
}

/* Change the last page, and with it all that is below. */
int do_grows_down(size_t bytes)
{
	const int error = map(bytes, PROT_NONE, MAP_PRIVATE | MAP_GROWSDOWN);

	return error ? error :
		answer(mprotect((char *)last + bytes - PAGE, PAGE,
				PROT_READ | PROT_WRITE | PROT_GROWSDOWN));
}

int do_noreserve_writable(size_t bytes)
{
	const int error = map(bytes, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE);

	return error ? error : do_writable(0);
}

/* Without a reservation, for the pool of huge pages may be empty. */
int do_huge(size_t bytes)
{
	return map(bytes, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_NORESERVE | MAP_HUGETLB);
}

int do_huge_writable(size_t bytes)
{
	const int error = map(bytes, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE |
			      MAP_HUGETLB);

	return error ? error : do_writable(0);
}

int do_mremap(size_t bytes)
{
	int error = do_mmap(PAGE);

	return error ? error :
		keep(mremap(last, PAGE, bytes, MREMAP_MAYMOVE), bytes);
}

int do_shrink(size_t bytes)
{
	return keep(mremap(last, last_bytes, bytes, 0), bytes);
}

/* It has grown when the step is over, and stays so. */
int do_stack(size_t bytes)
{
	volatile char *lowest = alloca(bytes);

	*lowest = 1;
	return 0;
}

int do_brk(size_t bytes)
{
	return answer((long)sbrk((intptr_t)bytes));
}

int do_brk_back(size_t bytes)
{
	return answer((long)sbrk(-(intptr_t)bytes));
}

/* A refused brk answers where the heap ends, to the byte. */
int do_brk_refused(size_t bytes)
{
	const long odd = syscall(SYS_brk, 0) + 3 * (long)PAGE + 123;
	const long back = odd - 50;
	const int sets = syscall(SYS_brk, odd) == odd &&
		syscall(SYS_brk, odd + (long)bytes) == odd &&
		syscall(SYS_brk, back) == back;

	return sets && syscall(SYS_brk, back + (long)bytes) == back &&
		syscall(SYS_brk, 0) == back ? 0 : EINVAL;
}

int do_shmget(size_t bytes)
{
	int id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);

	if (id < 0)
		return errno;
	return answer(shmctl(id, IPC_RMID, NULL));
}

/* The segment is destroyed when the process ends. */
int do_segment(size_t bytes)
{
	const int id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);
	int error;

	if (id < 0)
		return errno;
	error = answer((long)shmat(id, NULL, 0));
	return error ? error : answer(shmctl(id, IPC_RMID, NULL));
}

/* Map a mebibyte as often as it is granted, and write the number. */
int do_fill(size_t bytes)
{
	void *chain = NULL, **block;
	size_t count = 0;

	while ((block = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) !=
	       MAP_FAILED) {
		*block = chain;
		chain = block;
		count++;
	}
	for (; chain; chain = block) {
		block = *(void **)chain;
		munmap(chain, bytes);
	}
	say_number("filled", count);
	return errno == ENOMEM ? 0 : errno;
}
