/* SPDX-License-Identifier: MIT */
#ifndef MODEL_ARGUMENTS_H
#define MODEL_ARGUMENTS_H

#include <stdint.h>

/*
 * What every model is told:
 *
 *	MODEL [--operations N] [--seed N]
 *
 * The seed can also be given as VMS_SEED; with neither it is another one in
 * each run.
 */
struct arguments {
	unsigned long operations;
	uint64_t seed;
};

/*
 * Replace the defaults by what is given, and print what repeats the run. End the
 * program if an argument is wrong.
 */
void read_arguments(const char *model, int argc, char **argv,
		    struct arguments *arguments);

#endif
