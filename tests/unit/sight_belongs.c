/* SPDX-License-Identifier: MIT */
/* To whom the mappings of listings belong, and what each owner has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <vmspace.h>

#include "cli/sight/belongs.h"

#define RW (PROT_READ | PROT_WRITE)
#define MIB ((uintptr_t)1 << 20)
#define ARENA (64 * MIB)

static struct vmsi_process process;
static struct vmsi_belongs belongs;

static int begin(void **state)
{
	(void)state;
	process = (struct vmsi_process){ .pid = 1 };
	belongs = (struct vmsi_belongs){ .process = &process };
	return 0;
}

static int end(void **state)
{
	(void)state;
	vmsi_owners_free(&process.owners);
	return 0;
}

/* Add a mapping with a label; "" is none. Returns its owner. */
static const struct vmsi_owner *add_flagged(uintptr_t start, uintptr_t end, int prot,
					    enum vmsi_label_kind kind, const char *label,
					    unsigned flags)
{
	struct vmsi_seen_mapping mapping = {
		.start = start, .end = end, .prot = prot, .label = kind, .flags = flags,
		.figures.of = { [VMSI_SIZE] = end - start, [VMSI_MAPPINGS] = 1 },
	};

	assert_int_equal(vmsi_belongs_add(&belongs, &mapping, vmsi_scan_text(label)), 0);
	return &process.owners.list[mapping.owner];
}

static const struct vmsi_owner *add(uintptr_t start, uintptr_t end, int prot,
				    enum vmsi_label_kind kind, const char *label)
{
	return add_flagged(start, end, prot, kind, label, 0);
}

static const struct vmsi_owner *add_none(uintptr_t start, uintptr_t end, int prot)
{
	return add(start, end, prot, VMSI_LABEL_NONE, "");
}

static void expect_owner(const struct vmsi_owner *owner, enum vmsi_owner_kind kind,
			 const char *text, uint64_t size)
{
	assert_int_equal(owner->kind, kind);
	assert_string_equal(owner->name->text, text);
	assert_int_equal(owner->figures.of[VMSI_SIZE], size);
}

static void labels_name_owners(void **state)
{
	(void)state;
	expect_owner(add(0x1000, 0x2000, RW, VMSI_LABEL_FILE, "/bin/x"),
		     VMSI_OWNER_FILE, "/bin/x", 0x1000);
	expect_owner(add(0x3000, 0x4000, RW, VMSI_LABEL_KERNEL, "[heap]"),
		     VMSI_OWNER_HEAP, "[heap]", 0x1000);
	expect_owner(add(0x5000, 0x6000, RW, VMSI_LABEL_KERNEL, "[stack]"),
		     VMSI_OWNER_STACK, "[stack]", 0x1000);
	expect_owner(add(0x7000, 0x8000, RW, VMSI_LABEL_KERNEL, "[vvar]"),
		     VMSI_OWNER_KERNEL, "[vvar]", 0x1000);
	expect_owner(add(0x9000, 0xa000, RW, VMSI_LABEL_GIVEN, "cache"),
		     VMSI_OWNER_NAMED, "cache", 0x1000);
	expect_owner(add(0xb000, 0xc000, RW, VMSI_LABEL_FILE, "/memfd:m (deleted)"),
		     VMSI_OWNER_MEMFD, "/memfd:m", 0x1000);
	expect_owner(add_flagged(0xd000, 0xe000, RW, VMSI_LABEL_KERNEL, "/SYSV00000000",
				 VMS_MAPPING_SHARED),
		     VMSI_OWNER_SHARED, "/SYSV00000000", 0x1000);
	expect_owner(add_flagged(0xf000, 0x10000, RW, VMSI_LABEL_NONE, "",
				 VMS_MAPPING_SHARED),
		     VMSI_OWNER_SHARED, "[shared]", 0x1000);
}

/* One name may be of owners of different kinds: a program may call memory "[heap]". */
static void kinds_are_kept_apart(void **state)
{
	const struct vmsi_owner *heap, *named;

	(void)state;
	add(0x1000, 0x2000, RW, VMSI_LABEL_KERNEL, "[heap]");
	named = add(0x3000, 0x5000, RW, VMSI_LABEL_GIVEN, "[heap]");
	heap = &process.owners.list[0];
	expect_owner(heap, VMSI_OWNER_HEAP, "[heap]", 0x1000);
	expect_owner(named, VMSI_OWNER_NAMED, "[heap]", 0x2000);
	assert_ptr_equal(heap->name, named->name);
}

static void deleted_and_living_files_are_two(void **state)
{
	(void)state;
	assert_false(add(0x1000, 0x2000, RW, VMSI_LABEL_FILE, "/x")->name->is_deleted);
	assert_true(add(0x2000, 0x3000, RW, VMSI_LABEL_FILE, "/x (deleted)")
		    ->name->is_deleted);
	assert_int_equal(process.owners.count, 2);
	assert_string_equal(process.owners.list[1].name->text, "/x");
}

static void zeroed_data_is_the_files(void **state)
{
	(void)state;
	add(0x1000, 0x2000, PROT_READ | PROT_EXEC, VMSI_LABEL_FILE, "/bin/x");
	add(0x2000, 0x3000, RW, VMSI_LABEL_FILE, "/bin/x");
	expect_owner(add_none(0x3000, 0x5000, RW), VMSI_OWNER_FILE, "/bin/x", 0x4000);
	/* It is not next to it, or nobody may write to it. */
	expect_owner(add_none(0x6000, 0x7000, RW), VMSI_OWNER_ANONYMOUS, "[anon]",
		     0x1000);
	add(0x8000, 0x9000, PROT_READ, VMSI_LABEL_FILE, "/bin/x");
	expect_owner(add_none(0x9000, 0xa000, RW), VMSI_OWNER_ANONYMOUS, "[anon]",
		     0x2000);
}

