/* SPDX-License-Identifier: MIT */
#include "code_fixture.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include "code/code.h"
#include "host/host.h"

/* Names of blocks: the file of perf, and what a debugger is told. */

static char path[64];

static void open_named(unsigned flags)
{
	const struct vms_code_options options = {
		.struct_size = sizeof(options),
		.reserve = (size_t)4 << 20,
		.flags = flags,
	};

	code = vms_code_open(&options);
	assert_non_null(code);
	(void)snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	(void)unlink(path);
}

static int close_named(void **state)
{
	(void)unlink(path);
	return close_pool(state);
}

static size_t read_map(const char *file, char *text, size_t size)
{
	FILE *stream = fopen(file, "r");
	size_t length;

	if (!stream)
		return 0;
	length = fread(text, 1, size - 1, stream);
	text[length] = '\0';
	(void)fclose(stream);
	return length;
}

static void perf_finds_names_in_its_file(void **state)
{
	struct vms_code_block first, second;
	char text[1000], expected[1000];

	(void)state;
	open_named(VMS_CODE_PERF);
	first = make_published(200, 1);
	second = make_published(77, 2);
	errno = 9;
	assert_int_equal(vms_code_name(code, &first, "first function"), 0);
	assert_int_equal(vms_code_name(code, &second, "second"), 0);
	assert_int_equal(errno, 9);
	(void)snprintf(expected, sizeof(expected),
		       "%lx c8 first function\n%lx 4d second\n",
		       (unsigned long)first.run, (unsigned long)second.run);
	assert_true(read_map(path, text, sizeof(text)) > 0);
	assert_string_equal(text, expected);
}

static int name_in_child(void *argument)
{
	char file[64], text[1000];
	bool named;

	(void)snprintf(file, sizeof(file), "/tmp/perf-%d.map", getpid());
	named = vms_code_name(code, argument, "of the child") == 0 &&
		read_map(file, text, sizeof(text)) > 0 &&
		strstr(text, " of the child\n");
	(void)unlink(file);
	return named ? 0 : 1;
}

static void a_child_has_a_file_of_its_own(void **state)
{
	struct vms_code_block block;
	char text[1000];

	(void)state;
	open_named(VMS_CODE_PERF);
	block = make_published(200, 1);
	assert_int_equal(vms_code_name(code, &block, "mine"), 0);
	assert_int_equal(signal_of(name_in_child, &block), 0);
	assert_true(read_map(path, text, sizeof(text)) > 0);
	assert_null(strstr(text, "of the child"));
}

/* Who makes the file first could have the program write elsewhere. */
static void a_file_that_is_a_link_is_refused(void **state)
{
	struct vms_code_block block;

	(void)state;
	open_named(VMS_CODE_PERF);
	block = make_published(200, 1);
	assert_int_equal(symlink("/tmp/vmspace-not-there", path), 0);
	assert_refused(vms_code_name(code, &block, "x"), ELOOP);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(vms_code_name(code, &block, "x"), -1);
}

static long append_three(int fd, const struct iovec *parts, int count)
{
	(void)fd;
	(void)parts;
	(void)count;
	return 3;
}

static void a_line_that_has_no_space_is_an_error(void **state)
{
	const struct vmsi_host_calls real_host = vmsi_host;
	struct vms_code_block block;
	int result, error;

	(void)state;
	open_named(VMS_CODE_PERF);
	block = make_published(200, 1);
	vmsi_host.append = append_three;
	result = vms_code_name(code, &block, "x");
	error = errno;
	vmsi_host = real_host;
	assert_int_equal(result, -1);
	assert_int_equal(error, ENOSPC);
	assert_int_equal(vms_code_name(code, &block, "x"), 0);
}

static int name_beyond_limit(void *argument)
{
	const struct rlimit limit = { 100, 100 };
	char file[64];
	int names = 0, error;

	(void)snprintf(file, sizeof(file), "/tmp/perf-%d.map", getpid());
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		return 1;
	while (names < 20 && vms_code_name(code, argument, "name") == 0)
		names++;
	error = errno;
	(void)unlink(file);
	return names > 1 && names < 20 && error == EFBIG ? 0 : 2;
}

/* Where the kernel would send SIGXFSZ. */
static void a_limit_of_files_is_an_error(void **state)
{
	struct vms_code_block block;

	(void)state;
	open_named(VMS_CODE_PERF);
	block = make_published(200, 1);
	assert_int_equal(signal_of(name_beyond_limit, &block), 0);
}

static void names_that_are_none_are_refused(void **state)
{
	struct vms_code_block block, unpublished;
	char longest[VMS_CODE_NAME_MAX + 2];

	(void)state;
	open_named(0);
	block = make_published(200, 1);
	unpublished = make(100, 1);
	memset(longest, 'x', sizeof(longest));
	longest[VMS_CODE_NAME_MAX + 1] = '\0';
	assert_refused(vms_code_name(code, &block, longest), EINVAL);
	longest[VMS_CODE_NAME_MAX] = '\0';
	assert_int_equal(vms_code_name(code, &block, longest), 0);
	assert_refused(vms_code_name(code, &block, ""), EINVAL);
	assert_refused(vms_code_name(code, &block, "a\nb"), EINVAL);
	assert_refused(vms_code_name(code, &block, NULL), EINVAL);
	assert_refused(vms_code_name(code, NULL, "x"), EINVAL);
	assert_refused(vms_code_name(NULL, &block, "x"), EINVAL);
	assert_refused(vms_code_name(code, &unpublished, "x"), EINVAL);
}

