/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FAILING_FAILING_H
#define VMSI_FAILING_FAILING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The preload library libvmspace-failing.so counts a program's allocations, notes
 * from which stacks they come, and fails one of them. This is what it shares with
 * the command that has put it there: the variable of the environment by which it is
 * found, the memory, and the messages.
 *
 * The program may write anything into the memory and the messages. The command reads
 * them with distrust.
 */

#define VMSI_FAILING_LIBRARY "libvmspace-failing.so"

/*
 * "MEMORY SOCKET REPORT", three numbers of descriptors; SOCKET is -1 where the program is
 * to run at once. REPORT is -1, or LeakSanitizer's library is behind this one in
 * LD_PRELOAD, and writes its report there. The library closes the first two and removes
 * the variable, and these libraries from LD_PRELOAD, before the program begins: what the
 * program executes is not swept.
 */
#define VMSI_FAILING_VARIABLE "VMSPACE_FAILING"

/* --- the memory ------------------------------------------------------------- */

#define VMSI_FAILING_FRAMES 24
#define VMSI_FAILING_MODULES 1024
#define VMSI_FAILING_PATH 256
#define VMSI_FAILING_STACKS 65536

/* The function by which a program asks for memory. */
enum vmsi_failing_function {
	VMSI_FAILING_MALLOC,
	VMSI_FAILING_CALLOC,
	VMSI_FAILING_REALLOC,
	VMSI_FAILING_REALLOCARRAY,
	VMSI_FAILING_ALIGNED_ALLOC,
	VMSI_FAILING_POSIX_MEMALIGN,
	VMSI_FAILING_MEMALIGN,
	VMSI_FAILING_VALLOC,
	VMSI_FAILING_PVALLOC,
	VMSI_FAILING_NEW,
	VMSI_FAILING_FUNCTIONS,
};

/*
 * A frame: the module's slot in the upper 16 bits, and the offset of the return
 * address from where the module is loaded, so that frames are equal in all runs.
 */
#define VMSI_FAILING_OFFSET_BITS 48
#define VMSI_FAILING_NO_MODULE UINT64_C(0xffff)

struct vmsi_failing_stack {
	uint64_t hash;  /* of the function and the innermost frames; 0: free */
	uint64_t calls;
	uint64_t first; /* the number of the first allocation from here */
	uint64_t least, most; /* bytes that were asked for */
	uint32_t ready; /* the fields below are written */
	uint16_t function;
	uint16_t count; /* of frames */
	uint64_t frames[VMSI_FAILING_FRAMES]; /* innermost first */
};

/* A program or library; the path is empty for the program. */
struct vmsi_failing_module {
	uint64_t hash; /* of the path; 0: free */
	char path[VMSI_FAILING_PATH];
};

/* What the command asks for; it does not change while the program runs. */
struct vmsi_failing_choice {
	uint64_t least, most; /* only allocations of so many bytes count */
	uint32_t depth;       /* frames that make a stack another one */
	uint32_t records;     /* note all stacks */
	uint64_t stack;       /* the hash of the one to fail; 0: any */
	uint64_t nth;         /* of that stack, or of all; 0: none fails */
	uint64_t from;        /* stacks before this allocation are not looked at */
	uint32_t goes_on;     /* all after it fail, too */
	uint64_t stop;        /* a trunk branches before this allocation; 0: no more */
};

enum vmsi_failing_leaks {
	VMSI_FAILING_LEAKS_NONE,    /* nothing looks for them */
	VMSI_FAILING_LEAKS_WATCHED, /* it is looked for them at the end */
	VMSI_FAILING_LEAKS_BEGUN,
	VMSI_FAILING_LEAKS_LOOKED,  /* and the report is complete */
};

/* What has come of it. */
struct vmsi_failing_outcome {
	uint32_t began;    /* the program has come to its beginning */
	uint32_t lost;     /* stacks for which there was no place */
	uint64_t allocations;
	uint64_t met;      /* allocations from the chosen stack */
	uint64_t failed;   /* allocations */
	uint64_t hash;     /* the stack of the first that failed */
	uint64_t number;   /* and its number, from 1 on */
	uint64_t size;     /* and what it asked for: bytes */
	uint32_t function; /* and by what */
	uint32_t leaks;    /* VMSI_FAILING_LEAKS_* */
};

/* Where only the first part is mapped, nothing is recorded. */
struct vmsi_failing_memory {
	struct vmsi_failing_choice choice;
	struct vmsi_failing_outcome outcome;
	struct vmsi_failing_module modules[VMSI_FAILING_MODULES];
	struct vmsi_failing_stack stacks[VMSI_FAILING_STACKS];
};

/* --- messages --------------------------------------------------------------- */

/*
 * Where there is a socket, the program waits before it begins, and forks for each
 * message that it gets, which has two descriptors: standard input and output of the
 * child. It sends VMSI_FAILING_READY once, then for each child its number, and how
 * it ended or that it stopped. The child stays a zombie until the next message.
 *
 * The message is one of these characters. A trunk goes on as the other children, but
 * stops before the allocation of the choice, forks a branch in which that fails, and
 * sends the branch's number and how it ended; or VMSI_FAILING_UNABLE, where a branch
 * would not be as a run of its own. Then it waits for a VMSI_FAILING_GO, before which
 * the choice has become another one. Its own end is told as that of any child.
 */
enum vmsi_failing_command {
	VMSI_FAILING_RUN = 'r',
	VMSI_FAILING_TRUNK = 't',
	VMSI_FAILING_GO = 'g',
};

enum vmsi_failing_kind {
	VMSI_FAILING_READY,   /* value: whether the program can be forked */
	VMSI_FAILING_FORKED,  /* value: the child; or -errno */
	VMSI_FAILING_CHANGED, /* value: as of waitpid(2) */
	VMSI_FAILING_BRANCHED,       /* value: the branch */
	VMSI_FAILING_BRANCH_CHANGED, /* value: as of waitpid(2) */
	VMSI_FAILING_UNABLE,
};

struct vmsi_failing_message {
	uint32_t kind;
	int32_t value;
};

#endif
