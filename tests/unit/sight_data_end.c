/* SPDX-License-Identifier: MIT */
/* Where the data of files ends in memory, whatever is in the files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <link.h>

#include "cli/sight/data_end.h"

#define PAGE ((uintptr_t)sysconf(_SC_PAGESIZE))
#define START (64 * PAGE)

/* A file with code, and data of a page and a bit with zeros up to within page 9. */
struct file {
	ElfW(Ehdr) elf;
	ElfW(Phdr) parts[2];
};

static struct file make_file(void)
{
	struct file file = {
		.elf = {
			.e_phoff = offsetof(struct file, parts),
			.e_phentsize = sizeof(ElfW(Phdr)), .e_phnum = 2,
		},
		.parts = {
			{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X,
			  .p_filesz = 2 * PAGE, .p_memsz = 2 * PAGE },
			{ .p_type = PT_LOAD, .p_flags = PF_R | PF_W,
			  .p_offset = 2 * PAGE + 8, .p_vaddr = 3 * PAGE + 8,
			  .p_filesz = PAGE, .p_memsz = 6 * PAGE },
		},
	};

	memcpy(file.elf.e_ident, ELFMAG, SELFMAG);
	file.elf.e_ident[EI_CLASS] = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
	return file;
}

static uintptr_t end_of(const struct file *file, uint64_t offset, uintptr_t start)
{
	return vmsi_data_end(file, sizeof(*file), offset, start);
}

static void data_ends_with_its_zeros(void **state)
{
	const struct file file = make_file();

	(void)state;
	assert_int_equal(end_of(&file, 2 * PAGE, START), START + 7 * PAGE);
	/* The loader has made the first page read-only, which is another mapping. */
	assert_int_equal(end_of(&file, 3 * PAGE, START + PAGE), START + 7 * PAGE);
}

static void what_is_no_data_has_no_zeros(void **state)
{
	struct file file = make_file();

	(void)state;
	assert_int_equal(end_of(&file, 0, START), 0);
	assert_int_equal(end_of(&file, 4 * PAGE, START), 0);
	assert_int_equal(vmsi_data_end("#!/bin/sh", 9, 0, START), 0);
	assert_int_equal(vmsi_data_end("", 0, 0, START), 0);
	file.elf.e_ident[0] = 'x';
	assert_int_equal(end_of(&file, 2 * PAGE, START), 0);
}

static void what_cannot_be_told_is_unknown(void **state)
{
	struct file file = make_file();

	(void)state;
	for (size_t length = sizeof(file.elf); length < sizeof(file); length++)
		assert_int_equal(vmsi_data_end(&file, length, 2 * PAGE, START),
				 VMSI_DATA_UNKNOWN);
	file.elf.e_ident[EI_CLASS] = sizeof(void *) == 8 ? ELFCLASS32 : ELFCLASS64;
	assert_int_equal(end_of(&file, 2 * PAGE, START), VMSI_DATA_UNKNOWN);
	file = make_file();
	file.elf.e_phentsize = 1;
	assert_int_equal(end_of(&file, 2 * PAGE, START), VMSI_DATA_UNKNOWN);
	file = make_file();
	file.elf.e_phoff = UINTPTR_MAX - 8;
	assert_int_equal(end_of(&file, 2 * PAGE, START), VMSI_DATA_UNKNOWN);
}

/* Nothing is opened but files, and no FIFO is waited for. */
static void only_files_are_read(void **state)
{
	char directory[] = "/tmp/vmspace-data-end-XXXXXX", path[64];
	const struct file file = make_file();
	FILE *written;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/file", directory);
	written = fopen(path, "w");
	assert_non_null(written);
	assert_int_equal(fwrite(&file, sizeof(file), 1, written), 1);
	fclose(written);
	assert_int_equal(vmsi_data_end_of(getpid(), path, 2 * PAGE, START),
			 START + 7 * PAGE);
	unlink(path);
	assert_int_equal(vmsi_data_end_of(getpid(), path, 2 * PAGE, START),
			 VMSI_DATA_UNKNOWN);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(vmsi_data_end_of(getpid(), path, 2 * PAGE, START),
			 VMSI_DATA_UNKNOWN);
	unlink(path);
	rmdir(directory);
	assert_int_equal(vmsi_data_end_of(getpid(), "/dev/zero", 0, START),
			 VMSI_DATA_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_ends_with_its_zeros),
		cmocka_unit_test(what_is_no_data_has_no_zeros),
		cmocka_unit_test(what_cannot_be_told_is_unknown),
		cmocka_unit_test(only_files_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
