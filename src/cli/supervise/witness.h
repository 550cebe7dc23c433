/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_WITNESS_H
#define VMSI_CLI_SUPERVISE_WITNESS_H

#include <stdbool.h>
#include <sys/signalfd.h>

/*
 * The witness is a thread of the supervisor. The supervisor is of the program's
 * process group, so a signal to the whole group comes to it too: the witness says
 * whether one that the job has got was sent to the job alone.
 */

/*
 * Begin to answer the questions of the job, which come through a socket. The
 * supervisor is to block the signals that are passed on. Returns 0, or -1 with
 * errno set.
 */
int vmsi_witness_start(int job);

/* Ask whether a signal that the job has got has come to the supervisor too. */
bool vmsi_witness_has(int supervisor, const struct signalfd_siginfo *signal);

#endif
