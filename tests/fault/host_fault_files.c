/* SPDX-License-Identifier: MIT */
#include "host_fault_files.h"

/* The calls that files are opened, written and made durable by. */

static long fail_memfd_create(const char *name, unsigned flags)
{
	long error = fault_decide(CALL_MEMFD_CREATE);

	return error ? error : fault_real.memfd_create(name, flags);
}

static long fail_ftruncate(int fd, uint64_t length)
{
	long error = fault_decide(CALL_FTRUNCATE);

	return error ? error : fault_real.ftruncate(fd, length);
}

static long fail_add_seals(int fd, int seals)
{
	long error = fault_decide(CALL_ADD_SEALS);

	return error ? error : fault_real.add_seals(fd, seals);
}

static long fail_seals(int fd)
{
	long error = fault_decide(CALL_SEALS);

	return error ? error : fault_real.seals(fd);
}

static long fail_file_lock(int fd, int command, struct flock *lock)
{
	long error = fault_decide(CALL_FILE_LOCK);

	return error ? error : fault_real.file_lock(fd, command, lock);
}

static long fail_reopen(int fd)
{
	long error = fault_decide(CALL_REOPEN);

	return error ? error : fault_real.reopen(fd);
}

static long fail_open_file(const char *path, int flags, mode_t mode)
{
	long error = fault_decide(CALL_OPEN_FILE);

	return error ? error : fault_real.open_file(path, flags, mode);
}

static long fail_duplicate(int fd, int least)
{
	long error = fault_decide(CALL_DUPLICATE);

	return error ? error : fault_real.duplicate(fd, least);
}

static long fail_replace(int fd, int target)
{
	long error = fault_decide(CALL_REPLACE);

	return error ? error : fault_real.replace(fd, target);
}

static long fail_link(int fd, const char *path)
{
	long error = fault_decide(CALL_LINK);

	return error ? error : fault_real.link(fd, path);
}

static long fail_unlink(const char *path)
{
	long error = fault_decide(CALL_UNLINK);

	return error ? error : fault_real.unlink(path);
}

static long fail_pwrite(int fd, const void *buffer, size_t length,
			uint64_t offset)
{
	long error = fault_decide(CALL_PWRITE);

	return error ? error : fault_real.pwrite(fd, buffer, length, offset);
}

static long fail_end(int fd)
{
	long error = fault_decide(CALL_END);

	return error ? error : fault_real.end(fd);
}

static long fail_preadv(int fd, const struct iovec *parts, int count, uint64_t offset)
{
	long error = fault_decide(CALL_PREADV);

	return error ? error : fault_real.preadv(fd, parts, count, offset);
}

static long fail_pwritev(int fd, const struct iovec *parts, int count, uint64_t offset)
{
	long error = fault_decide(CALL_PWRITEV);

	return error ? error : fault_real.pwritev(fd, parts, count, offset);
}

static long fail_append(int fd, const struct iovec *parts, int count)
{
	long error = fault_decide(CALL_APPEND);

	return error ? error : fault_real.append(fd, parts, count);
}

static long fail_fallocate(int fd, int mode, uint64_t offset, uint64_t length)
{
	long error = fault_decide(CALL_FALLOCATE);

	return error ? error : fault_real.fallocate(fd, mode, offset, length);
}

static long fail_fsync(int fd)
{
	long error = fault_decide(CALL_FSYNC);

	return error ? error : fault_real.fsync(fd);
}

static long fail_fdatasync(int fd)
{
	long error = fault_decide(CALL_FDATASYNC);

	return error ? error : fault_real.fdatasync(fd);
}

static long fail_sync_range(int fd, uint64_t offset, uint64_t length,
			    unsigned flags)
{
	long error = fault_decide(CALL_SYNC_RANGE);

	return error ? error : fault_real.sync_range(fd, offset, length, flags);
}

static long fail_fadvise(int fd, uint64_t offset, uint64_t length, int advice)
{
	long error = fault_decide(CALL_FADVISE);

	return error ? error : fault_real.fadvise(fd, offset, length, advice);
}

static long fail_attribute(int fd, const char *name, void *value, size_t size)
{
	long error = fault_decide(CALL_ATTRIBUTE);

	return error ? error : fault_real.attribute(fd, name, value, size);
}

static long fail_set_attribute(int fd, const char *name, const void *value,
			       size_t size)
{
	long error = fault_decide(CALL_SET_ATTRIBUTE);

	return error ? error : fault_real.set_attribute(fd, name, value, size);
}

static long fail_birth_time(int fd, struct timespec *time)
{
	long error = fault_decide(CALL_BIRTH_TIME);

	return error ? error : fault_real.birth_time(fd, time);
}

static long fail_random(void *buffer, size_t length)
{
	long error = fault_decide(CALL_RANDOM);

	return error ? error : fault_real.random(buffer, length);
}

static long fail_userfaultfd(int flags)
{
	long error = fault_decide(CALL_USERFAULTFD);

	return error ? error : fault_real.userfaultfd(flags);
}

static long fail_userfaultfd_control(int fd, unsigned long request,
				     void *argument)
{
	long error = fault_decide(CALL_USERFAULTFD_CONTROL);

	return error ? error : fault_real.userfaultfd_control(fd, request, argument);
}

static long fail_signal_action(int signal, const struct sigaction *action,
			       struct sigaction *earlier)
{
	long error = fault_decide(CALL_SIGNAL_ACTION);

	return error ? error : fault_real.signal_action(signal, action, earlier);
}

