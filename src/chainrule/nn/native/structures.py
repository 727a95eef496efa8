"""The structures of ``walk.cpp``, field by field."""

from __future__ import annotations

import ctypes


class NgramStruct(ctypes.Structure):
    """The tables of n-grams, and the logarithms of what the network and they contribute."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("contexts", "starts", "backoffs", "symbols", "probs", "levels")),
        *((name, ctypes.c_int64) for name in ("order", "bits")),
        *((name, ctypes.c_double) for name in ("log_rest", "log_share")),
    )


class InstructionStruct(ctypes.Structure):
    """An instruction."""

    _fields_ = (
        ("kind", ctypes.c_int32),
        ("option", ctypes.c_int32),
        ("scale", ctypes.c_float),
        ("add", ctypes.c_int32),
        ("weight", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("stride", ctypes.c_int64),
        ("places", ctypes.c_void_p),
        ("period", ctypes.c_int64),
        ("repeats", ctypes.c_int64),
        ("to_step", ctypes.c_int64),
        ("source_step", ctypes.c_int64),
        ("levels", ctypes.c_int64),
        ("ngrams", ctypes.c_void_p),
    )


class GivenStruct(ctypes.Structure):
    """Units that are given."""

    _fields_ = (
        ("numbers", ctypes.c_void_p),
        ("unit", ctypes.c_int64),
        ("count", ctypes.c_int64),
        ("keep", ctypes.c_int32),
    )


class ProgramStruct(ctypes.Structure):
    """A program."""

    _fields_ = (
        ("instructions", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("first", ctypes.c_int64),
        ("units", ctypes.c_int64),
        ("value", ctypes.c_int64),
    )


class ChoiceStruct(ctypes.Structure):
    """How values are drawn."""

    _fields_ = (
        ("temperature", ctypes.c_double),
        ("top_k", ctypes.c_int64),
        ("top_p", ctypes.c_double),
        ("undrawn", ctypes.c_int64),
        ("greedy", ctypes.c_int32),
        ("plain", ctypes.c_int32),
    )


class ParticlesStruct(ctypes.Structure):
    """Particles and their weights."""

    _fields_ = (
        ("count", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("log_weights", "log_evidence", "least_size", "dead", "offsets")),
        ("examples", ctypes.c_int64),
    )


class WalkStruct(ctypes.Structure):
    """A walk."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("batch", "begin", "steps", "lanes", "threads")),
        ("has_previous", ctypes.c_int32),
        ("choice", ChoiceStruct),
        *((name, ctypes.c_void_p) for name in ("values", "known")),
        ("rowed", ctypes.c_int32),
        *((name, ctypes.c_void_p) for name in ("row", "uniforms", "precise")),
        ("drawn", ctypes.c_int64),
        ("given", ctypes.c_void_p),
        ("num_given", ctypes.c_int64),
        ("parameters", ctypes.c_void_p),
        ("num_parameters", ctypes.c_int64),
        ("log_probs", ctypes.c_void_p),
        ("end", ctypes.c_double),
        ("particles", ParticlesStruct),
    )
