/* SPDX-License-Identifier: MIT */
#include "group_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/*
 * The stack of a thread that is refused lies in memory that another process or
 * thread has to provide, and does not. The program of the group is this one.
 *
 * usage: unreadable ASKER (the test), or unreadable DESCRIPTOR stay
 */

#define STACK_BYTES ((size_t)1 << 20)
#define DEEP_BYTES ((size_t)256 << 10)
#define UNTIL_REFUSED_US 500000

static int out;
static char *stack;

static void say(const char *line)
{
	if (dprintf(out, "%s\n", line) < 0)
		_exit(99);
}

/* --- the program ---------------------------------------------------------- */

static void *map(size_t bytes)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* From now on nobody provides pages that are missing there. */
static bool leave_unprovided(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register registration = {
		.range = { (uintptr_t)stack, STACK_BYTES },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	/* So that all that the frames below need is there. */
	memset(stack, 1, STACK_BYTES);
	return faults >= 0 && ioctl(faults, UFFDIO_API, &api) == 0 &&
		ioctl(faults, UFFDIO_REGISTER, &registration) == 0;
}

/* Far below the frames that called it, which go. */
static __attribute__((noinline)) void ask(volatile char *deep)
{
	deep[0] = 1;
	if (madvise(stack + STACK_BYTES - DEEP_BYTES / 2, DEEP_BYTES / 2,
		    MADV_DONTNEED))
		_exit(1);
	say(map((size_t)1 << 40) == MAP_FAILED ? "refused" : "granted");
	for (;;)
		pause();
}

static void descend(void)
{
	volatile char deep[DEEP_BYTES];

	ask(deep);
	deep[1] = deep[0];
}

static void *ask_beside(void *unused)
{
	usleep(UNTIL_REFUSED_US);
	say(map(MIB) == MAP_FAILED ? "beside refused" : "beside ok");
	return unused;
}

static int run_program(const char *descriptor)
{
	ucontext_t context;
	pthread_t thread;

	/* A test that fails does not wait for it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	out = atoi(descriptor);
	stack = map(STACK_BYTES);
	if (stack == MAP_FAILED || getcontext(&context))
		return 1;
	if (!leave_unprovided()) {
		say("no userfaultfd");
		for (;;)
			pause();
	}
	if (pthread_create(&thread, NULL, ask_beside, NULL))
		return 1;
	context.uc_stack.ss_sp = stack;
	context.uc_stack.ss_size = STACK_BYTES;
	context.uc_link = NULL;
	makecontext(&context, descend, 0);
	return setcontext(&context);
}

/* --- the test ------------------------------------------------------------- */

static char why[80];

static void take_refusal(void *context, vms_group *group,
			 const struct vms_group_refusal *refusal)
{
	(void)context;
	(void)group;
	snprintf(why, sizeof why, "%s",
		 refusal->backtrace ? "there is one" : refusal->why_no_backtrace);
}

static void nobody_waits_for_a_stack_for_ever(void **state)
{
	struct vms_group_options options = default_options();
	struct asked asked;

	(void)state;
	options.flags = VMS_GROUP_BACKTRACES;
	options.on_refusal = take_refusal;
	asked = start(&options, "stay");
	serve_until_said(&asked, "\n");
	if (strstr(asked.said, "no userfaultfd")) {
		finish(&asked);
		skip();
	}
	serve_until_said(&asked, "beside ok\n");
	/* It is told when it is clear that the thread does not ask again. */
	while (!why[0])
		assert_true(vms_group_serve(asked.group, 50) >= 0);
	print_message("# %s\n", why);
	assert_true(strstr(why, "in time") || strstr(why, "libdw"));
	finish(&asked);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_waits_for_a_stack_for_ever),
	};

	if (argc == 3)
		return run_program(argv[1]);
	need_groups(argc, argv);
	use_program("/proc/self/exe");
	return cmocka_run_group_tests_name("group_unreadable", tests, NULL,
					   NULL);
}
