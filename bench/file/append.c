/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vmspace/file.h>

#include "bench.h"

/*
 * Append records of 4 KiB to a new file, with a sync every 64 MiB: milliseconds for all.
 * The contenders take turns, in another order in each round: what a file that was removed
 * has left on the disk makes the next one faster or slower.
 *
 *	bench-file-append [--mib N] [--rounds N]
 *
 * The files are made in $VMS_BENCH_DIRECTORY, or in the working directory.
 */

#define RECORD ((size_t)4096)
#define SYNC_EVERY ((size_t)64 << 20)
#define MOST_ROUNDS 101

static char record[RECORD];
static char path[512];
static char lock_path[528];

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static bool is_sync(size_t at)
{
	return (at + RECORD) % SYNC_EVERY == 0;
}

static void by_write(size_t bytes)
{
	const int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);

	if (fd < 0)
		fail("open");
	for (size_t at = 0; at < bytes; at += RECORD) {
		if (write(fd, record, RECORD) != (ssize_t)RECORD)
			fail("write");
		if (is_sync(at) && fdatasync(fd) != 0)
			fail("fdatasync");
	}
	close(fd);
}

static void by_vmspace_with(unsigned flags, size_t bytes)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_CREATE | flags,
		.maximum = bytes,
	};
	vms_file *file = vms_file_open(path, &options);

	if (!file)
		fail("vms_file_open");
	for (size_t at = 0; at < bytes; at += RECORD) {
		if (vms_file_append(file, record, RECORD, NULL) != 0)
			fail("vms_file_append");
		if (is_sync(at) && vms_file_sync(file, 0, 0, 0) != 0)
			fail("vms_file_sync");
	}
	if (vms_file_close(file) != 0)
		fail("vms_file_close");
}

static void by_vmspace(size_t bytes)
{
	by_vmspace_with(0, bytes);
}

static void by_vmspace_gathered(size_t bytes)
{
	by_vmspace_with(VMS_FILE_GATHERS, bytes);
}

/* What programs do by hand: the file and its mapping grow by 64 MiB. */
static void by_mremap(size_t bytes)
{
	const int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
	char *base = MAP_FAILED;

	if (fd < 0)
		fail("open");
	for (size_t at = 0; at < bytes; at += RECORD) {
		if (at % SYNC_EVERY == 0) {
			if (ftruncate(fd, (off_t)(at + SYNC_EVERY)) != 0)
				fail("ftruncate");
			base = at == 0 ?
				mmap(NULL, SYNC_EVERY, PROT_READ | PROT_WRITE,
				     MAP_SHARED, fd, 0) :
				mremap(base, at, at + SYNC_EVERY,
				       MREMAP_MAYMOVE);
			if (base == MAP_FAILED)
				fail("mmap");
		}
		memcpy(base + at, record, RECORD);
		if (is_sync(at) &&
		    msync(base + at + RECORD - SYNC_EVERY, SYNC_EVERY,
			  MS_SYNC) != 0)
			fail("msync");
	}
	munmap(base, bytes);
	close(fd);
}

static void check(int error)
{
	if (error) {
		fprintf(stderr, "lmdb: %s\n", mdb_strerror(error));
		exit(1);
	}
}

/* A transaction for each 64 MiB: MDB_APPEND of records that fill a page. */
static void by_lmdb(size_t bytes)
{
	MDB_env *environment;
	MDB_txn *transaction;
	MDB_dbi database;

	check(mdb_env_create(&environment));
	check(mdb_env_set_mapsize(environment, 2 * bytes + ((size_t)64 << 20)));
	check(mdb_env_open(environment, path, MDB_NOSUBDIR, 0600));
	check(mdb_txn_begin(environment, NULL, 0, &transaction));
	check(mdb_dbi_open(transaction, NULL, MDB_INTEGERKEY, &database));
	for (size_t at = 0; at < bytes; at += RECORD) {
		size_t number = at / RECORD;
		MDB_val key = { sizeof(number), &number };
		MDB_val value = { RECORD - 96, record };

		check(mdb_put(transaction, database, &key, &value, MDB_APPEND));
		if (is_sync(at)) {
			check(mdb_txn_commit(transaction));
			check(mdb_txn_begin(environment, NULL, 0, &transaction));
		}
	}
	check(mdb_txn_commit(transaction));
	mdb_env_close(environment);
}

static const struct {
	const char *name;
	void (*append)(size_t bytes);
} contenders[] = {
	{ "write and fdatasync", by_write },
	{ "vms_file_append", by_vmspace },
	{ "vms_file_append, VMS_FILE_GATHERS", by_vmspace_gathered },
	{ "mmap, ftruncate, mremap", by_mremap },
	{ "LMDB", by_lmdb },
};

#define CONTENDERS (sizeof(contenders) / sizeof(contenders[0]))

/* The next one does not pay for what the last one has left to write. */
static double measure_once(size_t contender, size_t bytes)
{
	uint64_t start;

	unlink(path);
	unlink(lock_path);
	sync();
	start = bench_now();
	contenders[contender].append(bytes);
	return (double)(bench_now() - start) / 1e6;
}

/*
 * A virtual machine gives free memory back to its host, and pays for the page cache what
 * no contender is to blame for: the second run meets the memory that the first has used.
 */
static double measure(size_t contender, size_t bytes)
{
	(void)measure_once(contender, bytes);
	return measure_once(contender, bytes);
}

int main(int argc, char **argv)
{
	const size_t bytes = bench_option(argc, argv, "mib", 1024) << 20;
	const size_t rounds = bench_option(argc, argv, "rounds", 5);
	const char *directory = getenv("VMS_BENCH_DIRECTORY");
	static double samples[CONTENDERS][MOST_ROUNDS];
	size_t order[CONTENDERS];
	uint64_t random = 1;

	if (rounds > MOST_ROUNDS || bytes % SYNC_EVERY != 0)
		bench_refuse(argv[0], "too many rounds, or mib is no multiple of 64");
	snprintf(path, sizeof(path), "%s/vmspace-bench-append-%d",
		 directory ? directory : ".", getpid());
	snprintf(lock_path, sizeof(lock_path), "%s-lock", path);
	memset(record, 7, sizeof(record));
	bench_print_header(argc, argv);
	for (size_t round = 0; round < rounds; round++) {
		bench_order(order, CONTENDERS, &random);
		for (size_t i = 0; i < CONTENDERS; i++)
			samples[order[i]][round] = measure(order[i], bytes);
	}
	for (size_t i = 0; i < CONTENDERS; i++)
		bench_print_summary(contenders[i].name, "ms",
				    bench_summarise(samples[i], rounds));
	unlink(path);
	unlink(lock_path);
	return 0;
}
