/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_OPTIONS_H
#define VMSI_CLI_SUPERVISE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include <vmspace/group.h>

#include "cli/command.h"
#include "cli/supervise/limit_source.h"
#include "cli/supervise/warn.h"

/* What 'vmspace limit' and 'vmspace fail' are asked for. */

/* Who watches a group beside its supervisor, in its process. */
struct vmsi_beside {
	/* Before the program is started. Returns 0, or -errno and it is not. */
	int (*begin)(void *context, char **arguments);
	void (*started)(void *context, pid_t first);
	void (*refused)(void *context, const struct vms_group_refusal *refusal);
	/* Where grants_are_told. */
	void (*granted)(void *context, const struct vms_group_grant *grant);
	/* What the group has, now and then. */
	void (*look)(void *context, const struct vms_group_stats *stats);
	/* The first process has ended; are_all: all have, and nothing more comes. */
	void (*ended)(void *context, int status, bool are_all);
	void (*close)(void *context);
};

struct vmsi_supervise_options {
	const char *program;    /* the command, for messages: "vmspace limit" */
	const char *limit_text; /* the limit as it was given; NULL: there is none */
	struct vmsi_limit_source source; /* of the limit */
	bool has_policy;        /* --policy or --noreserve was given */
	struct vms_group_options group;
	struct vmsi_warn_options warn;
	const char *name;   /* that the group is listed by; NULL: the program's */
	const char *report; /* a file for JSON */
	bool log;           /* tell refusals as they happen */
	bool quiet;         /* tell nothing at the end */
	bool is_done;       /* help was asked for, and given */
	/* Of 'vmspace limit' without a program: */
	bool json, follow;
	const char *cgroup; /* a control group, whose limit the kernel keeps; or NULL */
	bool by_kernel;     /* --backend=bpf */
	const char *set;    /* a limit, or a group's name; NULL: not given */
	bool has_run_option; /* one that says how a program is run */
	bool explain;       /* of 'vmspace limit': only tell what a limit sees */
	/*
	 * What runs the program beside the job, with sockets as vmsi_supervisor_run has
	 * them; NULL: that.
	 */
	void (*run)(struct vmsi_supervise_options *options, const char *path,
		    char **arguments, int events, int witness);
	/* NULL: nobody. */
	const struct vmsi_beside *beside;
	bool grants_are_told; /* to beside, with stacks */
	void *context;      /* of run and beside */
	/*
	 * The program goes on, with the job as its parent, where what runs beside the
	 * job is killed: this is said then. NULL: it does not.
	 */
	const char *outlived;
};

/* The values of the options. */
enum vmsi_supervise_option {
	VMSI_OPTION_POLICY = 512,
	VMSI_OPTION_FORK,
	VMSI_OPTION_NORESERVE,
	VMSI_OPTION_REPORT,
	VMSI_OPTION_LOG,
	VMSI_OPTION_QUIET,
	VMSI_OPTION_BYTES,
	/* 'vmspace limit' alone has these. */
	VMSI_OPTION_EXPLAIN,
	VMSI_OPTION_WARN_AT,
	VMSI_OPTION_GRACE,
	VMSI_OPTION_SIGNAL,
	VMSI_OPTION_GRACE_SIGNAL,
	VMSI_OPTION_WARN_WHOM,
	VMSI_OPTION_ON_WARN,
	VMSI_OPTION_NAME,
	VMSI_OPTION_JSON,
	VMSI_OPTION_SET,
	VMSI_OPTION_FOLLOW,
	VMSI_OPTION_BACKEND,
	VMSI_OPTION_CGROUP,
	/* 'vmspace fail' alone has these. */
	VMSI_OPTION_LIMIT,
	VMSI_OPTION_NTH,
	VMSI_OPTION_FROM,
	VMSI_OPTION_PROB,
	VMSI_OPTION_SIZE,
	VMSI_OPTION_LOADER,
	VMSI_OPTION_SEED,
};

/* Rows of the tables of both commands: what counts, and what is told. */
#define VMSI_COUNTING_OPTIONS(policy_flags) \
	{ .name = "policy", .value = VMSI_OPTION_POLICY, .flags = (policy_flags), \
	  .argument = "POLICY", .completion = VMSI_COMPLETE_WORDS, \
	  .words = "strict heuristic always", \
	  .help = "strict (the sum counts), heuristic, or always" }, \
	{ .name = "fork", .value = VMSI_OPTION_FORK, \
	  .flags = VMSI_OPTION_IS_RARE, .argument = "charge|free", \
	  .completion = VMSI_COMPLETE_WORDS, .words = "charge free", \
	  .help = "whether a child's copy counts; charge" }, \
	{ .name = "noreserve", .value = VMSI_OPTION_NORESERVE, \
	  .flags = VMSI_OPTION_IS_RARE, \
	  .argument = "charge|free", .completion = VMSI_COMPLETE_WORDS, \
	  .words = "charge free", \
	  .help = "whether MAP_NORESERVE memory counts; charge" }

#define VMSI_TELLING_OPTIONS \
	{ .name = "report", .value = VMSI_OPTION_REPORT, .argument = "FILE", \
	  .completion = VMSI_COMPLETE_FILE, \
	  .help = "what was refused, as JSON" }, \
	{ .name = "log", .value = VMSI_OPTION_LOG, \
	  .help = "tell refusals as they happen" }, \
	{ .name = "quiet", .value = VMSI_OPTION_QUIET, \
	  .help = "tell nothing at the end" }, \
	VMSI_OPTION_TELL_BYTES(VMSI_OPTION_BYTES)

/* Set the defaults: no limit, and no request is refused on demand. */
void vmsi_supervise_init(struct vmsi_supervise_options *options,
			 const char *program);

/*
 * Take the options of a command, up to the first argument that is no option, or
 * --help, which is answered.
 */
enum vmsi_exit
vmsi_supervise_take_options(struct vmsi_supervise_options *options, int argc,
			    char **argv, const struct vmsi_command *command);

/* Take the limit: a size, or where it comes from. */
enum vmsi_exit vmsi_supervise_take_limit(struct vmsi_supervise_options *options,
					 const char *text);

/* Report options that do not go together. */
enum vmsi_exit
vmsi_supervise_check(const struct vmsi_supervise_options *options);

#endif
