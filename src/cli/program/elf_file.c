/* SPDX-License-Identifier: MIT */
#include "cli/program/elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <string.h>
#include <unistd.h>

/* Runtimes of sanitizers: they have a malloc and must be the first library. */
static const struct {
	const char *symbol, *library, *clang_library, *name;
} sanitizers[] = {
	{ "__asan_init", "libasan.so", "libclang_rt.asan",
	  "AddressSanitizer" },
	{ "__hwasan_init", "libhwasan.so", "libclang_rt.hwasan",
	  "HWAddressSanitizer" },
	{ "__lsan_init", "liblsan.so", "libclang_rt.lsan", "LeakSanitizer" },
	{ "__msan_init", "libmsan.so", "libclang_rt.msan", "MemorySanitizer" },
	{ "__tsan_init", "libtsan.so", "libclang_rt.tsan", "ThreadSanitizer" },
};

#define SANITIZERS (sizeof(sanitizers) / sizeof(*sanitizers))

static bool begins_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static void look_at_symbol(const GElf_Sym *symbol, const char *name,
			   struct vmsi_elf *found)
{
	if (symbol->st_shndx != SHN_UNDEF && strcmp(name, "malloc") == 0)
		found->defines_malloc = true;
	for (size_t i = 0; i < SANITIZERS; i++)
		if (strcmp(name, sanitizers[i].symbol) == 0)
			found->sanitizer = sanitizers[i].name;
}

static void look_at_needed(const char *library, struct vmsi_elf *found)
{
	for (size_t i = 0; i < SANITIZERS; i++)
		if (begins_with(library, sanitizers[i].library) ||
		    begins_with(library, sanitizers[i].clang_library))
			found->sanitizer = sanitizers[i].name;
}

/* A damaged table ends at the first entry that libelf cannot read. */
static void look_at_symbols(Elf *elf, size_t strings, Elf_Data *data,
			    struct vmsi_elf *found)
{
	GElf_Sym symbol;

	for (int i = 0; gelf_getsym(data, i, &symbol); i++) {
		const char *name = elf_strptr(elf, strings, symbol.st_name);

		if (name)
			look_at_symbol(&symbol, name, found);
	}
}

static void look_at_dynamic(Elf *elf, size_t strings, Elf_Data *data,
			    struct vmsi_elf *found)
{
	GElf_Dyn entry;

	for (int i = 0; gelf_getdyn(data, i, &entry); i++) {
		const char *name = entry.d_tag == DT_NEEDED ?
			elf_strptr(elf, strings, entry.d_un.d_val) : NULL;

		if (name)
			look_at_needed(name, found);
	}
}

static void look_at_sections(Elf *elf, struct vmsi_elf *found)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		Elf_Data *data;

		if (!gelf_getshdr(section, &header) ||
		    (header.sh_type != SHT_DYNSYM &&
		     header.sh_type != SHT_DYNAMIC))
			continue;
		data = elf_getdata(section, NULL);
		if (data && header.sh_type == SHT_DYNSYM)
			look_at_symbols(elf, header.sh_link, data, found);
		else if (data)
			look_at_dynamic(elf, header.sh_link, data, found);
	}
}

static int read_interpreter(int fd, const GElf_Phdr *header,
			    struct vmsi_elf *found)
{
	size_t length = header->p_filesz;

	if (length < 2 || length > sizeof(found->interpreter) ||
	    pread(fd, found->interpreter, length, (off_t)header->p_offset) !=
		    (ssize_t)length ||
	    found->interpreter[length - 1] != '\0')
		return -ENOEXEC;
	return 0;
}

static int look_at_segments(Elf *elf, int fd, struct vmsi_elf *found)
{
	size_t count;
	int error = 0;

	if (elf_getphdrnum(elf, &count))
		return -ENOEXEC;
	for (size_t i = 0; i < count && !error; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(elf, (int)i, &header))
			error = -ENOEXEC;
		else if (header.p_type == PT_INTERP)
			error = read_interpreter(fd, &header, found);
	}
	return error;
}

static int look(Elf *elf, int fd, struct vmsi_elf *found)
{
	GElf_Ehdr header;
	int error;

	if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header))
		return -ENOEXEC;
	found->platform.class = header.e_ident[EI_CLASS];
	found->platform.order = header.e_ident[EI_DATA];
	found->platform.machine = header.e_machine;
	found->type = header.e_type;
	error = look_at_segments(elf, fd, found);
	if (!error)
		look_at_sections(elf, found);
	return error;
}

int vmsi_elf_read(const char *path, struct vmsi_elf *elf)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error;
	Elf *handle;

	memset(elf, 0, sizeof(*elf));
	if (fd < 0)
		return -errno;
	elf_version(EV_CURRENT);
	handle = elf_begin(fd, ELF_C_READ, NULL);
	error = look(handle, fd, elf);
	elf_end(handle);
	close(fd);
	return error;
}

bool vmsi_elf_same_platform(const struct vmsi_elf *a, const struct vmsi_elf *b)
{
	return a->platform.class == b->platform.class &&
		a->platform.order == b->platform.order &&
		a->platform.machine == b->platform.machine;
}
