/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_WITNESS_H
#define VMSI_CLI_SUPERVISE_WITNESS_H

#include <stdbool.h>
#include <sys/signalfd.h>

/*
 * The witness is a thread of the supervisor that tells the job whether a signal
 * was sent to the job alone or to the whole process group, which the supervisor
 * is in.
 */

/*
 * Start the thread that answers the questions of the job, which come through a
 * socket. The main thread of the supervisor is to block the signals that are
 * passed on as soon as the program has started. Returns 0, or -1 with errno set.
 */
int vmsi_witness_start(int job);

/* Ask, through a socket, whether the supervisor has got a signal too. */
bool vmsi_witness_has(int supervisor, const struct signalfd_siginfo *signal);

/*
 * Ask whether a signal that this process has sent to the supervisor by kill(2) is
 * pending there: then it has come after the supervisor had blocked it.
 */
bool vmsi_witness_keeps(int supervisor, int number);

#endif
