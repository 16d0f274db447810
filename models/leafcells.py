r"""What each column adds to the sum of small trees: exact Shapley values by look-up instead of a walk per row.

A tree of eight leaves asks at most seven questions, so its columns divide the space into a few cells (at most
:math:`2^7`), inside which everything it says is constant: its value, and the Shapley value of each of its columns
(path-dependent, Lundberg et al. 2020, Nat. Mach. Intell. 2:56). These are worked out once, by their definition over all
subsets of the columns. What is left for a row is to find its cell, a look-up per column of the tree:

.. math:: c_t(x) = \sum_{j \in t} s_{tj}[\mathrm{bin}_j(x_j)], \qquad
          \phi_j(x) = \sum_t \Phi_{tj}[c_t(x)], \qquad F(x) = \sum_t v_t[c_t(x)]

Both sums run tree by tree, so few rows and many give the same bits, and the second gives LightGBM's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import comb, prod

import numpy as np
import numpy.typing as npt

from models.arrays import FEW_ROWS, BoolArray, FloatArray
from models.lookup import Work
from models.treebins import ROWS, Bins, Node, Questions, splits

Places = npt.NDArray[np.intp]
# Of one tree: subsets double with each column, and every cell has a value for each of them while they are worked out.
MOST_COLUMNS, MOST_CELLS = 8, 1024


@dataclass(frozen=True)
class TreeCells:
    """The cells of one tree.

    Attributes
    ----------
    columns : (m,) the columns it asks about
    steps : (c_j + 2,) per column: what each bin adds to the number of the cell
    values : (cells,)
    parts : (m, cells) what each column adds
    expected : mean over its training rows; value = expected + sum of parts
    """

    columns: tuple[int, ...]
    steps: tuple[Places, ...]
    values: FloatArray
    parts: FloatArray
    expected: float

    def find(self, bins: Bins, cell: Places, step: Places) -> None:
        """The cell of each row into ``cell``, (n,)."""
        cell.fill(0)
        for column, steps in zip(self.columns, self.steps, strict=True):
            np.take(steps, bins[column], out=step, mode="clip")
            np.add(cell, step, out=cell)


@dataclass(frozen=True)
class LeafCells:
    """The cells of all trees of a booster."""

    questions: Questions
    trees: tuple[TreeCells, ...]
    expected: float
    flat: _Flat

    @classmethod
    def of(cls, questions: Questions) -> LeafCells | None:
        """The cells of every tree; None when one has too many of them."""
        made = []
        for tree in questions.trees:
            cells = _cells(tree, questions)
            if cells is None:
                return None
            made.append(cells)
        return cls(questions, tuple(made), sum(tree.expected for tree in made), _Flat.of(questions, made))

    def parts(self, matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What each column adds, (n, p), and the sum of the trees, (n,), for rows (n, p)."""
        if len(matrix) <= FEW_ROWS:
            return self.flat.parts(self.questions.few_bins(matrix))
        parts, total = np.zeros(matrix.shape, order="F"), np.zeros(len(matrix))
        n_most = min(len(matrix), ROWS)
        work, value = Work(n_most), np.empty(n_most)
        cell, step = np.empty(n_most, dtype=np.intp), np.empty(n_most, dtype=np.intp)
        for a in range(0, len(matrix), ROWS):
            here = slice(a, a + ROWS)
            bins = self.questions.bins(matrix[here].T, work)
            m = len(bins[0])
            for tree in self.trees:
                tree.find(bins, cell[:m], step[:m])
                _add(total[here], tree.values, cell[:m], value[:m])
                for column, adds in zip(tree.columns, tree.parts, strict=True):
                    _add(parts[here, column], adds, cell[:m], value[:m])
        return parts, total


def _add(total: FloatArray, values: FloatArray, cell: Places, value: FloatArray) -> None:
    np.take(values, cell, out=value, mode="clip")
    np.add(total, value, out=total)


