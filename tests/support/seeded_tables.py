"""Seeded tables that several programs compute figures of: for estimates and for fairness."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ROWS = 40_000
CLASSES = 4


class Table(NamedTuple):
    """Rows with scores, float32 (n,) or (n, K), and the classes said and true, (n,)."""

    scores: NDArray[np.float32]
    said: NDArray[np.int64]
    truth: NDArray[np.int64]


def binary_table() -> tuple[Table, Table]:
    """Give the reference and the window of an over-confident score of two classes."""
    rng = np.random.default_rng(20130101)
    tables = []
    for mean in (0.0, 0.7):
        logit = 1.5 * rng.normal(mean, 1.0, ROWS) - 0.5
        scores = (1 / (1 + np.exp(-1.6 * logit - 0.3))).astype(np.float32)
        truth = (rng.random(ROWS) < 1 / (1 + np.exp(-logit))).astype(np.int64)
        tables.append(Table(scores, (scores > 0.5).astype(np.int64), truth))
    return tables[0], tables[1]


def group_table() -> tuple[NDArray[np.str_], NDArray[np.int64], NDArray[np.int64]]:
    """Give groups of four sizes, and the classes said and true, (n,): base rates and errors differ by group."""
    rng = np.random.default_rng(20130103)
    group = rng.choice(["north", "south", "east", "west"], ROWS // 4, p=[0.5, 0.3, 0.15, 0.05])
    lift = np.select([group == "south", group == "east", group == "west"], [0.6, -0.5, 0.2], 0.0)
    truth = (rng.random(len(group)) < 1 / (1 + np.exp(0.4 - lift))).astype(np.int64)
    said = (rng.normal(size=len(group)) + 1.2 * truth + 0.5 * lift > 0.6).astype(np.int64)
    return group, said, truth


def class_table() -> tuple[Table, Table]:
    """Give the reference and the window of under-confident scores of four classes."""
    rng = np.random.default_rng(20130102)
    slopes = rng.normal(size=(3, CLASSES))
    tables = []
    for mean in (0.0, 0.6):
        logit = rng.normal(mean, 1.0, (ROWS, 3)) @ slopes
        chances = np.exp(logit) / np.exp(logit).sum(axis=1, keepdims=True)
        truth = (chances.cumsum(axis=1)[:, :-1] < rng.random((ROWS, 1))).sum(axis=1)
        weights = np.exp(0.6 * logit + [0.2, 0.0, -0.2, 0.0])
        scores = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        tables.append(Table(scores, scores.argmax(axis=1), truth))
    return tables[0], tables[1]
