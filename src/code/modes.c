/* SPDX-License-Identifier: MIT */
#include "code/modes.h"

#include <errno.h>

#include "base/mman.h"
#include "code/file.h"
#include "code/memory.h"
#include "host/host.h"
#include "space/inside.h"

#define RW (PROT_READ | PROT_WRITE)
#define RX (PROT_READ | PROT_EXEC)

/* Errors by which a policy speaks. Others say that something is used up. */
static bool is_refusal(int error)
{
	return error == -EACCES || error == -EPERM || error == -ENOSYS;
}

static int refused(struct vms_code *code, int error, const char *what)
{
	if (is_refusal(error)) {
		code->refused = -error;
		code->problem = what;
	}
	return error;
}

static int try_map(const struct vms_code *code, uintptr_t at, int prot, int flags,
		   int fd)
{
	long mapped = vmsi_mmap(code->space, at, vmsi_page_size(), prot,
				flags | MAP_FIXED, fd, 0);

	return mapped < 0 ? (int)mapped : 0;
}

/* --- the memfd --------------------------------------------------------------------- */

static int try_run_view(struct vms_code *code)
{
	int error = vmsi_code_file_grow(code, vmsi_page_size());

	return error ? error : try_map(code, code->run.start, RX, MAP_SHARED,
				       code->run_fd);
}

/* Try with one kind of memfd, which stays open where that succeeds. */
static int try_file(struct vms_code *code, enum vmsi_code_file_kind kind)
{
	int error = vmsi_code_file_make(kind, &code->fd, &code->run_fd);

	if (error)
		return refused(code, error,
			       "the host makes no file in memory (memfd_create)");
	code->file_kind = kind;
	error = try_run_view(code);
	if (error)
		(void)refused(code, error,
			      "the host maps no file in memory executable "
			      "(a policy of SELinux, or a seccomp filter?)");
	if (!error && code->mode == VMS_CODE_VIEWS) {
		error = try_map(code, code->run.start + code->delta, RW,
				MAP_SHARED, code->fd);
		(void)refused(code, error,
			      "the host maps a file in memory not both "
			      "writable and executable");
	}
	if (!error)
		return 0;
	vmsi_code_file_close(&code->fd, &code->run_fd);
	code->file_size = 0;
	return error;
}

static int try_with_file(struct vms_code *code, enum vms_code_mode mode)
{
	const size_t page = vmsi_page_size();
	int error, cover;

	code->mode = mode;
	code->delta = vmsi_range_length(code->run);
	code->step = 1;
	error = try_file(code, VMSI_FILE_NOT_TO_RUN);
	if (is_refusal(error) && try_file(code, VMSI_FILE_TO_RUN) == 0)
		error = 0;
	cover = vmsi_code_cover(code, code->run.start, page);
	if (!cover)
		cover = vmsi_code_cover(code, code->run.start + code->delta,
					page);
	return error ? error : cover;
}

/* --- flips ------------------------------------------------------------------------- */

static int try_flips(struct vms_code *code)
{
	const size_t page = vmsi_page_size();
	int error, cover;

	code->mode = VMS_CODE_FLIPS;
	code->delta = 0;
	code->step = page / VMSI_UNIT;
	error = try_map(code, code->run.start, RW, MAP_PRIVATE | MAP_ANONYMOUS,
			-1);
	if (!error) {
		/* To some policies only memory that was written to counts. */
		*(volatile char *)code->run.start = 1;
		error = vmsi_protect(code->space, code->run.start, page, RX);
		(void)refused(code, error,
			      "the host makes no memory executable that was "
			      "writable (SELinux's execmem, PaX's MPROTECT?)");
	}
	cover = vmsi_code_cover(code, code->run.start, page);
	return error ? error : cover;
}

int vmsi_code_choose_mode(struct vms_code *code, enum vms_code_mode asked)
{
	int error;

	if (asked == VMS_CODE_FLIPS)
		return try_flips(code);
	/* perf takes names only for memory that is of no file. */
	if (asked == VMS_CODE_ANY && (code->flags & VMS_CODE_PERF)) {
		error = try_flips(code);
		if (!is_refusal(error))
			return error;
	}
	error = try_with_file(code, asked == VMS_CODE_COPIES ?
				      VMS_CODE_COPIES : VMS_CODE_VIEWS);
	if (!error) {
		/* The kind of memfd that was refused is none of the program's. */
		code->refused = 0;
		code->problem = NULL;
	}
	if (asked == VMS_CODE_ANY && is_refusal(error)) {
		const int first = code->refused;
		const char *what = code->problem;

		error = try_flips(code);
		if (!error) {
			code->refused = first;
			code->problem = what;
		}
	}
	return error;
}
