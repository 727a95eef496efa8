// Runs the instructions of a model's steps, for a whole walk: see chainrule.nn.native.program.
//
// An example's numbers are the units of an arena. Examples are taken in chunks of lanes side by side, each chunk with
// an arena of its own, [unit][lane], so that every instruction reads its weights once for all lanes and its vectors run
// along the lanes. A chunk of one example has vectors along the units. Threads share the chunks.

#include <atomic>
#include <new>
#include <system_error>
#include <thread>

#include "chunk.h"

// A number that changes if most of the words of some arrays do, of which 64 each are read.
extern "C" uint64_t chainrule_fingerprint(const uint32_t* const* arrays, const int64_t* words, int64_t count) {
    uint64_t result = 0;
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < words[i]; j += 1 + words[i] / 64) result = (result ^ arrays[i][j]) * 0x100000001b3;
    return result;
}

// Returns 0, or 1 where the memory was too small.
extern "C" int32_t chainrule_walk(const Program* program, const Walk* walk) {
    const int64_t share = (walk->batch + walk->threads - 1) / walk->threads;
    const int64_t count = walk->particles.count;
    const bool single = share < 6 && count == 1;  // fewer examples than that cost less one by one
    const int64_t size = single ? 1 : std::max<int64_t>(1, std::min(walk->lanes, share) / count) * count;
    const int64_t lanes = single ? 1 : (size + WIDTH - 1) / WIDTH * WIDTH;
    const int64_t chunks = (walk->batch + size - 1) / size;
    std::atomic<int64_t> next(0);
    std::atomic<int32_t> failed(0);
    const auto work = [&] {
        try {
            for (int64_t i; (i = next++) < chunks;) {
                const int64_t first = i * size;
                Chunk(*program, *walk, first, std::min(size, walk->batch - first), lanes).run();
            }
        } catch (const std::bad_alloc&) {
            failed = 1;
        }
    };
    std::vector<std::thread> others;
    try {
        for (int64_t i = 1; i < std::min(walk->threads, chunks); i++) others.emplace_back(work);
    } catch (const std::system_error&) {  // no more threads may be started: those there do the work
    }
    work();
    for (std::thread& other : others) other.join();
    return failed;
}
