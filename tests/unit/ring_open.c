/* SPDX-License-Identifier: MIT */
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "ring/layout.h"
#include "ring_fixture.h"

/* Making rings, attaching to them, and what is no ring. */

static void arguments_are_checked(void **state)
{
	struct vms_ring_options options = { .struct_size = sizeof(options) };

	(void)state;
	refused_null(vms_ring_create(NULL, (enum vms_ring_kind)0, 4096, NULL), EINVAL);
	refused_null(vms_ring_create(NULL, (enum vms_ring_kind)4, 4096, NULL), EINVAL);
	refused_null(vms_ring_create(NULL, VMS_RING_SPSC, 0, NULL), EINVAL);
	refused_null(vms_ring_create(NULL, VMS_RING_SPSC, SIZE_MAX, NULL), EFBIG);
	refused_null(create_with(VMS_RING_SPSC, 4096, 0x8000u, 0), EINVAL);
	refused_null(create_with(VMS_RING_SPSC, 4096, VMS_RING_UNSEALED, 0), EINVAL);
	refused_null(create_with(VMS_RING_MPSC, 4096, 0, 24), EINVAL);
	refused_null(create_with(VMS_RING_MPSC, 4096, 0, 4), EINVAL);
	refused_null(create_with(VMS_RING_MPSC, 4096, 0, 8192), EINVAL);
	refused_null(create_with(VMS_RING_MPSC, 4096,
				 VMS_RING_EVENT | VMS_RING_EVENT_FD, 0), EINVAL);
	options.mode = 0600;
	refused_null(vms_ring_create(NULL, VMS_RING_SPSC, 4096, &options), EINVAL);
	refused_null(attach_with(-1, 0), EBADF);
	refused_null(vms_ring_attach_path(NULL, NULL), EINVAL);
	worked(vms_ring_close(NULL));
}

static void parts_are_asked_for(void **state)
{
	vms_ring *ring = must_create(VMS_RING_SPSC, 4096, 0);
	vms_ring *producer = must_attach(ring, VMS_RING_PRODUCER);
	vms_ring *consumer = must_attach(ring, VMS_RING_CONSUMER);
	struct vms_ring_record record;

	(void)state;
	refused_null(vms_ring_try_claim(ring, 1), EPERM);
	refused_null(vms_ring_try_claim(consumer, 1), EPERM);
	refused(vms_ring_peek(ring, &record, 1), EPERM);
	refused(vms_ring_peek(producer, &record, 1), EPERM);
	refused(vms_ring_arm(consumer), ENOENT);
	refused(vms_ring_event_fd(consumer), ENOENT);
	refused_null(attach_with(vms_ring_fd(ring), VMS_RING_PRODUCER), EBUSY);
	refused_null(attach_with(vms_ring_fd(ring), VMS_RING_CONSUMER), EBUSY);
	must_close(ring);
	assert_true(put(producer, 1, 100));
	must_get(consumer, 1, 100);
	must_close(producer);
	producer = must_attach(consumer, VMS_RING_PRODUCER);
	assert_true(put(producer, 2, 100));
	must_get(consumer, 2, 100);
	must_close(producer);
	must_close(consumer);
}

static void a_ring_has_a_path(void **state)
{
	const struct place *place = *state;
	const struct vms_ring_options consumes = {
		.struct_size = sizeof(consumes), .flags = VMS_RING_CONSUMER,
	};
	struct vms_ring_options makes = {
		.struct_size = sizeof(makes), .flags = VMS_RING_PRODUCER, .mode = 0640,
	};
	vms_ring *ring = vms_ring_create(place->path, VMS_RING_MPSC, 4096, &makes);
	vms_ring *other;
	struct stat status;

	assert_non_null(ring);
	assert_int_equal(stat(place->path, &status), 0);
	assert_int_equal(status.st_mode & 0137, 0);
	refused_null(vms_ring_create(place->path, VMS_RING_MPSC, 4096, NULL), EEXIST);
	refused_null(attach_with(vms_ring_fd(ring), VMS_RING_CONSUMER), EPERM);
	other = vms_ring_attach_path(place->path, &consumes);
	assert_non_null(other);
	assert_true(put(ring, 1, 10));
	must_close(ring);
	must_get(other, 1, 10);
	ring = must_attach(other, VMS_RING_UNSEALED | VMS_RING_PRODUCER);
	must_close(ring);
	must_close(other);
	assert_int_equal(unlink(place->path), 0);
	refused_null(vms_ring_attach_path(place->path, NULL), ENOENT);
}

