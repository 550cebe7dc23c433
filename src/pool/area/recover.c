/* SPDX-License-Identifier: MIT */
#include "pool/area/recover.h"

#include <errno.h>
#include <string.h>

#include "host/disk.h"
#include "host/host.h"
#include "pool/area/read.h"

/* One batch may be in flight when a machine stops: the one behind all that are whole. */

struct recovery {
	struct vmsi_area *area;
	struct vmsi_store *store;
	struct vmsi_area_header header;  /* as it was found */
	struct vmsi_area_reader reader;
	/* What each place has, from its head. */
	struct place {
		enum vmsi_area_state state;
		uint64_t sequence, settled;
	} places[VMSI_AREA_PLACES_MOST];
};

/* --- what the file is known by ------------------------------------------------------------------- */

/* A device has only its size. */
static int identify(const struct vmsi_store *store, uint8_t *identity)
{
	const uint64_t words[2] = { atomic_load(&store->bytes), 0 };

	if (store->kind == VMSI_STORE_FILE)
		return vmsi_disk_identity(store->fd, identity);
	memcpy(identity, words, sizeof(words));
	return 0;
}

/* --- which batches are pending --------------------------------------------------------------------- */

static int read_places(struct recovery *recovery)
{
	const struct vmsi_area_head *head = recovery->reader.head;

	for (unsigned i = 0; i < recovery->header.places; i++) {
		const int error = vmsi_area_read_head(&recovery->reader, i,
						      recovery->reader.head);

		if (error)
			return error;
		recovery->places[i] = (struct place){
			.state = vmsi_area_head_state(&recovery->header, head, i),
			.sequence = head->sequence,
			.settled = head->settled,
		};
	}
	return 0;
}

/* The latest batch whose head is there; NULL: none. */
static const struct place *find_last(const struct recovery *recovery)
{
	const struct place *last = NULL;

	for (unsigned i = 0; i < recovery->header.places; i++) {
		const struct place *place = &recovery->places[i];

		if (place->state == VMSI_AREA_VALID &&
		    (!last || place->sequence > last->sequence))
			last = place;
	}
	return last;
}

/* Without a head that is there only the first batch can have been begun. */
static bool is_damaged_from_the_first(const struct recovery *recovery)
{
	for (unsigned i = 0; i < recovery->header.places; i++)
		if (recovery->places[i].state != VMSI_AREA_ABSENT &&
		    i != 1 % recovery->header.places)
			return true;
	return false;
}

/*
 * Which batches the file may have in part: those behind *settled up to *last. All of
 * them are whole then.
 */
static int find_pending(struct recovery *recovery, uint64_t *settled, uint64_t *last)
{
	const struct place *end = find_last(recovery);
	bool is_whole;
	int error;

	*settled = *last = 0;
	if (!end)
		return is_damaged_from_the_first(recovery) ? -EBADMSG : 0;
	*settled = end->settled;
	*last = end->sequence;
	error = vmsi_area_look_at_batch(&recovery->reader, *last, &is_whole);
	if (error)
		return error;
	if (!is_whole) {
		/* It was in flight; then nothing behind it was. */
		if (recovery->places[(*last + 1) % recovery->header.places].state ==
		    VMSI_AREA_DAMAGED)
			return -EBADMSG;
		--*last;
	}
	for (uint64_t i = *settled + 1; i <= *last; i++) {
		error = vmsi_area_look_at_batch(&recovery->reader, i, &is_whole);
		if (error || !is_whole)
			return error ? error : -EBADMSG;
	}
	return 0;
}

/* --- the call ------------------------------------------------------------------------------------------- */

static int mend_all(struct recovery *recovery)
{
	struct vmsi_area *area = recovery->area;
	uint64_t settled, last;
	int error = read_places(recovery);

	if (!error)
		error = find_pending(recovery, &settled, &last);
	if (error || settled == last)
		return error;
	if (memcmp(recovery->header.identity, area->header.identity,
		   sizeof(area->header.identity)) != 0)
		return -ESTALE;
	error = vmsi_area_mend(&recovery->reader, recovery->store, settled, last,
			       area->is_read_only, &area->mended);
	if (!error && !area->is_read_only)
		error = vmsi_store_sync(recovery->store);
	return error;
}

static int mend_with_memory(struct recovery *recovery)
{
	int error = vmsi_area_reader_open(&recovery->reader, recovery->area->fd,
					  &recovery->header);

	if (error)
		return error;
	error = mend_all(recovery);
	vmsi_area_reader_close(&recovery->reader);
	return error;
}

/* A file with more than a header in it has one. */
static int judge_absent(int fd)
{
	uint64_t size;
	const int error = vmsi_disk_size(fd, &size);

	return error || size <= VMSI_AREA_HEADER_BYTES ? error : -EEXIST;
}

int vmsi_area_recover(struct vmsi_area *area, struct vmsi_store *store)
{
	struct recovery recovery = { .area = area, .store = store };
	int error = identify(store, area->header.identity);

	if (!error)
		error = vmsi_disk_read(area->fd, &recovery.header,
				       sizeof(recovery.header), 0, NULL);
	if (error)
		return error;
	switch (vmsi_area_header_state(&recovery.header)) {
	case VMSI_AREA_ABSENT:
		return judge_absent(area->fd);
	case VMSI_AREA_FOREIGN:
		return -EEXIST;
	case VMSI_AREA_DAMAGED:
		return -EBADMSG;
	case VMSI_AREA_OTHER_VERSION:
		return -ENOTSUP;
	case VMSI_AREA_VALID:
		break;
	}
	return mend_with_memory(&recovery);
}
