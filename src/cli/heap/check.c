/* SPDX-License-Identifier: MIT */
#include "cli/heap/library.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The programs in which a preload library has no effect, or does harm. */

/* Whether the kernel ignores set-user-ID bits and capabilities of a file. */
static bool gives_no_rights(const char *path)
{
	struct statvfs status;

	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ||
		(statvfs(path, &status) == 0 && (status.f_flag & ST_NOSUID));
}

/*
 * What gives a program more rights than this process has, because of which the
 * loader ignores LD_PRELOAD. NULL: nothing does.
 */
static const char *rights_of(const char *path)
{
	struct stat status;

	if (geteuid() != getuid() || getegid() != getgid())
		return "this process has rights of another user";
	if (stat(path, &status) || gives_no_rights(path))
		return NULL;
	if ((status.st_mode & S_ISUID) && status.st_uid != getuid())
		return "it has the set-user-ID bit";
	/*
	 * Without group execute permission the bit stands for mandatory locking.
	 */
	if ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	    status.st_gid != getgid())
		return "it has the set-group-ID bit";
	if (getuid() != 0 &&
	    getxattr(path, "security.capability", NULL, 0) > 0)
		return "it has capabilities of its own";
	return NULL;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Whether a program has the loader of this command, and so its C library. */
static bool has_our_loader(const struct vmsi_elf *program)
{
	struct vmsi_elf own;

	return vmsi_elf_read("/proc/self/exe", &own) == 0 &&
		strcmp(last_part(own.interpreter),
		       last_part(program->interpreter)) == 0;
}

static enum vmsi_exit refuse(const struct vmsi_program *program,
			     const char *why, const char *what)
{
	vmsi_complain(program->binary, "cannot be run so: %s%s", why, what);
	return VMSI_EXIT_CANNOT_RUN;
}

enum vmsi_exit vmsi_preload_check(const struct vmsi_program *program,
				  const struct vmsi_elf *library)
{
	const struct vmsi_elf *elf = &program->elf;
	const char *rights = rights_of(program->binary);

	if (!vmsi_elf_same_platform(elf, library))
		return refuse(program, "it is built for another machine", "");
	if (!elf->interpreter[0])
		return refuse(program, "it is linked statically", "");
	if (rights)
		return refuse(program, rights,
			      ", and then libraries are not preloaded");
	if (elf->sanitizer)
		return refuse(program, "it is built with ", elf->sanitizer);
	if (elf->defines_malloc)
		return refuse(program, "it defines malloc itself, and nothing "
			      "comes before that", "");
	if (!has_our_loader(elf))
		return refuse(program, "it has another C library, loaded by ",
			      elf->interpreter);
	return VMSI_EXIT_OK;
}
