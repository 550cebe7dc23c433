/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_FILE_H
#define VMSPACE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Mapped files that grow, last, and do not crash the program.
 *
 * Caveats first.
 *
 * - A file's maximum is addresses, reserved when it is opened: pointers into the
 *   file hold until it is closed, however it grows. They count against RLIMIT_AS.
 * - What lies past the end of a file, or was cut off by another process, or cannot
 *   be read, is gone: it raises SIGBUS when it is touched, as on Linux. Where it is
 *   touched between vms_file_begin_access and vms_file_end_access it becomes lost
 *   instead: the whole process sees zeros at that place, and the end of the access
 *   fails; see there. A private file, and an atomic one that is written, are mapped as
 *   far as they are long: beyond, nothing is there, which raises SIGSEGV, in an access
 *   too. The library handles SIGBUS for that from the first
 *   vms_file_open on: a program that installs a handler of its own does so before,
 *   and gets every signal that is not the library's. A thread that blocks SIGBUS
 *   is killed by the kernel, in an access too.
 * - A system call that is given memory of the file (read(2) into it, write(2) from
 *   it) answers EFAULT where a store or load would have raised SIGBUS.
 * - Stores into a file with VMS_FILE_ATOMIC and without VMS_FILE_TELLS are stalled for
 *   moments: by commits past the dirty limit, and before Linux 6.7 by each. Its memory
 *   is write-protected then, and a store waits in a handler of SIGSEGV, which the
 *   library installs when the first such file is opened, and which calls the earlier one
 *   for what is not its own. A handler that the program installs later gets signals of
 *   valid stores. A system call that stores there meanwhile answers EFAULT, or has stored
 *   a part: make it again, or read into other memory and copy.
 * - Nothing is durable before vms_file_sync or vms_file_commit has returned 0.
 * - Every call on a file is safe from several threads at once, but those on one
 *   window, which are for one thread at a time, and vms_file_close. None is safe
 *   from a signal handler. None is a cancellation point (pthread_cancel(3)).
 * - fork(2): the child has the same file at the same addresses. What it writes to a
 *   shared file the parent sees; of a private one, and of one with VMS_FILE_ATOMIC,
 *   it has a copy, and in the child vms_file_commit, vms_file_rollback,
 *   vms_file_resize and vms_file_append of an atomic file answer EPERM: the journal
 *   is the parent's. The copy is what was written before the fork; fork copies what the
 *   dirty limit has sent to the journal, and where there is no memory for that, the
 *   child gets SIGSEGV there. The locks by which other processes know a writer go with
 *   the parent (where there is no /proc, with its last child).
 * - The library keeps descriptors of its own (close-on-exec). What the program does
 *   to the descriptor it has opened the file by does not matter afterwards. Where
 *   it closes descriptors that are not its own, append, resize, refresh, sync, commit
 *   and rollback answer EBADF, also when the number has become another file's;
 *   addresses stay.
 *
 * Of every call here: one that fails leaves the file, its contents and its size as
 * they were, unless the call says otherwise; one that succeeds leaves errno as it
 * was.
 */

typedef struct vms_file vms_file;
typedef struct vms_window vms_window;
struct vms_budget;

/* --- opening --------------------------------------------------------------------- */

/* Loads only. Stores raise SIGSEGV, and calls that would change the file EBADF. */
#define VMS_FILE_READ_ONLY 0x1u
/*
 * What is written is the program's own (MAP_PRIVATE) and reaches neither the file
 * nor anybody else. Charged to the budget, as far as the file is long.
 */
