// SPDX-License-Identifier: MIT
// Buffers and arrays from C++17: what the headers declare compiles and works.
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include <vmspace/vec.h>
#include <vmspace.h>

namespace {

struct sample {
	double value;
	std::uint32_t label;
};

VMS_VEC_DECLARE(samples, sample);

int cases;
bool all_good = true;

void tap_case(bool good, const char *name)
{
	std::printf("%sok %d - %s\n", good ? "" : "not ", ++cases, name);
	all_good = all_good && good;
}

struct link {
	vms::offset_pointer<link> next;
	int value = 0;
};

bool offset_pointers_work()
{
	link links[3];
	int sum = 0;

	links[0].next = &links[1];
	links[1].next = &links[2];
	/* A copy points to the same, and not as far away. */
	links[2].next = links[0].next;
	for (int i = 0; i < 3; i++)
		links[i].value = i + 1;
	for (const link *at = &links[0]; at && sum < 100; at = at->next.get())
		sum += at->value;
	return links[2].next.get() == &links[1] && links[2].next == links[0].next &&
		links[0].next->value == 2 && (*links[0].next).value == 2 &&
		links[0].next[1].value == 3 && sum > 6 &&
		!vms::offset_pointer<link>() && links[0].next;
}

bool buffer_works(vms_buffer_options *options)
{
	vms_buffer buffer = {};
	vms_buffer_stats stats = {};
	vms_detached detached = {};
	bool good = vms_buffer_init(&buffer, 1 << 20, options) == 0 &&
		vms_buffer_append(&buffer, "abc", 4) == 0 &&
		vms_buffer_extend(&buffer, 10) == buffer.data + 4 &&
		vms_buffer_truncate(&buffer, 4) == 0 &&
		vms_buffer_resize(&buffer, 100) == 0 &&
		std::strcmp(buffer.data, "abc") == 0 &&
		vms_buffer_at(&buffer, 99) == buffer.data + 99 &&
		!vms_buffer_at(&buffer, 100);

	stats.struct_size = sizeof(stats);
	good = good && vms_buffer_get_stats(&buffer, &stats) == 0 &&
		stats.size == 100 && stats.maximum == 1 << 20;
	vms_buffer_clear(&buffer);
	return good && buffer.size == 0 && vms_buffer_shrink(&buffer) == 0 &&
		vms_buffer_detach(&buffer, &detached) == 0 &&
		vms_detached_free(&detached) == 0;
}

bool vec_works(vms_buffer_options *options)
{
	samples vec;
	sample last = {};
	bool good = samples_init(&vec, 0, options) == 0;

	for (std::uint32_t i = 0; good && i < 100000; i++)
		good = samples_push(&vec, sample{ i * 0.5, i }) == 0;
	good = good && samples_size(&vec) == 100000 &&
		samples_at(&vec, 4242)->label == 4242 &&
		samples_pop(&vec, &last) && last.label == 99999;
	errno = 0;
	return good && !samples_extend(&vec, SIZE_MAX / 2) &&
		errno == ENOMEM && samples_free(&vec) == 0;
}

} // namespace

int main()
{
	vms_space *space = vms_space_open(std::size_t(1) << 28, nullptr);
	vms_buffer_options options = {};

	options.struct_size = sizeof(options);
	options.space = space;
	tap_case(space, "a space");
	tap_case(space && buffer_works(&options), "a buffer");
	tap_case(space && vec_works(&options), "an array");
	tap_case(offset_pointers_work(), "offset pointers");
	tap_case(space && vms_space_close(space) == 0, "the space is closed");
	std::printf("1..%d\n", cases);
	return all_good ? 0 : 1;
}
