/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_REPLACE_H
#define VMSI_FILE_REPLACE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "file/view.h"

/*
 * Have threads wait at each vmsi_replace until what they do is seen in order; see
 * there. A kernel that has no such call is none the worse. Never fails.
 */
void vmsi_replace_prepare(void);

/*
 * Note what a fault says is lost of a view's file, and map zeros in its place: the
 * page, or all that another process has cut off. inside: the thread is in an access,
 * which is told. Called by the handler. false: the view is as it was.
 */
bool vmsi_replace(const struct vmsi_shown *shown, const siginfo_t *info,
		  bool inside);

#endif
