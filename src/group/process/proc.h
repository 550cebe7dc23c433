/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_PROCESS_PROC_H
#define VMSI_GROUP_PROCESS_PROC_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* What /proc tells of the processes of a group. */

/*
 * Open a file of /proc/PID, or its directory of threads; NULL: there is none.
 */
FILE *vmsi_proc_open(pid_t pid, const char *name);
DIR *vmsi_proc_open_threads(pid_t pid);

/*
 * Bytes that a process may write to; /proc tells that of every process, even if
 * it hides its mappings. It is about what the process is charged, plus what it
 * mapped with MAP_NORESERVE. 0: not told.
 */
size_t vmsi_proc_data(pid_t pid);

/*
 * Bytes of the mappings that grow by themselves (MAP_GROWSDOWN); 0: not told.
 */
size_t vmsi_proc_stack(pid_t pid);

struct vmsi_proc_stat {
	char command[16];
	pid_t parent;
	bool has_executed;             /* has executed a program since its fork */
	unsigned threads;
	/*
	 * Where the program's initialised data lie, which RLIMIT_DATA counts
	 * besides the heap; 0: not told.
	 */
	uintptr_t data_start, data_end;
	uintptr_t heap_start;          /* where the heap of brk begins */
};

/* Returns false where there is no such process. */
bool vmsi_proc_read_stat(pid_t pid, struct vmsi_proc_stat *stat);

struct vmsi_proc_running {
	char state;                    /* as in proc_pid_stat(5); R: not told */
	uint64_t ran;                  /* on a processor, ns; 0: not told */
};

/* The system call that a sleeping thread is in; -1: none, or not told. */
int vmsi_proc_system_call(pid_t pid, pid_t thread);

/* Returns false where the thread has gone. */
bool vmsi_proc_read_running(pid_t pid, pid_t thread,
			    struct vmsi_proc_running *running);

/* Whether a thread of a process has not ended. */
bool vmsi_proc_is_alive(pid_t pid, pid_t thread);

/* A thread that has not ended; 0: all have; -1: not told. */
pid_t vmsi_proc_living_thread(pid_t pid);

/* Likewise, a thread that still has the memory of its process. */
pid_t vmsi_proc_thread_with_memory(pid_t pid);

/* The process of a thread; 0: it has gone. */
pid_t vmsi_proc_process_of(pid_t thread);

/*
 * The path of a thread's open file, cut to size. The file system is not asked:
 * its server may be a process of the group, which waits. Returns false where
 * the path is not told.
 */
bool vmsi_proc_read_descriptor(pid_t thread, int descriptor, char *path,
			       size_t size);

/* What the kernel knows of an open file, without asking its file system. */
struct vmsi_proc_file {
	uint64_t device, inode;        /* as in /proc/PID/maps */
	uint64_t size;                 /* bytes */
	bool is_regular;
	bool is_zero_device;           /* /dev/zero, by any name */
	bool may_read, may_write;      /* as it was opened */
};

/* Returns false where it is not told. */
bool vmsi_proc_read_file(pid_t thread, int descriptor,
			 struct vmsi_proc_file *file);

/* Whether a file in memory is sealed against being mapped writable. */
bool vmsi_proc_is_write_sealed(pid_t thread, int descriptor);

/* Find a file by any descriptor of a thread that has it open; false: none has. */
bool vmsi_proc_find_file(pid_t thread, uint64_t device, uint64_t inode,
			 struct vmsi_proc_file *file);

/* Whether /proc is there and numbers processes as the caller does. */
bool vmsi_proc_is_ours(void);

/* Open the memory of a process for reading. Returns a descriptor or -1. */
int vmsi_proc_open_memory(pid_t pid);

/* The name of the namespace that numbers a process; pid 0: the caller. */
bool vmsi_proc_namespace(pid_t pid, char *name, size_t size);

/* The number of a thread in its own namespace of processes; 0: it has gone. */
pid_t vmsi_proc_number_inside(pid_t thread);

/* The process that traces a thread; 0: none does, or the thread has gone. */
pid_t vmsi_proc_tracer(pid_t thread);

/* How many filters of seccomp are on a process, as far as the kernel tells. */
long vmsi_proc_filters(pid_t pid);

#endif