/* --- what is no ring ---------------------------------------------------------------------- */

static void other_descriptors_are_no_rings(void **state)
{
	const struct place *place = *state;
	int pipe_ends[2];
	int fd;

	assert_int_equal(pipe(pipe_ends), 0);
	refused_null(attach_with(pipe_ends[0], 0), EPERM);
	refused_null(attach_with(pipe_ends[0], VMS_RING_UNSEALED), EBADMSG);
	(void)close(pipe_ends[0]);
	(void)close(pipe_ends[1]);
	refused_null(vms_ring_attach_path("/dev/null", NULL), EBADMSG);
	refused_null(vms_ring_attach_path("/", NULL), EISDIR);
	write_file(place->path, "short", 5);
	refused_null(vms_ring_attach_path(place->path, NULL), EBADMSG);
	fd = memfd_create("no-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	refused_null(attach_with(fd, 0), EPERM);
	refused_null(attach_with(fd, VMS_RING_UNSEALED), EBADMSG);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	refused_null(attach_with(fd, 0), EBADMSG);
	(void)close(fd);
}

/* A file of a ring of which a field of the head is changed. */
static void attach_changed(const struct place *place, size_t offset, uint64_t value,
			   size_t size, int error)
{
	const struct vms_ring_options options = {
		.struct_size = sizeof(options), .flags = BOTH,
	};
	int fd;

	must_close(vms_ring_create(place->path, VMS_RING_MPSC, 8192, NULL));
	fd = open(place->path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, &value, size, (off_t)offset), (ssize_t)size);
	(void)close(fd);
	refused_null(vms_ring_attach_path(place->path, &options), error);
	assert_int_equal(unlink(place->path), 0);
}

#define HEAD(field) offsetof(struct vmsi_ring_shared, head.field)
#define CONTROL(field) offsetof(struct vmsi_ring_shared, control.field)

static void a_damaged_ring_is_refused(void **state)
{
	const struct place *place = *state;

	attach_changed(place, HEAD(magic), 1, 8, EBADMSG);
	attach_changed(place, HEAD(version), 2, 4, EPROTONOSUPPORT);
	attach_changed(place, HEAD(kind), 9, 4, EBADMSG);
	attach_changed(place, HEAD(kind), 0, 4, EBADMSG);
	attach_changed(place, HEAD(capacity), 0, 8, EBADMSG);
	attach_changed(place, HEAD(capacity), 12288, 8, EBADMSG);
	attach_changed(place, HEAD(capacity), 16384, 8, EBADMSG);
	attach_changed(place, HEAD(capacity), 1024, 8, EPROTONOSUPPORT);
	attach_changed(place, HEAD(capacity), UINT64_MAX, 8, EBADMSG);
	attach_changed(place, HEAD(capacity), (uint64_t)1 << 63, 8, EBADMSG);
	attach_changed(place, HEAD(data_offset), 0, 8, EBADMSG);
	attach_changed(place, HEAD(data_offset), 4096, 8, EBADMSG);
	attach_changed(place, HEAD(data_offset), 4097, 8, EPROTONOSUPPORT);
	attach_changed(place, HEAD(data_offset), UINT64_MAX - 65535, 8, EBADMSG);
	attach_changed(place, HEAD(alignment), 0, 4, EBADMSG);
	attach_changed(place, HEAD(alignment), 3, 4, EBADMSG);
	attach_changed(place, HEAD(alignment), 8192, 4, EBADMSG);
	attach_changed(place, CONTROL(head), 8192 + 8, 8, EBADMSG);
	attach_changed(place, CONTROL(head), 0, 8, EBADMSG);
	attach_changed(place, CONTROL(releasing), 64, 8, EBADMSG);
	attach_changed(place, CONTROL(releasing), 8192 * 3, 8, EBADMSG);
}

