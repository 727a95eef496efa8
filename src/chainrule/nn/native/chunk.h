// Examples side by side, and the instructions that change their units.
#pragma once

#include "products.h"
#include "program.h"
#include "reals.h"

inline void apply(int32_t function, float* to, const float* from, int64_t count) {
    switch (function) {
        case SIGMOID: return map(to, from, count, sigmoid);
        case RELU: return map(to, from, count, positive);
        case TANH: return map(to, from, count, hyperbolic);
        case ZERO: std::fill(to, to + count, 0.0f); return;
        default: return map(to, from, count, same);
    }
}

class Chunk {
   public:
    Chunk(const Program& program, const Walk& walk, int64_t first, int64_t size, int64_t lanes)
        : program(program), walk(walk), first(first), size(size), lanes(lanes), arena(program.units * lanes) {}

    void run() {
        for (int64_t i = 0; i < walk.num_given; i++) transfer(walk.given[i], true);
        for (int64_t s = 0; s < walk.steps; s++) {
            const int64_t begin = s == 0 && !walk.has_previous ? program.first : 0;
            for (int64_t i = begin; i < program.count; i++) execute(program.instructions[i], s);
        }
        for (int64_t i = 0; i < walk.num_given; i++)
            if (walk.given[i].keep) transfer(walk.given[i], false);
    }

   private:
    const Program& program;
    const Walk& walk;
    int64_t first, size, lanes;
    std::vector<float> arena;
    std::vector<float> scratch, before, likelihoods;  // kept, so that no step has to ask for memory
    std::vector<double> padded;
    std::vector<Vector> terms;
    std::vector<uint8_t> known;
    std::vector<int64_t> ancestors;

    float* at(int64_t unit) { return arena.data() + unit * lanes; }

    void transfer(const Given& given, bool in) {
        for (int64_t lane = 0; lane < size; lane++)
            for (int64_t i = 0; i < given.count; i++) {
                float& outside = given.numbers[(first + lane) * given.count + i];
                float& inside = at(given.unit + i)[lane];
                if (in) inside = outside;
                else outside = inside;
            }
    }

    void execute(const Instruction& own, int64_t s) {
        const Place& place = own.places[(walk.begin + s) % own.period];
        if (place.rows == 0) return;
        for (int64_t i = 0; i < own.repeats; i++)
            execute(own, place, at(place.to + i * own.to_step), at(place.from + i * own.from_step), s);
    }

    void execute(const Instruction& own, const Place& place, float* to, const float* from, int64_t s) {
        const float* weight = own.weight ? own.weight + place.weight : nullptr;
        const float* bias = own.bias ? own.bias + place.bias : nullptr;
        switch (own.kind) {
            case LINEAR:
                return linear(to, weight, own.stride, bias, from, place.rows, place.columns, lanes, own.add);
            case LINEAR_BY_COLUMNS:
                return linear_by_columns(to, weight, own.stride, bias, from, place.rows, place.columns, lanes, own.add);
            case ROWS: return rows_times(to, weight, own.stride, from, place.rows, place.columns, lanes);
            case MAP: return apply(own.option, to, from, place.rows * lanes);
            case ADD: return map(to, from, to, place.rows * lanes, [](Vector x, Vector y) { return x + y; });
            case GATED:
                return map(to, from, from + place.rows * lanes, place.rows * lanes,
                           [](Vector x, Vector gate) { return hyperbolic(x) * sigmoid(gate); });
            case LSTM: return lstm(to, at(place.weight), from, place.rows * lanes);
            case GRU: return gru(to, from, at(place.weight), place.rows * lanes);
            case LOOKUP: return lookup(to, from, weight, own, place);
            case ENCODE: return encode(to, own, place);
            case PICK: return pick(to, from, at(place.weight), place.rows);
            case NGRAMS: return mix(*own.ngrams, to, from, place.rows);
            case CHOOSE: return choose(own, from, place, s);
        }
    }

    void lstm(float* state, float* cell, const float* gates, int64_t count) {
        map(cell, gates + count, cell, count, [](Vector forget, Vector before) { return sigmoid(forget) * before; });
        scratch.resize(count);
        map(scratch.data(), gates, gates + 2 * count, count, [](Vector in, Vector x) { return sigmoid(in) * hyperbolic(x); });
        map(cell, scratch.data(), cell, count, [](Vector fresh, Vector kept) { return fresh + kept; });
        map(state, gates + 3 * count, cell, count, [](Vector out, Vector x) { return sigmoid(out) * hyperbolic(x); });
    }

