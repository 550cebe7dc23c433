/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_DESCRIPTORS_H
#define VMSI_CLI_SUPERVISE_DESCRIPTORS_H

/*
 * Close what the caller has handed to the program: /dev/null takes the place of
 * standard input and output, and inherited descriptors from 3 on are closed.
 * Standard error stays, and what is the file of that name, unless it is NULL.
 */
void vmsi_let_go_of_descriptors(const char *kept_file);

/* The same of standard input alone, and of the descriptors from 3 on. */
void vmsi_let_go_of_input(const char *kept_file);
void vmsi_let_go_of_others(const char *kept_file);

/*
 * Leave the current directory, so that it can be removed, and its file system
 * unmounted. A relative path that is used later is made absolute, and never
 * freed; where that cannot be, nothing is done. path, or what is there, may be
 * NULL.
 */
void vmsi_let_go_of_directory(const char **path);

#endif