static void a_file_cut_short_is_refused(void **state)
{
	const struct place *place = *state;

	must_close(vms_ring_create(place->path, VMS_RING_SPSC, 8192, NULL));
	assert_int_equal(truncate(place->path, (off_t)size_of(place->path) - 1), 0);
	refused_null(vms_ring_attach_path(place->path, NULL), EBADMSG);
}

/* --- limits ------------------------------------------------------------------------------- */

#define ATTACHERS 32

static void many_attach(void **state)
{
	vms_ring *ring = must_create(VMS_RING_MPSC, 65536, BOTH);
	vms_ring *others[VMSI_RING_SLOTS];
	uint64_t number = 0;

	(void)state;
	for (int i = 0; i < ATTACHERS; i++)
		others[i] = must_attach(ring, VMS_RING_PRODUCER);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < ATTACHERS; i++)
			assert_true(put(others[i], number + (uint64_t)i, 20));
		for (int i = 0; i < ATTACHERS; i++)
			must_get(ring, number++, 20);
	}
	assert_int_equal(stats_of(ring).attached, ATTACHERS + 1);
	for (unsigned i = ATTACHERS; i < VMSI_RING_SLOTS - 1; i++)
		others[i] = must_attach(ring, VMS_RING_PRODUCER);
	refused_null(attach_with(vms_ring_fd(ring), VMS_RING_PRODUCER), EBUSY);
	for (unsigned i = 0; i < VMSI_RING_SLOTS - 1; i++)
		must_close(others[i]);
	must_close(must_attach(ring, VMS_RING_PRODUCER));
	assert_int_equal(stats_of(ring).attached, 1);
	must_close(ring);
}

static void a_limit_of_files_is_an_error(void **state)
{
	const pid_t child = fork();

	(void)state;
	if (child == 0) {
		struct rlimit limit;

		child_needs(getrlimit(RLIMIT_FSIZE, &limit) == 0);
		limit.rlim_cur = 100000;
		child_needs(setrlimit(RLIMIT_FSIZE, &limit) == 0);
		child_needs(!vms_ring_create(NULL, VMS_RING_SPSC, 1 << 20, NULL) &&
			    errno == EFBIG);
		child_needs(vms_ring_create(NULL, VMS_RING_SPSC, 4096, NULL));
		_exit(0);
	}
	must_end_well(child);
}

static void a_limit_of_descriptors_is_an_error(void **state)
{
	const pid_t child = fork();

	(void)state;
	if (child == 0) {
		struct rlimit limit;
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		child_needs(getrlimit(RLIMIT_NOFILE, &limit) == 0);
		for (rlim_t more = 1; more <= 2; more++) {
			limit.rlim_cur = (rlim_t)fd + more;
			child_needs(setrlimit(RLIMIT_NOFILE, &limit) == 0);
			child_needs(!vms_ring_create(NULL, VMS_RING_SPSC, 1, NULL) &&
				    errno == EMFILE);
		}
		limit.rlim_cur = (rlim_t)fd + 3;
		child_needs(setrlimit(RLIMIT_NOFILE, &limit) == 0);
		child_needs(vms_ring_create(NULL, VMS_RING_SPSC, 1, NULL));
		_exit(0);
	}
	must_end_well(child);
}

/* --- descriptors -------------------------------------------------------------------------- */

