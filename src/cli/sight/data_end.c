/* SPDX-License-Identifier: MIT */
#include "cli/sight/data_end.h"

#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Has the headers of every file that a linker makes. */
#define HEAD_BYTES 4096

static bool is_elf(const void *head, size_t length)
{
	return length >= sizeof(ElfW(Ehdr)) && memcmp(head, ELFMAG, SELFMAG) == 0;
}

/* Another process may be of another kind, whose headers are others. */
static bool is_native(const ElfW(Ehdr) *elf)
{
	return elf->e_ident[EI_CLASS] ==
			(sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) &&
		elf->e_phentsize == sizeof(ElfW(Phdr));
}

/*
 *	file:     [p_offset        +p_filesz)
 *	memory:   [p_vaddr         +p_filesz)      +p_memsz)
 *	           data, of which offset is at start   zeros
 */
static bool has_offset(const ElfW(Phdr) *part, uint64_t offset, uintptr_t page)
{
	return part->p_type == PT_LOAD && (part->p_flags & PF_W) &&
		(part->p_offset & -page) <= offset &&
		offset < part->p_offset + part->p_filesz;
}

uintptr_t vmsi_data_end(const void *head, size_t length, uint64_t offset,
			uintptr_t start)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	ElfW(Ehdr) elf;
	ElfW(Phdr) part;

	if (!is_elf(head, length))
		return 0;
	memcpy(&elf, head, sizeof(elf));
	if (!is_native(&elf))
		return VMSI_DATA_UNKNOWN;
	for (size_t i = 0; i < elf.e_phnum; i++) {
		const uint64_t at = elf.e_phoff + i * sizeof(part);

		if (at > length || length - at < sizeof(part))
			return VMSI_DATA_UNKNOWN;
		memcpy(&part, (const char *)head + at, sizeof(part));
		if (has_offset(&part, offset, page))
			return (start + part.p_offset - offset + part.p_memsz +
				page - 1) & -page;
	}
	return 0;
}

/*
 * Open a file that another process has mapped, of which nothing is known but its path:
 * a device would notice, and a FIFO would wait for its other end.
 */
static int open_regular(const char *path)
{
	char again[64];
	struct stat status;
	int place = open(path, O_PATH | O_CLOEXEC), file = -1;

	if (place < 0)
		return -1;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", place);
	if (fstat(place, &status) == 0 && S_ISREG(status.st_mode))
		file = open(again, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	close(place);
	return file;
}

uintptr_t vmsi_data_end_of(pid_t pid, const char *path, uint64_t offset,
			   uintptr_t start)
{
	char head[HEAD_BYTES], place[PATH_MAX + 64];
	ssize_t length;
	int file;

	if (snprintf(place, sizeof(place), "/proc/%d/root%s", (int)pid, path) >=
	    (int)sizeof(place))
		return VMSI_DATA_UNKNOWN;
	file = open_regular(place);
	if (file < 0)
		return VMSI_DATA_UNKNOWN;
	length = pread(file, head, sizeof(head), 0);
	close(file);
	return length < 0 ? VMSI_DATA_UNKNOWN :
		vmsi_data_end(head, (size_t)length, offset, start);
}
