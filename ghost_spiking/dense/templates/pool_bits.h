#ifndef POOL_BITS
#define POOL_BITS
namespace {

inline uint64_t pool_mixed(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

inline uint64_t pool_key(uint64_t seed, uint64_t presentation, uint64_t step, uint64_t stream)
{
    const uint64_t when = (presentation << 24) + (step << 8) + stream;
    return pool_mixed(pool_mixed(when * 0x9E3779B97F4A7C15ULL + seed) + seed);
}

inline uint32_t pool_bits(uint32_t number, uint32_t first, uint32_t second)
{
    uint32_t x = number * 0x9E3779B9u + first;
    x ^= x >> 16;
    x *= 0x7FEB352Du;
    x ^= x >> 15;
    x = (x + second) * 0x846CA68Bu;
    return x ^ (x >> 16);
}

}
#endif
