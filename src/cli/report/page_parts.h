/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_PAGE_PARTS_H
#define VMSI_CLI_PAGE_PARTS_H

#include <stddef.h>

/*
 * The page without its data, which stand between the two: made of src/cli/report/page
 * at build, by scripts/embed-page.
 */
extern const unsigned char vmsi_page_before[], vmsi_page_behind[];
extern const size_t vmsi_page_before_size, vmsi_page_behind_size;

#endif
