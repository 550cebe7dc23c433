/* SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unwind.h>

/*
 * A preload library that appends a line to the file CRASH_PLACES where a signal ends the
 * program: the signal, and the innermost frames as file and offset. So crashes have the
 * same name whoever has caused them. The unwinder of libgcc is inside: where glibc loads it,
 * that allocates, and could be what fails.
 */

enum { FRAMES = 32, TOLD = 5 };

static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
static char path[4096];
static char stack[1 << 16];

struct walk {
	void *frames[FRAMES];
	int count;
};

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context,
				      void *argument)
{
	struct walk *walk = argument;

	walk->frames[walk->count++] = (void *)_Unwind_GetIP(context);
	return walk->count < FRAMES ? _URC_NO_REASON : _URC_END_OF_STACK;
}

/* Frames of this library and of the kernel's return from the handler are left out. */
static int first_frame(void **frames, int count)
{
	Dl_info own, other;

	if (!dladdr(path, &own))
		return 0;
	for (int i = 0; i < count; i++)
		if (!dladdr(frames[i], &other) ||
		    other.dli_fbase != own.dli_fbase)
			return i + 1;
	return count;
}

static size_t describe(int number, char *line, size_t room)
{
	struct walk walk = { .count = 0 };
	void **const frames = walk.frames;
	int count, first;
	size_t length = (size_t)snprintf(line, room, "signal %d", number);
	Dl_info info;

	(void)_Unwind_Backtrace(note_frame, &walk);
	count = walk.count;
	first = first_frame(frames, count);
	for (int i = first; i < count && i < first + TOLD; i++) {
		const char *name;

		if (!dladdr(frames[i], &info))
			continue;
		name = strrchr(info.dli_fname, '/');
		length += (size_t)snprintf(line + length, room - length,
				" %.40s+0x%tx", name ? name + 1 :
				info.dli_fname, (char *)frames[i] -
				(char *)info.dli_fbase);
	}
	line[length] = '\n';
	return length + 1;
}

static void tell(int number)
{
	char line[1024];
	const size_t length = describe(number, line, sizeof line - 1);
	const int file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	if (file >= 0)
		(void)!write(file, line, length);
	/* It was reset, and comes when this handler returns. */
	(void)raise(number);
}

__attribute__((constructor)) static void begin(void)
{
	const char *wish = getenv("CRASH_PLACES");
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };
	struct sigaction action = {
		.sa_handler = tell, .sa_flags = SA_ONSTACK | (int)SA_RESETHAND,
	};

	if (!wish || strlen(wish) >= sizeof path)
		return;
	strcpy(path, wish);
	(void)sigaltstack(&alternate, NULL);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		(void)sigaction(signals[i], &action, NULL);
}
