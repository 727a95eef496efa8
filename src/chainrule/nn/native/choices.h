// How a value is chosen, given the parameters of its conditional and a uniform number.
#pragma once

#include <numeric>
#include <vector>

#include "vectors.h"

// How listed values are drawn; see chainrule.choices.
struct Choice {
    double temperature;
    int64_t top_k;  // 0 for all
    double top_p;   // 1 for all
    int64_t undrawn;  // a value that is never drawn; -1 for none
    int32_t greedy;
    int32_t plain;  // 1 if nothing is changed: values are drawn from the conditional itself

    // True if whether a value can be drawn depends on the others' probabilities.
    bool ranks() const { return greedy || top_k || top_p < 1; }
};

// The first index whose cumulative weight exceeds u times the total.
inline int64_t inverse(const std::vector<double>& weights, double uniform) {
    const double target = uniform * std::accumulate(weights.begin(), weights.end(), 0.0);
    double cumulative = 0;
    for (size_t k = 0; k < weights.size(); k++)
        if ((cumulative += weights[k]) > target) return static_cast<int64_t>(k);
    return static_cast<int64_t>(weights.size()) - 1;
}

// A value by `choice` from logits, of one lane, which are changed.
inline int64_t changed(std::vector<float>& logits, const Choice& choice, double uniform) {
    const size_t count = logits.size();
    if (choice.undrawn >= 0) logits[choice.undrawn] = -std::numeric_limits<float>::infinity();
    const float peak = *std::max_element(logits.begin(), logits.end());
    if (choice.greedy) return std::max_element(logits.begin(), logits.end()) - logits.begin();
    std::vector<double> weights(count);
    for (size_t k = 0; k < count; k++) weights[k] = std::exp((double(logits[k]) - peak) / choice.temperature);
    if (choice.top_k || choice.top_p < 1) {
        // The most probable first, of equal ones the first; no more of them are sorted than are needed.
        std::vector<std::pair<double, int64_t>> ranked(count);
        for (size_t k = 0; k < count; k++) ranked[k] = {-weights[k], int64_t(k)};
        const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
        const size_t most = choice.top_k ? std::min(count, size_t(choice.top_k)) : count;
        std::fill(weights.begin(), weights.end(), 0.0);
        double before = 0;
        for (size_t rank = 0, sorted = 0; rank < most && (choice.top_p >= 1 || before < choice.top_p); rank++) {
            if (rank == sorted) {
                sorted = std::min(most, std::max<size_t>(16, 4 * sorted));
                const auto end = ranked.begin() + sorted;
                if (sorted < count) std::nth_element(ranked.begin() + rank, end, ranked.end());
                std::sort(ranked.begin() + rank, end);
            }
            weights[ranked[rank].second] = -ranked[rank].first;
            before -= ranked[rank].first / total;
        }
    }
    return inverse(weights, uniform);
}

// Indices of the values of all lanes from logits [k][lane]; `scratch` has as many numbers. Of `choice`, the temperature
// and the value that is never drawn count.
inline void listed(float* values, const float* logits, float* scratch, int64_t count, int64_t lanes,
                   const double* uniforms, const Choice& choice) {
    const float scale = std::min(float(1 / choice.temperature), std::numeric_limits<float>::max());
    if (choice.undrawn >= 0) {
        std::copy(logits, logits + count * lanes, scratch);
        std::fill_n(scratch + choice.undrawn * lanes, lanes, -std::numeric_limits<float>::infinity());
        logits = scratch;
    }
    std::vector<double> total(lanes), cumulative(lanes);
    if (lanes == 1) {
        const Vector peak = all(*std::max_element(logits, logits + count));
        map(scratch, logits, count, [&](Vector x) { return exponential((x - peak) * scale); });
    } else {
        std::vector<float> peaks(logits, logits + lanes);
        for (int64_t k = 1; k < count; k++)
            map(peaks.data(), peaks.data(), logits + k * lanes, lanes, largest);
        for (int64_t k = 0; k < count; k++)
            map(scratch + k * lanes, logits + k * lanes, peaks.data(), lanes,
                [&](Vector x, Vector peak) { return exponential((x - peak) * scale); });
    }
    for (int64_t k = 0; k < count; k++)
        for (int64_t lane = 0; lane < lanes; lane++) total[lane] += scratch[k * lanes + lane];
    for (int64_t lane = 0; lane < lanes; lane++) {
        total[lane] *= uniforms[lane];
        values[lane] = 0;
    }
    for (int64_t k = 0; k + 1 < count; k++)
        for (int64_t lane = 0; lane < lanes; lane++) {
            cumulative[lane] += scratch[k * lanes + lane];
            values[lane] += cumulative[lane] <= total[lane];
        }
}

inline Vector log_sigmoid(Vector x) {
    const Vector size = x < 0 ? -x : x;
    return lesser(x, Vector{}) - log_one_plus(exponential(-size));
}

// Log p of the values of a vector of lanes, from logits [k][lane].
inline Vector log_softmax(Vector x, const float* logits, int64_t count, int64_t lanes) {
    const auto at = [&](int64_t k) { return lanes == 1 ? all(logits[k]) : load(logits + k * lanes); };
    Vector peak = at(0), total = {}, chosen = {};
    for (int64_t k = 1; k < count; k++) peak = largest(peak, at(k));
    for (int64_t k = 0; k < count; k++) {
        total += exponential(at(k) - peak);
        chosen = x == float(k) ? at(k) : chosen;
    }
    return chosen - peak - logarithm(total);
}
