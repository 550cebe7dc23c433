/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmspace.h>

/*
 * Accounts in a file that is larger than the memory that it may have: 64 MiB of pages, in
 * 8 MiB of RAM. Money is moved between random accounts; each change has a number in a
 * log, and no page is written before the log is. (A real log is a file, with what was
 * changed in it, and is recovered from after a crash.)
 */

#define PAGE ((size_t)4096)
#define PAGES 16384
#define RAM ((size_t)8 << 20)
#define PER_PAGE (PAGE / sizeof(uint64_t))
#define ACCOUNTS (PAGES * PER_PAGE)
#define MOVES 20000

static uint64_t log_end, log_durable;

/* The pool asks for it, in any thread, before it writes a page. */
static int make_durable(void *context, uint64_t lsn)
{
	(void)context;
	(void)lsn;
	__atomic_store_n(&log_durable, __atomic_load_n(&log_end, __ATOMIC_ACQUIRE),
			 __ATOMIC_RELEASE);
	return 0;
}

static int add(vms_pool *pool, uint64_t account, int64_t amount, uint64_t lsn)
{
	const uint64_t page = account / PER_PAGE;
	uint64_t *accounts = vms_pool_fix(pool, page, VMS_POOL_WRITE);

	if (!accounts)
		return -1;
	accounts[account % PER_PAGE] += (uint64_t)amount;
	if (vms_pool_dirty(pool, page, lsn) != 0)
		return -1;
	return vms_pool_unfix(pool, page);
}

/* Without a fix: what was read is believed when it was validated. */
static int read_account(vms_pool *pool, uint64_t account, uint64_t *amount)
{
	const uint64_t page = account / PER_PAGE;
	uint64_t ticket;
	const char *bytes;

	do {
		bytes = vms_pool_begin(pool, page, &ticket);
		if (!bytes)
			return -1;
		memcpy(amount, bytes + account % PER_PAGE * sizeof(*amount),
		       sizeof(*amount));
	} while (!vms_pool_validate(pool, page, ticket));
	return 0;
}

static int move_money(vms_pool *pool)
{
	uint64_t random = 1;

	for (int i = 0; i < MOVES; i++) {
		const uint64_t lsn = __atomic_add_fetch(&log_end, 1, __ATOMIC_ACQ_REL);

		random = random * 6364136223846793005u + 1442695040888963407u;
		if (add(pool, (random >> 20) % ACCOUNTS, -1, lsn) != 0 ||
		    add(pool, (random >> 40) % ACCOUNTS, 1, lsn) != 0)
			return -1;
	}
	return 0;
}

static int sum_all(vms_pool *pool, uint64_t *sum)
{
	*sum = 0;
	for (uint64_t account = 0; account < ACCOUNTS; account++) {
		uint64_t amount;

		if (read_account(pool, account, &amount) != 0)
			return -1;
		*sum += amount;
	}
	return 0;
}

int main(void)
{
	const struct vms_pool_options options = {
		.struct_size = sizeof(options),
		.page_size = PAGE,
		.ram = RAM,
		.pages = PAGES,
		.make_durable = make_durable,
	};
	struct vms_pool_stats stats = { .struct_size = sizeof(stats) };
	char path[] = "/tmp/vmspace-pool-XXXXXX";
	const int fd = mkstemp(path);
	vms_pool *pool = fd < 0 ? NULL : vms_pool_open(fd, &options);
	uint64_t sum;

	if (!pool) {
		perror("vms_pool_open");
		return 1;
	}
	(void)unlink(path);
	if (vms_pool_grow(pool, PAGES) != 0 || move_money(pool) != 0 ||
	    sum_all(pool, &sum) != 0 ||
	    vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL) != 0 ||
	    vms_pool_get_stats(pool, &stats) != 0) {
		perror("pool");
		return 1;
	}
	printf("%d moves, sum %llu; %llu pages read, %llu written, %zu MiB of RAM\n", MOVES,
	       (unsigned long long)sum, (unsigned long long)stats.misses,
	       (unsigned long long)stats.pages_written, stats.used >> 20);
	return vms_pool_close(pool) != 0 || close(fd) != 0 || sum != 0;
}