@dataclass(frozen=True)
class _Flat:
    """All trees side by side, (trees, m) with m the most columns of one: for a few rows one look-up in it beats many.

    A place beyond the columns of a tree asks about one more column, whose only bin adds nothing.
    """

    column: Places
    first_step: Places
    steps: Places
    first_cell: Places
    values: FloatArray
    from_cell: FloatArray

    @classmethod
    def of(cls, questions: Questions, trees: Sequence[TreeCells]) -> _Flat:
        width = max((len(tree.columns) for tree in trees), default=0)
        column = np.full((len(trees), width), len(questions.cuts), dtype=np.intp)
        first_step, steps, n_steps = np.zeros_like(column), [np.zeros(1, dtype=np.intp)], 1
        sizes = [len(tree.values) for tree in trees]
        parts = np.zeros((sum(sizes), width))
        first_cell = np.array([0, *accumulate(sizes)], dtype=np.intp)[:-1]
        for t, tree in enumerate(trees):
            for k, (j, step) in enumerate(zip(tree.columns, tree.steps, strict=True)):
                column[t, k], first_step[t, k] = j, n_steps
                steps.append(step)
                n_steps += len(step)
            parts[first_cell[t] : first_cell[t] + sizes[t], : len(tree.columns)] = tree.parts.T
        values = np.concatenate([np.zeros(0), *(tree.values for tree in trees)])
        return cls(column, first_step, np.concatenate(steps), first_cell, values, parts)

    def parts(self, bins: Places) -> tuple[FloatArray, FloatArray]:
        """What each column adds, (n, p), and the sum of the trees, (n,), for bins (n, p)."""
        n, p = bins.shape
        at = np.concatenate([bins, np.zeros((n, 1), dtype=np.intp)], axis=1)
        cell = self.steps[self.first_step + at[:, self.column]].sum(axis=2) + self.first_cell
        whose = np.arange(n)[:, None, None] * (p + 1) + self.column
        added = np.bincount(whose.ravel(), self.from_cell[cell].ravel(), minlength=n * (p + 1)).astype(np.float64)
        # One after the other: numpy's own sum would add them in pairs.
        total: FloatArray = np.add.accumulate(self.values[cell], axis=1)[:, -1]
        return added.reshape(n, p + 1)[:, :p], total


@dataclass(frozen=True)
class _Leaf:
    """One leaf: its value, its share of the rows, and the columns on its path.

    ``fits`` says per column which kinds of its bins are answered the leaf's way, ``share`` how many training rows are.
    """

    value: float
    whole_share: float
    fits: dict[int, BoolArray]
    share: dict[int, float]


def _cells(tree: Node, questions: Questions) -> TreeCells | None:
    """The cells of one tree; None when there are too many."""
    columns = tuple(sorted({split["split_feature"] for split in splits(tree)}))
    if not columns:
        value = float(tree["leaf_value"])
        return TreeCells((), (), np.array([value]), np.zeros((0, 1)), value)
    kinds: dict[int, Places] = {}
    for j in columns:
        answers = np.array([questions.goes_left(split) for split in splits(tree) if split["split_feature"] == j])
        kinds[j] = np.unique(answers, axis=1, return_inverse=True)[1].reshape(-1).astype(np.intp)
    sizes = [int(kinds[j].max()) + 1 for j in columns]
    if len(columns) > MOST_COLUMNS or prod(sizes) > MOST_CELLS:
        return None
    strides = [prod(sizes[i + 1 :]) for i in range(len(sizes))]
    in_cell = dict(zip(columns, np.indices(sizes).reshape(len(columns), -1), strict=True))
    values, expected = np.zeros(prod(sizes)), 0.0
    chosen = (np.arange(2 ** len(columns))[:, None] >> np.arange(len(columns))) & 1 == 1
    worth = np.zeros((len(chosen), len(values)))  # the value of the tree when only some columns are known
    for leaf in _leaves(tree, questions, kinds):
        known, left = np.ones(len(values), dtype=np.bool_), np.full(worth.shape, leaf.value)
        for place, j in enumerate(columns):
            if j in leaf.fits:
                fits = leaf.fits[j][in_cell[j]]
                known &= fits
                left *= np.where(chosen[:, place, None], fits, leaf.share[j])
        values[known] = leaf.value
        expected += leaf.value * leaf.whole_share
        worth += left
    steps = tuple(kinds[j] * stride for j, stride in zip(columns, strides, strict=True))
    # Not by matrix product, whose order of adding may change with the machine's library.
    parts = np.einsum("js,sc->jc", _weights(chosen), worth)
    return TreeCells(columns, steps, values, parts, expected)


def _weights(chosen: BoolArray) -> FloatArray:
    """How much the worth of each subset counts for each column, (m, 2^m): Shapley's weights."""
    m = chosen.shape[1]
    size = chosen.sum(axis=1)
    of_size = np.array([1.0 / (m * comb(m - 1, s)) for s in range(m)])
    return np.where(chosen.T, of_size[np.maximum(size - 1, 0)], -of_size[np.minimum(size, m - 1)])


def _leaves(tree: Node, questions: Questions, kinds: dict[int, Places]) -> list[_Leaf]:
    found: list[_Leaf] = []

    def go_down(node: Node, whole_share: float, fits: dict[int, BoolArray], share: dict[int, float]) -> None:
        if "split_feature" not in node:
            found.append(_Leaf(float(node["leaf_value"]), whole_share, fits, share))
            return
        j, left = node["split_feature"], questions.goes_left(node)
        answer = np.zeros(int(kinds[j].max()) + 1, dtype=np.bool_)
        answer[kinds[j]] = left
        for child, goes_there in ((node["left_child"], answer), (node["right_child"], ~answer)):
            part = _n_rows(child) / _n_rows(node)
            go_down(
                child,
                whole_share * part,
                fits | {j: fits.get(j, True) & goes_there},
                share | {j: share.get(j, 1.0) * part},
            )

    go_down(tree, 1.0, {}, {})
    return found


def _n_rows(node: Node) -> int:
    return int(node["internal_count"] if "split_feature" in node else node["leaf_count"])
