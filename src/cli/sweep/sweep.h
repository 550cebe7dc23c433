/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SWEEP_H
#define VMSI_CLI_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/command.h"
#include "cli/program/preload.h"

/*
 * 'vmspace sweep' runs a program again and again, and fails something else each
 * time: one of its allocations (malloc and its like), or one of its requests to the
 * kernel. A run in which nothing fails is a good run, any other a trial.
 *
 * sweep.c has the options. sweep_requests.c goes through the requests, each trial a
 * process that supervises the program (sweep_run.c); sweep_allocations.c goes through
 * the allocations (sweep_table.c) that the good runs have made (sweep_learn.c), by workers
 * that make one trial after the other (sweep_worker.c), where it can be by forks of one
 * run on its way (sweep_trunk.c, sweep_branches.c). sweep_judge.c gives the verdicts, sweep_interrupt.c ends it all
 * when a signal comes, sweep_report.c writes the results, and sweep_junit.c,
 * sweep_sarif.c and sweep_baseline.c write them for other programs.
 */

enum vmsi_sweep_kind {
	VMSI_SWEEP_ALLOCATION = 1,
	VMSI_SWEEP_REQUEST = 2,
};

struct vmsi_sweep_options {
	char **arguments;
	const char *path;
	unsigned kinds;     /* VMSI_SWEEP_* bits; 0: both */
	const char *input;  /* standard input; NULL: nothing */
	const char *report; /* a file for JSON; NULL: none */
	const char *junit;  /* likewise */
	const char *sarif;
	const char *baseline;     /* a file with known findings */
	const char *new_baseline; /* a file for those that were found */
	uint64_t first;     /* requests to fail, both included */
	uint64_t last;      /* 0: the last of the good run */
	uint64_t jobs;
	double timeout;     /* seconds; 0: computed from the time of the good run */
	size_t minimum;     /* bytes; what is smaller does not fail */
	size_t maximum;     /* bytes; allocations that are larger do not fail */
	uint64_t depth;     /* frames that make an allocation another one */
	bool each;          /* not each stack once, but each allocation */
	bool goes_on;       /* with an allocation fail all after it */
	bool starts_anew;   /* the program for each trial: no fork server */
	bool leaks;         /* look for them at the end of each run */
	const char *library;  /* only stacks through it; NULL: all */
	const char *function; /* likewise */
};

enum vmsi_sweep_verdict {
	VMSI_SWEEP_SAME,    /* output and exit status as of the good run */
	VMSI_SWEEP_WENT_ON, /* exit status as of the good run; output not compared */
	VMSI_SWEEP_FAILED,  /* another exit status: the program has noticed */
	VMSI_SWEEP_WRONG,   /* exit status as of the good run, but another output */
	VMSI_SWEEP_LEAKED, /* left memory behind that nothing points to */
	VMSI_SWEEP_CRASHED, /* ended by a signal */
	VMSI_SWEEP_HUNG,    /* did not end in time */
	VMSI_SWEEP_NOT_MADE, /* the program did not make the request */
	VMSI_SWEEP_LEFT_OUT, /* a sanitizer made it for itself */
	VMSI_SWEEP_BROKEN,  /* the run could not be made */
	VMSI_SWEEP_VERDICTS,
	VMSI_SWEEP_UNTRIED, /* the sweep was interrupted before */
};

/* "crashed" */
const char *vmsi_sweep_word(enum vmsi_sweep_verdict verdict);

/* Whether a verdict is a finding, because of which the sweep has failed. */
bool vmsi_sweep_is_bad(enum vmsi_sweep_verdict verdict);

/* Bytes for a backtrace, and a final 0. */
#define VMSI_SWEEP_BACKTRACE ((size_t)16 << 10)

struct vmsi_sweep_result {
	enum vmsi_sweep_kind kind;
	uint64_t number;     /* of what has failed, from 1 on; 0: a good run */
	uint64_t made;       /* requests or allocations that the program made */
	uint64_t calls;      /* allocations from the same stack in the good run */
	uint64_t stack;      /* of an allocation: the hash of its stack */
	enum vmsi_sweep_verdict verdict;
	int status;          /* as of waitpid(2) */
	int error;           /* errno of a run that could not be made */
	double seconds;
	size_t requested;    /* bytes */
	bool known;          /* a finding that is in the baseline */
	char call[16];
	char command[16];
	char *backtrace;     /* a line a frame; "": not known */
	char *leak;          /* how much, and a line a frame; NULL or "": none */
};