static long fail_signal_mask(int how, const sigset_t *set, sigset_t *earlier)
{
	long error = fault_decide(CALL_SIGNAL_MASK);

	return error ? error : fault_real.signal_mask(how, set, earlier);
}

static long fail_queue_signal(int signal, const siginfo_t *info)
{
	long error = fault_decide(CALL_QUEUE_SIGNAL);

	return error ? error : fault_real.queue_signal(signal, info);
}

static long fail_signal_stack(const stack_t *stack, stack_t *earlier)
{
	long error = fault_decide(CALL_SIGNAL_STACK);

	return error ? error : fault_real.signal_stack(stack, earlier);
}

static long fail_write(int fd, const void *buffer, size_t length)
{
	long error = fault_decide(CALL_WRITE);

	return error ? error : fault_real.write(fd, buffer, length);
}

static long fail_map_shadow_stack(uintptr_t address, size_t length, unsigned flags)
{
	long error = fault_decide(CALL_MAP_SHADOW_STACK);

	return error ? error :
		fault_real.map_shadow_stack(address, length, flags);
}

static long fail_shadow_stack_status(uint64_t *features)
{
	long error = fault_decide(CALL_SHADOW_STACK_STATUS);

	return error ? error : fault_real.shadow_stack_status(features);
}

static long fail_membarrier(int command)
{
	long error = fault_decide(CALL_MEMBARRIER);

	return error ? error : fault_real.membarrier(command);
}

/* Those that rings wait and wake by. */

static long fail_futex_wait(const void *word, uint32_t value, uint64_t nanoseconds)
{
	long error = fault_decide(CALL_FUTEX_WAIT);

	return error ? error : fault_real.futex_wait(word, value, nanoseconds);
}

static long fail_futex_wake(const void *word, int count)
{
	long error = fault_decide(CALL_FUTEX_WAKE);

	return error ? error : fault_real.futex_wake(word, count);
}

static long fail_eventfd(void)
{
	long error = fault_decide(CALL_EVENTFD);

	return error ? error : fault_real.eventfd();
}

static long fail_pipe(int ends[2])
{
	long error = fault_decide(CALL_PIPE);

	return error ? error : fault_real.pipe(ends);
}

static long fail_size_pipe(int fd, size_t bytes)
{
	long error = fault_decide(CALL_SIZE_PIPE);

	return error ? error : fault_real.size_pipe(fd, bytes);
}

static long fail_splice_memory(int fd, const struct iovec *parts, int count)
{
	long error = fault_decide(CALL_SPLICE_MEMORY);

	return error ? error : fault_real.splice_memory(fd, parts, count);
}

static long fail_thread_faults(void)
{
	long error = fault_decide(CALL_THREAD_FAULTS);

	return error ? error : fault_real.thread_faults();
}

static long fail_swap_size(size_t *bytes)
{
	long error = fault_decide(CALL_SWAP_SIZE);

	return error ? error : fault_real.swap_size(bytes);
}

static long fail_merges_memory(void)
{
	long error = fault_decide(CALL_MERGES_MEMORY);

	return error ? error : fault_real.merges_memory();
}

static long fail_wait_readable(int first, int second)
{
	long error = fault_decide(CALL_WAIT_READABLE);

	return error ? error : fault_real.wait_readable(first, second);
}

static long fail_start_thread(pthread_t *thread, size_t stack, void *(*run)(void *),
			      void *context)
{
	long error = fault_decide(CALL_START_THREAD);

	return error ? error : fault_real.start_thread(thread, stack, run, context);
}

void fault_install_files(struct vmsi_host_calls *calls)
{
	calls->memfd_create = fail_memfd_create;
	calls->ftruncate = fail_ftruncate;
	calls->add_seals = fail_add_seals;
	calls->seals = fail_seals;
	calls->file_lock = fail_file_lock;
	calls->reopen = fail_reopen;
	calls->open_file = fail_open_file;
	calls->duplicate = fail_duplicate;
	calls->replace = fail_replace;
	calls->link = fail_link;
	calls->unlink = fail_unlink;
	calls->pwrite = fail_pwrite;
	calls->end = fail_end;
	calls->preadv = fail_preadv;
	calls->pwritev = fail_pwritev;
	calls->append = fail_append;
	calls->fallocate = fail_fallocate;
	calls->fsync = fail_fsync;
	calls->fdatasync = fail_fdatasync;
	calls->sync_range = fail_sync_range;
	calls->fadvise = fail_fadvise;
	calls->attribute = fail_attribute;
	calls->set_attribute = fail_set_attribute;
	calls->birth_time = fail_birth_time;
	calls->random = fail_random;
	calls->userfaultfd = fail_userfaultfd;
	calls->userfaultfd_control = fail_userfaultfd_control;
	calls->signal_action = fail_signal_action;
	calls->signal_mask = fail_signal_mask;
	calls->queue_signal = fail_queue_signal;
	calls->signal_stack = fail_signal_stack;
	calls->write = fail_write;
	calls->map_shadow_stack = fail_map_shadow_stack;
	calls->shadow_stack_status = fail_shadow_stack_status;
	calls->membarrier = fail_membarrier;
	calls->futex_wait = fail_futex_wait;
	calls->futex_wake = fail_futex_wake;
	calls->eventfd = fail_eventfd;
	calls->pipe = fail_pipe;
	calls->size_pipe = fail_size_pipe;
	calls->splice_memory = fail_splice_memory;
	calls->thread_faults = fail_thread_faults;
	calls->swap_size = fail_swap_size;
	calls->merges_memory = fail_merges_memory;
	calls->wait_readable = fail_wait_readable;
	calls->start_thread = fail_start_thread;
}