#define VMS_FILE_PRIVATE 0x2u
/* Make the file if there is none, with the mode of the options. */
#define VMS_FILE_CREATE 0x4u
/* With VMS_FILE_CREATE: EEXIST if there is one. */
#define VMS_FILE_EXCLUSIVE 0x8u
/* Growth takes no space on disk: it may run out at a later store, by SIGBUS. */
#define VMS_FILE_SPARSE 0x10u
/*
 * What is written reaches the file by vms_file_commit alone, all of it or nothing.
 * One process at a time may have it open so for writing (EBUSY).
 *
 * Readers in other processes open the file VMS_FILE_READ_ONLY | VMS_FILE_ATOMIC and
 * read it between vms_file_begin_access and vms_file_end_access, or by
 * vms_file_copy_out: each of these shows the latest commit, and never half of one. The
 * size may be another in each access, so it is asked for inside. Whoever reads in
 * another way may see half a commit: by a file opened without VMS_FILE_ATOMIC, or
 * outside of an access, also after vms_file_refresh. See vms_file_commit, too.
 *
 * Do not write to such a file in another way. Another open for writing, without
 * VMS_FILE_ATOMIC, is not refused: what is stored by it is in no commit, readers see it
 * at once, and the recovery of a commit may undo it.
 */
#define VMS_FILE_ATOMIC 0x20u
/*
 * With VMS_FILE_ATOMIC: the program tells all that it writes by
 * vms_file_will_write, and only that is committed. Without it the kernel is asked
 * at each commit which pages were written. Stores may wait then, in a handler of
 * SIGSEGV, and system calls that store into the file answer EFAULT: where a commit
 * passes dirty_limit, and before Linux 6.7 during each.
 */
#define VMS_FILE_TELLS 0x40u
/* Outside of an access, too, what is gone becomes lost; stats count it. */
#define VMS_FILE_ZERO_OUTSIDE 0x80u

/*
 * vms_file_append gathers what is added in memory, and it is added to the file 256 KiB
 * at once; before that by vms_file_sync, vms_file_refresh, vms_file_resize,
 * vms_file_close, and by any call with a range that has some of it, vms_file_at too.
 *
 * What is gathered has its space on disk and its place in the file; a later open with
 * this flag gives back the space that a killed process had taken ahead. A process that
 * is killed loses what is gathered. Other processes, windows and pointers that were
 * given before do not see it. A forked child has nothing of it, and may not append.
 *
 * The file is locked for that: others that append by this library get EBUSY, but not
 * because of a forked child that has it still. Where somebody appends in another way, the call that adds what was gathered puts it behind
 * that and fails with EBUSY. Not with VMS_FILE_READ_ONLY, _PRIVATE or _ATOMIC.
 */
#define VMS_FILE_GATHERS 0x100u

/* Options of a file; zero in a field means its default. */
struct vms_file_options {
	/* sizeof(struct vms_file_options); lets the struct grow. */
	size_t struct_size;
	/* VMS_FILE_* bits. 0: read and write a shared file that exists. */
	unsigned flags;
	/* Of a file that is made: open(2). 0: 0666, less the umask. */
	mode_t mode;
	/*
	 * The most bytes that the file may come to, rounded up to a page; at most 2^63
	 * less a page. 0: four times its size, and 64 GiB at least; less where the
	 * addresses are not to be had, but not less than its size. vms_file_get_stats
	 * tells.
	 */
	uint64_t maximum;
	/*
	 * Bytes of addresses for windows, where the file as a whole is to have no
	 * addresses: vms_file_at then answers ENXIO. 0: the whole maximum is mapped,
	 * and windows lie in it. A window takes a page more than its length. Not with
	 * VMS_FILE_PRIVATE or VMS_FILE_ATOMIC.
	 */
	size_t window_addresses;
	/* What private memory is charged to; open until the file is closed. */
	struct vms_budget *budget;
	/*
	 * With VMS_FILE_ATOMIC: the path of the journal. NULL: the path of the file
	 * and ".journal". A file opened by a descriptor needs one. It may be in another
	 * file system; what is committed lasts as long as that one keeps it. Writer and
	 * readers give the same one. Never delete the journal of a file that was not
	 * closed: commits may be there and nowhere else.
	 */
	const char *journal;
	/*
	 * With VMS_FILE_ATOMIC: how many bytes of written pages the process keeps in
	 * memory of its own. Beyond that, pages that are committed become pages of the
	 * page cache again. Pages that are not committed are moved to the journal
	 * (spilled) with VMS_FILE_TELLS, as long as a quarter of the mappings that the
	 * process may have suffices for it; without it they stay, above the limit too.
	 * 0: an eighth of the machine's memory and swap.
	 */
	size_t dirty_limit;
};