static void many_names_come_and_go(void **state)
{
	static struct vms_code_block blocks[1000];
	char name[20];

	(void)state;
	open_named(VMS_CODE_GDB);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 1000; i++) {
			blocks[i] = make_published(64, 1);
			(void)snprintf(name, sizeof(name), "f%d", i);
			assert_int_equal(vms_code_name(code, &blocks[i], name),
					 0);
		}
		assert_refused(vms_code_name(code, &blocks[7], "again"),
			       EEXIST);
		for (int i = 0; i < 1000; i += 1 + round)
			assert_int_equal(vms_code_free(code, &blocks[i]), 0);
	}
}

/* A debugger stops where the function runs, and tells its name. */
static void a_debugger_shows_the_name(void **state)
{
	char command[1000], text[8192];
	FILE *gdb;
	size_t length;

	(void)state;
	if (system("gdb --version > /dev/null 2>&1") != 0) {
		print_message("# there is no gdb\n");
		skip();
	}
	(void)snprintf(command, sizeof(command),
		       "gdb -nx -batch -ex 'set debuginfod enabled off' "
		       "-ex run -ex bt --args /proc/%d/exe trap 2>&1", getpid());
	gdb = popen(command, "r");
	assert_non_null(gdb);
	length = fread(text, 1, sizeof(text) - 1, gdb);
	text[length] = '\0';
	(void)pclose(gdb);
	if (strstr(text, "ptrace: Operation not permitted") ||
	    strstr(text, "Cannot PTRACE")) {
		print_message("# gdb may not trace here\n");
		skip();
	}
	if (!strstr(text, "made_by_the_test") || !strstr(text, "run_trap"))
		fail_msg("%s", text);
}

/* perf takes samples of a function that runs for a while. */
static void perf_shows_the_name(void **state)
{
	char command[1000], text[8192];
	FILE *perf;
	size_t length;

	(void)state;
	(void)snprintf(command, sizeof(command),
		       "f=$(mktemp) && perf record -q -e cpu-clock -o $f "
		       "sh -c \"echo \\$\\$ > $f.pid; exec /proc/%d/exe loop\" && "
		       "perf report -i $f --stdio; "
		       "rm -f /tmp/perf-$(cat $f.pid).map $f $f.pid", getpid());
	if (system("perf record -q -e cpu-clock -o /dev/null true "
		   "> /dev/null 2>&1") != 0) {
		print_message("# perf cannot record here\n");
		skip();
	}
	perf = popen(command, "r");
	assert_non_null(perf);
	length = fread(text, 1, sizeof(text) - 1, perf);
	text[length] = '\0';
	(void)pclose(perf);
	if (!strstr(text, "loop_of_the_test"))
		fail_msg("%s", text);
}

/* What runs under perf. It leaves its file, which perf reads when it has ended. */
static int run_loop(void)
{
	const struct vms_code_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_CODE_PERF,
	};
	struct vms_code_block block;

	code = vms_code_open(&options);
	if (!code || vms_code_alloc(code, 64, &block) != 0)
		return 2;
#if defined(__x86_64__)
	/* mov ecx, 100000000; 1: dec ecx; jnz 1b; ret */
	memcpy(block.write, "\xb9\x00\xe1\xf5\x05\xff\xc9\x75\xfc\xc3", 10);
#else
	/* movz w0, 0x5f5, lsl 16; 1: subs w0, w0, 1; b.ne 1b; ret */
	memcpy(block.write, "\xa0\xbe\xa0\x52\x00\x04\x00\x71\xe1\xff\xff\x54"
	       "\xc0\x03\x5f\xd6", 16);
#endif
	if (vms_code_publish(code, &block) != 0 ||
	    vms_code_name(code, &block, "loop_of_the_test") != 0)
		return 3;
	(void)call(block.run);
	return 0;
}

/* What runs under gdb: code that traps, called by a function that has a name. */
__attribute__((noinline)) int run_trap(void);
int run_trap(void)
{
	const struct vms_code_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_CODE_GDB,
	};
	struct vms_code_block block;

	code = vms_code_open(&options);
	if (!code || vms_code_alloc(code, 64, &block) != 0)
		return 2;
#if defined(__x86_64__)
	/* push rbp; mov rbp, rsp; int3; pop rbp; ret */
	memcpy(block.write, "\x55\x48\x89\xe5\xcc\x5d\xc3", 7);
#else
	/* stp x29, x30, [sp, -16]!; mov x29, sp; brk 0; ldp; ret */
	memcpy(block.write, "\xfd\x7b\xbf\xa9\xfd\x03\x00\x91\x00\x00\x20\xd4"
	       "\xfd\x7b\xc1\xa8\xc0\x03\x5f\xd6", 20);
#endif
	if (vms_code_publish(code, &block) != 0 ||
	    vms_code_name(code, &block, "made_by_the_test") != 0)
		return 3;
	return call(block.run) + 1;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(perf_finds_names_in_its_file,
					  close_named),
		cmocka_unit_test_teardown(a_child_has_a_file_of_its_own,
					  close_named),
		cmocka_unit_test_teardown(a_file_that_is_a_link_is_refused,
					  close_named),
		cmocka_unit_test_teardown(a_line_that_has_no_space_is_an_error,
					  close_named),
		cmocka_unit_test_teardown(a_limit_of_files_is_an_error,
					  close_named),
		cmocka_unit_test_teardown(names_that_are_none_are_refused,
					  close_named),
		cmocka_unit_test_teardown(many_names_come_and_go, close_named),
		cmocka_unit_test(a_debugger_shows_the_name),
		cmocka_unit_test(perf_shows_the_name),
	};

	if (argc > 1 && strcmp(argv[1], "trap") == 0)
		return run_trap();
	if (argc > 1 && strcmp(argv[1], "loop") == 0)
		return run_loop();
	return cmocka_run_group_tests_name("code_names", tests, NULL, NULL);
}
