/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vmspace.h>

#include "space/sign_table.h"

/*
 * A program whose spaces 'vmspace maps' is asked about. Writes "ready" and waits until
 * its input ends.
 *
 * usage: named_spaces kinds DIRECTORY | forked | hostile
 */

#define BYTES ((size_t)1 << 20)

static void expect(int holds, const char *what)
{
	if (!holds) {
		perror(what);
		exit(1);
	}
}

static vms_space *open_named(const char *name)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options), .name = name,
	};
	vms_space *space = vms_space_open(BYTES, &options);

	expect(space != NULL, "vms_space_open");
	return space;
}

static void fill(vms_space *space)
{
	char *memory = vms_mmap(space, NULL, BYTES / 2, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	expect(memory != MAP_FAILED, "vms_mmap");
	memset(memory, 1, BYTES / 2);
}

static void wait_for_end(void)
{
	char byte;

	puts("ready");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
}

static void make_spaces(const char *path)
{
	const struct vms_file_options file = {
		.struct_size = sizeof(file), .flags = VMS_FILE_CREATE,
		.maximum = BYTES,
	};
	static vms_buffer buffer;
	vms_space *unnamed;

	fill(open_named("my log"));
	fill(open_named("odd\n\033[1m\xff\\012 (deleted)"));
	unnamed = open_named(NULL);
	printf("0x%" PRIxPTR "\n", (uintptr_t)vms_space_base(unnamed));
	expect(vms_heap_open(NULL) != NULL, "vms_heap_open");
	expect(vms_buffer_init(&buffer, BYTES, NULL) == 0, "vms_buffer_init");
	expect(vms_file_open(path, &file) != NULL, "vms_file_open");
}

/* What processes share, by path and by descriptor. */
static void make_shared(const char *directory)
{
	char path[4096];
	vms_share *share;
	vms_ring *ring;

	snprintf(path, sizeof(path), "%s/share", directory);
	share = vms_share_create(path, BYTES, BYTES, NULL);
	expect(share && vms_share_attach_path(path, NULL), "vms_share_attach_path");
	expect(vms_share_create(NULL, BYTES, BYTES, NULL) != NULL,
	       "vms_share_create");
	snprintf(path, sizeof(path), "%s/ring", directory);
	ring = vms_ring_create(path, VMS_RING_MPSC, BYTES, NULL);
	expect(ring != NULL, "vms_ring_create");
	expect(vms_ring_create(NULL, VMS_RING_SPSC, BYTES, NULL) != NULL,
	       "vms_ring_create");
}

/* With and without a maximum. */
static void make_buffers(vms_space *space)
{
	const struct vms_buffer_options options = {
		.struct_size = sizeof(options), .space = space,
		.flags = VMS_BUFFER_SMALL_PAGES,
	};
	static vms_buffer fixed, moving;

	expect(vms_buffer_init(&fixed, BYTES - 1, &options) == 0 &&
		       vms_buffer_init(&moving, 0, &options) == 0 &&
		       vms_buffer_reserve(&moving, BYTES) == 0,
	       "vms_buffer_init");
	printf("%zu\n", fixed.reserved + moving.reserved);
}

/* In spaces of their own, and in one of ours, which is called "home". */
static void make_stacks_and_code(void)
{
	const struct vms_space_options home = {
		.struct_size = sizeof(home), .name = "home",
	};
	struct vms_stacks_options stacks = {
		.struct_size = sizeof(stacks), .name = "workers",
	};
	struct vms_code_options code = {
		.struct_size = sizeof(code), .reserve = BYTES,
	};
	struct vms_code_block block;
	vms_stack stack;

	expect(vms_stacks_open(4, BYTES / 4, &stacks) != NULL, "vms_stacks_open");
	expect(vms_code_open(&code) != NULL, "vms_code_open");
	stacks.space = code.space = vms_space_open(64 * BYTES, &home);
	stacks.name = "within";
	expect(stacks.space != NULL, "vms_space_open");
	expect(vms_mmap(stacks.space, NULL, BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED,
	       "vms_mmap");
	make_buffers(stacks.space);
	expect(vms_stacks_take(vms_stacks_open(4, BYTES / 4, &stacks), NULL,
			       &stack) == 0, "vms_stacks_take");
	expect(vms_code_alloc(vms_code_open(&code), 64, &block) == 0,
	       "vms_code_alloc");
}

static void make_pool(void)
{
	const struct vms_pool_options pool = {
		.struct_size = sizeof(pool), .flags = VMS_POOL_MEMORY,
		.ram = 8 * BYTES, .pages = 1024,
		.name = "my pages",
	};

	expect(vms_pool_open(-1, &pool) != NULL, "vms_pool_open");
}

static void make_kinds(const char *directory)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/data", directory);
	make_spaces(path);
	make_shared(directory);
	make_stacks_and_code();
	make_pool();
}

static void fork_one(void)
{
	int ends[2];
	pid_t child;

	fill(open_named("of the parent"));
	expect(pipe(ends) == 0, "pipe");
	child = fork();
	if (child == 0) {
		/* One more that changes nothing. */
		if (fork() != 0)
			fill(open_named("of the child"));
		expect(write(ends[1], "x", 1) == 1, "write");
		wait_for_end();
		exit(0);
	}
	for (int i = 0; i < 2; i++)
		expect(read(ends[0], &child, 1) == 1, "read");
	wait_for_end();
}

/* --- a table that no library makes ---------------------------------------------- */

static struct vmsi_sign_table *make_table(void)
{
	int fd = memfd_create(VMSI_SIGNS_FD_NAME, MFD_CLOEXEC);
	struct vmsi_sign_table *table;

	expect(fd >= 0 && ftruncate(fd, VMSI_SIGNS_BYTES) == 0, "memfd_create");
	table = mmap(NULL, VMSI_SIGNS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		     0);
	expect(table != MAP_FAILED, "mmap");
	table->head = (struct vmsi_sign_head){
		.magic = VMSI_SIGNS_MAGIC,
		.version = VMSI_SIGNS_VERSION,
		.sign_bytes = VMSI_SIGN_BYTES,
		.capacity = VMSI_SIGNS,
		.used = UINT32_MAX,
	};
	return table;
}

static void sign(struct vmsi_sign_table *table, unsigned number, uint32_t kind,
		 uint64_t start, uint64_t end)
{
	struct vmsi_sign *const at = &table->signs[number];

	at->kind = kind;
	at->start = start;
	at->end = end;
	memset(at->name, 'n', sizeof(at->name)); /* without an end */
}

/* Ranges that overlap, wrap, are empty, are of no kind; one that is never whole. */
static void be_hostile(void)
{
	struct vmsi_sign_table *table = make_table();
	const int bad = memfd_create(VMSI_SIGNS_FD_NAME, MFD_CLOEXEC);
	uint64_t state = 1;

	expect(bad >= 0 && write(bad, "short", 5) == 5, "write");
	for (unsigned i = 0; i < VMSI_SIGNS; i++) {
		uint64_t start, length;

		state = state * UINT64_C(6364136223846793005) + 1;
		start = (state >> 17) & UINT64_C(0x7fffffffffff);
		state = state * UINT64_C(6364136223846793005) + 1;
		length = state >> (20 + i % 40);
		sign(table, i, i % 16, start, start + length);
	}
	sign(table, 0, VMSI_SIGN_SPACE, 0, UINT64_MAX);
	sign(table, 1, VMSI_SIGN_POOL, UINT64_MAX, 0);
	/* The innermost of its memory, but that it is being written for ever. */
	sign(table, 2, VMSI_SIGN_RING, (uintptr_t)table, (uintptr_t)table + 4096);
	strcpy(table->signs[2].name, "half");
	table->signs[2].sequence = 1;
	sign(table, 3, VMSI_SIGN_RING, (uintptr_t)table + 4096,
	     (uintptr_t)table + 8192);
	strcpy(table->signs[3].name, "whole");
	wait_for_end();
}

int main(int argc, char *argv[])
{
	if (argc == 3 && strcmp(argv[1], "kinds") == 0) {
		make_kinds(argv[2]);
		wait_for_end();
	} else if (argc == 2 && strcmp(argv[1], "forked") == 0) {
		fork_one();
	} else if (argc == 2 && strcmp(argv[1], "hostile") == 0) {
		be_hostile();
	} else {
		return 2;
	}
	return 0;
}
