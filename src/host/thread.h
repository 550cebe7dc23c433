/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HOST_THREAD_H
#define VMSI_HOST_THREAD_H

#include <pthread.h>
#include <stddef.h>

/* Entries of the table vmsi_host: threads of the library's own. */

long vmsi_host_start_thread(pthread_t *thread, size_t stack, void *(*run)(void *),
			    void *context);
void vmsi_host_join_thread(pthread_t thread);

#endif
