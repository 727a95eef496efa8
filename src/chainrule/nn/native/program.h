// What a walk is given, field by field: see chainrule.nn.native.structures.
#pragma once

#include "choices.h"
#include "ngrams.h"
#include "particles.h"

enum Kind { LINEAR, LINEAR_BY_COLUMNS, ROWS, MAP, ADD, GATED, LSTM, GRU, LOOKUP, ENCODE, PICK, NGRAMS, CHOOSE };
enum Function { SAME, SIGMOID, RELU, TANH, ZERO };
enum Encoding { NUMBER, INDICATORS, ASINH };
enum Draws { LOGIT, LOGITS, GAUSSIANS, LOGISTICS, BINS };

// Where an instruction reads and writes at one step: units, and offsets of weights. LSTM and GRU read more units at
// `weight`. Without rows the instruction is skipped.
struct Place {
    int64_t to, from, weight, bias, rows, columns;
};

struct Instruction {
    int32_t kind, option;
    float scale;
    int32_t add;
    const float* weight;
    const float* bias;
    int64_t stride;
    const Place* places;
    int64_t period;  // of the places: step t is at places[t % period]
    int64_t repeats, to_step, from_step;  // it is run so many times, so many units further each time
    int64_t levels;  // of BINS
    const Ngrams* ngrams;
};

// Units of every example that are given, [example][count], and, where `keep`, returned.
struct Given {
    float* numbers;
    int64_t unit, count;
    int32_t keep;
};

struct Program {
    const Instruction* instructions;
    int64_t count;
    int64_t first;  // instructions before this one need a value of the step before
    int64_t units;
    int64_t value;  // the unit of the value that was chosen last
};

struct Walk {
    int64_t batch, begin, steps, lanes, threads;
    int32_t has_previous;
    Choice choice;
    float* values;            // [example][step]
    const uint8_t* known;     // [row][step], or null: values that are given and not chosen
    int32_t rowed;            // 1 if every example (of all its particles) has a row, 0 if all have the same
    const int64_t* row;       // [step]: the row of random numbers, of those steps that have any
    const float* uniforms;    // [row][example], of a logit
    const double* precise;    // [row][drawn][example], of others
    int64_t drawn;            // random numbers of a value
    const Given* given;
    int64_t num_given;
    float* parameters;        // [step][example][num_parameters], or null
    int64_t num_parameters;
    float* log_probs;         // [step][example], or null: of the values
    double end;               // the value after which all are the same; NaN for none
    Particles particles;      // of one particle and no weights where an example is a walk of its own
};
