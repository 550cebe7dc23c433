/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_OPTIONS_H
#define VMSI_CLI_SUPERVISE_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

#include <vmspace/group.h>

#include "cli/command.h"

/* What 'vmspace limit' and 'vmspace fail' are asked for. */

struct vmsi_supervise_options {
	const char *program;    /* the command, for messages: "vmspace limit" */
	const char *limit_text; /* the limit as it was given; NULL: there is none */
	bool has_policy;        /* one was given, or what only strict has */
	struct vms_group_options group;
	const char *report; /* a file for JSON */
	bool log;           /* refusals as they happen */
	bool quiet;         /* nothing on standard error at the end */
	bool is_done;       /* help was asked for, and given */
	bool explain;       /* of 'vmspace limit': only tell what a limit sees */
};

/* The long options of getopt_long(3): their values. */
enum vmsi_supervise_option {
	VMSI_OPTION_POLICY = 512,
	VMSI_OPTION_FORK,
	VMSI_OPTION_NORESERVE,
	VMSI_OPTION_REPORT,
	VMSI_OPTION_LOG,
	VMSI_OPTION_QUIET,
	/* Of 'vmspace limit' alone. */
	VMSI_OPTION_EXPLAIN,
	/* Of 'vmspace fail' alone. */
	VMSI_OPTION_LIMIT,
	VMSI_OPTION_NTH,
	VMSI_OPTION_FROM,
	VMSI_OPTION_PROB,
	VMSI_OPTION_SIZE,
	VMSI_OPTION_LOADER,
	VMSI_OPTION_SEED,
};

/* Those that both commands have, as rows of a table of getopt_long(3). */
#define VMSI_SUPERVISE_OPTIONS \
	{ "policy", required_argument, NULL, VMSI_OPTION_POLICY }, \
	{ "fork", required_argument, NULL, VMSI_OPTION_FORK }, \
	{ "noreserve", required_argument, NULL, VMSI_OPTION_NORESERVE }, \
	{ "report", required_argument, NULL, VMSI_OPTION_REPORT }, \
	{ "log", no_argument, NULL, VMSI_OPTION_LOG }, \
	{ "quiet", no_argument, NULL, VMSI_OPTION_QUIET }, \
	{ "help", no_argument, NULL, 'h' }

/* No limit, and nothing is refused. */
void vmsi_supervise_init(struct vmsi_supervise_options *options,
			 const char *program);

/*
 * Take the options of a table up to the first argument that is none, up to --help,
 * which is given, or up to --explain.
 */
enum vmsi_exit
vmsi_supervise_take_options(struct vmsi_supervise_options *options, int argc,
			    char **argv, const struct option *table,
			    const struct vmsi_command *command);

/* Take the limit. */
enum vmsi_exit vmsi_supervise_take_limit(struct vmsi_supervise_options *options,
					 const char *text);

/* Whether the options go together. */
enum vmsi_exit
vmsi_supervise_check(const struct vmsi_supervise_options *options);

#endif