/* By a socket, after which the sender has closed all. */
static void a_descriptor_is_sent(void **state)
{
	char space[CMSG_SPACE(sizeof(int))] = { 0 };
	char byte = 0;
	struct iovec part = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = space, .msg_controllen = sizeof(space),
	};
	int ends[2];
	pid_t child;
	vms_ring *ring;
	int fd;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	child = fork();
	if (child == 0) {
		vms_ring *mine = create_with(VMS_RING_SPSC, 4096, VMS_RING_PRODUCER, 0);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);

		child_needs(mine && header && put(mine, 1, 100));
		*header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
					    .cmsg_type = SCM_RIGHTS,
					    .cmsg_len = CMSG_LEN(sizeof(int)) };
		fd = vms_ring_fd(mine);
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
		child_needs(sendmsg(ends[1], &message, 0) == 1);
		child_needs(vms_ring_close(mine) == 0);
		_exit(0);
	}
	assert_int_equal(recvmsg(ends[0], &message, 0), 1);
	must_end_well(child);
	assert_non_null(CMSG_FIRSTHDR(&message));
	memcpy(&fd, CMSG_DATA((struct cmsghdr *)(void *)space), sizeof(fd));
	ring = attach_with(fd, BOTH);
	assert_non_null(ring);
	(void)close(fd);
	must_get(ring, 1, 100);
	must_close(ring);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void descriptors_are_closed_on_exec(void **state)
{
	vms_ring *ring = must_create(VMS_RING_MPSC, 4096, BOTH | VMS_RING_EVENT);
	const int fd = dup(vms_ring_fd(ring));
	pid_t child;

	(void)state;
	assert_int_equal(fcntl(vms_ring_fd(ring), F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(vms_ring_event_fd(ring), F_GETFD), FD_CLOEXEC);
	must_close(ring);
	/* A program that is executed has the inherited descriptor, and no part. */
	child = fork();
	if (child == 0) {
		vms_ring *mine = attach_with(fd, BOTH);

		child_needs(mine && vms_ring_try_claim(mine, 10));
		child_needs(put(mine, 1, 10));
		(void)execlp("sh", "sh", "-c", "kill -STOP $$; exit 0", (char *)NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, NULL, WUNTRACED), child);
	ring = attach_with(fd, BOTH);
	assert_non_null(ring);
	worked(vms_ring_wait(ring, 60 * SECOND));
	must_get(ring, 1, 10);
	assert_int_equal(stats_of(ring).skipped, 1);
	assert_int_equal(kill(child, SIGCONT), 0);
	must_end_well(child);
	must_close(ring);
	(void)close(fd);
}

static void an_event_fd_is_one(void **state)
{
	struct vms_ring_options options = {
		.struct_size = sizeof(options), .flags = VMS_RING_EVENT_FD,
	};
	vms_ring *ring;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	(void)state;
	options.event_fd = fd;
	ring = vms_ring_create(NULL, VMS_RING_SPSC, 1, &options);
	assert_non_null(ring);
	assert_int_not_equal(vms_ring_event_fd(ring), fd);
	must_close(ring);
	(void)close(fd);
	refused_null(vms_ring_create(NULL, VMS_RING_SPSC, 1, &options), EBADF);
	options.event_fd = -1;
	refused_null(vms_ring_create(NULL, VMS_RING_SPSC, 1, &options), EBADF);
	options.event_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	refused_null(vms_ring_create(NULL, VMS_RING_SPSC, 1, &options), EINVAL);
	(void)close(options.event_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_are_checked),
		cmocka_unit_test(parts_are_asked_for),
		file_test(a_ring_has_a_path),
		file_test(other_descriptors_are_no_rings),
		file_test(a_damaged_ring_is_refused),
		file_test(a_file_cut_short_is_refused),
		cmocka_unit_test(many_attach),
		cmocka_unit_test(a_limit_of_files_is_an_error),
		cmocka_unit_test(a_limit_of_descriptors_is_an_error),
		cmocka_unit_test(a_descriptor_is_sent),
		cmocka_unit_test(descriptors_are_closed_on_exec),
		cmocka_unit_test(an_event_fd_is_one),
	};

	return cmocka_run_group_tests_name("ring_open", tests, NULL, NULL);
}
