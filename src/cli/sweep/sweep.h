/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SWEEP_H
#define VMSI_CLI_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/command.h"

/*
 * 'vmspace sweep': a program is run again and again, and each time another one
 * of its requests for memory fails. sweep.c has the options and the order of
 * the runs, sweep_run.c one run, sweep_interrupt.c what a signal does to them,
 * sweep_report.c what came of them.
 */

struct vmsi_sweep_options {
	char **arguments;
	const char *path;
	const char *input;  /* standard input; NULL: nothing */
	const char *report; /* a file for JSON */
	uint64_t first;     /* requests to fail, both included */
	uint64_t last;      /* 0: the last that there is */
	uint64_t jobs;
	double timeout;     /* seconds; 0: from the good run */
	size_t minimum;     /* bytes; smaller requests are left out */
};

enum vmsi_sweep_verdict {
	VMSI_SWEEP_SAME,    /* the output and status of the good run */
	VMSI_SWEEP_WENT_ON, /* its status; output cannot be compared */
	VMSI_SWEEP_FAILED,  /* another exit status: it has noticed */
	VMSI_SWEEP_WRONG,   /* the good run's status, another output */
	VMSI_SWEEP_CRASHED, /* ended by a signal */
	VMSI_SWEEP_HUNG,    /* did not end in time */
	VMSI_SWEEP_NOT_MADE, /* the request did not come */
	VMSI_SWEEP_BROKEN,  /* the run could not be made */
	VMSI_SWEEP_VERDICTS,
};

/* "crashed" */
const char *vmsi_sweep_word(enum vmsi_sweep_verdict verdict);

/* Bytes for a stack, and a final 0. */
#define VMSI_SWEEP_STACK ((size_t)16 << 10)

struct vmsi_sweep_result {
	uint64_t request;    /* the one that failed; 0: the good run */
	uint64_t requests;   /* that the program made */
	enum vmsi_sweep_verdict verdict;
	int status;          /* as of waitpid(2) */
	int error;           /* errno of a run that could not be made */
	double seconds;
	size_t requested;    /* bytes */
	char call[16];
	char command[16];
	char stack[VMSI_SWEEP_STACK];
};

/* What the program writes when nothing fails. */
struct vmsi_sweep_output {
	int file;
	bool known;   /* the first good run has ended */
	int status;
	bool differs; /* from run to run */
};

/*
 * Run the program in this process, which is to end afterwards, failing a request;
 * 0: none. What it writes is compared with output, or goes there where that is
 * not known. timeout in seconds.
 */
void vmsi_sweep_run(const struct vmsi_sweep_options *options, uint64_t request,
		    double timeout, const struct vmsi_sweep_output *output,
		    struct vmsi_sweep_result *result);

/*
 * From now on a signal that ends the sweep, and comes to it or to a run, first
 * ends all runs with their programs. Returns 0 or -errno.
 */
int vmsi_sweep_catch_signals(void);

/* The signal that has come; 0: none. */
int vmsi_sweep_interrupted(void);

/* Where a signal has come, and the runs have ended, it does what it is for. */
void vmsi_sweep_end_if_interrupted(void);

/* Results in the order of their requests. Returns the exit status. */
enum vmsi_exit vmsi_sweep_report(const struct vmsi_sweep_options *options,
				 const struct vmsi_sweep_result *results,
				 size_t count);

extern const struct vmsi_command vmsi_command_sweep;

#endif
