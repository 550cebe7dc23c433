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
 * Read them over what is usual for the model, and print what repeats the run.
 * What cannot be understood ends the program.
 */
void read_arguments(const char *model, int argc, char **argv,
		    struct arguments *arguments);

#endif
