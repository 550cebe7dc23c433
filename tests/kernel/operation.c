/* SPDX-License-Identifier: MIT */
#include "operation.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Faults. */

static sigjmp_buf fault_return;
static volatile sig_atomic_t fault_expected;
static struct sigaction other_segv, other_bus;

/* A fault that no test expects must crash the program. */
static void on_fault(int number)
{
	if (fault_expected)
		siglongjmp(fault_return, number);
	(void)sigaction(number, number == SIGSEGV ? &other_segv : &other_bus,
			NULL);
	(void)raise(number);
}

static void catch_fault(int number, struct sigaction *other)
{
	struct sigaction action = {
		.sa_handler = on_fault,
		.sa_flags = SA_NODEFER,
	};
	struct sigaction before;

	if (sigaction(number, &action, &before) == 0 &&
	    before.sa_handler != on_fault)
		*other = before;
}

void catch_faults(void)
{
	catch_fault(SIGSEGV, &other_segv);
	catch_fault(SIGBUS, &other_bus);
}

int64_t peek_page(const char *address, size_t page)
{
	const volatile uint64_t *words = (const volatile uint64_t *)address;
	uint64_t digest = 0;
	int number = sigsetjmp(fault_return, 0);

	fault_expected = number == 0;
	if (number != 0)
		return -number;
	for (size_t i = 0; i < page / sizeof *words; i++)
		digest = (digest << 5 | digest >> 59) ^
			 words[i] * 0x9e3779b97f4a7c15u;
	fault_expected = 0;
	return (int64_t)(digest >> 1);
}

int poke_byte(char *address, unsigned char byte)
{
	int number = sigsetjmp(fault_return, 0);

	fault_expected = number == 0;
	if (number != 0)
		return -number;
	*(volatile unsigned char *)address = byte;
	fault_expected = 0;
	return 0;
}

/* Files. */

static int write_file(int fd, size_t page, size_t pages, size_t extra)
{
	char *text = malloc(page);
	int result = 0;

	if (text == NULL)
		return -ENOMEM;
	for (size_t i = 0; i <= pages && result == 0; i++) {
		size_t length = i < pages ? page : extra;

		(void)memset(text, 'a' + (int)i, page);
		if (pwrite(fd, text, length, (off_t)(i * page)) !=
		    (ssize_t)length)
			result = -EIO;
	}
	free(text);
	return result;
}

static int open_disk_file(void)
{
	char path[] = "/var/tmp/vmspace-test-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd >= 0)
		(void)unlink(path);
	return fd;
}

static int open_again(int fd, int flags)
{
	char path[64];

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

static int open_sealed(size_t page)
{
	int fd = memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	if (fd >= 0 && (write_file(fd, page, 3, 0) != 0 ||
			fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) != 0)) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static int open_pipe(void)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	(void)close(ends[1]);
	return ends[0];
}

int files_open(struct files *files, size_t page)
{
	int *fd = files->fd;
	struct stat status;

	fd[FILE_MEMORY] = memfd_create("memory", MFD_CLOEXEC);
	fd[FILE_DISK] = open_disk_file();
	fd[FILE_READER] = open_again(fd[FILE_DISK], O_RDONLY);
	fd[FILE_WRITER] = open_again(fd[FILE_DISK], O_WRONLY);
	fd[FILE_SEALED] = open_sealed(page);
	fd[FILE_DIRECTORY] = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd[FILE_PATH] = open("/tmp", O_PATH | O_CLOEXEC);
	fd[FILE_PIPE] = open_pipe();
	fd[FILE_NONE] = -1;
	for (int i = 0; i < FILES; i++) {
		if (i != FILE_NONE && fd[i] < 0)
			return -EIO;
		files->inode[i] = 0;
		if (i <= FILE_SEALED && fstat(fd[i], &status) == 0)
			files->inode[i] = status.st_ino;
		if (i == FILE_MEMORY)
			files->memory = status.st_dev;
	}
	if (write_file(fd[FILE_MEMORY], page, 5, 123) != 0)
		return -EIO;
	return write_file(fd[FILE_DISK], page, 7, 77);
}

void files_close(struct files *files)
{
	for (int i = 0; i < FILES; i++)
		if (files->fd[i] >= 0)
			(void)close(files->fd[i]);
}

/* Some file systems show another device in maps than in fstat. */
int files_index(const struct files *files, uint64_t device, uint64_t inode)
{
	for (int i = 0; i < FILES; i++) {
		bool memory = i == FILE_MEMORY || i == FILE_SEALED;

		if (inode != 0 && files->inode[i] == inode &&
		    memory == (device == files->memory))
			return i;
	}
	return FILES;
}

/* Execution. */

void *place_address(const struct caller *caller, struct place place)
{
	uintptr_t base = place.kind == PLACE_WINDOW ? (uintptr_t)caller->base :
						      0;

	return (void *)(base + place.offset);
}

static intptr_t truncate_file(const struct operation *op,
			      const struct files *files)
{
	return ftruncate(files->fd[op->file], (off_t)op->new_length) == 0 ?
		       0 : -errno;
}

void operation_execute(const struct operation *op, const struct caller *c,
		       const struct files *files, struct answer *answer)
{
	void *p = place_address(c, op->address);
	intptr_t *result = &answer->result;

	switch (op->kind) {
	case OP_MMAP:
		*result = c->mmap(c, p, op->length, op->prot, op->flags,
				  files->fd[op->file], op->offset);
		break;
	case OP_MUNMAP:
		*result = c->munmap(c, p, op->length);
		break;
	case OP_MREMAP:
		*result = c->mremap(c, p, op->length, op->new_length, op->flags,
				    place_address(c, op->new_address));
		break;
	case OP_MPROTECT:
		*result = c->mprotect(c, p, op->length, op->prot);
		break;
	case OP_MADVISE:
		*result = c->madvise(c, p, op->length, op->advice);
		break;
	case OP_MSYNC:
		*result = c->msync(c, p, op->length, op->flags);
		break;
	case OP_MLOCK:
		*result = c->mlock(c, p, op->length);
		break;
	case OP_MLOCK2:
		*result = c->mlock2(c, p, op->length, (unsigned)op->flags);
		break;
	case OP_MUNLOCK:
		*result = c->munlock(c, p, op->length);
		break;
	case OP_MINCORE:
		(void)memset(answer->vector, 0, sizeof answer->vector);
		*result = c->mincore(c, p, op->length, answer->vector);
		break;
	case OP_MSEAL:
		*result = c->mseal(c, p, op->length, (unsigned long)op->flags);
		break;
	case OP_TOUCH:
		*result = poke_byte(p, op->byte);
		break;
	case OP_TRUNCATE:
		*result = truncate_file(op, files);
		break;
	case OP_KINDS:
		*result = -ENOSYS;
		break;
	}
}
