/* SPDX-License-Identifier: MIT */
#include <signal.h>

#include "file_death.h"

/* A handler that takes the place of the library's; only debug builds look. */
int main(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	struct vms_file_access access;
	int fd;
	vms_file *file = open_file(&fd);

	must(sigaction(SIGBUS, &action, NULL), "sigaction");
	misuse();
	return vms_file_begin_access(file, &access);
}
