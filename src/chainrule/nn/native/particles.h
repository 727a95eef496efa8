// Weights of particles, which walk side by side for an example: see chainrule.tasks.particles.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

// Each example has `count` particles, one after the other.
struct Particles {
    int64_t count;
    double* log_weights;    // [example][particle]
    double* log_evidence;   // [example]
    double* least_size;     // [example], of the effective sample sizes
    uint8_t* dead;          // [example], 1 if no particle survived
    const double* offsets;  // [step][example], uniform numbers of systematic resampling
    int64_t examples;
};

// Follows a change of the weights of one example at a step: true where its particles must become those of `ancestors`.
inline bool resampled(const Particles& all, int64_t example, int64_t step, std::vector<int64_t>& ancestors) {
    const int64_t count = all.count;
    double* weights = all.log_weights + example * count;
    double peak = *std::max_element(weights, weights + count);
    if (peak == -std::numeric_limits<double>::infinity()) {  // such walks go on, and count for nothing
        all.dead[example] = 1;
        std::fill(weights, weights + count, peak = 0.0);
    }
    if (count == 1) return false;
    double total = 0, squares = 0;
    for (int64_t i = 0; i < count; i++) {
        const double weight = std::exp(weights[i] - peak);
        total += weight;
        squares += weight * weight;
    }
    const double size = total * total / squares;
    all.least_size[example] = std::min(all.least_size[example], size);
    if (size >= count / 2.0) return false;
    all.log_evidence[example] += peak + std::log(total / count);
    ancestors.resize(count);
    double end = std::exp(weights[0] - peak);
    for (int64_t i = 0, ancestor = 0; i < count; i++) {
        const double place = std::min((i + all.offsets[step * all.examples + example]) / count, 1 - 1e-12) * total;
        while (end <= place && ancestor + 1 < count) end += std::exp(weights[++ancestor] - peak);
        ancestors[i] = ancestor;
    }
    std::fill(weights, weights + count, 0.0);
    return true;
}
