// Vectors of floats as wide as the machine's, and the functions of units on them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#if defined(__AVX512F__)
constexpr int WIDTH = 16;
#elif defined(__AVX__)
constexpr int WIDTH = 8;
#else
constexpr int WIDTH = 4;
#endif

typedef float Vector __attribute__((vector_size(WIDTH * 4)));
typedef int32_t Integers __attribute__((vector_size(WIDTH * 4)));

inline Vector load(const float* from) {
    Vector x;
    std::memcpy(&x, from, sizeof x);
    return x;
}

inline void store(float* to, Vector x) { std::memcpy(to, &x, sizeof x); }

inline Vector all(float x) { return Vector{} + x; }

template <int N>
inline float sum(const float* x) {
    if constexpr (N == 1) {
        return x[0];
    } else {
        typedef float Half __attribute__((vector_size(N * 2)));
        Half low, high;
        std::memcpy(&low, x, sizeof low);
        std::memcpy(&high, x + N / 2, sizeof high);
        low += high;
        float halves[N / 2];
        std::memcpy(halves, &low, sizeof low);
        return sum<N / 2>(halves);
    }
}

inline float sum(Vector x) {
    float numbers[WIDTH];
    store(numbers, x);
    return sum<WIDTH>(numbers);
}

inline Vector lesser(Vector x, Vector y) { return x < y ? x : y; }
inline Vector largest(Vector x, Vector y) { return x > y ? x : y; }

// e^x = 2^k e^r with k an integer and |r| <= log(2) / 2; e^r by the polynomial of Cephes' expf. Relative error 1e-7; 0 and
// infinity beyond single precision, so that what is impossible stays so.
inline Vector exponential(Vector given) {
    const Vector x = lesser(largest(given, all(-87.3f)), all(88.3f));
    const Vector magic = all(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
    const Vector k = (x * 1.44269504088896341f + magic) - magic;
    const Vector r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
    Vector p = all(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const Integers bits = (__builtin_convertvector(k, Integers) + 127) << 23;
    Vector scale;
    std::memcpy(&scale, &bits, sizeof scale);
    const Vector result = given < -87.3f ? Vector{} : p * scale;
    return given > 88.3f ? all(std::numeric_limits<float>::infinity()) : result;
}

// log x = k log 2 + log m with m in [sqrt(1/2), sqrt(2)); log m by the polynomial of Cephes' logf. -infinity at 0.
inline Vector logarithm(Vector x) {
    Integers bits;
    std::memcpy(&bits, &x, sizeof bits);
    bits -= 0x3f3504f3;  // the bits of sqrt(1/2)
    const Integers exponent = bits >> 23;
    const Integers mantissa = (bits & 0x007fffff) + 0x3f3504f3;
    Vector m;
    std::memcpy(&m, &mantissa, sizeof m);
    m -= 1.0f;
    const Vector square = m * m, k = __builtin_convertvector(exponent, Vector);
    Vector p = all(7.0376836292e-2f);
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    const Vector result = (p * m * square - 2.12194440e-4f * k - 0.5f * square + m) + 0.693359375f * k;
    const Vector infinity = all(std::numeric_limits<float>::infinity());
    return x <= 0 ? -infinity : x == infinity ? infinity : result;
}

// log(1 + x) of x >= 0, without the loss of what 1 + x rounds away.
inline Vector log_one_plus(Vector x) {
    const Vector above = 1.0f + x, excess = above - 1.0f;
    return excess == 0 ? x : above > 3e38f ? logarithm(above) : logarithm(above) * (x / excess);
}

// 1 - e^-x of x >= 0, without cancellation at small x.
inline Vector one_less_exponential(Vector x) {
    const Vector series = x * (1.0f - x / 2 * (1.0f - x / 3 * (1.0f - x / 4 * (1.0f - x / 5 * (1.0f - x / 6 * (1.0f - x / 7))))));
    return x < 0.5f ? series : 1.0f - exponential(-x);
}

inline Vector square_root(Vector x) {
    for (int i = 0; i < WIDTH; i++) x[i] = std::sqrt(x[i]);
    return x;
}

// asinh x = sign(x) log(1 + |x| + x^2 / (1 + sqrt(1 + x^2))); log |x| + log 2 where x^2 has no room.
inline Vector inverse_hyperbolic_sine(Vector x) {
    const Vector size = x < 0 ? -x : x, square = size * size;
    const Vector near = log_one_plus(size + square / (1.0f + square_root(1.0f + square)));
    const Vector result = size > 1e9f ? logarithm(size) + 0.69314718056f : near;
    return x < 0 ? -result : result;
}

inline Vector sigmoid(Vector x) { return 1.0f / (1.0f + exponential(-x)); }
inline Vector hyperbolic(Vector x) { return 1.0f - 2.0f / (exponential(2.0f * x) + 1.0f); }
inline Vector positive(Vector x) { return largest(x, Vector{}); }
inline Vector same(Vector x) { return x; }

// to[i] = function(from[i]) of `count` numbers, which need not fill the last vector.
template <class Function>
inline void map(float* to, const float* from, int64_t count, Function function) {
    int64_t i = 0;
    for (; i + WIDTH <= count; i += WIDTH) store(to + i, function(load(from + i)));
    if (i < count) {
        float rest[WIDTH] = {};
        std::memcpy(rest, from + i, (count - i) * sizeof(float));
        store(rest, function(load(rest)));
        std::memcpy(to + i, rest, (count - i) * sizeof(float));
    }
}

// to[i] = function(left[i], right[i]).
template <class Function>
inline void map(float* to, const float* left, const float* right, int64_t count, Function function) {
    int64_t i = 0;
    for (; i + WIDTH <= count; i += WIDTH) store(to + i, function(load(left + i), load(right + i)));
    if (i < count) {
        float first[WIDTH] = {}, second[WIDTH] = {};
        std::memcpy(first, left + i, (count - i) * sizeof(float));
        std::memcpy(second, right + i, (count - i) * sizeof(float));
        store(first, function(load(first), load(second)));
        std::memcpy(to + i, first, (count - i) * sizeof(float));
    }
}
