/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TRACE_RUN_H
#define VMSI_CLI_TRACE_RUN_H

#include "cli/supervise/options.h"
#include "cli/trace/sampler.h"

/* What the recorder is asked for: the context of struct vmsi_supervise_options. */
struct vmsi_trace {
	const char *path;  /* of the file, for messages */
	int file;          /* open, and empty */
	uint64_t every;    /* nanoseconds; 0: as the recorder thinks best */
	bool has_limit;    /* what it has is recorded, too */
};

/*
 * Start the program and record it until the last of its descendants has ended: the run
 * of struct vmsi_supervise_options.
 */
void vmsi_trace_run(struct vmsi_supervise_options *options, const char *path,
		    char **arguments, int events, int witness);

/* Begin a file. Returns 0 or -errno. */
int vmsi_trace_open(const struct vmsi_trace *trace, char **arguments,
		    struct vmsi_recorder *recorder);

/* Say what is missing in the recording. */
void vmsi_trace_complain(const struct vmsi_trace *trace,
			 const struct vmsi_sampler *sampler);

#endif
