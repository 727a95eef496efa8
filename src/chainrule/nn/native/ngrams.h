// Mixes the conditional of a network with that of n-grams: see chainrule.nn.kneser_ney.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

// The tables of KneserNey, and log(1 - s) and log(s) of the share s of the n-grams.
struct Ngrams {
    const int64_t* contexts;
    const int64_t* starts;
    const float* backoffs;
    const int64_t* symbols;
    const float* probs;
    const int64_t* levels;
    int64_t order, bits;
    double log_rest, log_share;
};

inline int64_t mixed_hash(int64_t hash, int64_t code) {
    hash = int64_t((uint64_t(hash) + uint64_t(code) + 1) * uint64_t(-7046029254386353131));  // it wraps around
    hash = int64_t(uint64_t(hash ^ (hash >> 30)) * uint64_t(-4658895280553007687));
    return hash ^ (hash >> 27);
}

// The probabilities of the next symbol, given the last `order` ones, recent[i * stride], of which -1 is none.
inline void ngram_probabilities(const Ngrams& table, const float* recent, int64_t stride, std::vector<float>& result) {
    std::fill(result.begin(), result.end(), 1.0f / result.size());
    int64_t hash = 0;
    for (int64_t length = 0; length <= table.order; length++) {
        if (length) hash = mixed_hash(hash, int64_t(recent[(table.order - length) * stride]) + 1);
        const int64_t* end = table.contexts + table.levels[length + 1];
        const int64_t* found = std::lower_bound(table.contexts + table.levels[length], end, hash >> table.bits);
        if (found == end || *found != hash >> table.bits) continue;
        const int64_t context = found - table.contexts;
        for (float& probability : result) probability *= table.backoffs[context];
        for (int64_t i = table.starts[context]; i < table.starts[context + 1]; i++)
            result[table.symbols[i]] += table.probs[i];
    }
}

// logits[k * stride] = log((1 - s) softmax_k + s p_k)
inline void mix_ngrams(const Ngrams& table, float* logits, const float* recent, int64_t stride,
                       std::vector<float>& probabilities) {
    ngram_probabilities(table, recent, stride, probabilities);
    float peak = logits[0];
    for (size_t k = 1; k < probabilities.size(); k++) peak = std::max(peak, logits[k * stride]);
    double total = 0;
    for (size_t k = 0; k < probabilities.size(); k++) total += std::exp(logits[k * stride] - peak);
    const double shift = table.log_rest - peak - std::log(total);
    for (size_t k = 0; k < probabilities.size(); k++) {
        const double network = logits[k * stride] + shift, counted = table.log_share + std::log(probabilities[k]);
        const double most = std::max(network, counted), least = std::min(network, counted);
        logits[k * stride] = float(std::isinf(most) ? most : most + std::log1p(std::exp(least - most)));
    }
}
