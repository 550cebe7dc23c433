/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_CODE_MACHINE_H
#define VMSI_TESTS_CODE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Instructions of the machine, enough for functions that return a constant. */

#define RETURN_BYTES 16

/* int function(void) { return value; } */
static inline size_t write_return(void *place, uint32_t value)
{
#if defined(__x86_64__)
	unsigned char *bytes = place;

	bytes[0] = 0xb8; /* mov eax, value */
	memcpy(bytes + 1, &value, sizeof(value));
	bytes[5] = 0xc3; /* ret */
	return 6;
#else
	const uint32_t words[3] = {
		0x52800000u | (value & 0xffff) << 5, /* movz w0, low */
		0x72a00000u | (value >> 16) << 5,    /* movk w0, high, lsl 16 */
		0xd65f03c0u,                         /* ret */
	};

	memcpy(place, words, sizeof(words));
	return sizeof(words);
#endif
}

typedef int constant(void);

static inline int call(const void *run)
{
	constant *function;

	memcpy(&function, &run, sizeof(function));
	return function();
}

/*
 * Whether code that has run and was changed by another address runs as changed. It does
 * on every processor; emulators keep what they have translated.
 */
static inline bool changed_code_is_noticed(void)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int fd = memfd_create("probe", MFD_CLOEXEC);
	char *write, *run;
	bool noticed;

	if (fd < 0 || ftruncate(fd, (off_t)page) < 0)
		return false;
	write = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	run = mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	close(fd);
	if (write == MAP_FAILED || run == MAP_FAILED)
		return false;
	write_return(write, 1);
	__builtin___clear_cache(run, run + RETURN_BYTES);
	noticed = call(run) == 1;
	write_return(write, 2);
	__builtin___clear_cache(run, run + RETURN_BYTES);
	noticed = noticed && call(run) == 2;
	munmap(write, page);
	munmap(run, page);
	return noticed;
}

#endif
