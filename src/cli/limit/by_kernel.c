/* SPDX-License-Identifier: MIT */
#include "cli/limit/by_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/limit/control_group.h"
#include "cli/output/json.h"
#include "cli/output/size.h"
#include "cli/output/text.h"
#include "cli/supervise/supervise.h"
#include "text/size.h"

#ifdef VMSI_WITH_BPF

/* What step failed, and what it takes. */
static const char *why_not(int error)
{
	switch (error) {
	case -EPERM:
	case -EACCES:
		return "it takes root, or CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN, "
		       "and a kernel that is not locked down";
	case -ENOTSUP:
		return "it is not";
	case -ENOENT:
		return "there is none";
	case -ESRCH:
	case -EINVAL:
		return "this kernel refuses; it takes Linux 6.1 with "
		       "CONFIG_BPF_SYSCALL, CONFIG_DEBUG_INFO_BTF and "
		       "CONFIG_SECURITY on x86-64";
	case -EPROTO:
		return "what is pinned there is another version's, or not of "
		       "this command";
	case -ENOSPC:
		return "as many control groups have a limit as can";
	default:
		return strerror(-error);
	}
}

static enum vmsi_exit fail(const char *program, const char *path, const char *step,
			   int error)
{
	fprintf(stderr, "%s: ", program);
	vmsi_write_escaped(stderr, path);
	fprintf(stderr, ": the kernel cannot keep a limit: %s: %s\n", step,
		why_not(error));
	return VMSI_EXIT_FAILED;
}

enum vmsi_exit vmsi_by_kernel_set(const char *program, const char *path,
				  const char *text)
{
	const bool clears = strcmp(text, "none") == 0;
	const char *step = "opening it";
	size_t bytes = 0;
	int directory, error;

	if (!clears && !vmsi_parse_size(text, VMSI_SIZE_FRACTION, &bytes))
		return vmsi_usage_error(program, "'%s' is neither a size nor "
					"'none'", text);
	if (!clears && bytes == 0)
		return vmsi_usage_error(program, "a limit of 0 bytes is none; did "
					"you mean 1, or 'none'?");
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0) {
		fprintf(stderr, "%s: ", program);
		vmsi_write_escaped(stderr, path);
		fprintf(stderr, ": %s\n", strerror(errno));
		return VMSI_EXIT_FAILED;
	}
	error = clears ? vmsi_bpf_clear(directory, &step) :
		vmsi_bpf_set(directory, bytes, &step);
	close(directory);
	if (error == -ENOENT && clears) {
		fprintf(stderr, "%s: ", program);
		vmsi_write_escaped(stderr, path);
		fputs(": it has no limit\n", stderr);
		return VMSI_EXIT_FAILED;
	}
	return error ? fail(program, path, step, error) : VMSI_EXIT_OK;
}

enum vmsi_exit vmsi_by_kernel_run(const char *command, uint64_t limit,
				  char **arguments)
{
	const char *step = "making a control group below one's own";
	struct vmsi_control_group group;
	struct vmsi_program program;
	enum vmsi_exit result;
	int error;

	result = vmsi_supervise_look_up(command, &arguments, &program);
	if (result != VMSI_EXIT_OK || !arguments)
		return result;
	error = vmsi_control_group_make(&group);
	if (error) {
		fail(command, "control group", step, error);
		return VMSI_EXIT_RUN_FAILED;
	}
	error = vmsi_bpf_set(group.directory, limit, &step);
	if (!error) {
		step = "joining it";
		error = vmsi_control_group_join(&group);
	}
	if (error) {
		vmsi_control_group_remove(&group);
		fail(command, "control group", step, error);
		return VMSI_EXIT_RUN_FAILED;
	}
	vmsi_restore_signals();
	execv(program.path, arguments);
	error = errno;
	vmsi_control_group_leave(&group);
	return vmsi_program_explain_start(program.name, program.path, error);
}

/* --- the list ---------------------------------------------------------------------- */

/* Who is not root may not know of them, and has none himself. */
static bool are_none(int error)
{
	return error == -EPERM || error == -EACCES || error == -ENOENT ||
	       error == -ENOTSUP;
}

/* Find all, and remove those that were made for a program that has ended. */
enum vmsi_exit vmsi_by_kernel_find(const char *program,
				   struct vmsi_kernel_limits *limits)
{
	const char *step;
	int error = vmsi_bpf_list(limits->list, &limits->count, &limits->lost, &step);
	bool removed = false;