/*
 * Open a file and map it.
 *
 * path, fd  the file; of a descriptor the library makes a description of its own
 *           where it may (/proc/self/fd), else a duplicate, whose position
 *           vms_file_append moves.
 * options   NULL for the defaults; read during the call only.
 *
 * With VMS_FILE_ATOMIC, a journal of commits that the file has not all of is
 * applied first (but by a VMS_FILE_READ_ONLY one, which has what was committed in
 * memory of its own and writes nothing).
 *
 * Returns the file, which the caller gives back by vms_file_close(); NULL with
 * errno set on failure, and a file that was made by the call is removed again, where
 * its file system has files without a name (O_TMPFILE: most on disks):
 *   EINVAL    struct_size is too small; unknown flags or flags that exclude each
 *             other; a field for a flag that is not given; an atomic file by
 *             descriptor without a path of its journal; VMS_FILE_CREATE with a
 *             descriptor.
 *   E2BIG     options that the library does not know are not zero.
 *   EFBIG     the file is larger than the maximum.
 *   ENODEV    it is no regular file.
 *   EISDIR    it is a directory, and was to be opened for writing.
 *   ENOMEM    addresses, the map-count limit, memory for records; the budget.
 *   EBUSY     with VMS_FILE_ATOMIC: another process, or this one, has it open so for
 *             writing. With VMS_FILE_GATHERS: somebody appends or has it open so, or has
 *             locked all of it by fcntl(2).
 *   EBADF     a descriptor that is O_PATH or not open for what is asked.
 *   EPERM     for writing: it is append-only (chattr +a), and Linux maps such a file
 *             for reading only; immutable, sealed.
 *   EBADMSG   the journal is damaged, or not a journal: nothing was written.
 *             vms_file_journal_problem says what is wrong.
 *   ESTALE    the journal belongs to another file, or to another state of this one;
 *             or the file was not closed, and its journal is not here: it was renamed,
 *             linked or copied without. Nothing was written; see docs/files.md.
 *   and those of open(2), fallocate(2), fsync(2), fcntl(2) of F_OFD_SETLK.
 */
vms_file *vms_file_open(const char *path, const struct vms_file_options *options);
vms_file *vms_file_open_fd(int fd, const struct vms_file_options *options);

/*
 * What was wrong with the journal that this thread's latest vms_file_open has
 * refused with EBADMSG or ESTALE: one sentence; "" where it has not.
 */
const char *vms_file_journal_problem(void);

/*
 * Close a file. What an atomic one has not committed is dropped; nothing else is
 * made durable that was not before. No other call on the file may be running or
 * follow, no access be open and no window.
 *
 * Returns 0, also for NULL; -1 with errno set, and the file is closed:
 *   EIO, ENOSPC, EDQUOT  a commit is in the journal and could not be written to the
 *             file: the journal stays, and the next vms_file_open applies it. Or
 *             what was written and never synced could not be.
 *   ENXIO     somebody else has shortened an atomic file: the journal stays.
 *   EBADF     the program has closed the library's descriptor.
 *   with VMS_FILE_GATHERS those of vms_file_append: what was gathered is lost.
 */
int vms_file_close(vms_file *file);

/* --- size and place -------------------------------------------------------------- */

/* The size as this process knows it, in bytes: by its own calls and refreshes. */
uint64_t vms_file_size(const vms_file *file);

/*
 * Where length bytes from offset on are: bounds are checked against vms_file_size.
 * Such pointers hold until the file is closed.
 *
 * Returns the address; NULL with errno set:
 *   ERANGE  they do not lie in the file.
 *   ENXIO   the file was opened with window_addresses.
 *   and, with VMS_FILE_GATHERS, those of vms_file_append: see there.
 */
