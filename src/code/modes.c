/* SPDX-License-Identifier: MIT */
#include "code/modes.h"

#include <errno.h>

#include "base/mman.h"
#include "code/file.h"
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

/*
 * A page to try with, anywhere: whether the host lets it be mapped so is no matter of
 * the pool's addresses. Returns its address or -errno.
 */
static long map_page(int prot, int flags, int fd)
{
	const long at = vmsi_host.mmap(0, vmsi_page_size(), prot, flags, fd, 0);

	return at == -ENOMEM ? vmsi_refuse(VMS_REFUSAL_HOST) : at;
}

static void unmap_page(long at)
{
	if (at >= 0)
		vmsi_host.munmap((uintptr_t)at, vmsi_page_size());
}

/* --- the memfd --------------------------------------------------------------------- */

/* Try the views of a memfd. */
static int try_views(struct vms_code *code)
{
	int error = vmsi_code_file_grow(code, vmsi_page_size());
	long run, view = 0;

	if (error)
		return error;
	run = map_page(RX, MAP_SHARED, code->run_fd);
	if (run < 0)
		return refused(code, (int)run,
			       "the host maps no file in memory executable "
			       "(a policy of SELinux, or a seccomp filter?)");
	if (code->mode == VMS_CODE_VIEWS) {
		view = map_page(RW, MAP_SHARED, code->fd);
		unmap_page(view);
	}
	unmap_page(run);
	return view >= 0 ? 0 : refused(code, (int)view,
				       "the host maps a file in memory not both "
				       "writable and executable");
}

/* Try with one kind of memfd, which stays open where that succeeds. */
static int try_file(struct vms_code *code, enum vmsi_code_file_kind kind)
{
	int error = vmsi_code_file_make(kind, &code->fd, &code->run_fd);

	if (error)
		return refused(code, error,
			       "the host makes no file in memory (memfd_create)");
	code->file_kind = kind;
	error = try_views(code);
	if (!error)
		return 0;
	vmsi_code_file_close(&code->fd, &code->run_fd);
	code->file_size = 0;
	return error;
}

static int try_with_file(struct vms_code *code, enum vms_code_mode mode)
{
	int error;

	code->mode = mode;
	code->delta = vmsi_range_length(code->run);
	code->step = 1;
	error = try_file(code, VMSI_FILE_NOT_TO_RUN);
	if (is_refusal(error) && try_file(code, VMSI_FILE_TO_RUN) == 0)
		error = 0;
	return error;
}

/* --- flips ------------------------------------------------------------------------- */

static int try_flips(struct vms_code *code)
{
	const size_t page = vmsi_page_size();
	long at;
	int error;

	code->mode = VMS_CODE_FLIPS;
	code->delta = 0;
	code->step = page / VMSI_UNIT;
	at = map_page(RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (at < 0)
		return (int)at;
	/* To some policies only memory that was written to counts. */
	*(volatile char *)at = 1;
	error = (int)vmsi_host.mprotect((uintptr_t)at, page, RX);
	unmap_page(at);
	return refused(code, error,
		       "the host makes no memory executable that was "
		       "writable (SELinux's execmem, PaX's MPROTECT?)");
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
