/* SPDX-License-Identifier: MIT */
#include "file/guard.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/panic.h"
#include "file/accesses.h"
#include "host/chain.h"
#include "file/file.h"
#include "file/handlers.h"
#include "file/replace.h"
#include "file/view.h"
#include "host/host.h"

/*
 * The handler of SIGBUS. All signals are blocked in it, so that no other handler can
 * leave it by a jump while others wait for it.
 */

/* A fault of this thread; not kill(2), and not the news of a fault to come. */
static bool is_fault(const siginfo_t *info)
{
	return info->si_code == BUS_ADRERR || info->si_code == BUS_OBJERR ||
		info->si_code == BUS_MCEERR_AR;
}

static bool replace_in(const struct vmsi_shown *shown, const siginfo_t *info)
{
	const bool inside = vmsi_accesses_has(shown->file);

	return (inside || vmsi_file_has(shown->file, VMS_FILE_ZERO_OUTSIDE)) &&
		vmsi_replace(shown, info, inside);
}

/* Whether the thread can go on. */
static bool mend_fault(const siginfo_t *info)
{
	const unsigned phase = vmsi_handler_enter();
	struct vmsi_shown shown;
	const bool replaced =
		vmsi_view_find((uintptr_t)info->si_addr, &shown) &&
		replace_in(&shown, info);

	vmsi_handler_leave(phase);
	return replaced;
}

static void on_bus_error(int signal, siginfo_t *info, void *context)
{
	const int earlier = errno;

	if (!is_fault(info) || !mend_fault(info))
		vmsi_chain_call(on_bus_error, signal, info, context);
	errno = earlier;
}

/* --- installing ------------------------------------------------------------------ */

static atomic_bool installed;

int vmsi_guard_install(void)
{
	int error;

	if (atomic_load_explicit(&installed, memory_order_acquire))
		return 0;
	error = vmsi_handlers_open();
	if (error)
		return error;
	vmsi_replace_prepare();
	error = vmsi_chain_install(SIGBUS, on_bus_error);
	if (!error)
		atomic_store(&installed, true);
	return error;
}

#ifdef VMSI_DEBUG
void vmsi_guard_check(void)
{
	struct sigaction now;

	if (vmsi_host.signal_action(SIGBUS, NULL, &now) < 0 ||
	    vmsi_chain_is_known(SIGBUS, &now) ||
	    vmsi_chain_has_ended())
		return;
	vmsi_panic("F5: a handler of SIGBUS was installed after the first file "
		   "was opened");
}
#endif
