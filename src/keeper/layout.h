/* SPDX-License-Identifier: MIT */
#ifndef VMSI_KEEPER_LAYOUT_H
#define VMSI_KEEPER_LAYOUT_H

/* The layout of the maps, as the programs in the kernel know it. */

typedef unsigned long long u64;

#include "keeper/shared.h"

#endif
