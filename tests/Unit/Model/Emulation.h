// What Kernels.cu finds in CUDA, for one processor.
#include <cmath>
#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <ucontext.h>
#include <utility>
#include <vector>

#define __device__
#define __global__
#define __shared__ static thread_local

struct Index { unsigned x; };
static thread_local Index blockIdx, threadIdx, blockDim, gridDim;
struct alignas(16) float4 { float x, y, z, w; };
static float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
static float __uint_as_float(unsigned bits) { float value; memcpy(&value, &bits, 4); return value; }
static unsigned __float_as_uint(float value) { unsigned bits; memcpy(&bits, &value, 4); return bits; }

// A thread of the block is a fiber: it gives the turn back at each barrier and at its end, and begins again with the next block.
namespace
{
    constexpr size_t StackBytes = 1 << 16;

    struct Fiber
    {
        std::vector<char> stack = std::vector<char>(StackBytes);
        ucontext_t start;
        jmp_buf at;
        bool begun = false, over;
    };

    thread_local std::vector<Fiber> fibers;
    thread_local jmp_buf turns;
    thread_local void (*kernel)(void**);
    thread_local void** given;

    __attribute__((noinline)) void give_turn_back()
    {
        if (!_setjmp(fibers[threadIdx.x].at))
            _longjmp(turns, 1);
    }

    void live()
    {
        for (;;)
        {
            kernel(given);
            fibers[threadIdx.x].over = true;
            give_turn_back();
        }
    }

    __attribute__((noinline)) void turn(unsigned thread)
    {
        Fiber& fiber = fibers[thread];
        threadIdx.x = thread;
        if (_setjmp(turns))
            return;
        if (fiber.begun)
            _longjmp(fiber.at, 1);
        fiber.begun = true;
        getcontext(&fiber.start);
        fiber.start.uc_stack.ss_sp = fiber.stack.data();
        fiber.start.uc_stack.ss_size = StackBytes;
        makecontext(&fiber.start, live, 0);
        setcontext(&fiber.start);
    }

    // Without barriers there are no turns to take.
    void finish_at_once(unsigned threads)
    {
        for (unsigned thread = 1; thread < threads; thread++)
        {
            threadIdx.x = thread;
            kernel(given);
        }
    }

    void finish_in_turns(unsigned threads)
    {
        // The first has had its turn. All meet as many barriers.
        for (unsigned first = 1; !fibers[0].over || first == 1; first = 0)
        {
            for (unsigned thread = first; thread < threads; thread++)
                turn(thread);
        }
    }
}

static void __syncthreads() { give_turn_back(); }

/* kernels */

template <typename... A, size_t... I>
static void unpack(void (*function)(A...), void** arguments, std::index_sequence<I...>) { function(*(A*)arguments[I]...); }

template <typename... A>
static void unpack(void (*function)(A...), void** arguments) { unpack(function, arguments, std::index_sequence_for<A...>()); }

template <auto function>
static void call(void** arguments) { unpack(function, arguments); }

template <typename... A>
constexpr int parameters(void (*)(A...)) { return sizeof...(A); }

static const struct { const char* name; void (*call)(void**); int parameters; } table[] = {
/* table */
};

extern "C" int emulate(const char* name, unsigned blocks, unsigned threads, void** arguments, int count)
{
    for (auto& each : table)
    {
        if (strcmp(each.name, name) != 0 || each.parameters != count)
            continue;
        kernel = each.call;
        given = arguments;
        if (fibers.size() < threads)
            fibers.resize(threads);
        blockDim.x = threads;
        gridDim.x = blocks;
        for (unsigned block = 0; block < blocks; block++)
        {
            blockIdx.x = block;
            for (Fiber& fiber : fibers)
                fiber.over = false;
            turn(0);
            (fibers[0].over ? finish_at_once : finish_in_turns)(threads);
        }

        return 0;
    }

    return 1;
}
