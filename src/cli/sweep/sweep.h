/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SWEEP_H
#define VMSI_CLI_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/command.h"

/*
 * 'vmspace sweep' runs a program again and again, and refuses another one of its
 * requests for memory each time. A run without a refusal is a good run. sweep.c
 * has the options and starts the runs, sweep_run.c makes one run,
 * sweep_interrupt.c ends them when a signal comes, sweep_report.c writes the
 * results.
 */

struct vmsi_sweep_options {
	char **arguments;
	const char *path;
	const char *input;  /* standard input; NULL: nothing */
	const char *report; /* a file for JSON */
	uint64_t first;     /* requests to fail, both included */
	uint64_t last;      /* 0: the last of the good run */
	uint64_t jobs;
	double timeout;     /* seconds; 0: computed from the time of the good run */
	size_t minimum;     /* bytes; smaller requests are not refused */
};

enum vmsi_sweep_verdict {
	VMSI_SWEEP_SAME,    /* output and exit status as of the good run */
	VMSI_SWEEP_WENT_ON, /* exit status as of the good run; output not compared */
	VMSI_SWEEP_FAILED,  /* another exit status: the program has noticed */
	VMSI_SWEEP_WRONG,   /* exit status as of the good run, but another output */
	VMSI_SWEEP_CRASHED, /* ended by a signal */
	VMSI_SWEEP_HUNG,    /* did not end in time */
	VMSI_SWEEP_NOT_MADE, /* the program did not make the request */
	VMSI_SWEEP_BROKEN,  /* the run could not be made */
	VMSI_SWEEP_VERDICTS,
};

/* "crashed" */
const char *vmsi_sweep_word(enum vmsi_sweep_verdict verdict);

/* Bytes for a backtrace, and a final 0. */
#define VMSI_SWEEP_BACKTRACE ((size_t)16 << 10)

struct vmsi_sweep_result {
	uint64_t request;    /* the one that was refused; 0: none, a good run */
	uint64_t requests;   /* number of requests that the program made */
	enum vmsi_sweep_verdict verdict;
	int status;          /* as of waitpid(2) */
	int error;           /* errno of a run that could not be made */
	double seconds;
	size_t requested;    /* bytes */
	char call[16];
	char command[16];
	char backtrace[VMSI_SWEEP_BACKTRACE];
};

/* The output of the good run. */
struct vmsi_sweep_output {
	int file;
	bool known;   /* the first good run has ended */
	int status;
	bool differs; /* the second good run had another output */
};

/*
 * Run the program, with this process as supervisor, which is to end afterwards. A
 * request is refused; 0: none. What the program writes is compared with output,
 * or becomes that where it is not known yet. timeout is in seconds. Fills in the
 * result.
 */
void vmsi_sweep_run(const struct vmsi_sweep_options *options, uint64_t request,
		    double timeout, const struct vmsi_sweep_output *output,
		    struct vmsi_sweep_result *result);

/*
 * Catch the signals that end the sweep: where one comes, to it or to a worker,
 * the workers end their programs first. Returns 0 or -errno.
 */
int vmsi_sweep_catch_signals(void);

/* The first such signal; 0: none has come. */
int vmsi_sweep_interrupted(void);

/*
 * Where such a signal has come, end this process by it. All workers must have
 * ended.
 */
void vmsi_sweep_end_if_interrupted(void);

/*
 * Write the results, which are in the order of their requests. Returns the exit
 * status.
 */
enum vmsi_exit vmsi_sweep_report(const struct vmsi_sweep_options *options,
				 const struct vmsi_sweep_result *results,
				 size_t count);

extern const struct vmsi_command vmsi_command_sweep;

#endif
