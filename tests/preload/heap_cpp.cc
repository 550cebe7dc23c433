// SPDX-License-Identifier: MIT
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <vector>

// Every form of new and delete, with sizes on both sides of the threshold.

namespace {

struct alignas(65536) Aligned {
	char bytes[1 << 18];
};

struct Large {
	static int destroyed;
	char bytes[300000];
	~Large() { destroyed++; }
};

int Large::destroyed;

void say(const char *name, long outcome)
{
	std::printf("%s: %ld\n", name, outcome);
}

// Not seen through by the compiler, which may leave pairs of them out.
void *volatile seen;

template <typename T> T *look(T *block)
{
	seen = block;
	*reinterpret_cast<volatile char *>(block) = 1;
	return block;
}

void plain(std::size_t size)
{
	void *block = look(static_cast<char *>(::operator new(size)));

	std::memset(block, 2, size);
	::operator delete(block);
	block = look(static_cast<char *>(::operator new(size)));
	::operator delete(block, size);
	block = look(static_cast<char *>(::operator new[](size)));
	::operator delete[](block);
	block = look(static_cast<char *>(::operator new[](size)));
	::operator delete[](block, size);
	block = look(static_cast<char *>(::operator new(size, std::nothrow)));
	::operator delete(block, std::nothrow);
	block = look(static_cast<char *>(::operator new[](size, std::nothrow)));
	::operator delete[](block, std::nothrow);
	say("plain", static_cast<long>(size));
}

bool is_aligned(void *block, std::size_t alignment)
{
	return reinterpret_cast<std::uintptr_t>(block) % alignment == 0;
}

void aligned(std::size_t size, std::size_t alignment)
{
	auto tag = static_cast<std::align_val_t>(alignment);
	void *blocks[] = {
		::operator new(size, tag),
		::operator new(size, tag),
		::operator new(size, tag, std::nothrow),
		::operator new[](size, tag),
		::operator new[](size, tag),
		::operator new[](size, tag, std::nothrow),
	};
	bool good = true;

	for (void *block : blocks) {
		good = good && is_aligned(block, alignment);
		std::memset(block, 3, size);
	}
	::operator delete(blocks[0], tag);
	::operator delete(blocks[1], size, tag);
	::operator delete(blocks[2], tag, std::nothrow);
	::operator delete[](blocks[3], tag);
	::operator delete[](blocks[4], size, tag);
	::operator delete[](blocks[5], tag, std::nothrow);
	say("aligned", good);
}

volatile std::size_t most = SIZE_MAX / 4;
int handled;

void give_up()
{
	handled++;
	if (handled % 3 == 0)
		std::set_new_handler(nullptr);
}

void refusal()
{
	bool thrown = false;

	try {
		look(static_cast<char *>(::operator new(most)));
	} catch (const std::bad_alloc &) {
		thrown = true;
	}
	say("thrown", thrown);
	say("nothrow", ::operator new(most, std::nothrow) != nullptr);
	std::set_new_handler(give_up);
	thrown = false;
	try {
		look(static_cast<char *>(::operator new[](most)));
	} catch (const std::bad_alloc &) {
		thrown = true;
	}
	say("thrown after the handler", thrown);
	say("handled", handled);
	std::set_new_handler(nullptr);
}

void library()
{
	std::vector<std::uint64_t> numbers;
	std::string text;
	std::uint64_t sum = 0;

	for (std::uint64_t i = 0; i < 1000000; i++)
		numbers.push_back(i);
	for (auto number : numbers)
		sum += number;
	for (int i = 0; i < 100000; i++)
		text += "0123456789";
	say("vector", static_cast<long>(sum));
	say("string", static_cast<long>(text.find("90123", 999990)));
	say("string", text.size() == 1000000 && text[999999] == '9');
}

void expressions()
{
	auto *large = new Large;
	auto *many = new Large[4];
	auto *one = new Aligned;

	say("aligned expression", is_aligned(one, 65536));
	delete look(one);
	delete look(large);
	delete[] many;
	say("destroyed", Large::destroyed);
}

} // namespace

// mimalloc in C cannot throw and ends the program.
int main(int argc, char **argv)
{
	bool throws = argc < 2 || std::strcmp(argv[1], "mimalloc") != 0;

	std::setvbuf(stdout, nullptr, _IOLBF, 0);
	for (std::size_t size : {1, 100, 131071, 131072, 200000, 5000000}) {
		plain(size);
		for (std::size_t alignment : {16, 64, 4096, 65536})
			aligned(size, alignment);
	}
	expressions();
	library();
	if (throws)
		refusal();
}
