/* SPDX-License-Identifier: MIT */
#include "group/serve/capture.h"

#include <stddef.h>

/*
 * A thread is unwound from what was copied of it. Only where its stack could not be
 * copied is its memory read, by process_vm_readv(2), which any thread may call.
 */

#ifndef VMSI_WITH_LIBDW

const char *vmsi_backtrace_why_not(void)
{
	return "built without libdw";
}

const char *vmsi_capture_unwind(struct vmsi_capture *capture,
				struct vmsi_frames *frames)
{
	(void)capture;
	frames->count = 0;
	return vmsi_backtrace_why_not();
}

void vmsi_backtrace_forget(void)
{
}

#else

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <string.h>
#include <sys/uio.h>

#include "group/serve/program_files.h"

const char *vmsi_backtrace_why_not(void)
{
	return NULL;
}

/* --- frames ------------------------------------------------------------- */

/*
 * A return address lies behind the call, maybe in the next function. The mapping that
 * the code is in says which file that is.
 */
static int take_frame(Dwfl_Frame *frame, void *context)
{
	struct vmsi_program_files *files = context;
	struct vmsi_frames *frames = files->frames;
	Dwarf_Addr address;
	bool exact;

	if (!dwfl_frame_pc(frame, &address, &exact))
		return DWARF_CB_ABORT;
	vmsi_program_files_place(files, exact ? address : address - 1,
				 &frames->list[frames->count]);
	return ++frames->count < VMSI_FRAMES_MOST ? DWARF_CB_OK :
						    DWARF_CB_ABORT;
}

/* --- the stopped thread --------------------------------------------------- */

static struct vmsi_capture *capture_of(void *context)
{
	const struct vmsi_program_files *files = context;

	return files->capture;
}

/* libdw is told of the one stopped thread only. */
static pid_t next_thread(Dwfl *dwfl, void *context, void **thread_context)
{
	(void)dwfl;
	if (*thread_context)
		return 0;
	*thread_context = context;
	return capture_of(context)->thread;
}

static bool get_thread(Dwfl *dwfl, pid_t thread, void *context,
		       void **thread_context)
{
	(void)dwfl;
	*thread_context = context;
	return thread == capture_of(context)->thread;
}

static bool read_memory(pid_t thread, uintptr_t address, void *bytes,
			size_t count)
{
	const struct iovec from = { (void *)address, count };
	const struct iovec to = { bytes, count };

	return process_vm_readv(thread, &to, 1, &from, 1, 0) == (ssize_t)count;
}

/*
 * What is not copied is read in pieces, since a call of the kernel costs more than to
 * copy what the next frames will ask for. No piece is of two pages.
 */
static bool read_live(struct vmsi_capture *capture, uintptr_t address,
		      Dwarf_Word *word)
{
	struct vmsi_piece *piece = &capture->piece;
	const uintptr_t begin = address & ~(uintptr_t)(VMSI_PIECE_BYTES - 1);

	if (address - begin > VMSI_PIECE_BYTES - sizeof *word)
		return read_memory(capture->thread, address, word, sizeof *word);
	if (!piece->is_read || piece->begin != begin) {
		piece->is_read = read_memory(capture->thread, begin,
					     piece->bytes, sizeof piece->bytes);
		piece->begin = begin;
	}
	if (piece->is_read)
		memcpy(word, piece->bytes + (address - begin), sizeof *word);
	return piece->is_read;
}

static bool read_word(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *word,
		      void *context)
{
	struct vmsi_capture *capture = capture_of(context);
	const size_t at = address - capture->stack_begin;

	(void)dwfl;
	if (!capture->stack || at >= capture->stack_bytes ||
	    capture->stack_bytes - at < sizeof *word)
		return capture->is_live && read_live(capture, address, word);
	memcpy(word, capture->stack + at, sizeof *word);
	return true;
}

/* In the order of their numbers in DWARF; the program counter is set apart. */
static bool set_registers(Dwfl_Thread *thread, void *context)
{
	const struct user_regs_struct *user =
		&capture_of(context)->registers.user;
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

const char *vmsi_capture_unwind(struct vmsi_capture *capture,
				struct vmsi_frames *frames)
{
	static const Dwfl_Thread_Callbacks thread_callbacks = {
		.next_thread = next_thread,
		.get_thread = get_thread,
		.memory_read = read_word,
		.set_initial_registers = set_registers,
	};
	struct vmsi_program_files *files;

	frames->count = 0;
	vmsi_capture_look_up_files(capture);
	files = vmsi_program_files_take(capture, &thread_callbacks);
	if (files) {
		files->frames = frames;
		(void)dwfl_getthread_frames(files->dwfl, capture->thread,
					    take_frame, files);
		vmsi_program_files_put(files);
	}
	return frames->count ? NULL : "the stack cannot be unwound";
}

void vmsi_backtrace_forget(void)
{
	vmsi_program_files_close();
}

#endif
