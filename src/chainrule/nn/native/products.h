// Products of weights, as torch lays them out, with units of one example or of many lanes (examples side by side).
#pragma once

#include "vectors.h"

// out[r] (+)= bias[r] + sum_i weight[r][i] in[i] of R rows, for one example: vectors run along i, U at once.
template <int R, int U>
inline void rows_of_one(float* out, const float* weight, int64_t stride, const float* bias, const float* in,
                        int64_t columns, bool add) {
    Vector sums[R][U] = {};
    int64_t i = 0;
    for (; i + U * WIDTH <= columns; i += U * WIDTH)
        for (int u = 0; u < U; u++) {
            const Vector x = load(in + i + u * WIDTH);
            for (int r = 0; r < R; r++) sums[r][u] += load(weight + r * stride + i + u * WIDTH) * x;
        }
    for (; i + WIDTH <= columns; i += WIDTH) {
        const Vector x = load(in + i);
        for (int r = 0; r < R; r++) sums[r][0] += load(weight + r * stride + i) * x;
    }
    for (int r = 0; r < R; r++) {
        Vector total = sums[r][0];
        for (int u = 1; u < U; u++) total += sums[r][u];
        float result = sum(total) + (bias ? bias[r] : 0) + (add ? out[r] : 0);
        for (int64_t j = i; j < columns; j++) result += weight[r * stride + j] * in[j];
        out[r] = result;
    }
}

// The same of R rows for V vectors of lanes: every weight meets all lanes at once. The weights lie as weight[r][i], or, by
// columns, as weight[i][r].
template <bool BY_COLUMNS, int R, int V>
inline void product_of_lanes(float* out, const float* weight, int64_t stride, const float* bias, const float* in,
                             int64_t columns, int64_t lanes, bool add) {
    Vector sums[R][V];
    for (int r = 0; r < R; r++)
        for (int v = 0; v < V; v++) {
            sums[r][v] = all(bias ? bias[r] : 0);
            if (add) sums[r][v] += load(out + r * lanes + v * WIDTH);
        }
    for (int64_t i = 0; i < columns; i++) {
        Vector x[V];
        for (int v = 0; v < V; v++) x[v] = load(in + i * lanes + v * WIDTH);
        for (int r = 0; r < R; r++) {
            const float w = weight[BY_COLUMNS ? i * stride + r : r * stride + i];
            for (int v = 0; v < V; v++) sums[r][v] += w * x[v];
        }
    }
    for (int r = 0; r < R; r++)
        for (int v = 0; v < V; v++) store(out + r * lanes + v * WIDTH, sums[r][v]);
}

template <bool BY_COLUMNS, int R, int V>
inline void rows_of_lanes(float* out, const float* weight, int64_t stride, const float* bias, const float* in,
                          int64_t columns, int64_t lanes, bool add) {
    int64_t lane = 0;
    for (; lane + V * WIDTH <= lanes; lane += V * WIDTH)
        product_of_lanes<BY_COLUMNS, R, V>(out + lane, weight, stride, bias, in + lane, columns, lanes, add);
    for (; lane < lanes; lane += WIDTH)
        product_of_lanes<BY_COLUMNS, R, 1>(out + lane, weight, stride, bias, in + lane, columns, lanes, add);
}

template <int R>
inline void rows_of(float* out, const float* weight, int64_t stride, const float* bias, const float* in,
                    int64_t columns, int64_t lanes, bool add) {
    if (lanes == 1) return rows_of_one<R, R == 1 ? 8 : 1>(out, weight, stride, bias, in, columns, add);
    rows_of_lanes<false, R, R == 1 ? 4 : 2>(out, weight, stride, bias, in, columns, lanes, add);
}

// Numbers of a weight that stays in a core's cache. A larger one is read row by row, as memory gives it.
constexpr int64_t NEAR = 1 << 19;

