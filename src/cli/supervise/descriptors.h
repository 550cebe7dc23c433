/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_DESCRIPTORS_H
#define VMSI_CLI_SUPERVISE_DESCRIPTORS_H

/*
 * Close the descriptors that are for the program: /dev/null replaces standard
 * input and output, and inherited descriptors from 3 on are closed. Standard
 * error stays open, and so does each descriptor of kept_file, which may be NULL.
 */
void vmsi_let_go_of_descriptors(const char *kept_file);

/* The same for standard input alone, and for descriptors from 3 on alone. */
void vmsi_let_go_of_input(const char *kept_file);
void vmsi_let_go_of_others(const char *kept_file);

/*
 * Go to the root directory, so that the current one can be removed and its file
 * system unmounted. A relative *path becomes an absolute one, which is never
 * freed; where that fails, the process stays in its directory. path and *path may
 * be NULL.
 */
void vmsi_let_go_of_directory(const char **path);

#endif
