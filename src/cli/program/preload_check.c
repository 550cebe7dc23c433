/* SPDX-License-Identifier: MIT */
#include "cli/program/preload.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
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

__attribute__((format(printf, 2, 3)))
static bool say(struct vmsi_preload_reason *why, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vsnprintf(why->text, sizeof(why->text), format, values);
	va_end(values);
	return false;
}

bool vmsi_preload_works(const struct vmsi_program *program,
			const struct vmsi_elf *library,
			struct vmsi_preload_reason *why_not)
{
	const struct vmsi_elf *elf = &program->elf;
	const char *rights = rights_of(program->binary);

	why_not->is_sanitizer = false;
	if (!vmsi_elf_same_platform(elf, library))
		return say(why_not, "it is built for another machine");
	if (!elf->interpreter[0])
		return say(why_not, "it is linked statically");
	if (rights)
		return say(why_not, "%s, and then libraries are not preloaded",
			   rights);
	if (elf->sanitizer) {
		why_not->is_sanitizer = true;
		return say(why_not, "it is built with %s", elf->sanitizer);
	}
	if (elf->defines_malloc)
		return say(why_not, "it defines malloc itself, and nothing "
			   "comes before that");
	if (!has_our_loader(elf))
		return say(why_not, "it has another C library, loaded by %s",
			   elf->interpreter);
	return true;
}

enum vmsi_exit vmsi_preload_check(const struct vmsi_program *program,
				  const struct vmsi_elf *library)
{
	struct vmsi_preload_reason why_not;

	if (vmsi_preload_works(program, library, &why_not))
		return VMSI_EXIT_OK;
	vmsi_complain(program->binary, "cannot be run so: %s", why_not.text);
	return VMSI_EXIT_CANNOT_RUN;
}
