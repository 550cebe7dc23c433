/* SPDX-License-Identifier: MIT */
#include "operation.h"

#include <sys/mman.h>

struct bit_name {
	int bit;
	const char *name;
};

#define NAME(bit) { bit, #bit }

static const struct bit_name prot_names[] = {
	NAME(PROT_READ), NAME(PROT_WRITE), NAME(PROT_EXEC),
	NAME(PROT_GROWSDOWN), NAME(PROT_GROWSUP), { 0, NULL },
};

static const struct bit_name map_names[] = {
	NAME(MAP_SHARED_VALIDATE), NAME(MAP_SHARED), NAME(MAP_PRIVATE),
	NAME(MAP_ANONYMOUS), NAME(MAP_FIXED), NAME(MAP_FIXED_NOREPLACE),
	NAME(MAP_POPULATE), NAME(MAP_NORESERVE), NAME(MAP_LOCKED),
	NAME(MAP_GROWSDOWN), NAME(MAP_STACK), NAME(MAP_HUGETLB),
	NAME(MAP_NONBLOCK), { 0, NULL },
};

static const struct bit_name mremap_names[] = {
	NAME(MREMAP_MAYMOVE), NAME(MREMAP_FIXED), NAME(MREMAP_DONTUNMAP),
	{ 0, NULL },
};

static const struct bit_name msync_names[] = {
	NAME(MS_ASYNC), NAME(MS_SYNC), NAME(MS_INVALIDATE), { 0, NULL },
};

static const struct bit_name advice_names[] = {
	NAME(MADV_NORMAL), NAME(MADV_RANDOM), NAME(MADV_SEQUENTIAL),
	NAME(MADV_WILLNEED), NAME(MADV_DONTNEED), NAME(MADV_FREE),
	NAME(MADV_REMOVE), NAME(MADV_DONTFORK), NAME(MADV_DOFORK),
	NAME(MADV_MERGEABLE), NAME(MADV_UNMERGEABLE), NAME(MADV_HUGEPAGE),
	NAME(MADV_NOHUGEPAGE), NAME(MADV_DONTDUMP), NAME(MADV_DODUMP),
	NAME(MADV_WIPEONFORK), NAME(MADV_KEEPONFORK), NAME(MADV_COLD),
	NAME(MADV_PAGEOUT), NAME(MADV_POPULATE_READ),
	NAME(MADV_POPULATE_WRITE), { 24, "MADV_DONTNEED_LOCKED" },
	{ 25, "MADV_COLLAPSE" }, { 102, "MADV_GUARD_INSTALL" },
	{ 103, "MADV_GUARD_REMOVE" }, { 0, NULL },
};

static const char *const file_names[FILES] = {
	"memory", "disk", "reader", "writer", "sealed", "directory", "path",
	"pipe", "-1",
};

static void print_bits(FILE *stream, int bits, const struct bit_name *names)
{
	const char *separator = "";

	for (; names->name != NULL; names++) {
		if ((bits & names->bit) != names->bit)
			continue;
		(void)fprintf(stream, "%s%s", separator, names->name);
		separator = " | ";
		bits &= ~names->bit;
	}
	if (bits != 0 || *separator == '\0')
		(void)fprintf(stream, "%s%#x", separator, (unsigned)bits);
}

static void print_advice(FILE *stream, int advice)
{
	for (const struct bit_name *n = advice_names; n->name != NULL; n++) {
		if (n->bit != advice)
			continue;
		(void)fputs(n->name, stream);
		return;
	}
	(void)fprintf(stream, "%d", advice);
}

static void print_size(FILE *stream, size_t size, size_t page)
{
	if (size >= (size_t)1 << 40)
		(void)fprintf(stream, "%#zx", size);
	else if (size % page == 0 && size != 0)
		(void)fprintf(stream, "%zu * page", size / page);
	else if (size > page)
		(void)fprintf(stream, "%zu * page + %zu", size / page,
			      size % page);
	else
		(void)fprintf(stream, "%zu", size);
}

static void print_place(FILE *stream, struct place place, size_t page)
{
	if (place.kind == PLACE_ABSOLUTE && place.offset == 0)
		(void)fputs("NULL", stream);
	else if (place.kind == PLACE_ABSOLUTE)
		(void)fprintf(stream, "(void *)%#zx", place.offset);
	else if (place.offset % page == 0)
		(void)fprintf(stream, "at(%zu)", place.offset / page);
	else
		(void)fprintf(stream, "at(%zu) + %zu", place.offset / page,
			      place.offset % page);
}

static const char *const call_names[OP_KINDS] = {
	"mmap", "munmap", "mremap", "mprotect", "madvise", "msync", "mlock",
	"mlock2", "munlock", "mincore", "mseal", "touch", "ftruncate",
};

static void print_mmap(FILE *stream, const struct operation *op)
{
	(void)fputs(", ", stream);
	print_bits(stream, op->prot, prot_names);
	(void)fputs(", ", stream);
	print_bits(stream, op->flags, map_names);
	(void)fprintf(stream, ", %s, %#llx", file_names[op->file],
		      (unsigned long long)op->offset);
}

static void print_mremap(FILE *stream, const struct operation *op, size_t page)
{
	(void)fputs(", ", stream);
	print_size(stream, op->new_length, page);
	(void)fputs(", ", stream);
	print_bits(stream, op->flags, mremap_names);
	(void)fputs(", ", stream);
	print_place(stream, op->new_address, page);
}

static void print_rest(FILE *stream, const struct operation *op, size_t page)
{
	if (op->kind == OP_MMAP)
		print_mmap(stream, op);
	if (op->kind == OP_MREMAP)
		print_mremap(stream, op, page);
	if (op->kind == OP_MPROTECT || op->kind == OP_MADVISE ||
	    op->kind == OP_MSYNC || op->kind == OP_MLOCK2 ||
	    op->kind == OP_MSEAL || op->kind == OP_MINCORE)
		(void)fputs(", ", stream);
	if (op->kind == OP_MPROTECT)
		print_bits(stream, op->prot, prot_names);
	if (op->kind == OP_MADVISE)
		print_advice(stream, op->advice);
	if (op->kind == OP_MSYNC)
		print_bits(stream, op->flags, msync_names);
	if (op->kind == OP_MLOCK2 || op->kind == OP_MSEAL)
		(void)fprintf(stream, "%#x", (unsigned)op->flags);
	if (op->kind == OP_MINCORE)
		(void)fputs("vector", stream);
}

void operation_print(FILE *stream, const struct operation *op, size_t page)
{
	(void)fprintf(stream, "%s(", call_names[op->kind]);
	if (op->kind == OP_TRUNCATE) {
		(void)fprintf(stream, "%s, ", file_names[op->file]);
		print_size(stream, op->new_length, page);
	} else if (op->kind == OP_TOUCH) {
		print_place(stream, op->address, page);
		(void)fprintf(stream, ", %u", op->byte);
	} else {
		print_place(stream, op->address, page);
		(void)fputs(", ", stream);
		print_size(stream, op->length, page);
		print_rest(stream, op, page);
	}
	(void)fputs(");", stream);
}
