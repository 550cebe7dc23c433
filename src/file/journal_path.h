/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_JOURNAL_PATH_H
#define VMSI_FILE_JOURNAL_PATH_H

#include <limits.h>
#include <stdbool.h>

/*
 * Where the journal of a file is: the path that the caller has chosen, or else beside
 * the file, under the file's own name, by whatever link it was opened. It does not
 * change with the working directory. home: the file's descriptor; path: what it was
 * opened by, NULL if chosen is given. Returns 0 or -errno.
 */
int vmsi_journal_path(char result[PATH_MAX], int home, const char *path,
		      const char *chosen);

/* Whether a path is a name of what a descriptor has open. */
bool vmsi_path_names(const char *path, int fd);

#endif
