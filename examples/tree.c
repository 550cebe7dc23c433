/* SPDX-License-Identifier: MIT */
/*
 * Read a directory tree into one mapping that grows while it is read.
 *
 *   example-tree [DIRECTORY]          (default: /usr/include)
 *
 * Two mappings grow side by side in one space: the bytes of all files, and an
 * index of them. Either may move when it grows; nothing is copied, and the
 * index holds offsets, which survive every move. Then the largest files are
 * mapped side by side by MAP_FIXED, which cannot hit anything else because the
 * space cannot be left, and compared with what was read.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vmspace.h>

#define SPACE_BYTES ((size_t)16 << 30)
#define COMMIT_LIMIT ((size_t)8 << 30)
#define GROWTH_STEP ((size_t)1 << 20)
#define FILES_SIDE_BY_SIDE 8

/* A file in the index: where its bytes and its path are, as offsets. */
struct record {
	size_t bytes_offset;
	size_t bytes_length;
	size_t path_offset;
};

/* Memory that grows, used by handle and offset only. */
struct growing {
	vms_handle handle;
	size_t used;
};

static vms_space *space;
static struct growing contents, catalogue;
static size_t record_count;

static void die(const char *what)
{
	fprintf(stderr, "example-tree: %s: %s", what, strerror(errno));
	if (errno == ENOMEM)
		fprintf(stderr, " (%s)", vms_refusal_text(vms_last_refusal()));
	fputc('\n', stderr);
	exit(1);
}

static void start_growing(struct growing *growing, const char *name)
{
	void *address = vms_mmap(space, NULL, GROWTH_STEP,
				 PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (address == MAP_FAILED ||
	    vms_set_name(space, address, GROWTH_STEP, name) < 0 ||
	    vms_handle_open(space, address, GROWTH_STEP, &growing->handle) < 0)
		die("cannot make a mapping");
}

/* Room for length more bytes; the offset of the first of them. */
static size_t add_room(struct growing *growing, size_t length)
{
	size_t offset = growing->used;
	size_t have = vms_handle_length(space, growing->handle);

	while (have - offset < length)
		have += GROWTH_STEP;
	if (have > vms_handle_length(space, growing->handle) &&
	    vms_handle_resize(space, growing->handle, have) < 0)
		die("cannot grow a mapping");
	growing->used += length;
	return offset;
}

static void *at(const struct growing *growing, size_t offset, size_t length)
{
	void *address = vms_handle_at(space, growing->handle, offset, length);

	if (!address)
		die("an offset is out of its mapping");
	return address;
}

static struct record *record_at(size_t index)
{
	return at(&catalogue, index * sizeof(struct record),
		  sizeof(struct record));
}

static const char *path_of(const struct record *record)
{
	return at(&contents, record->path_offset, 1);
}

/* Read a whole file to the end of the contents; false where it cannot be. */
static bool read_file(const char *path, size_t length, size_t *offset)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t done = 0;

	if (fd < 0)
		return false;
	*offset = add_room(&contents, length);
	while (done < length) {
		ssize_t got = read(fd, at(&contents, *offset + done,
					  length - done), length - done);

		if (got <= 0)
			break;
		done += (size_t)got;
	}
	close(fd);
	return done == length;
}

static int visit(const char *path, const struct stat *status, int type,
		 struct FTW *place)
{
	struct record record = { .bytes_length = (size_t)status->st_size };
	size_t path_length = strlen(path) + 1;

	(void)place;
	if (type != FTW_F || !S_ISREG(status->st_mode))
		return 0;
	if (!read_file(path, record.bytes_length, &record.bytes_offset)) {
		fprintf(stderr, "example-tree: %s: left out\n", path);
		return 0;
	}
	record.path_offset = add_room(&contents, path_length);
	memcpy(at(&contents, record.path_offset, path_length), path,
	       path_length);
	(void)add_room(&catalogue, sizeof(record));
	*record_at(record_count++) = record;
	return 0;
}

static int larger_first(const void *a, const void *b)
{
	const struct record *left = a, *right = b;

	return (left->bytes_length < right->bytes_length) -
		(left->bytes_length > right->bytes_length);
}

static size_t round_to_page(size_t length)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (length + page - 1) & ~(page - 1);
}

