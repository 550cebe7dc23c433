/* SPDX-License-Identifier: MIT */
/* Saved listings, whoever wrote them, and what has changed between two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/sight/saved.h"

/* Of a process that was saved, or is a difference, there is no more. */
void vmsi_process_free(struct vmsi_process *process)
{
	vmsi_owners_free(&process->owners);
	*process = (struct vmsi_process){ 0 };
}

#define STATUS \
	"\"status\":{\"resident\":1,\"resident_anonymous\":2,\"resident_file\":3," \
	"\"resident_shared\":4,\"swapped\":5,\"locked\":6}"
#define FIGURES(size) \
	"\"size\":" size ",\"reserved\":0,\"writable\":0,\"mappings\":1"
#define OWNER(kind, name, size) \
	"{\"kind\":\"" kind "\",\"deleted\":false,\"name\":" name "," FIGURES(size) "}"
#define PROCESS(pid, owners) \
	"{\"pid\":" pid ",\"command\":\"x\"," STATUS ",\"owners\":[" owners "]}"
#define WHOLE(processes) \
	"{\"format\":\"vmspace maps\",\"version\":1,\"difference\":false," \
	"\"pages\":false,\"processes\":[" processes "]}"

/* Read a text as a file. Returns why it cannot be read, or NULL. */
static const char *read_bytes(const char *text, size_t length,
			      struct vmsi_seen_processes *processes)
{
	char path[] = "/tmp/vmspace-saved-XXXXXX";
	const int file = mkstemp(path);
	const char *why;

	assert_true(file >= 0);
	assert_int_equal(write(file, text, length), length);
	close(file);
	why = vmsi_saved_read(path, processes);
	unlink(path);
	return why;
}

static const char *read_text(const char *text, struct vmsi_seen_processes *processes)
{
	return read_bytes(text, strlen(text), processes);
}

static void must_read(const char *text, struct vmsi_seen_processes *processes)
{
	const char *why = read_text(text, processes);

	if (why)
		print_error("%s\n", why);
	assert_null(why);
}

static const struct vmsi_owner *owner_named(const struct vmsi_process *process,
					    const char *name)
{
	for (size_t i = 0; i < process->owners.count; i++)
		if (strcmp(process->owners.list[i].name->text, name) == 0)
			return &process->owners.list[i];
	fail_msg("no owner %s", name);
	return NULL;
}

static int64_t size_of(const struct vmsi_owner *owner)
{
	return (int64_t)owner->figures.of[VMSI_SIZE];
}

/* --- reading -------------------------------------------------------------- */

static void owners_are_read(void **state)
{
	struct vmsi_seen_processes processes;

	(void)state;
	must_read(WHOLE(PROCESS("7", OWNER("file", "\"/a\\nb\"", "8") ","
				OWNER("heap", "\"[heap]\"", "16"))), &processes);
	assert_int_equal(processes.count, 1);
	assert_int_equal(processes.list[0].pid, 7);
	assert_string_equal(processes.list[0].command, "x");
	assert_int_equal(processes.list[0].status.locked, 6);
	assert_int_equal(size_of(owner_named(processes.list, "/a\nb")), 8);
	assert_int_equal(processes.list[0].total.of[VMSI_SIZE], 24);
	assert_int_equal(processes.list[0].total.of[VMSI_MAPPINGS], 2);
	vmsi_seen_processes_free(&processes);
}

static void bytes_of_names_are_read(void **state)
{
	struct vmsi_seen_processes processes;

	(void)state;
	must_read(WHOLE(PROCESS("7", "{\"kind\":\"file\",\"deleted\":true,"
				"\"name\":\"?\",\"name_bytes\":\"2fff1b\","
				FIGURES("1") "}")), &processes);
	assert_true(owner_named(processes.list, "/\xff\x1b")->name->is_deleted);
	vmsi_seen_processes_free(&processes);
}

static void what_is_no_listing_is_refused(void **state)
{
	static const char *const texts[] = {
		"", "null", "[]", "{}", "7", "\"\"", "{\"format\":\"vmspace maps\"}",
		WHOLE("7"), WHOLE("null"), WHOLE("{}"), WHOLE(PROCESS("-1", "")),
		WHOLE(PROCESS("4294967296", "")), WHOLE(PROCESS("\"7\"", "")),
		WHOLE(PROCESS("7", "null")), WHOLE(PROCESS("7", "{}")),
		WHOLE(PROCESS("7", OWNER("file", "null", "1"))),
		WHOLE(PROCESS("7", OWNER("file", "7", "1"))),
		WHOLE(PROCESS("7", OWNER("nothing", "\"x\"", "1"))),
		WHOLE(PROCESS("7", OWNER("file", "\"x\"", "-1"))),
		WHOLE(PROCESS("7", OWNER("file", "\"x\"", "1.5"))),
		WHOLE(PROCESS("7", OWNER("file", "\"x\"", "null"))),
		WHOLE(PROCESS("7", OWNER("file", "\"x\"", "99999999999999999999"))),
		/* A byte of 0, digits that are none, and one name twice. */
		WHOLE(PROCESS("7", "{\"kind\":\"file\",\"name_bytes\":\"2f00\","
			      FIGURES("1") "}")),
		WHOLE(PROCESS("7", "{\"kind\":\"file\",\"name_bytes\":\"2F\","
			      FIGURES("1") "}")),
		WHOLE(PROCESS("7", "{\"kind\":\"file\",\"kind\":\"heap\","
			      "\"name\":\"x\"," FIGURES("1") "}")),
	};
	struct vmsi_seen_processes processes;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *why = read_text(texts[i], &processes);

		if (!why)
			print_error("taken: %s\n", texts[i]);
		assert_non_null(why);
		vmsi_seen_processes_free(&processes);
	}
}

