// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

// A program with its own operators new and delete, one of each, which keep a
// header before each block: all other forms are made of these two.

namespace {

constexpr std::size_t HEADER = 64;

long blocks;

struct Large {
	char bytes[300000];
};

void say(const char *name)
{
	std::printf("%s: %ld blocks\n", name, blocks);
}

void plain(std::size_t size)
{
	void *volatile block = ::operator new(size);

	::operator delete(block);
	block = ::operator new(size);
	::operator delete(block, size);
	block = ::operator new(size, std::nothrow);
	say("nothrow");
	::operator delete(block);
	block = ::operator new[](size);
	say("array");
	::operator delete[](block, size);
	block = ::operator new[](size, std::nothrow);
	::operator delete[](block);
	say("none");
}

void library()
{
	std::vector<long> numbers;

	for (long i = 0; i < 100000; i++)
		numbers.push_back(i * 7919 % 100003);
	std::stable_sort(numbers.begin(), numbers.end());
	std::printf("sorted: %d\n",
		    std::is_sorted(numbers.begin(), numbers.end()));
	say("a vector");
}

} // namespace

void *operator new(std::size_t size)
{
	char *memory = static_cast<char *>(std::malloc(size + HEADER));

	if (!memory)
		throw std::bad_alloc();
	std::memset(memory, 'h', HEADER);
	blocks++;
	return memory + HEADER;
}

void operator delete(void *block) noexcept
{
	char *memory = static_cast<char *>(block) - HEADER;

	if (!block)
		return;
	if (memory[0] != 'h' || memory[HEADER - 1] != 'h')
		std::puts("a block without a header");
	blocks--;
	std::free(memory);
}

int main()
{
	std::setvbuf(stdout, nullptr, _IOLBF, 0);
	for (std::size_t size : {1, 131000, 131071, 131072, 200000, 5000000})
		plain(size);
	library();
	delete new Large;
	delete[] new Large[4];
	say("none");
}
