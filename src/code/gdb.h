/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_GDB_H
#define VMSI_CODE_GDB_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/code.h>

/* Tells a debugger of code that was made at run time. */

/*
 * The interface of gdb, "JIT Compilation Interface" of its manual, which defines the
 * layout of this struct.
 */
struct vmsi_gdb_entry {
	struct vmsi_gdb_entry *next, *previous;
	const void *file;
	uint64_t size;
};

/* The least object file that has a symbol. It lies in memory only. */
struct vmsi_gdb_file {
	Elf64_Ehdr header;
	Elf64_Shdr sections[5];
	Elf64_Sym symbols[2];
	char section_names[40];
	char strings[VMS_CODE_NAME_MAX + 2];
};

struct vmsi_gdb_symbol {
	struct vmsi_gdb_entry entry;
	struct vmsi_gdb_file file;
};

/* Tell of code, or take it back. The symbol stays where it is meanwhile. */
void vmsi_gdb_add(struct vmsi_gdb_symbol *symbol, uintptr_t run, size_t size,
		  const char *name);
void vmsi_gdb_remove(struct vmsi_gdb_symbol *symbol);

/* Around a fork: no other thread is in the list. */
void vmsi_gdb_lock(void);
void vmsi_gdb_unlock(void);

#endif
