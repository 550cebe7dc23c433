/* SPDX-License-Identifier: MIT */
/* What is read of the tables in which processes tell their spaces, whoever wrote them. */
#include "made_proc.h"

#include <sys/mman.h>

#include "cli/sight/names.h"

#define PID 50
#define MIB UINT64_C(0x100000)

static struct vmsi_tables tables;
static int files[16];
static size_t file_count;

/* --- tables ----------------------------------------------------------------- */

static int begin(void **state)
{
	char fds[sizeof(real_proc) + 16];

	begin_proc(state);
	if (!real_proc[0])
		return 0;
	/* A process whose descriptors are this one's. */
	snprintf(fds, sizeof(fds), "%s/self/fd", real_proc);
	put_file("", "/proc/%d/comm", PID);
	return symlink(fds, "/proc/50/fd");
}

static int close_files(void **state)
{
	(void)state;
	while (file_count)
		close(files[--file_count]);
	vmsi_tables_free(&tables);
	return 0;
}

static int keep(int file)
{
	assert_true(file >= 0 && file_count < sizeof(files) / sizeof(files[0]));
	return files[file_count++] = file;
}

static struct vmsi_sign_head good_head(void)
{
	return (struct vmsi_sign_head){
		.magic = VMSI_SIGNS_MAGIC, .version = VMSI_SIGNS_VERSION,
		.sign_bytes = VMSI_SIGN_BYTES, .capacity = VMSI_SIGNS,
		.used = VMSI_SIGNS,
	};
}

static int put_table(const struct vmsi_sign_head *head, size_t size)
{
	const int file = keep(memfd_create(VMSI_SIGNS_FD_NAME, MFD_CLOEXEC));

	assert_int_equal(pwrite(file, head, sizeof(*head), 0), sizeof(*head));
	assert_int_equal(ftruncate(file, (off_t)size), 0);
	return file;
}

static int put_good_table(void)
{
	const struct vmsi_sign_head head = good_head();

	return put_table(&head, VMSI_SIGNS_BYTES);
}

static void put_sign(int file, unsigned number, const struct vmsi_sign *sign)
{
	assert_int_equal(pwrite(file, sign, sizeof(*sign), (off_t)
				(sizeof(struct vmsi_sign_head) + number * sizeof(*sign))),
			 sizeof(*sign));
}

static struct vmsi_sign sign_of(enum vmsi_sign_kind kind, uint64_t start, uint64_t end,
				const char *name)
{
	struct vmsi_sign sign = { .kind = kind, .start = start, .end = end };

	/* The longest name has no room for a 0. */
	memcpy(sign.name, name, strnlen(name, sizeof(sign.name)));
	return sign;
}

static void expect_part(size_t number, uint64_t start, uint64_t end, const char *name)
{
	const struct vmsi_named_part *part = &tables.tables[0].parts[number];

	assert_int_equal(part->start, start);
	assert_int_equal(part->end, end);
	assert_string_equal(part->named->text, name);
}

/* --- cases -------------------------------------------------------------------- */

static void what_is_no_table_is_left_out(void **state)
{
	struct vmsi_sign_head head = good_head();

	(void)state;
	need_proc();
	put_table(&head, VMSI_SIGNS_BYTES - 1);
	head.magic++;
	put_table(&head, VMSI_SIGNS_BYTES);
	head = good_head();
	head.version++;
	put_table(&head, VMSI_SIGNS_BYTES);
	head = good_head();
	head.sign_bytes *= 2;
	put_table(&head, VMSI_SIGNS_BYTES);
	head = good_head();
	head.capacity++;
	put_table(&head, VMSI_SIGNS_BYTES);
	head = good_head();
	head.used = 0;
	put_table(&head, VMSI_SIGNS_BYTES);
	keep(memfd_create("another-name", MFD_CLOEXEC));
	assert_int_equal(vmsi_tables_read(&tables, PID), 0);
	assert_int_equal(tables.count, 0);
}

static void a_table_is_read_once_and_others_too(void **state)
{
	struct vmsi_sign sign = sign_of(VMSI_SIGN_SPACE, MIB, 2 * MIB, "one");
	const int first = put_good_table();
	struct stat status;

	(void)state;
	need_proc();
	put_sign(first, 0, &sign);
	keep(fcntl(first, F_DUPFD_CLOEXEC, 0));
	put_good_table();
	assert_int_equal(vmsi_tables_read(&tables, PID), 0);
	assert_int_equal(tables.count, 2);
	assert_int_equal(fstat(first, &status), 0);
	assert_int_equal(tables.tables[0].inode, status.st_ino);
	assert_int_equal(tables.tables[0].device, status.st_dev);
	assert_int_equal(tables.tables[0].count, 1);
	assert_int_equal(tables.tables[0].list[0].kind, VMSI_OWNER_SPACE);
	expect_part(0, MIB, 2 * MIB, "one");
	assert_int_equal(tables.tables[1].count, 0);
}

