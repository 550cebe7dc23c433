/* SPDX-License-Identifier: MIT */
#include "group/serve/backtrace.h"

#include <stdlib.h>

/*
 * The registers of the stopped thread come from the tracer, which alone may
 * read them. Memory is read by process_vm_readv(2), which any thread may call.
 */

#ifndef VMSI_WITH_LIBDW

const char *vmsi_backtrace_why_not(void)
{
	return "built without libdw";
}

void vmsi_backtrace_unwind(struct vmsi_unwinding *unwinding)
{
	unwinding->why = vmsi_backtrace_why_not();
}

void vmsi_backtrace_forget(void)
{
}

#else

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "group/serve/program_files.h"

#define FRAMES_MOST 64

const char *vmsi_backtrace_why_not(void)
{
	return NULL;
}

/* --- frames ------------------------------------------------------------- */

struct frames {
	FILE *text;
	int count;
};

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void print_line(FILE *text, Dwfl_Module *module, Dwarf_Addr address)
{
	Dwfl_Line *line = dwfl_module_getsrc(module, address);
	const char *file;
	int number = 0;

	if (!line)
		return;
	file = dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL);
	if (file)
		fprintf(text, " at %s:%d", file_name(file), number);
}

static int print_frame(Dwfl_Frame *frame, void *context)
{
	struct frames *frames = context;
	Dwfl *dwfl = dwfl_thread_dwfl(dwfl_frame_thread(frame));
	const char *function = NULL, *object = NULL;
	Dwfl_Module *module;
	bool exact;
	Dwarf_Addr address;

	if (!dwfl_frame_pc(frame, &address, &exact))
		return DWARF_CB_ABORT;
	/* A return address lies behind the call, maybe in the next function. */
	if (!exact)
		address--;
	module = dwfl_addrmodule(dwfl, address);
	if (module) {
		function = dwfl_module_addrname(module, address);
		object = dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL,
					  NULL, NULL);
	}
	if (function)
		fputs(function, frames->text);
	else
		fprintf(frames->text, "0x%llx", (unsigned long long)address);
	if (object)
		fprintf(frames->text, " (%s)", file_name(object));
	if (module)
		print_line(frames->text, module, address);
	fputc('\n', frames->text);
	return ++frames->count < FRAMES_MOST ? DWARF_CB_OK : DWARF_CB_ABORT;
}

/* --- the stopped thread --------------------------------------------------- */

static const struct vmsi_unwinding *unwinding_of(void *context)
{
	const struct vmsi_program_files *files = context;

	return files->unwinding;
}

/* libdw is told of the one stopped thread only. */
static pid_t next_thread(Dwfl *dwfl, void *context, void **thread_context)
{
	const struct vmsi_unwinding *unwinding = unwinding_of(context);

	(void)dwfl;
	if (*thread_context)
		return 0;
	*thread_context = context;
	return unwinding->thread;
}

static bool get_thread(Dwfl *dwfl, pid_t thread, void *context,
		       void **thread_context)
{
	const struct vmsi_unwinding *unwinding = unwinding_of(context);

	(void)dwfl;
	*thread_context = context;
	return thread == unwinding->thread;
}

static bool read_word(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *word,
		      void *context)
{
	const struct vmsi_unwinding *unwinding = unwinding_of(context);
	const struct iovec from = { (void *)(uintptr_t)address, sizeof *word };
	const struct iovec to = { word, sizeof *word };

	(void)dwfl;
	return process_vm_readv(unwinding->thread, &to, 1, &from, 1, 0) ==
		(ssize_t)sizeof *word;
}

/* In the order of their numbers in DWARF; the program counter is set apart. */
static bool set_registers(Dwfl_Thread *thread, void *context)
{
	const struct vmsi_unwinding *unwinding = unwinding_of(context);
	const struct user_regs_struct *user = &unwinding->registers.user;
#ifdef __x86_64__
	const Dwarf_Word words[] = {
		user->rax, user->rdx, user->rcx, user->rbx, user->rsi,
		user->rdi, user->rbp, user->rsp, user->r8, user->r9,
		user->r10, user->r11, user->r12, user->r13, user->r14,
		user->r15, user->rip,
	};
	const Dwarf_Word counter = user->rip;
#else
	Dwarf_Word words[32];
	const Dwarf_Word counter = user->pc;

	for (size_t i = 0; i < 31; i++)
		words[i] = user->regs[i];
	words[31] = user->sp;
#endif
	if (!dwfl_thread_state_registers(thread, 0,
					 sizeof words / sizeof words[0], words))
		return false;
	dwfl_thread_state_register_pc(thread, counter);
	return true;
}

static int print_frames(FILE *text, struct vmsi_unwinding *unwinding)
{
	static const Dwfl_Thread_Callbacks thread_callbacks = {
		.next_thread = next_thread,
		.get_thread = get_thread,
		.memory_read = read_word,
		.set_initial_registers = set_registers,
	};
	struct frames frames = { .text = text };
	struct vmsi_program_files *files =
		vmsi_program_files_take(unwinding, &thread_callbacks);

	if (!files)
		return 0;
	(void)dwfl_getthread_frames(files->dwfl, unwinding->thread,
				    print_frame, &frames);
	vmsi_program_files_put(files);
	return frames.count;
}

void vmsi_backtrace_unwind(struct vmsi_unwinding *unwinding)
{
	size_t length;
	FILE *text = open_memstream(&unwinding->text, &length);
	int count;

	if (!text) {
		unwinding->why = "no memory";
		return;
	}
	count = print_frames(text, unwinding);
	fclose(text);
	if (count > 0)
		return;
	free(unwinding->text);
	unwinding->text = NULL;
	unwinding->why = "the stack cannot be unwound";
}

void vmsi_backtrace_forget(void)
{
	vmsi_program_files_close();
}

#endif
