/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "growth/growth.h"
#include "host/host.h"

/* A process asks once whether it may have huge pages: a child for each case. */

static const char *setting, *process_status;

static long open_setting(const char *path)
{
	const char *text = strncmp(path, "/sys/", 5) == 0 ? setting :
							    process_status;
	int ends[2];

	if (!text || pipe(ends))
		return -ENOENT;
	if (write(ends[1], text, strlen(text)) < 0)
		abort();
	close(ends[1]);
	return ends[0];
}

static bool in_child(void (*prepare)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		prepare();
		_exit(vmsi_growth_has_huge_pages() ? 1 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_in_range(WEXITSTATUS(status), 0, 1);
	return WEXITSTATUS(status);
}

static void set_host(void)
{
	unsetenv("VMSPACE_HUGE_PAGES");
	vmsi_host.open = open_setting;
}

static void set_environment(void)
{
	set_host();
	setenv("VMSPACE_HUGE_PAGES", "never", 1);
}

static void the_machine_decides(void **state)
{
	(void)state;
	setting = "always [madvise] never\n";
	assert_true(in_child(set_host));
	assert_false(in_child(set_environment));
	setting = "always madvise [never]\n";
	assert_false(in_child(set_host));
	setting = NULL;
	assert_false(in_child(set_host));
}

/* Replace the machine's setting; the process's status is the real one. */
static long (*real_open)(const char *path);

static long open_setting_or_real(const char *path)
{
	return strncmp(path, "/sys/", 5) == 0 ? open_setting(path) :
						real_open(path);
}

static void set_process(void)
{
	set_host();
	vmsi_host.open = open_setting_or_real;
}

static void disable_for_process(void)
{
	set_process();
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		_exit(2);
}

static void the_process_may_be_without(void **state)
{
	(void)state;
	setting = "[always] madvise never\n";
	real_open = vmsi_host.open;
	assert_true(in_child(set_process));
	assert_false(in_child(disable_for_process));
}

/* The line "Groups:" of 65,536 groups comes before the process's setting. */
static void many_groups_do_not_hide_the_process_setting(void **state)
{
	static char status[16 << 10];
	char *at = stpcpy(status, "Name:\tsh\nGroups:\t");

	(void)state;
	setting = "[always] madvise never\n";
	for (int i = 0; i < 1000; i++)
		at = stpcpy(at, "1000000 ");
	at = stpcpy(at, "\nVmSize:\t 3000 kB\nTHP_enabled:\t");
	process_status = status;
	strcpy(at, "0\nSpeculation:\tx\n");
	assert_false(in_child(set_host));
	strcpy(at, "1\nSpeculation:\tx\n");
	assert_true(in_child(set_host));
	process_status = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_machine_decides),
		cmocka_unit_test(the_process_may_be_without),
		cmocka_unit_test(many_groups_do_not_hide_the_process_setting),
	};

	return cmocka_run_group_tests_name("growth_huge", tests, NULL, NULL);
}
