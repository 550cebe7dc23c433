/* SPDX-License-Identifier: MIT */
#include "code/gdb.h"

#include <string.h>

#include "base/lock.h"

/*
 * A debugger finds the function and the variable below by their names, in the symbol
 * table; both are static, since other libraries in the process may have them too. It
 * sets a breakpoint on the function, and reads the variable when that is hit or when
 * it attaches.
 */

enum action { ACTION_NONE, ACTION_ADD, ACTION_REMOVE };

struct jit_descriptor {
	uint32_t version;
	uint32_t action;
	struct vmsi_gdb_entry *relevant, *first;
};

static struct vmsi_lock lock = VMSI_LOCK_INITIALIZER(VMSI_RANK_LEAF);

/* NOLINTBEGIN(*-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the names of gdb */
__attribute__((used)) static struct jit_descriptor __jit_debug_descriptor = {
	.version = 1,
};

__attribute__((noinline, used)) static void
__jit_debug_register_code(void)
{
	__asm__ volatile("" : : : "memory");
}
/* NOLINTEND(*-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static void tell(enum action action, struct vmsi_gdb_entry *entry)
{
	__jit_debug_descriptor.action = action;
	__jit_debug_descriptor.relevant = entry;
	__jit_debug_register_code();
	__jit_debug_descriptor.action = ACTION_NONE;
	__jit_debug_descriptor.relevant = NULL;
}

/* --- the object file ---------------------------------------------------------------- */

enum { NO_SECTION, TEXT, SYMBOLS, STRINGS, SECTION_NAMES, SECTIONS };

static const char section_names[] = "\0.text\0.symtab\0.strtab\0.shstrtab";

_Static_assert(sizeof(section_names) <=
		       sizeof(((struct vmsi_gdb_file *)0)->section_names),
	       "the names of sections have no place");

/* Offsets in section_names. */
#define NAME_TEXT 1
#define NAME_SYMBOLS 7
#define NAME_STRINGS 15
#define NAME_NAMES 23

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#else
#define MACHINE EM_AARCH64
#endif

static void write_header(Elf64_Ehdr *header)
{
	*header = (Elf64_Ehdr){
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			     ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_REL,
		.e_machine = MACHINE,
		.e_version = EV_CURRENT,
		.e_shoff = offsetof(struct vmsi_gdb_file, sections),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = SECTIONS,
		.e_shstrndx = SECTION_NAMES,
	};
}

static void write_sections(Elf64_Shdr *sections, uintptr_t run, size_t size)
{
	sections[TEXT] = (Elf64_Shdr){
		.sh_name = NAME_TEXT,
		.sh_type = SHT_NOBITS,
		.sh_flags = SHF_ALLOC | SHF_EXECINSTR,
		.sh_addr = run,
		.sh_size = size,
		.sh_addralign = 1,
	};
	sections[SYMBOLS] = (Elf64_Shdr){
		.sh_name = NAME_SYMBOLS,
		.sh_type = SHT_SYMTAB,
		.sh_offset = offsetof(struct vmsi_gdb_file, symbols),
		.sh_size = sizeof(((struct vmsi_gdb_file *)0)->symbols),
		.sh_link = STRINGS,
		.sh_info = 1, /* the first symbol that is global */
		.sh_addralign = 8,
		.sh_entsize = sizeof(Elf64_Sym),
	};
	sections[STRINGS] = (Elf64_Shdr){
		.sh_name = NAME_STRINGS,
		.sh_type = SHT_STRTAB,
		.sh_offset = offsetof(struct vmsi_gdb_file, strings),
		.sh_size = sizeof(((struct vmsi_gdb_file *)0)->strings),
		.sh_addralign = 1,
	};
	sections[SECTION_NAMES] = (Elf64_Shdr){
		.sh_name = NAME_NAMES,
		.sh_type = SHT_STRTAB,
		.sh_offset = offsetof(struct vmsi_gdb_file, section_names),
		.sh_size = sizeof(section_names),
		.sh_addralign = 1,
	};
}

static void write_file(struct vmsi_gdb_file *file, uintptr_t run, size_t size,
		       const char *name)
{
	memset(file, 0, sizeof(*file));
	write_header(&file->header);
	write_sections(file->sections, run, size);
	memcpy(file->section_names, section_names, sizeof(section_names));
	memcpy(file->strings + 1, name, strlen(name));
	file->symbols[1] = (Elf64_Sym){
		.st_name = 1,
		.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
		.st_shndx = TEXT,
		.st_size = size,
	};
}

/* --- the list ------------------------------------------------------------------------ */

void vmsi_gdb_add(struct vmsi_gdb_symbol *symbol, uintptr_t run, size_t size,
		  const char *name)
{
	struct vmsi_gdb_entry *entry = &symbol->entry;

	write_file(&symbol->file, run, size, name);
	*entry = (struct vmsi_gdb_entry){
		.file = &symbol->file,
		.size = sizeof(symbol->file),
	};
	vmsi_lock_acquire(&lock);
	entry->next = __jit_debug_descriptor.first;
	if (entry->next)
		entry->next->previous = entry;
	__jit_debug_descriptor.first = entry;
	tell(ACTION_ADD, entry);
	vmsi_lock_release(&lock);
}

void vmsi_gdb_remove(struct vmsi_gdb_symbol *symbol)
{
	struct vmsi_gdb_entry *entry = &symbol->entry;

	vmsi_lock_acquire(&lock);
	if (entry->previous)
		entry->previous->next = entry->next;
	else
		__jit_debug_descriptor.first = entry->next;
	if (entry->next)
		entry->next->previous = entry->previous;
	tell(ACTION_REMOVE, entry);
	vmsi_lock_release(&lock);
}

void vmsi_gdb_lock(void)
{
	vmsi_lock_acquire_any(&lock);
}

void vmsi_gdb_unlock(void)
{
	vmsi_lock_release_any(&lock);
}
