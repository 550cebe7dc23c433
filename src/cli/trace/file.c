/* SPDX-License-Identifier: MIT */
#include "cli/trace/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* Returns the words in one line, malloc's; NULL without memory. */
static char *line_of(char **arguments)
{
	char *line = NULL;
	size_t size;
	FILE *stream = open_memstream(&line, &size);

	if (!stream)
		return NULL;
	for (size_t i = 0; arguments[i]; i++)
		fprintf(stream, "%s%s", i ? " " : "", arguments[i]);
	if (fclose(stream) == 0)
		return line;
	free(line);
	return NULL;
}

static char *machine_line(void)
{
	struct utsname name;
	char *line;

	if (uname(&name))
		return strdup("");
	return asprintf(&line, "%s %s %s, %ld processors", name.sysname,
			name.release, name.machine,
			sysconf(_SC_NPROCESSORS_ONLN)) < 0 ? NULL : line;
}

int vmsi_trace_open(const struct vmsi_trace *trace, char **arguments,
		    struct vmsi_recorder *recorder)
{
	struct vmsi_recording head = {
		.program = line_of(arguments), .machine = machine_line(),
		.page_size = (uint64_t)sysconf(_SC_PAGESIZE),
	};
	struct timespec now;
	int error = -ENOMEM;

	clock_gettime(CLOCK_REALTIME, &now);
	head.began = (uint64_t)now.tv_sec * 1000000 +
		(uint64_t)now.tv_nsec / 1000;
	if (head.program && head.machine)
		error = vmsi_recorder_open(recorder, trace->file, &head);
	free(head.program);
	free(head.machine);
	return error;
}

void vmsi_trace_complain(const struct vmsi_trace *trace,
			 const struct vmsi_sampler *sampler)
{
	const int error = sampler->recorder->error;

	if (error)
		vmsi_complain(trace->path, "the recording ends in the midst: %s",
			      strerror(-error));
	if (sampler->hidden)
		vmsi_complain(trace->path, "%zu process%s could not be looked at",
			      sampler->hidden, sampler->hidden == 1 ? "" : "es");
}