	for (size_t i = 0; !error && i < limits->count; i++)
		removed |= vmsi_control_group_end(limits->list[i].id);
	if (removed)
		error = vmsi_bpf_list(limits->list, &limits->count, &limits->lost,
				      &step);
	if (!error)
		return VMSI_EXIT_OK;
	limits->count = 0;
	if (are_none(error))
		return VMSI_EXIT_OK;
	fprintf(stderr, "%s: what limits the kernel keeps: %s: %s\n", program, step,
		why_not(error));
	return VMSI_EXIT_FAILED;
}

static void explain_state(void)
{
	struct vmsi_kernel_limits limits;
	const char *step;
	const int error = vmsi_bpf_list(limits.list, &limits.count, &limits.lost,
					&step);

	if (error)
		printf("%s: %s\n", step, why_not(error));
	else
		printf("%zu limits now\n", limits.count);
}

#else

static enum vmsi_exit refuse(const char *program, enum vmsi_exit result)
{
	fprintf(stderr, "%s: the kernel cannot keep a limit: this command was built "
		"without libbpf, clang or bpftool\n", program);
	return result;
}

enum vmsi_exit vmsi_by_kernel_set(const char *program, const char *path,
				  const char *text)
{
	(void)path;
	(void)text;
	return refuse(program, VMSI_EXIT_FAILED);
}

enum vmsi_exit vmsi_by_kernel_run(const char *program, uint64_t limit,
				  char **arguments)
{
	(void)limit;
	(void)arguments;
	return refuse(program, VMSI_EXIT_RUN_FAILED);
}

enum vmsi_exit vmsi_by_kernel_find(const char *program,
				   struct vmsi_kernel_limits *limits)
{
	(void)program;
	limits->count = 0;
	limits->lost = 0;
	return VMSI_EXIT_OK;
}

static void explain_state(void)
{
	puts("this command was built without libbpf, clang or bpftool");
}

#endif

/* --- what is the same with and without ------------------------------------------------ */

void vmsi_by_kernel_write_text(const struct vmsi_kernel_limits *limits)
{
	const int width = vmsi_told_width(8), wide = vmsi_told_width(11);
	char path[PATH_MAX];

	if (limits->count)
		printf("%*s %*s %8s %*s  %s\n", width, "LIMIT", width, "IN USE",
		       "REFUSED", wide, "LET THROUGH", "CONTROL GROUP");
	for (size_t i = 0; i < limits->count; i++) {
		const struct vmsi_bpf_group *group = &limits->list[i];

		printf("%*s %*s %8llu %*s  ",
		       width, vmsi_told_size(group->limit).text,
		       width, vmsi_told_size(group->committed).text,
		       (unsigned long long)group->refused,
		       wide, vmsi_told_size(group->forced).text);
		vmsi_control_group_path(group->id, path);
		vmsi_write_escaped(stdout, path);
		putchar('\n');
	}
	if (limits->lost)
		printf("%llu memories are in no account, which is full\n",
		       (unsigned long long)limits->lost);
}

json_t *vmsi_by_kernel_json(const struct vmsi_bpf_group *group)
{
	char path[PATH_MAX];

	vmsi_control_group_path(group->id, path);
	return json_pack("{s:o,s:o,s:o,s:o,s:o}",
		"cgroup", vmsi_json_text(path),
		"limit", vmsi_json_amount(group->limit),
		"committed", vmsi_json_amount(group->committed),
		"refused", vmsi_json_amount(group->refused),
		"let_through", vmsi_json_amount(group->forced));
}

int vmsi_by_kernel_append_json(const struct vmsi_kernel_limits *limits, json_t *list)
{
	int failed = 0;

	for (size_t i = 0; i < limits->count; i++)
		failed |= json_array_append_new(list,
						vmsi_by_kernel_json(&limits->list[i]));
	return failed ? -ENOMEM : 0;
}

void vmsi_by_kernel_explain(void)
{
	fputs("  kernel     ", stdout);
	explain_state();
	fputs("             A limit of --cgroup or --backend=bpf is kept by the kernel,\n"
	      "             of all in a control group. Stacks count too, and a file\n"
	      "             of tmpfs from when it is mapped, for who maps it first;\n"
	      "             32-bit programs and set-user-ID ones run in it. Faults and\n"
	      "             execve are let through and count. It has no --policy,\n"
	      "             --fork, --noreserve, --warn-at, --report or --log, and\n"
	      "             no stacks of what was refused.\n", stdout);
}
