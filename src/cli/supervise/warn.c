/* SPDX-License-Identifier: MIT */
#include "cli/supervise/warn.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/supervise/limit_source.h"
#include "text/number.h"
#include "text/size.h"

/* The options of warnings: thresholds and signals. */

static const char *const stage_options[VMSI_STAGES] = { "--warn-at", "--grace" };

const char *vmsi_stage_option(enum vmsi_stage stage)
{
	return stage_options[stage];
}

const char *vmsi_stage_word(enum vmsi_stage stage)
{
	static const char *const words[VMSI_STAGES] = { "warn", "grace" };

	return words[stage];
}

void vmsi_warn_init(struct vmsi_warn_options *warn)
{
	*warn = (struct vmsi_warn_options){ .runner = -1 };
	warn->signals[VMSI_STAGE_GRACE] = SIGTERM;
}

/* --- thresholds ----------------------------------------------------------- */

enum vmsi_exit vmsi_warn_take_threshold(const char *program, const char *text,
					struct vmsi_threshold *threshold)
{
	struct vmsi_threshold taken = { .text = text };

	if (!vmsi_percentage_parse(text, &taken.parts) &&
	    (!vmsi_parse_size(text, VMSI_SIZE_FRACTION, &taken.bytes) ||
	     taken.bytes == 0))
		return vmsi_usage_error(program, "'%s' is neither a size nor a "
					"percentage of the limit up to 100%%",
					text);
	*threshold = taken;
	return VMSI_EXIT_OK;
}

/* 0: there is no such threshold. */
static size_t bytes_of(const struct vmsi_threshold *threshold, size_t limit)
{
	size_t bytes;

	if (!threshold->text || threshold->bytes)
		return threshold->bytes;
	bytes = (size_t)((long double)limit * threshold->parts);
	return bytes ? bytes : 1;
}

void vmsi_warn_marks(const struct vmsi_warn_options *warn, size_t limit,
		     size_t marks[VMS_GROUP_MARKS])
{
	for (int i = 0; i < VMSI_STAGES; i++)
		marks[i] = bytes_of(&warn->at[i], limit);
}

enum vmsi_exit vmsi_warn_check(const struct vmsi_warn_options *warn,
			       const char *program, size_t limit)
{
	size_t marks[VMS_GROUP_MARKS] = { 0 };

	vmsi_warn_marks(warn, limit, marks);
	if (warn->needs_threshold && !marks[VMSI_STAGE_WARN] &&
	    !marks[VMSI_STAGE_GRACE])
		return vmsi_usage_error(program, "%s says what is done before "
					"the limit, and --warn-at does not say "
					"when", warn->needs_threshold);
	for (int i = 0; i < VMSI_STAGES; i++)
		if (marks[i] > limit)
			return vmsi_usage_error(program, "%s=%s is above the "
						"limit", stage_options[i],
						warn->at[i].text);
	if (marks[VMSI_STAGE_GRACE] &&
	    marks[VMSI_STAGE_GRACE] <= marks[VMSI_STAGE_WARN])
		return vmsi_usage_error(program, "--grace=%s is not above "
					"--warn-at=%s",
					warn->at[VMSI_STAGE_GRACE].text,
					warn->at[VMSI_STAGE_WARN].text);
	return VMSI_EXIT_OK;
}

/* --- signals -------------------------------------------------------------- */

static const struct {
	const char *name;
	int number;
} signals[] = {
	{ "HUP", SIGHUP }, { "INT", SIGINT }, { "QUIT", SIGQUIT },
	{ "ABRT", SIGABRT }, { "KILL", SIGKILL }, { "USR1", SIGUSR1 },
	{ "USR2", SIGUSR2 }, { "ALRM", SIGALRM }, { "TERM", SIGTERM },
	{ "CONT", SIGCONT }, { "STOP", SIGSTOP }, { "TSTP", SIGTSTP },
	{ "URG", SIGURG }, { "WINCH", SIGWINCH }, { "IO", SIGIO },
	{ "PWR", SIGPWR }, { "XCPU", SIGXCPU }, { "XFSZ", SIGXFSZ },
	{ "VTALRM", SIGVTALRM }, { "PROF", SIGPROF }, { "TRAP", SIGTRAP },
	{ "SEGV", SIGSEGV }, { "BUS", SIGBUS }, { "PIPE", SIGPIPE },
};

#define SIGNALS (sizeof signals / sizeof signals[0])

/* "RTMIN+3" */
static bool take_realtime(const char *name, int *number)
{
	int above = 0;

	if (strncasecmp(name, "RTMIN", 5) != 0 ||
	    (name[5] && (name[5] != '+' || !vmsi_parse_int(name + 6, &above))) ||
	    above > SIGRTMAX - SIGRTMIN)
		return false;
	*number = SIGRTMIN + above;
	return true;
}

enum vmsi_exit vmsi_warn_take_signal(const char *program, const char *text,
				     int *number)
{
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;

	for (size_t i = 0; i < SIGNALS; i++)
		if (strcasecmp(name, signals[i].name) == 0) {
			*number = signals[i].number;
			return VMSI_EXIT_OK;
		}
	if (take_realtime(name, number) ||
	    (vmsi_parse_int(text, number) && *number > 0 &&
	     *number <= SIGRTMAX))
		return VMSI_EXIT_OK;
	return vmsi_usage_error(program, "'%s' is no signal", text);
}

struct vmsi_signal_text vmsi_signal_text(int number)
{
	struct vmsi_signal_text name;

	snprintf(name.text, sizeof name.text, "signal %d", number);
	for (size_t i = 0; i < SIGNALS; i++)
		if (signals[i].number == number)
			snprintf(name.text, sizeof name.text, "SIG%s",
				 signals[i].name);
	return name;
}