// out[r] (+)= bias[r] + sum_i weight[r][i] in[i].
inline void linear(float* out, const float* weight, int64_t stride, const float* bias, const float* in, int64_t rows,
                   int64_t columns, int64_t lanes, bool add) {
    constexpr int R = WIDTH == 16 ? 8 : 6;  // with two vectors of lanes, as many sums as there are registers for
    int64_t r = 0;
    for (; r + R <= rows && (lanes > 1 || rows * columns <= NEAR); r += R)
        rows_of<R>(out + r * lanes, weight + r * stride, stride, bias ? bias + r : nullptr, in, columns, lanes, add);
    for (; r < rows; r++)
        rows_of<1>(out + r * lanes, weight + r * stride, stride, bias ? bias + r : nullptr, in, columns, lanes, add);
}

// The same with the weights of a column side by side, weight[i][r]: of U vectors of rows of one example, where I sums of
// every vector run beside each other. Of the last vector, `left` rows count.
template <int U, int I>
inline void columns_of_one(float* out, const float* weight, int64_t stride, const float* bias, const float* in,
                           int64_t columns, int64_t left, bool add) {
    Vector sums[I][U] = {};
    int64_t i = 0;
    for (; i + I <= columns; i += I)
        for (int j = 0; j < I; j++)
            for (int u = 0; u < U; u++) sums[j][u] += in[i + j] * load(weight + (i + j) * stride + u * WIDTH);
    for (; i < columns; i++)
        for (int u = 0; u < U; u++) sums[0][u] += in[i] * load(weight + i * stride + u * WIDTH);
    for (int u = 0; u < U; u++) {
        Vector total = sums[0][u];
        for (int j = 1; j < I; j++) total += sums[j][u];
        const int64_t count = u + 1 < U ? WIDTH : left;
        float others[WIDTH] = {};
        if (bias) std::memcpy(others, bias + u * WIDTH, count * sizeof(float));
        total += load(others);
        if (add) {
            std::memcpy(others, out + u * WIDTH, count * sizeof(float));
            total += load(others);
        }
        store(others, total);
        std::memcpy(out + u * WIDTH, others, count * sizeof(float));
    }
}

// out[r] (+)= bias[r] + sum_i weight[i][r] in[i]; every column of weights fills its last vector.
inline void linear_by_columns(float* out, const float* weight, int64_t stride, const float* bias, const float* in,
                              int64_t rows, int64_t columns, int64_t lanes, bool add) {
    const auto bias_at = [&](int64_t r) { return bias ? bias + r : nullptr; };
    int64_t r = 0;
    if (lanes == 1) {
        for (; r + 4 * WIDTH <= rows; r += 4 * WIDTH)
            columns_of_one<4, 2>(out + r, weight + r, stride, bias_at(r), in, columns, WIDTH, add);
        for (; r < rows; r += WIDTH)
            columns_of_one<1, 4>(out + r, weight + r, stride, bias_at(r), in, columns,
                                 std::min<int64_t>(WIDTH, rows - r), add);
        return;
    }
    constexpr int R = WIDTH == 16 ? 8 : 6;
    for (; r + R <= rows; r += R)
        rows_of_lanes<true, R, 2>(out + r * lanes, weight + r, stride, bias_at(r), in, columns, lanes, add);
    for (; r < rows; r++)
        rows_of_lanes<true, 1, 2>(out + r * lanes, weight + r, stride, bias_at(r), in, columns, lanes, add);
}

// out[c] += sum_r in[r] weight[r][c]: what is left out are rows that no lane needs, as those of a bit that is 0.
inline void rows_times(float* out, const float* weight, int64_t stride, const float* in, int64_t rows, int64_t columns,
                       int64_t lanes) {
    for (int64_t r = 0; r < rows; r++) {
        const float* x = in + r * lanes;
        const float* w = weight + r * stride;
        if (std::all_of(x, x + lanes, [](float value) { return value == 0; })) continue;
        if (lanes == 1) {
            map(out, w, out, columns, [&](Vector weights, Vector before) { return before + x[0] * weights; });
        } else {
            for (int64_t c = 0; c < columns; c++)
                map(out + c * lanes, x, out + c * lanes, lanes,
                    [&](Vector values, Vector before) { return before + w[c] * values; });
        }
    }
}
