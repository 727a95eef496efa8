// Real values: one Gaussian, or mixtures of Gaussians or logistics, as chainrule.conditionals.real has them.
#pragma once

#include "choices.h"
#include "vectors.h"

constexpr float MAX_LOG_SCALE = 13.815510557964274f;  // log 1e6
constexpr float MAX_LOG_SCALE_OF_BINS = 7.0f;

enum Shape { GAUSSIAN, LOGISTIC, BIN };

// The parameters of a mixture at some lanes: logits, means and log-scales of `count` components.
struct Components {
    const float* numbers;
    const float* offsets;  // added to the means
    int64_t count, lanes;
    float least, most;  // of the log-scales

    Vector at(int64_t part, int64_t k, int64_t lane) const {
        const float* from = numbers + (part * count + k) * lanes + lane;
        return lanes == 1 ? all(*from) : load(from);
    }
    Vector logit(int64_t k, int64_t lane) const { return at(0, k, lane); }
    Vector mean(int64_t k, int64_t lane) const { return at(1, k, lane) + offsets[k]; }
    Vector log_scale(int64_t k, int64_t lane) const {
        return lesser(largest(at(2, k, lane), all(least)), all(most));
    }
};

// Log P(x) of a level, whose bin is 2 / (levels - 1) wide and open at the edges, as chainrule.conditionals.
inline Vector log_bin(Vector x, Vector mean, Vector log_scale, int64_t levels) {
    const float half = 1.0f / float(levels - 1);
    const Vector inverse = exponential(-log_scale), centred = 2.0f * half * x - 1.0f - mean;
    const Vector below = log_sigmoid((centred + half) * inverse), above = log_sigmoid((half - centred) * inverse);
    const Vector inside = below + above + logarithm(one_less_exponential(2.0f * half * inverse));
    return x == 0 ? below : x == float(levels - 1) ? above : inside;
}

// The level of a value.
inline float level(float x, int64_t levels) {
    const float place = std::nearbyint((x + 1.0f) * float(levels - 1) / 2.0f);
    return std::min(std::max(place, 0.0f), float(levels - 1));
}

// The log-density, without the constant of the Gaussian, of a component.
inline Vector log_density(Vector x, Vector mean, Vector log_scale, Shape shape, int64_t levels) {
    if (shape == BIN) return log_bin(x, mean, log_scale, levels);
    const Vector z = (x - mean) * exponential(-log_scale);
    if (shape == GAUSSIAN) return -0.5f * z * z - log_scale;
    const Vector distance = z < 0 ? -z : z;
    return -distance - 2.0f * log_one_plus(exponential(-distance)) - log_scale;
}

// Log p(x) of the values of some lanes; `scratch` has `count` vectors.
inline Vector log_density(Vector x, const Components& own, int64_t lane, Shape shape, int64_t levels, Vector* scratch) {
    Vector peak_logit = own.logit(0, lane), peak = all(-std::numeric_limits<float>::infinity());
    for (int64_t k = 0; k < own.count; k++) {
        const Vector logit = own.logit(k, lane);
        peak_logit = largest(peak_logit, logit);
        scratch[k] = logit + log_density(x, own.mean(k, lane), own.log_scale(k, lane), shape, levels);
        peak = largest(peak, scratch[k]);
    }
    Vector total = {}, weights = {};
    for (int64_t k = 0; k < own.count; k++) {
        total += exponential(scratch[k] - peak);
        weights += exponential(own.logit(k, lane) - peak_logit);
    }
    return peak - peak_logit + logarithm(total / weights);
}

// The quantile function of the standard Gaussian (Wichura's algorithm AS 241), to 1e-15.
inline double gaussian_quantile(double p) {
    const auto ratio = [](double x, const double* above, const double* below) {
        double a = above[7], b = below[7];
        for (int i = 6; i >= 0; i--) {
            a = a * x + above[i];
            b = b * x + below[i];
        }
        return a / b;
    };
    static const double middle[2][8] = {
        {3.3871328727963666080, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
         4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3},
        {1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
         3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3}};
    static const double near[2][8] = {
        {1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504,
         1.27045825245236838258, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4},
        {1.0, 2.05319162663775882187, 1.67638483018380384940, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
         1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9}};
    static const double far[2][8] = {
        {6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 2.96560571828504891230e-1,
         2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7},
        {1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
         7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15}};
    const double q = p - 0.5;
    if (std::abs(q) <= 0.425) return q * ratio(0.180625 - q * q, middle[0], middle[1]);
    const double tail = std::sqrt(-std::log(q < 0 ? p : 1 - p));
    const double size = tail <= 5 ? ratio(tail - 1.6, near[0], near[1]) : ratio(tail - 5, far[0], far[1]);
    return q < 0 ? -size : size;
}

// The value that `uniform` gives of a standard Gaussian or logistic. Uniform numbers are multiples of 2^-53; the middle of
// the step is never 0 or 1.
inline double standard(double uniform, Shape shape) {
    const double middle = uniform + 0x1p-54;
    return shape == GAUSSIAN ? gaussian_quantile(middle) : std::log(middle) - std::log1p(-middle);
}