/* A process may be made to have very many. */
static void so_many_tables_are_read_and_no_more(void **state)
{
	(void)state;
	need_proc();
	for (int i = 0; i < VMSI_TABLES + 2; i++)
		put_good_table();
	assert_int_equal(vmsi_tables_read(&tables, PID), 0);
	assert_int_equal(tables.count, VMSI_TABLES);
}

static void signs_that_are_not_whole_are_left_out(void **state)
{
	struct vmsi_sign sign = sign_of(VMSI_SIGN_HEAP, 8 * MIB, 9 * MIB, "");
	const int file = put_good_table();

	(void)state;
	need_proc();
	put_sign(file, 3, &sign);
	sign.sequence = 7;
	put_sign(file, 4, &sign);
	sign = sign_of(VMSI_SIGN_KINDS, MIB, 2 * MIB, "of no kind");
	put_sign(file, 5, &sign);
	sign = sign_of(VMSI_SIGN_SPACE, 2 * MIB, 2 * MIB, "empty");
	put_sign(file, 6, &sign);
	sign = sign_of(VMSI_SIGN_SPACE, 3 * MIB, 2 * MIB, "backwards");
	put_sign(file, VMSI_SIGNS - 1, &sign);
	assert_int_equal(vmsi_tables_read(&tables, PID), 0);
	assert_int_equal(tables.tables[0].count, 1);
	assert_int_equal(tables.tables[0].list[0].kind, VMSI_OWNER_VMSPACE_HEAP);
	expect_part(0, 8 * MIB, 9 * MIB, "0x800000");
}

static void names_end_with_their_room(void **state)
{
	char longest[VMSI_SIGN_NAME_MAX + 2];
	struct vmsi_sign sign;
	const int file = put_good_table();

	(void)state;
	need_proc();
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	sign = sign_of(VMSI_SIGN_SPACE, MIB, 2 * MIB, longest);
	put_sign(file, 0, &sign);
	assert_int_equal(vmsi_tables_read(&tables, PID), 0);
	longest[VMSI_SIGN_NAME_MAX] = '\0';
	expect_part(0, MIB, 2 * MIB, longest);
}

/* One that lies in another has its part of it, and is cut off at the other's end. */
static void parts_are_the_innermost(void **state)
{
	const struct vmsi_sign signs[] = {
		sign_of(VMSI_SIGN_SPACE, 10 * MIB, 20 * MIB, "outer"),
		sign_of(VMSI_SIGN_HEAP, 12 * MIB, 14 * MIB, "inner"),
		sign_of(VMSI_SIGN_CODE, 13 * MIB, 14 * MIB, "core"),
		sign_of(VMSI_SIGN_FILE, 19 * MIB, 22 * MIB, "beyond"),
		sign_of(VMSI_SIGN_POOL, 30 * MIB, UINT64_MAX, "far"),
	};
	const int file = put_good_table();

	(void)state;
	need_proc();
	for (unsigned i = 0; i < 5; i++)
		put_sign(file, 5 - i, &signs[i]);
	assert_int_equal(vmsi_tables_read(&tables, PID), 0);
	assert_int_equal(tables.tables[0].part_count, 6);
	expect_part(0, 10 * MIB, 12 * MIB, "outer");
	expect_part(1, 12 * MIB, 13 * MIB, "inner");
	expect_part(2, 13 * MIB, 14 * MIB, "core");
	expect_part(3, 14 * MIB, 19 * MIB, "outer");
	expect_part(4, 19 * MIB, 20 * MIB, "beyond");
	expect_part(5, 30 * MIB, UINT64_MAX, "far");
}

static void who_may_not_look_sees_none(void **state)
{
	(void)state;
	need_proc();
	put_good_table();
	assert_int_equal(vmsi_tables_read(&tables, PID + 1), 0);
	assert_int_equal(tables.count, 0);
}

#define CASE(test) cmocka_unit_test_teardown(test, close_files)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_no_table_is_left_out),
		CASE(a_table_is_read_once_and_others_too),
		CASE(so_many_tables_are_read_and_no_more),
		CASE(signs_that_are_not_whole_are_left_out),
		CASE(names_end_with_their_room),
		CASE(parts_are_the_innermost),
		CASE(who_may_not_look_sees_none),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, begin, end_proc);
}