    void gru(float* state, const float* read, const float* seen, int64_t count) {
        scratch.resize(2 * count);
        float *reset = scratch.data(), *update = reset + count;
        const auto gate = [](Vector x, Vector h) { return sigmoid(x + h); };
        map(reset, read, seen, count, gate);
        map(update, read + count, seen + count, count, gate);
        map(reset, reset, seen + 2 * count, count, [](Vector r, Vector h) { return r * h; });
        map(reset, read + 2 * count, reset, count, [](Vector x, Vector h) { return hyperbolic(x + h); });
        // h' = n + z (h - n)
        map(state, state, reset, count, [](Vector h, Vector fresh) { return h - fresh; });
        map(state, update, state, count, [](Vector z, Vector difference) { return z * difference; });
        map(state, state, reset, count, [](Vector kept, Vector fresh) { return kept + fresh; });
    }

    void lookup(float* to, const float* index, const float* weight, const Instruction& own, const Place& place) {
        for (int64_t lane = 0; lane < size; lane++) {
            const float* row = weight + int64_t(index[lane]) * own.stride;
            for (int64_t i = 0; i < place.rows; i++)
                to[i * lanes + lane] = row[i] + (own.add ? to[i * lanes + lane] : 0);
        }
    }

    void pick(float* to, const float* from, const float* index, int64_t count) {
        for (int64_t lane = 0; lane < size; lane++)
            for (int64_t i = 0; i < count; i++)
                to[i * lanes + lane] = from[(int64_t(index[lane]) * count + i) * lanes + lane];
    }

    void mix(const Ngrams& ngrams, float* logits, const float* recent, int64_t count) {
        likelihoods.resize(count);
        for (int64_t lane = 0; lane < size; lane++) mix_ngrams(ngrams, logits + lane, recent + lane, lanes, likelihoods);
    }

    void encode(float* to, const Instruction& own, const Place& place) {
        const float* value = at(program.value);
        if (own.option == ASINH) return map(to, value, lanes, inverse_hyperbolic_sine);
        if (own.option == NUMBER) return map(to, value, lanes, [&](Vector x) { return x * own.scale; });
        for (int64_t i = 0; i < place.rows; i++)  // indicators of the values 1, 2, ...
            for (int64_t lane = 0; lane < lanes; lane++) to[i * lanes + lane] = value[lane] == float(i + 1);
    }

    void choose(const Instruction& own, const float* from, const Place& place, int64_t s) {
        float* value = at(program.value);
        const int64_t offset = s * walk.batch + first;
        if (walk.parameters)
            for (int64_t lane = 0; lane < size; lane++)
                for (int64_t k = 0; k < place.rows; k++)
                    walk.parameters[(offset + lane) * walk.num_parameters + k] = from[k * lanes + lane];
        const int64_t given = find_known(s);
        if (given < size) {
            before.assign(value, value + size);
            draw(own, from, place, s);
        }
        for (int64_t lane = 0; lane < size; lane++) {
            float& outside = walk.values[(first + lane) * walk.steps + s];
            if (given == size || (given && known[lane])) value[lane] = outside;
            else outside = value[lane] = before[lane] == walk.end ? before[lane] : value[lane];
        }
        if (walk.log_probs) score(own, from, place, walk.log_probs + offset);
        if (walk.particles.log_weights && given) weigh(own, from, place, s);
    }

    // The number of lanes whose value is given at a step; where it is not all or none, `known` says which.
    int64_t find_known(int64_t s) {
        if (!walk.known) return 0;
        if (!walk.rowed) return walk.known[s] ? size : 0;
        known.resize(size);
        int64_t count = 0;
        for (int64_t lane = 0; lane < size; lane++)
            count += known[lane] = walk.known[(first + lane) / walk.particles.count * walk.steps + s];
        return count;
    }

    // Multiplies the weights of particles by the likelihood of their given values, and resamples where they are poor.
    void weigh(const Instruction& own, const float* from, const Place& place, int64_t s) {
        const Particles& particles = walk.particles;
        likelihoods.resize(size);
        score(own, from, place, likelihoods.data());
        for (int64_t lane = 0; lane < size; lane += particles.count) {
            const int64_t example = (first + lane) / particles.count;
            if (!walk.known[(walk.rowed ? example * walk.steps : 0) + s]) continue;
            for (int64_t i = 0; i < particles.count; i++)
                particles.log_weights[first + lane + i] += likelihoods[lane + i];
            if (resampled(particles, example, s, ancestors)) replace(lane, s);
        }
    }

