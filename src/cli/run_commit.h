/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_RUN_COMMIT_H
#define VMSI_CLI_RUN_COMMIT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/signalfd.h>

#include <vmspace/group.h>

#include "cli.h"

/*
 * 'vmspace run --commit': the command stays in front, as the job that the shell
 * knows (run_front.c); a child of it supervises the group (run_supervisor.c) and
 * goes on where processes outlive the program; it knows of signals which the
 * program has got without the front (run_witness.c); refusals are collected and
 * told at the end (run_report.c).
 */

/* --- run_commit.c: what was asked for ----------------------------------- */

enum vmsi_backend {
	VMSI_BACKEND_SECCOMP, /* each request of each process */
	VMSI_BACKEND_RLIMIT,  /* RLIMIT_DATA */
};

struct vmsi_commit_options {
	bool asked;
	const char *limit_text; /* the limit as it was given */
	enum vmsi_backend backend;
	struct vms_group_options group;
	const char *report; /* a file for JSON */
	bool log;           /* refusals as they happen */
	bool quiet;         /* nothing on standard error at the end */
	bool explain;
};

/* The long options of getopt_long(3): their values. */
enum vmsi_commit_option {
	VMSI_OPTION_COMMIT = 512,
	VMSI_OPTION_POLICY,
	VMSI_OPTION_FORK,
	VMSI_OPTION_NORESERVE,
	VMSI_OPTION_BACKEND,
	VMSI_OPTION_REPORT,
	VMSI_OPTION_LOG,
	VMSI_OPTION_QUIET,
	VMSI_OPTION_FAIL_NTH,
	VMSI_OPTION_FAIL_FROM,
	VMSI_OPTION_FAIL_PROB,
	VMSI_OPTION_FAIL_SIZE,
	VMSI_OPTION_FAIL_LOADER,
	VMSI_OPTION_SEED,
	VMSI_OPTION_EXPLAIN,
};

void vmsi_commit_init(struct vmsi_commit_options *options);

/* Why a group cannot be made here, of an errno of vms_group_probe. */
const char *vmsi_commit_why_not(int error);

/* Take an option of the above with its argument, which may be NULL. */
enum vmsi_exit vmsi_commit_take(struct vmsi_commit_options *options,
				const char *program, int option,
				const char *argument);

/* Whether the options go together. */
enum vmsi_exit vmsi_commit_check(const struct vmsi_commit_options *options,
				 const char *program);

/* What each back end sees and misses on this machine. */
enum vmsi_exit vmsi_commit_explain(void);

/* Run a program. Returns its exit status, or dies of its signal. */
int vmsi_commit_run(struct vmsi_commit_options *options,
		    const char *path, char **arguments);

/* --- run_front.c -------------------------------------------------------- */

/* What the supervisor tells the front. */
struct vmsi_front_event {
	enum {
		VMSI_FRONT_STARTED, /* number: of the first process */
		VMSI_FRONT_FAILED,  /* number: exit status; it was told why */
		VMSI_FRONT_STOPPED, /* number: status, as of waitpid(2) */
		VMSI_FRONT_ENDED,   /* number: status; others live on */
		VMSI_FRONT_ALL_ENDED, /* number: status; nothing is left */
	} event;
	int number;
};

/* Fork the supervisor, and do in front what a program would do there. */
int vmsi_front_run(struct vmsi_commit_options *options, const char *path,
		   char **arguments);

/* The signals that it passes on. */
void vmsi_front_signals(sigset_t *set);

/* --- run_supervisor.c --------------------------------------------------- */

/*
 * Supervise the program until the last process of its group has ended. The
 * front hears events, and asks the witness.
 */
void vmsi_supervise(struct vmsi_commit_options *options, const char *path,
		    char **arguments, int events, int witness);

/* --- run_witness.c ------------------------------------------------------ */

/*
 * Begin to answer the front's questions, in a thread of the supervisor, which
 * is to block the signals that are passed on. Returns 0, or -1 with errno set.
 */
int vmsi_witness_start(int front);

/* Whether a signal that the front has got has come to the supervisor too. */
bool vmsi_witness_has(int supervisor, const struct signalfd_siginfo *signal);

/* --- run_report.c ------------------------------------------------------- */

struct vmsi_report;

struct vmsi_report *vmsi_report_open(const struct vmsi_commit_options *options,
				     char **arguments);

/* As vms_group_options.on_refusal; context is the report. */
void vmsi_report_refusal(void *report, vms_group *group,
			 const struct vms_group_refusal *refusal);

/* At the end of the first process, on standard error and to the file. */
void vmsi_report_finish(struct vmsi_report *report, vms_group *group);

/* At the end of all: the file anew, where more was refused since. */
void vmsi_report_update(struct vmsi_report *report, vms_group *group);
void vmsi_report_close(struct vmsi_report *report);

/* "mmap", "brk" */
const char *vmsi_report_call_name(enum vms_group_call call);

/* --- run_descriptors.c -------------------------------------------------- */

/*
 * Close what the caller has handed to the program: /dev/null takes the place of
 * standard input and output, and inherited descriptors from 3 on are closed.
 * Standard error stays, and what is the file of that name, unless it is NULL.
 */
void vmsi_let_go_of_descriptors(const char *kept_file);

/* The same of standard input alone, and of the descriptors from 3 on. */
void vmsi_let_go_of_input(const char *kept_file);
void vmsi_let_go_of_others(const char *kept_file);

/*
 * Leave the current directory, so that it can be removed, and its file system
 * unmounted. A relative path that is used later is made absolute, and never
 * freed; where that cannot be, nothing is done. path, or what is there, may be
 * NULL.
 */
void vmsi_let_go_of_directory(const char **path);

#endif
