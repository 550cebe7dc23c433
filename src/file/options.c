/* SPDX-License-Identifier: MIT */
#include "file/options.h"

#include <stdbool.h>

#include "base/versioned.h"

#define KNOWN_FLAGS \
	(VMS_FILE_READ_ONLY | VMS_FILE_PRIVATE | VMS_FILE_CREATE | \
	 VMS_FILE_EXCLUSIVE | VMS_FILE_SPARSE | VMS_FILE_ATOMIC | \
	 VMS_FILE_TELLS | VMS_FILE_ZERO_OUTSIDE | VMS_FILE_GATHERS)
#define MODE_BITS 07777u

/* Flags that exclude each other, and flags that need another one. */
static const struct {
	unsigned flag, excluded;
} exclusions[] = {
	{ VMS_FILE_READ_ONLY, VMS_FILE_PRIVATE | VMS_FILE_SPARSE },
	{ VMS_FILE_PRIVATE, VMS_FILE_ATOMIC | VMS_FILE_SPARSE },
	{ VMS_FILE_GATHERS, VMS_FILE_READ_ONLY | VMS_FILE_PRIVATE |
			    VMS_FILE_ATOMIC },
};
static const struct {
	unsigned flag, needed;
} needs[] = {
	{ VMS_FILE_EXCLUSIVE, VMS_FILE_CREATE },
	{ VMS_FILE_TELLS, VMS_FILE_ATOMIC },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool flags_are_good(unsigned flags)
{
	if (flags & ~KNOWN_FLAGS)
		return false;
	for (size_t i = 0; i < COUNT(exclusions); i++)
		if ((flags & exclusions[i].flag) &&
		    (flags & exclusions[i].excluded))
			return false;
	for (size_t i = 0; i < COUNT(needs); i++)
		if ((flags & needs[i].flag) && !(flags & needs[i].needed))
			return false;
	return true;
}

/* A field has its default where the flag is not given that it is for. */
static bool fields_are_good(const struct vms_file_options *options)
{
	const unsigned flags = options->flags;

	if (options->mode && (!(flags & VMS_FILE_CREATE) ||
			      (options->mode & ~MODE_BITS)))
		return false;
	if (options->window_addresses &&
	    (flags & (VMS_FILE_PRIVATE | VMS_FILE_ATOMIC)))
		return false;
	return (flags & VMS_FILE_ATOMIC) ||
		(!options->journal && !options->dirty_limit);
}

int vmsi_file_options(struct vms_file_options *known,
		      const struct vms_file_options *options)
{
	int error;

	*known = (struct vms_file_options){ .struct_size = sizeof(*known) };
	if (!options)
		return 0;
	error = vmsi_take_options(known, sizeof(*known), VMSI_FIRST_FILE_OPTIONS,
				  options);
	if (error)
		return error;
	return flags_are_good(known->flags) && fields_are_good(known) ?
		0 : -EINVAL;
}
