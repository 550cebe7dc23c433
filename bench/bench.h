/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BENCH_BENCH_H
#define VMSI_BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

/*
 * What the bench programs share: a clock, the summary of repeated
 * measurements, and the lines that tell machine, kernel and command.
 *
 * A program prints bench_print_header() first, then its figures:
 *
 *	double samples[7];
 *
 *	bench_print_header(argc, argv);
 *	for (size_t i = 0; i < 7; i++) {
 *		uint64_t start = bench_now();
 *
 *		for (size_t j = 0; j < operations; j++)
 *			bench_use((uintptr_t)operation());
 *		samples[i] = (double)(bench_now() - start) / operations;
 *	}
 *	bench_print_summary("operation", "ns", bench_summarise(samples, 7));
 *
 * Two things that are to be compared are measured alternately in one run, not
 * one after the other, so that both meet the same state of the machine.
 */

/* The monotonic clock, in nanoseconds. */
uint64_t bench_now(void);

/* Keep a result alive, so that the compiler does not drop what computes it. */
static inline void bench_use(uintptr_t value)
{
	__asm__ volatile("" : : "r"(value) : "memory");
}

/* The summary of a set of samples, in the samples' unit. */
struct bench_summary {
	double minimum;
	double lower;  /* first quartile */
	double median;
	double upper;  /* third quartile */
	double maximum;
	size_t count;
};

/*
 * The numbers below count, in an order that is another one each time: what comes
 * before leaves caches and disks in a state that what follows must not always meet.
 */
void bench_order(size_t *order, size_t count, uint64_t *random);

/*
 * Touch so much memory in small pages and give it back: a virtual machine's host may
 * have taken free pages back, and gives them again slowly.
 */
void bench_warm_memory(size_t bytes);

/* Summarise samples, which are sorted in place. count is at least 1. */
struct bench_summary bench_summarise(double *samples, size_t count);

/* One line: label, median, the quartiles and the extremes, count. */
void bench_print_summary(const char *label, const char *unit,
			 struct bench_summary summary);

/*
 * Two lines that begin with '#': the machine (kernel, processor model, number
 * of processors that this process may use, memory, page size), and the command
 * that reproduces the run, with argv as the program got it. Options are checked first,
 * as by bench_check_options.
 */
void bench_print_header(int argc, char **argv);

/*
 * The value of "--name NUMBER" in argv, the last one, or fallback where it is absent. A
 * value that is not a number ends the program with a message and status 2. A program
 * asks for all its options before bench_check_options; fallback UINT64_MAX means all, of
 * what is chosen by a bit each.
 */
uint64_t bench_option(int argc, char **argv, const char *name,
		      uint64_t fallback);

/* The same of "--name TEXT"; fallback may be NULL. */
const char *bench_text(int argc, char **argv, const char *name, const char *fallback);

/*
 * Answer --help with the options that were asked for until now, and status 0; refuse
 * whatever else is in argv from its second word on, with the same text and status 2.
 */
void bench_check_options(int argc, char **argv);

/* End the program with status 2, a message and the same text. */
_Noreturn void bench_refuse(const char *program, const char *why);

/*
 * A pseudo-random number; *state is the seed and is moved on. Fixed seeds make
 * runs comparable.
 */
static inline uint64_t bench_random(uint64_t *state)
{
	/* splitmix64: passes through every state, any seed will do. */
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

#endif