void *vms_file_at(const vms_file *file, uint64_t offset, size_t length);

/*
 * Add bytes at the end: they take their space on disk, and are in the page cache
 * as after write(2). Appends of several threads follow each other; so do those of
 * several processes, where each appends by this call, or by write(2) with O_APPEND.
 *
 * From its first append or resize on a process has a read lock (F_OFD_SETLK) on a byte
 * far behind the end of the file: who locks all of it to write, by fcntl(2) or lockf(3),
 * waits until the file is closed. The other way round nobody waits.
 *
 * bytes    what is added; NULL: zeros.
 * offset   where they begin is written there; NULL: nowhere.
 *
 * Returns 0; -1 with errno set, and the size is as before. Only where others have ever
 * made the file longer, it is not cut again: zeros stay in the place of what was written
 * in part, so a log needs records that are not taken for zeros.
 *   EFBIG   the maximum, RLIMIT_FSIZE (no SIGXFSZ is raised) or the largest file of
 *           the file system would be passed; more than 2 GiB at once, while another
 *           process appends, too.
 *   ENOSPC, EDQUOT  no space on the file system; the quota. btrfs asks for some to
 *           shorten a file, too.
 *   EBADF   the file is read-only; the library's descriptor is gone.
 *   EINVAL  the file is private.
 *   ENOMEM  of an atomic file: memory for what is not committed yet; of a private
 *           one (vms_file_resize): the budget.
 *   EPERM   sealed (F_SEAL_GROW), immutable; an atomic file in a forked child.
 *   EBUSY   another process has the file open VMS_FILE_GATHERS; or this one has, and
 *           somebody has appended by write(2): what was gathered was added behind that.
 *   EIO, EINTR  as write(2).
 * With VMS_FILE_GATHERS the errors of write(2) are of what was gathered, too, which is
 * kept and tried again. Each call that adds it to the file has these errors: see there.
 */
int vms_file_append(vms_file *file, const void *bytes, size_t length,
		    uint64_t *offset);

/*
 * Make a file size bytes long. What is added reads as zero and has its space on
 * disk, unless VMS_FILE_SPARSE; where the file system cannot give space alone
 * (EOPNOTSUPP of fallocate(2)), zeros are written. What is cut off is gone.
 *
 * Of a private file, the program's view of it changes and the file does not: what is
 * added is anonymous memory that reads as zero, whatever the file has there, and what
 * is cut off raises SIGSEGV. From then on its size is the program's own.
 *
 * Returns 0; -1 with errno set as by vms_file_append; EPERM also by F_SEAL_SHRINK
 * and an append-only file.
 */
int vms_file_resize(vms_file *file, uint64_t size);

/*
 * See what others have done: the size becomes that of the file, also a smaller one,
 * and what was put in the place of lost parts goes, so that the file is tried again.
 * Of a VMS_FILE_READ_ONLY | VMS_FILE_ATOMIC file: the latest commit. The size of a
 * private file that vms_file_resize has changed stays.
 *
 * Returns 0; -1 with errno set:
 *   EFBIG   the file is longer than the maximum, and its size is known up to there.
 *   ENXIO   somebody else has shortened an atomic file that this process writes.
 *   EBADF   the library's descriptor is gone.
 *   ENOMEM, EIO  a lost part cannot be mapped again; ENOMEM: the budget, too.
 *   EBADMSG, ESTALE  of a reader of an atomic file: as vms_file_open.
 */
int vms_file_refresh(vms_file *file);

/* --- memory ---------------------------------------------------------------------- */

/*
 * madvise(2) of all pages that have a byte of the range. ERANGE where the range does
 * not lie in the file, ENXIO where it was opened with window_addresses, else as
 * madvise(2). MADV_DONTNEED and the like on a private file lose what was written, as
 * there; on an atomic one they are EINVAL, and so is advice that the library does not
 * know. Returns 0; -1 with errno set.
 */