    // Puts the particles from `lane` on in the place of their ancestors: their units, and their values so far.
    void replace(int64_t lane, int64_t s) {
        const int64_t count = walk.particles.count;
        before.resize(std::max<int64_t>(count, size));
        const auto permute = [&](float* numbers, int64_t stride) {
            for (int64_t i = 0; i < count; i++) before[i] = numbers[ancestors[i] * stride];
            for (int64_t i = 0; i < count; i++) numbers[i * stride] = before[i];
        };
        for (int64_t unit = 0; unit < program.units; unit++) permute(at(unit) + lane, 1);
        for (int64_t t = 0; t <= s; t++) permute(walk.values + (first + lane) * walk.steps + t, walk.steps);
    }

    void draw(const Instruction& own, const float* from, const Place& place, int64_t s) {
        float* value = at(program.value);
        if (own.option == LOGIT && walk.choice.plain) {
            const float* uniforms = walk.uniforms + walk.row[s] * walk.batch + first;
            scratch.resize(lanes);
            map(scratch.data(), from, lanes, sigmoid);
            for (int64_t lane = 0; lane < size; lane++) value[lane] = uniforms[lane] < scratch[lane];
            return;
        }
        const double* uniforms = walk.precise + walk.row[s] * walk.drawn * walk.batch + first;
        if (walk.choice.ranks() || (own.option == LOGIT && !walk.choice.plain))
            return changed_values(own, from, place, uniforms);
        const int64_t count = own.option == LOGITS ? place.rows : components(place);
        padded.assign(lanes, 0.0);
        std::copy(uniforms, uniforms + size, padded.begin());
        scratch.resize(count * lanes);
        if (own.option == LOGITS || place.rows > 2)
            listed(value, from, scratch.data(), count, lanes, padded.data(), walk.choice);
        if (own.option != LOGITS) draw_real(own, from, place, uniforms + (walk.drawn - 1) * walk.batch);
    }

    static float most(const Instruction& own) { return own.option == BINS ? MAX_LOG_SCALE_OF_BINS : MAX_LOG_SCALE; }

    // One Gaussian or logistic has two parameters, and no logit.
    static int64_t components(const Place& place) { return place.rows == 2 ? 1 : place.rows / 3; }

    // The values of components that were chosen.
    void draw_real(const Instruction& own, const float* from, const Place& place, const double* uniforms) {
        float* value = at(program.value);
        const Shape shape = own.option == GAUSSIANS ? GAUSSIAN : LOGISTIC;
        const int64_t count = components(place), means = place.rows - 2 * count;
        for (int64_t lane = 0; lane < size; lane++) {
            const int64_t k = means ? int64_t(value[lane]) : 0;
            const float mean = from[(means + k) * lanes + lane] + own.weight[k];
            const float log_scale = from[(means + count + k) * lanes + lane];
            const float scale = std::exp(std::min(std::max(log_scale, own.scale), most(own)));
            value[lane] = mean + scale * float(standard(uniforms[lane], shape));
            if (own.option == BINS) value[lane] = level(value[lane], own.levels);
        }
    }

    // Log p of the values.
    void score(const Instruction& own, const float* from, const Place& place, float* log_probs) {
        const float* value = at(program.value);
        terms.resize(std::max<int64_t>(1, components(place)));
        for (int64_t lane = 0; lane < size; lane += WIDTH) {
            const Vector x = lanes == 1 ? all(value[0]) : load(value + lane);
            Vector result;
            if (own.option == LOGIT) {
                const Vector logit = lanes == 1 ? all(from[0]) : load(from + lane);
                result = log_sigmoid((2.0f * x - 1.0f) * logit);
            } else if (own.option == LOGITS) {
                result = log_softmax(x, from + lane, place.rows, lanes);
            } else {
                const int64_t count = components(place);
                const Components parts{from - (place.rows == 2 ? lanes : 0), own.weight, count, lanes, own.scale, most(own)};
                const Shape shape = own.option == GAUSSIANS ? GAUSSIAN : own.option == BINS ? BIN : LOGISTIC;
                result = count == 1 ? log_density(x, parts.mean(0, lane), parts.log_scale(0, lane), shape, own.levels)
                                    : log_density(x, parts, lane, shape, own.levels, terms.data());
                if (shape == GAUSSIAN) result -= 0.91893853320467274178f;  // log(2 pi) / 2
            }
            float numbers[WIDTH];
            store(numbers, result);
            std::copy(numbers, numbers + std::min<int64_t>(WIDTH, size - lane), log_probs + lane);
        }
    }

    void changed_values(const Instruction& own, const float* from, const Place& place, const double* uniforms) {
        const bool binary = own.option == LOGIT;
        std::vector<float> logits(binary ? 2 : place.rows);
        for (int64_t lane = 0; lane < size; lane++) {
            for (int64_t k = 0; k < place.rows; k++) logits[k + binary] = from[k * lanes + lane];
            at(program.value)[lane] = float(changed(logits, walk.choice, uniforms[lane]));
        }
    }
};
