/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_MAPS_H
#define VMSI_CLI_MAPS_H

#include "cli/command.h"
#include "cli/maps/listing.h"
#include "text/size.h"

/* The two forms in which 'vmspace maps' writes a listing. */

enum vmsi_maps_detail { VMSI_MAPS_ALL, VMSI_MAPS_TOTAL };

/* Both functions stop when a write to standard output has failed. */
void vmsi_maps_write_text(const struct vmsi_listing *listing,
			  enum vmsi_maps_detail detail,
			  enum vmsi_size_style style);

/* Returns 0, or -ENOMEM and nothing is written. */
int vmsi_maps_write_json(const struct vmsi_listing *listing,
			 enum vmsi_maps_detail detail);

extern const struct vmsi_command vmsi_command_maps;

#endif
