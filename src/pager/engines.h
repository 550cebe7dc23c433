/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PAGER_ENGINES_H
#define VMSI_PAGER_ENGINES_H

#include "pager/pager.h"

/* The parts of the engines. What fails leaves nothing behind. */

/* --- userfaultfd: SIGNAL and SERVER (watch.c) --------------------------------------- */

/* Have faults of the range be signals. Returns 0 or -errno. */
int vmsi_watch_open_signal(struct vmsi_pager *pager);

/* Have them be messages, those of the kernel too if that is allowed. Returns 0 or -errno. */
int vmsi_watch_open_messages(struct vmsi_pager *pager);

void vmsi_watch_close(struct vmsi_pager *pager);

int vmsi_watch_bring(const struct vmsi_pager *pager, uintptr_t address, const char *bytes,
		     size_t length, enum vmsi_stores stores);
int vmsi_watch_set_stores(const struct vmsi_pager *pager, struct vmsi_range range,
			  enum vmsi_stores stores);
int vmsi_watch_take(struct vmsi_range range);

/* Let threads that wait for an address try again; or fail. Returns 0 or -errno. */
int vmsi_watch_wake(const struct vmsi_pager *pager, uintptr_t address);
int vmsi_watch_poison(const struct vmsi_pager *pager, uintptr_t address);

/* --- the thread of SERVER (server.c) -------------------------------------------------- */

int vmsi_server_start(struct vmsi_pager *pager);
void vmsi_server_end(struct vmsi_pager *pager);

/* --- a memfd: PROTECT (protect.c) ------------------------------------------------------- */

int vmsi_protect_open(struct vmsi_pager *pager);
int vmsi_protect_bring(const struct vmsi_pager *pager, uintptr_t address,
		       const char *bytes, size_t length, enum vmsi_stores stores);
int vmsi_protect_set_stores(const struct vmsi_pager *pager, struct vmsi_range range,
			    enum vmsi_stores stores);
int vmsi_protect_take(const struct vmsi_pager *pager, struct vmsi_range range);

/* --- handlers (signals.c) ------------------------------------------------------------------ */

/* Install the handler of SIGBUS, or SIGSEGV, once a process. Returns 0 or -errno. */
int vmsi_signals_install(int signal);

#endif
