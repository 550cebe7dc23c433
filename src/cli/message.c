/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/output/text.h"

enum vmsi_exit vmsi_usage_hint(const char *program)
{
	fprintf(stderr, "Try '%s --help'.\n", program);
	return VMSI_EXIT_USAGE;
}

enum vmsi_exit vmsi_usage_error(const char *program, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s: ", program);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return vmsi_usage_hint(program);
}

static const char *complainer = "vmspace";

void vmsi_complain_as(const char *program)
{
	complainer = program;
}

void vmsi_complain(const char *name, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s: ", complainer);
	vmsi_write_escaped(stderr, name);
	fputs(": ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

enum vmsi_exit vmsi_finish_output(const char *program)
{
	if (!ferror(stdout) && fflush(stdout) == 0)
		return VMSI_EXIT_OK;
	if (errno != EPIPE)
		fprintf(stderr, "%s: cannot write: %s\n", program,
			strerror(errno));
	return VMSI_EXIT_FAILED;
}
