/* SPDX-License-Identifier: MIT */
#include <boost/interprocess/ipc/message_queue.hpp>

#include "contender.h"

/* The queue of boost::interprocess, of as many bytes as the rings have. */

namespace {

using boost::interprocess::message_queue;

const char queue_name[] = "vmspace-bench";

void *make(size_t length)
{
	message_queue::remove(queue_name);
	return new message_queue(boost::interprocess::create_only, queue_name,
				 CHANNEL_BYTES / length, length);
}

void *join(void *)
{
	return new message_queue(boost::interprocess::open_only, queue_name);
}

uint64_t record[1024];

void produce(void *end, size_t length, uint64_t count)
{
	auto *queue = static_cast<message_queue *>(end);

	for (uint64_t i = 0; i < count; i++) {
		write_record(record, length, i);
		queue->send(record, length, 0);
	}
}

uint64_t consume(void *end, size_t length, uint64_t count)
{
	auto *queue = static_cast<message_queue *>(end);
	uint64_t sum = 0;

	for (; count > 0; count--) {
		message_queue::size_type got;
		unsigned priority;

		queue->receive(record, length, got, priority);
		sum += read_record(record, length);
	}
	return sum;
}

void drop(void *channel)
{
	delete static_cast<message_queue *>(channel);
	message_queue::remove(queue_name);
}

}

extern "C" const struct contender contender_boost = {
	"boost::interprocess::message_queue", make, join, join, produce, consume, drop, 64,
};
