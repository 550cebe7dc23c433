/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PRELOAD_MARKS_H
#define VMSI_PRELOAD_MARKS_H

/* Attributes of functions of the preload library. */

#define VMSI_EXPORTED __attribute__((visibility("default")))
#define VMSI_COLD __attribute__((cold, noinline))
/* Not inlined, so that a small block passes by it with a jump. */
#define VMSI_APART __attribute__((noinline))

/*
 * The headers of this folder declare all functions and variables hidden, with a
 * pragma: so the compiler reaches them without the global offset table, which
 * -fvisibility=hidden does not do for what is only declared.
 */

#endif
