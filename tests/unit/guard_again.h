/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_GUARD_AGAIN_H
#define VMSI_TESTS_GUARD_AGAIN_H

#include <signal.h>
#include <stddef.h>
#include <stdlib.h>

#include "host/chain.h"

/*
 * cmocka sets handlers of its own before each test and each fixture, and puts back what
 * was there afterwards. So the library's, which comes with the first file, is put back in
 * its place when a file is opened: builds with checks end a program that has another one
 * when an access begins.
 */
static inline void guard_again(void)
{
	static struct sigaction guard;
	struct sigaction now;

	if (!guard.sa_sigaction) {
		if (sigaction(SIGBUS, NULL, &now) != 0 || !vmsi_chain_is_known(SIGBUS, &now))
			abort();
		guard = now;
	}
	(void)sigaction(SIGBUS, &guard, NULL);
}

#endif
