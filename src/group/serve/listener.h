/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_LISTENER_H
#define VMSI_GROUP_SERVE_LISTENER_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

/* The descriptor on which the kernel asks about the calls of a group. */

/* Install a filter in the caller. Returns its listener or -errno. */
int vmsi_listener_install(const struct sock_fprog *filter);

/*
 * Receive a call, in memory that is all zero. Returns 1; 0 where there is none,
 * because its thread has gone; or -errno.
 */
int vmsi_listener_receive(int listener, struct seccomp_notif *call);

/*
 * Let a call go on, or answer it with a result: -errno, or a value. Returns
 * false where its thread has gone or was interrupted: the answer went nowhere.
 */
bool vmsi_listener_continue(int listener, uint64_t id);
bool vmsi_listener_answer(int listener, uint64_t id, int64_t result);

/* Whether the thread of a call still waits for an answer, to the call. */
bool vmsi_listener_is_waited_for(int listener, uint64_t id);

/* Whether this kernel can let calls go on. */
bool vmsi_listener_can_continue(int listener);

/*
 * Ask the kernel to wake the supervisor on the processor of who waits for it.
 */
void vmsi_listener_tune(int listener);

#endif
