/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_REPORT_FILE_H
#define VMSI_CLI_REPORT_FILE_H

#include <stdbool.h>

#include "cli/output/json.h"

/*
 * The file of --report, which is written when all has ended. Both say on
 * standard error what is wrong.
 */

/* Whether it could be written now. Nothing is left there by the question. */
bool vmsi_report_can_write(const char *path);

/* Written as a whole or, where it is no file, as far as it goes. */
bool vmsi_report_write(const json_t *all, const char *path);

#endif
