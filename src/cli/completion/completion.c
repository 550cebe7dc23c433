/* SPDX-License-Identifier: MIT */
#include "cli/completion/completion.h"

#include <string.h>
#include <unistd.h>

#include "cli/completion/scripts.h"

static const char help_text[] =
	"usage: vmspace completion bash|zsh|fish\n"
	"\n"
	"Write a script that completes the arguments of vmspace in a shell. An installed\n"
	"vmspace has brought it already; for one that is not installed:\n"
	"  bash  . <(vmspace completion bash)      in ~/.bashrc\n"
	"  zsh   . <(vmspace completion zsh)       in ~/.zshrc, behind compinit\n"
	"  fish  vmspace completion fish | source  in ~/.config/fish/config.fish\n";

static const struct vmsi_option completion_options[] = {
	VMSI_OPTION_HELP,
	{ .name = NULL },
};

static const struct {
	const char *name;
	void (*write)(FILE *stream, const struct vmsi_commands *all);
} shells[] = {
	{ "bash", vmsi_completion_write_bash },
	{ "zsh", vmsi_completion_write_zsh },
	{ "fish", vmsi_completion_write_fish },
};

static enum vmsi_exit write_script(const char *program, const char *shell)
{
	for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++)
		if (strcmp(shell, shells[i].name) == 0) {
			shells[i].write(stdout, vmsi_all_commands());
			return vmsi_finish_output(program);
		}
	return vmsi_usage_error(program, "'%s' is neither 'bash', 'zsh' nor 'fish'",
				shell);
}

static enum vmsi_exit run_completion(int argc, char **argv)
{
	switch (vmsi_next_option(&vmsi_command_completion, argc, argv)) {
	case 'h':
		return vmsi_show_help(&vmsi_command_completion, optarg);
	case -1:
		break;
	default:
		return vmsi_usage_hint(argv[0]);
	}
	if (argc - optind != 1)
		return vmsi_usage_error(argv[0], "name one shell");
	return write_script(argv[0], argv[optind]);
}

const struct vmsi_command vmsi_command_completion = {
	.name = "completion",
	.program = "vmspace completion",
	.summary = "write what completes arguments in a shell",
	.help = help_text,
	.options = completion_options,
	.completion = VMSI_COMPLETE_WORDS,
	.words = "bash zsh fish",
	.run = run_completion,
};