int vms_file_advise(vms_file *file, uint64_t offset, size_t length, int advice);

/* Begin to read a range into memory; does not wait for it. Fails as vms_file_drop. */
int vms_file_prefetch(vms_file *file, uint64_t offset, size_t length);

/*
 * Let a range go from memory, from the page cache too where nobody else has it and
 * it is on disk already. It stays in the file: what was written is not lost, of an
 * atomic file neither. Returns 0; -1 with errno set: ERANGE; EINVAL where it is locked
 * (mlock(2)); else as madvise(2) and posix_fadvise(2).
 */
int vms_file_drop(vms_file *file, uint64_t offset, size_t length);

/* --- windows --------------------------------------------------------------------- */

/*
 * A window: an address range of length bytes that shows the file from offset on,
 * which need not be a multiple of the page. It may reach past the end of the file,
 * up to the maximum; what is there when it is touched is as everywhere in the file.
 *
 * Returns the window; NULL with errno set: EINVAL length is 0; EFBIG past the
 * maximum; ENOMEM no addresses left, the map-count limit.
 */
vms_window *vms_file_open_window(vms_file *file, uint64_t offset, size_t length);

/* The address of the byte at the window's offset. Changes by vms_window_slide. */
void *vms_window_data(const vms_window *window);
uint64_t vms_window_offset(const vms_window *window);
size_t vms_window_length(const vms_window *window);

/*
 * Show the file from another offset on. At no moment are the window's addresses
 * free for anything else. Returns 0; -1 with errno set as by vms_file_open_window,
 * and the window is as before.
 */
int vms_window_slide(vms_window *window, uint64_t offset);

/* Give a window back. Returns 0, also for NULL; -1 and ENOMEM at the map-count limit. */
int vms_window_close(vms_window *window);

/* --- accesses that cannot crash -------------------------------------------------- */

/* Such a call goes straight to the library: a jump less than by the PLT. */
#ifdef __has_attribute
#if __has_attribute(noplt)
#define VMS_FILE_CALLED_OFTEN __attribute__((noplt))
#endif
#endif
#ifndef VMS_FILE_CALLED_OFTEN
#define VMS_FILE_CALLED_OFTEN
#endif

/* An access; on the caller's stack, its fields the library's own. */
struct vms_file_access {
	vms_file *file;
	struct vms_file_access *outer;
	uint64_t losses;
	uint64_t lost_at;
	int error;
};

/*
 * Begin and end an access: between the two this thread is not sent SIGBUS by what is
 * gone of the file (cut off, unreadable, failed memory). A page of it that it touches
 * becomes lost: from then on the whole process sees zeros at that place, in an access
 * or not, what any thread stores there is seen by no file, and every access to the file
 * fails, until vms_file_refresh. Where the kernel parts no mapping any more (at the limit,
 * vm.max_map_count), all becomes lost that is mapped there, the whole file or a window; a
 * private or an atomic file is not replaced so. Where nothing can be put in the place of
 * the page, the thread is sent SIGBUS all the same.
 *
 * Accesses may be nested, also to several files. They end in reverse order, in the
 * thread that began them, and are never left by longjmp(3) or a C++ exception. A thread
 * that ends (pthread_exit(3), pthread_cancel(3)) has no access open any more, so that none
 * keeps commits from a file; of more than eight such files at once some may.
 *
 * A file that is cut off within a page raises no signal for the rest of that page: it
 * reads as zeros and takes stores that the file does not get, and the access does not
 * fail. vms_file_copy_out and vms_file_copy_in look for that.
 *
 * offset   end: where the call fails with EIO or ENXIO, the offset of the page that this
 *          thread found lost first is written there; where it has found none, of the
 *          one that was lost first since the last refresh. NULL: nowhere.
 *
 * begin returns 0, without a system call; -1 only for a file opened VMS_FILE_READ_ONLY |
 * VMS_FILE_ATOMIC, with errno of fcntl(2) or of vms_file_refresh. For such a file a pair
 * takes microseconds and several calls of fcntl(2), and begin waits while a commit is
 * written into the file, and, in a thread that has no such access open, behind a writer
 * that waits: who is in an access does not wait for another thread to begin one.
 *
 * end returns 0: all that was read was of the file; -1 with errno set:
 *   ENXIO   a part lay behind the end of the file, when the library looked.
 *   EIO     a part could not be had within it: the disk, the network, the memory; no
 *           space for a store (VMS_FILE_SPARSE, in a full file system: EIO, not
 *           ENOSPC). Or it was cut off, and the file has grown again since.
 */