/* Cut anywhere, or with a byte that is another one, it is read or refused. */
static void damage_does_no_harm(void **state)
{
	char text[] = WHOLE(PROCESS("7", OWNER("file", "\"/a\\u00e9\"", "8")));
	const size_t length = sizeof(text) - 1;
	struct vmsi_seen_processes processes;

	(void)state;
	for (size_t i = 0; i < length; i++) {
		static const char others[] = { '\0', '"', '{', '9', '\xff' };

		assert_non_null(read_bytes(text, i, &processes));
		vmsi_seen_processes_free(&processes);
		for (size_t k = 0; k < sizeof(others); k++) {
			const char before = text[i];

			text[i] = others[k];
			(void)read_bytes(text, length, &processes);
			vmsi_seen_processes_free(&processes);
			text[i] = before;
		}
	}
}

static void another_version_is_told(void **state)
{
	struct vmsi_seen_processes processes;

	(void)state;
	assert_string_equal(read_text("{\"format\":\"vmspace maps\",\"version\":2,"
				      "\"processes\":[]}", &processes),
			    "is of another version of vmspace");
	vmsi_seen_processes_free(&processes);
	assert_non_null(vmsi_saved_read("/nonexistent/file", &processes));
	vmsi_seen_processes_free(&processes);
}

/* --- comparing ------------------------------------------------------------ */

static void differences_may_be_below_0(void **state)
{
	struct vmsi_seen_processes before, after, differences;
	const struct vmsi_process *one;

	(void)state;
	must_read(WHOLE(PROCESS("7", OWNER("file", "\"shrinks\"", "9") ","
				OWNER("file", "\"goes\"", "5"))), &before);
	must_read(WHOLE(PROCESS("8", OWNER("file", "\"shrinks\"", "2") ","
				OWNER("heap", "\"comes\"", "3"))), &after);
	assert_int_equal(vmsi_seen_processes_compare(&differences, &before, &after), 0);
	/* One each time is the same, whatever its number. */
	assert_int_equal(differences.count, 1);
	one = differences.list;
	assert_int_equal(one->pid, 8);
	assert_int_equal(size_of(owner_named(one, "shrinks")), -7);
	assert_int_equal(size_of(owner_named(one, "goes")), -5);
	assert_int_equal(size_of(owner_named(one, "comes")), 3);
	assert_int_equal((int64_t)one->total.of[VMSI_SIZE], -9);
	assert_int_equal(one->status.resident, 0);
	assert_true(one->what & VMSI_SEE_DIFFERENCE);
	vmsi_seen_processes_free(&differences);
	vmsi_seen_processes_free(&after);
	vmsi_seen_processes_free(&before);
}

static void several_are_the_same_by_number(void **state)
{
	struct vmsi_seen_processes before, after, differences;

	(void)state;
	must_read(WHOLE(PROCESS("1", OWNER("file", "\"a\"", "1")) ","
			PROCESS("2", OWNER("file", "\"a\"", "2"))), &before);
	must_read(WHOLE(PROCESS("2", OWNER("file", "\"a\"", "7")) ","
			PROCESS("3", OWNER("file", "\"a\"", "3"))), &after);
	assert_int_equal(vmsi_seen_processes_compare(&differences, &before, &after), 0);
	assert_int_equal(differences.count, 3);
	for (size_t i = 0; i < 3; i++) {
		static const struct { pid_t pid; int64_t size; } want[] = {
			{ 2, 5 }, { 3, 3 }, { 1, -1 },
		};

		assert_int_equal(differences.list[i].pid, want[i].pid);
		assert_int_equal(size_of(owner_named(&differences.list[i], "a")),
				 want[i].size);
	}
	vmsi_seen_processes_free(&differences);
	vmsi_seen_processes_free(&after);
	vmsi_seen_processes_free(&before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owners_are_read),
		cmocka_unit_test(bytes_of_names_are_read),
		cmocka_unit_test(what_is_no_listing_is_refused),
		cmocka_unit_test(damage_does_no_harm),
		cmocka_unit_test(another_version_is_told),
		cmocka_unit_test(differences_may_be_below_0),
		cmocka_unit_test(several_are_the_same_by_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