static void an_arena_and_its_rest_are_one(void **state)
{
	const struct vmsi_owner *arenas;

	(void)state;
	add_none(ARENA, ARENA + MIB, RW);
	arenas = add_none(ARENA + MIB, 2 * ARENA, PROT_NONE);
	expect_owner(arenas, VMSI_OWNER_ARENAS, "[malloc arenas]", ARENA);
	assert_int_equal(arenas->figures.of[VMSI_MAPPINGS], 2);
	/* What it was taken for has it no more. */
	assert_int_equal(process.owners.list[0].kind, VMSI_OWNER_ANONYMOUS);
	assert_int_equal(process.owners.list[0].figures.of[VMSI_SIZE], 0);
	assert_int_equal(process.owners.list[0].figures.of[VMSI_MAPPINGS], 0);
	/* One that begins elsewhere, and one whose rest is short, are none. */
	add_none(4 * ARENA + MIB, 4 * ARENA + 2 * MIB, RW);
	expect_owner(add_none(4 * ARENA + 2 * MIB, 5 * ARENA, PROT_NONE),
		     VMSI_OWNER_RESERVED, "[reserved]", ARENA - 2 * MIB);
	add_none(6 * ARENA, 6 * ARENA + MIB, RW);
	assert_int_equal(add_none(6 * ARENA + MIB, 7 * ARENA - MIB, PROT_NONE)->kind,
			 VMSI_OWNER_RESERVED);
	/* Or whose rest is longer than a guard would make it. */
	add_none(8 * ARENA, 8 * ARENA + MIB, RW);
	assert_int_equal(add_none(8 * ARENA + MIB, 9 * ARENA + MIB, PROT_NONE)->kind,
			 VMSI_OWNER_RESERVED);
}

static void stacks_have_their_guards(void **state)
{
	struct vmsi_thread_stack stacks[] = {
		{ .thread = 7, .pointer = 0x25000, .command = "worker" },
		{ .thread = 8, .pointer = 2 * MIB + 0x20010, .command = "idle" },
	};

	(void)state;
	process.stacks = (struct vmsi_stacks){ .list = stacks, .count = 2 };
	add_none(0x10000, 0x11000, PROT_NONE);
	expect_owner(add_none(0x11000, 0x30000, RW), VMSI_OWNER_STACK,
		     "[stack:7 worker]", 0x20000);
	/* What is larger than guards are is set aside for something else. */
	add_none(MIB, 2 * MIB, PROT_NONE);
	expect_owner(add_none(2 * MIB, 3 * MIB, RW), VMSI_OWNER_STACK, "[stack:8 idle]",
		     MIB);
	expect_owner(&process.owners.list[0], VMSI_OWNER_RESERVED, "[reserved]", MIB);
	/* No pointer lies in the last one: its end is not in it. */
	stacks[1].pointer = 5 * MIB;
	assert_int_equal(add_none(4 * MIB, 5 * MIB, RW)->kind, VMSI_OWNER_ANONYMOUS);
}

/* Many names, so that their table grows several times, and each is found again. */
static void many_names_are_found(void **state)
{
	char label[32];

	(void)state;
	for (int round = 0; round < 2; round++)
		for (unsigned i = 0; i < 3000; i++) {
			snprintf(label, sizeof(label), "/lib/%u", i);
			add(0x1000, 0x2000, PROT_READ, VMSI_LABEL_FILE, label);
		}
	assert_int_equal(process.owners.count, 3000);
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(label, sizeof(label), "/lib/%u", i);
		expect_owner(&process.owners.list[i], VMSI_OWNER_FILE, label, 0x2000);
	}
}

static void labels_may_have_any_bytes(void **state)
{
	(void)state;
	expect_owner(add(0x1000, 0x2000, RW, VMSI_LABEL_FILE, "/\xff\x1b\n"),
		     VMSI_OWNER_FILE, "/\xff\x1b\n", 0x1000);
	/* A file of that name, and the remark alone. */
	expect_owner(add(0x2000, 0x3000, RW, VMSI_LABEL_FILE, " (deleted)"),
		     VMSI_OWNER_FILE, " (deleted)", 0x1000);
}

static void columns_are_found_by_their_whole_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < VMSI_COLUMNS; i++)
		assert_int_equal(vmsi_column_find(vmsi_columns[i].name,
						  strlen(vmsi_columns[i].name)), i);
	assert_int_equal(vmsi_column_find("siz", 3), VMSI_COLUMNS);
	assert_int_equal(vmsi_column_find("sizes", 5), VMSI_COLUMNS);
	assert_int_equal(vmsi_column_find("", 0), VMSI_COLUMNS);
	assert_int_equal(vmsi_column_find("size,huge", 4), VMSI_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(labels_name_owners, begin, end),
		cmocka_unit_test_setup_teardown(kinds_are_kept_apart, begin, end),
		cmocka_unit_test_setup_teardown(deleted_and_living_files_are_two, begin,
						end),
		cmocka_unit_test_setup_teardown(zeroed_data_is_the_files, begin, end),
		cmocka_unit_test_setup_teardown(an_arena_and_its_rest_are_one, begin, end),
		cmocka_unit_test_setup_teardown(stacks_have_their_guards, begin, end),
		cmocka_unit_test_setup_teardown(many_names_are_found, begin, end),
		cmocka_unit_test_setup_teardown(labels_may_have_any_bytes, begin, end),
		cmocka_unit_test(columns_are_found_by_their_whole_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