VMS_FILE_CALLED_OFTEN
int vms_file_begin_access(vms_file *file, struct vms_file_access *access);
VMS_FILE_CALLED_OFTEN
int vms_file_end_access(struct vms_file_access *access, uint64_t *offset);

#undef VMS_FILE_CALLED_OFTEN

/*
 * Copy from a file, or into one, without an access around it. Only losses in the
 * range itself fail it. What is copied into an atomic file is told as by
 * vms_file_will_write, whose errors it has, too.
 *
 * Returns 0; -1 with errno set, and the bytes at the target are undefined: ERANGE
 * the range does not lie in the file; EBADF copy_in to a read-only one; ENXIO, EIO
 * as vms_file_end_access, and ENXIO where the file now ends before the end of the
 * range, be it within a page (copy_out: unless somebody has stored behind the end since,
 * and so at the last byte of the range); with window_addresses those of pread(2) and
 * pwrite(2), and copy_in makes a file that was cut off longer again, as pwrite(2) does;
 * with VMS_FILE_GATHERS those of vms_file_append.
 */
int vms_file_copy_out(vms_file *file, uint64_t offset, void *bytes, size_t length);
int vms_file_copy_in(vms_file *file, uint64_t offset, const void *bytes,
		     size_t length);

/* --- durability ------------------------------------------------------------------ */

/* The size too, and that the file is in its directory. Without: what is needed to
 * read the data back, as fdatasync(2). */
#define VMS_FILE_SYNC_ALL 0x1u

/*
 * Make a range of a shared file durable; the call does the page arithmetic.
 * length 0: from offset to the end.
 *
 * Returns 0; -1 with errno set:
 *   ERANGE  the range does not lie in the file.
 *   EINVAL  unknown flags; a private or an atomic file.
 *   EBADF   the library's descriptor is gone.
 *   ENXIO, EIO  a part of the range is lost, as by vms_file_end_access, and what was
 *           stored there with it; until vms_file_refresh. The rest is durable.
 *   EIO, ENOSPC, EDQUOT  something written since the last sync that returned 0 is
 *           not on disk, perhaps not of this range. This is told once for each time
 *           that the kernel reports it. All of the file that is in memory was marked
 *           as to be written again, so that a later sync that returns 0 has written
 *           it.
 */
int vms_file_sync(vms_file *file, uint64_t offset, uint64_t length, unsigned flags);

/* --- figures --------------------------------------------------------------------- */

struct vms_file_stats {
	/* sizeof(struct vms_file_stats), set by the caller. */
	size_t struct_size;
	uint64_t size;
	uint64_t maximum;       /* bytes */
	size_t windows;         /* open */
	uint64_t losses;        /* times a lost part was replaced by zeros */
	uint64_t losses_outside; /* of these, outside of an access */
	uint64_t commits;       /* calls of vms_file_commit that returned 0 */
	uint64_t syncs;         /* fdatasync and fsync of the file or its journal */
	uint64_t journal_bytes; /* in use */
	uint64_t spilled_bytes; /* in the journal and not committed */
};

/* Returns 0; -1 with errno EINVAL or E2BIG, as vms_space_get_stats. */
int vms_file_get_stats(vms_file *file, struct vms_file_stats *stats);

#ifdef __cplusplus
}
#endif

#include <vmspace/file_commit.h>

#endif