/* All results of one kind, in the order of their numbers. */
struct vmsi_sweep_part {
	enum vmsi_sweep_kind kind;
	struct vmsi_sweep_result *results;
	size_t count;
	uint64_t made;   /* allocations of the good run */
	uint64_t stacks; /* from which they came */
};

/* --- judging ----------------------------------------------------------------------- */

/* The output of the good run. */
struct vmsi_sweep_output {
	int file;
	bool known;   /* the first good run has ended */
	int status;
	bool differs; /* the second good run had another output */
};

/*
 * The verdict on a run that has ended, or that was ended because it was not in time.
 * file is what it has written; has_failed whether anything was made to fail.
 */
enum vmsi_sweep_verdict
vmsi_sweep_judge(const struct vmsi_sweep_result *result,
		 const struct vmsi_sweep_output *output, int file, bool in_time,
		 bool has_failed);

/*
 * Open the standard input of a run, and a file for its output: that of the good run
 * where it is not known yet. Returns 0 or -errno.
 */
int vmsi_sweep_open_streams(const struct vmsi_sweep_options *options,
			    const struct vmsi_sweep_output *known,
			    int *input, int *output);

/* Seconds since some moment. */
double vmsi_sweep_now(void);

/* --- the two sweeps -------------------------------------------------------------------- */

/*
 * Fail each request, or each allocation, in turn. Where the sweep is interrupted,
 * the results that are there are given. Returns VMSI_EXIT_OK, or the exit status
 * after an error message.
 */
enum vmsi_exit vmsi_sweep_requests(struct vmsi_sweep_options *options,
				   struct vmsi_sweep_part *part);
enum vmsi_exit vmsi_sweep_allocations(struct vmsi_sweep_options *options,
				      struct vmsi_sweep_part *part);

/*
 * Find the library to preload, and the program's file. why_not becomes the reason why
 * the library cannot be loaded into the program, or else empty. Returns VMSI_EXIT_OK,
 * or the exit status after an error message.
 */
enum vmsi_exit
vmsi_sweep_prepare_allocations(const struct vmsi_sweep_options *options,
			       struct vmsi_preload_reason *why_not);

/*
 * Run the program, with this process as supervisor, which is to end afterwards. A
 * request is refused; 0: none. What the program writes is compared with output,
 * or becomes that where it is not known yet. timeout is in seconds. Fills in the
 * result.
 */
void vmsi_sweep_run(const struct vmsi_sweep_options *options, uint64_t request,
		    double timeout, const struct vmsi_sweep_output *output,
		    struct vmsi_sweep_result *result);

/* Write an error of the sweep. Returns VMSI_EXIT_RUN_FAILED. */
enum vmsi_exit vmsi_sweep_fail(const char *what, int error);

/* Write something about the program. */
__attribute__((format(printf, 2, 3)))
void vmsi_sweep_say(const struct vmsi_sweep_options *options,
		    const char *format, ...);

/*
 * Check the first good run; and compare the second one with it. Where their outputs
 * differ, the outputs of trials prove nothing and are not compared. Return VMSI_EXIT_OK,
 * or the exit status after an error message.
 */
enum vmsi_exit vmsi_sweep_check_good(const struct vmsi_sweep_options *options,
				     const struct vmsi_sweep_result *good);
enum vmsi_exit vmsi_sweep_compare_good(const struct vmsi_sweep_options *options,
				       struct vmsi_sweep_output *output,
				       const struct vmsi_sweep_result *first,
				       const struct vmsi_sweep_result *second);

/* How long a trial may take: seconds. */
double vmsi_sweep_time_limit(const struct vmsi_sweep_options *options,
			     const struct vmsi_sweep_result *good);

/*
 * Allocate zeroed memory that is shared with workers, which write their results
 * there. Returns NULL where there is none.
 */
void *vmsi_sweep_share(size_t length);

/* --- being interrupted ------------------------------------------------------------------ */

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

/* --- the report -------------------------------------------------------------------------- */

/* Write the results. Returns the exit status. */
enum vmsi_exit vmsi_sweep_report(const struct vmsi_sweep_options *options,
				 const struct vmsi_sweep_part *parts,
				 size_t count);

extern const struct vmsi_command vmsi_command_sweep;

#endif