/* Map one file at a fixed place and compare it with what was read. */
static void place_file(const struct record *record, char *place)
{
	int fd = open(path_of(record), O_RDONLY | O_CLOEXEC);
	char *mapped;

	if (fd < 0)
		die(path_of(record));
	mapped = vms_mmap(space, place, record->bytes_length, PROT_READ,
			  MAP_PRIVATE | MAP_FIXED, fd, 0);
	close(fd);
	if (mapped != place)
		die("cannot map a file");
	if (memcmp(mapped, at(&contents, record->bytes_offset,
			      record->bytes_length), record->bytes_length)) {
		fprintf(stderr, "example-tree: %s: differs from what was read\n",
			path_of(record));
		exit(1);
	}
	printf("  %p  %9zu bytes  %s\n", (void *)place, record->bytes_length,
	       path_of(record));
}

static void place_side_by_side(void)
{
	size_t count = 0, total = 0, used = 0;
	char *window;

	qsort(record_at(0), record_count, sizeof(struct record), larger_first);
	while (count < FILES_SIDE_BY_SIDE && count < record_count &&
	       record_at(count)->bytes_length > 0)
		total += round_to_page(record_at(count++)->bytes_length);
	if (count == 0)
		return;
	window = vms_mmap(space, NULL, total, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (window == MAP_FAILED)
		die("cannot make room for files");
	printf("\nThe %zu largest files, side by side by MAP_FIXED, equal to what was read:\n",
	       count);
	for (size_t i = 0; i < count; i++) {
		place_file(record_at(i), window + used);
		used += round_to_page(record_at(i)->bytes_length);
	}
}

static void print_listing(void)
{
	struct vms_mapping_info info = { .struct_size = sizeof(info) };
	uintptr_t cursor = 0;

	printf("\nThe space:\n  %-33s %10s %4s %-7s %10s %10s\n", "address",
	       "KiB", "prot", "sharing", "commit KiB", "resid. KiB");
	while (vms_space_next_mapping(space, &cursor, &info,
				      VMS_LIST_RESIDENT) == 1)
		printf("  %016jx-%016jx %10zu %c%c%c  %-7s %10zu %10zu  %s%s\n",
		       (uintmax_t)info.start,
		       (uintmax_t)(info.start + info.length),
		       info.length >> 10, info.prot & PROT_READ ? 'r' : '-',
		       info.prot & PROT_WRITE ? 'w' : '-',
		       info.prot & PROT_EXEC ? 'x' : '-',
		       info.flags & VMS_MAPPING_SHARED ? "shared" : "private",
		       info.committed >> 10, info.resident >> 10, info.name,
		       info.path);
}

static void print_figures(const char *directory)
{
	struct vms_space_stats stats = { .struct_size = sizeof(stats) };

	if (vms_space_get_stats(space, &stats) < 0)
		die("cannot read the figures");
	printf("\nRead %zu files of %s, %zu bytes with their paths, in steps of %zu KiB.\n",
	       record_count, directory, contents.used, GROWTH_STEP >> 10);
	printf("Mappings grew %ju times in place and moved %ju times; no byte was copied for it.\n",
	       (uintmax_t)stats.grown_in_place, (uintmax_t)stats.moves);
	printf("Committed %zu KiB (at most %zu KiB) of a limit of %zu KiB; reserved %zu KiB of addresses.\n",
	       stats.committed >> 10, stats.committed_peak >> 10,
	       stats.limit >> 10, stats.reserved >> 10);
}

int main(int argc, char **argv)
{
	const char *directory = argc > 1 ? argv[1] : "/usr/include";
	struct vms_space_options options = {
		.struct_size = sizeof(options),
		.name = "tree",
		.commit_limit = COMMIT_LIMIT,
		.commit_policy = VMS_COMMIT_STRICT,
	};

	space = vms_space_open(SPACE_BYTES, &options);
	if (!space)
		die("cannot reserve a space");
	start_growing(&contents, "contents");
	start_growing(&catalogue, "catalogue");
	if (nftw(directory, visit, 32, FTW_PHYS) < 0)
		die(directory);
	place_side_by_side();
	print_listing();
	print_figures(directory);
	if (vms_space_close(space) < 0)
		die("cannot close the space");
	return 0;
}
