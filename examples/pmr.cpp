// SPDX-License-Identifier: MIT
//
// vmspace/buffer.h from C++: a memory resource for the containers of std::pmr,
// and an allocator for the others. Both take their memory from one buffer.
//
// An arena hands out memory one piece after the other and takes it back all at
// once. On a buffer it needs no list of blocks: it has one block, which grows,
// and of which the pieces never move. The newest piece can even grow in place
// or be given back, which is what a vector that grows alone needs.
#include <cstddef>
#include <cstdio>
#include <memory_resource>
#include <new>
#include <numeric>
#include <string>
#include <vector>

#include <vmspace/buffer.h>

namespace {

class buffer_resource : public std::pmr::memory_resource {
public:
	buffer_resource(vms_space *space, std::size_t maximum)
	{
		vms_buffer_options options = {};

		options.struct_size = sizeof(options);
		options.space = space;
		if (vms_buffer_init(&buffer_, maximum, &options) < 0)
			throw std::bad_alloc();
	}

	~buffer_resource() override { (void)vms_buffer_free(&buffer_); }

	buffer_resource(const buffer_resource &) = delete;
	buffer_resource &operator=(const buffer_resource &) = delete;

	// Everything that was allocated is gone; its memory goes to the system.
	void release()
	{
		vms_buffer_clear(&buffer_);
		(void)vms_buffer_shrink(&buffer_);
	}

	std::size_t size() const { return buffer_.size; }
	std::size_t committed() const { return buffer_.committed; }

private:
	void *do_allocate(std::size_t bytes, std::size_t alignment) override
	{
		std::size_t padding = -buffer_.size & (alignment - 1);
		char *place;

		if (bytes > bytes + padding)
			throw std::bad_alloc();
		place = static_cast<char *>(
			vms_buffer_extend(&buffer_, bytes + padding));
		if (!place)
			throw std::bad_alloc();
		return place + padding;
	}

	// Only the newest piece can be used again.
	void do_deallocate(void *piece, std::size_t bytes, std::size_t) override
	{
		char *end = static_cast<char *>(piece) + bytes;

		if (end == buffer_.data + buffer_.size)
			(void)vms_buffer_truncate(&buffer_,
						  buffer_.size - bytes);
	}

	bool do_is_equal(const memory_resource &other) const noexcept override
	{
		return this == &other;
	}

	vms_buffer buffer_ = {};
};

// What containers without std::pmr want.
template <typename T> class buffer_allocator {
public:
	using value_type = T;

	explicit buffer_allocator(buffer_resource *resource)
		: resource_(resource)
	{
	}

	template <typename U>
	buffer_allocator(const buffer_allocator<U> &other)
		: resource_(other.resource())
	{
	}

	T *allocate(std::size_t count)
	{
		if (count > std::size_t(-1) / sizeof(T))
			throw std::bad_array_new_length();
		return static_cast<T *>(
			resource_->allocate(count * sizeof(T), alignof(T)));
	}

	void deallocate(T *pieces, std::size_t count)
	{
		resource_->deallocate(pieces, count * sizeof(T), alignof(T));
	}

	buffer_resource *resource() const { return resource_; }

	template <typename U>
	bool operator==(const buffer_allocator<U> &other) const
	{
		return resource_ == other.resource();
	}

	template <typename U>
	bool operator!=(const buffer_allocator<U> &other) const
	{
		return !(*this == other);
	}

private:
	buffer_resource *resource_;
};

bool use_pmr(buffer_resource &arena)
{
	std::pmr::vector<std::pmr::string> words(&arena);
	std::size_t letters = 0;

	for (int i = 0; i < 100000; i++)
		words.emplace_back("a word of more than sixteen letters: " +
				   std::to_string(i));
	for (const auto &word : words)
		letters += word.size();
	std::printf("%zu strings, %zu letters; %zu KiB of the arena in use\n",
		    words.size(), letters, arena.size() >> 10);
	return words[99999] == "a word of more than sixteen letters: 99999";
}

bool use_allocator(buffer_resource &arena)
{
	buffer_allocator<double> allocator(&arena);
	std::vector<double, buffer_allocator<double>> numbers(allocator);
	double sum;

	for (int i = 1; i <= 1000000; i++)
		numbers.push_back(i);
	sum = std::accumulate(numbers.begin(), numbers.end(), 0.0);
	std::printf("%zu numbers, their sum is %.0f\n", numbers.size(), sum);
	return sum == 500000500000.0;
}

// A maximum is a budget: the arena says no, and the program goes on.
bool meets_the_end(vms_space *space)
{
	buffer_resource small(space, 1 << 20);
	std::pmr::vector<char> bytes(&small);

	try {
		bytes.resize(2 << 20);
	} catch (const std::bad_alloc &) {
		std::puts("two MiB do not fit into one");
		bytes.resize(1000);
		return bytes.size() == 1000;
	}
	return false;
}

} // namespace

int main()
{
	vms_space *space = vms_space_open(std::size_t(1) << 30, nullptr);
	bool good;

	if (!space) {
		std::perror("example-pmr");
		return 1;
	}
	try {
		buffer_resource arena(space, std::size_t(256) << 20);

		good = use_pmr(arena);
		arena.release();
		good = good && arena.committed() == 0 && use_allocator(arena) &&
			meets_the_end(space);
	} catch (const std::exception &error) {
		std::fprintf(stderr, "example-pmr: %s\n", error.what());
		return 1;
	}
	return good && vms_space_close(space) == 0 ? 0 : 1;
}
