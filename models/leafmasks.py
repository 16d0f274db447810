r"""The sum of trees of up to 32 leaves, several times faster than walking down them, to the same bits.

Every answer to a split rules out the leaves on its other side. With a bit for each leaf, the answers of one column are a
mask per bin, and the one leaf that no column rules out is where the row ends (after QuickScorer: Lucchese et al. 2015,
SIGIR, p. 73):

.. math:: m_t(x) = \bigwedge_j M_{tj}[\mathrm{bin}_j(x_j)], \qquad F(x) = \sum_t v_t[m_t(x)]

No step depends on the one before, so nothing waits for memory or a guessed branch, and numpy does it for thousands of
rows in a call. The values are added tree by tree, as LightGBM adds them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.arrays import FloatArray
from models.lookup import Work
from models.treebins import ROWS, Node, Questions, n_leaves, splits

Mask = npt.NDArray[np.uint32]
MOST_LEAVES = 32
# One bit times this number has its place in the upper five bits (Leiserson, Prokop and Randall 1998).
DE_BRUIJN, UPPER = np.uint32(0x077CB531), np.uint32(27)


@dataclass(frozen=True)
class LeafMasks:
    """Masks of each tree and the values of its leaves.

    Attributes
    ----------
    masks : per tree, for each column it asks about, (c_j + 2,)
    values : (trees, 32) by the upper bits of a mask times :data:`DE_BRUIJN`
    """

    questions: Questions
    masks: tuple[dict[int, Mask], ...]
    values: FloatArray

    @classmethod
    def of(cls, questions: Questions) -> LeafMasks | None:
        """Masks of all trees; None when one has too many leaves."""
        if any(n_leaves(tree) > MOST_LEAVES for tree in questions.trees):
            return None
        masks, values = [], np.zeros((len(questions.trees), 32))
        for tree, row in zip(questions.trees, values, strict=True):
            leaves: list[float] = []
            _number(tree, leaves)
            bits = np.uint32(1) << np.arange(len(leaves), dtype=np.uint32)
            row[(bits * DE_BRUIJN) >> UPPER] = leaves
            masks.append(_masks(tree, questions, (1 << len(leaves)) - 1))
        return cls(questions, tuple(masks), values)

    def score(self, matrix: FloatArray) -> FloatArray:
        """Sum of the trees, (n,), for rows (n, p)."""
        out = np.zeros(len(matrix))
        work = _Work(min(len(matrix), ROWS))
        for a in range(0, len(matrix), ROWS):
            self._add(matrix[a : a + ROWS], out[a : a + ROWS], work)
        return out

    def _add(self, matrix: FloatArray, total: FloatArray, work: _Work) -> None:
        n = len(total)
        bins = self.questions.bins(matrix.T, work.lookup)
        left, mask, place, value = work.left[:n], work.mask[:n], work.place[:n], work.value[:n]
        for masks, values in zip(self.masks, self.values, strict=True):
            if not masks:  # a single leaf: its bit is the lowest
                np.add(total, values[DE_BRUIJN >> UPPER], out=total)
                continue
            (first, table), *others = masks.items()
            np.take(table, bins[first], out=left, mode="clip")
            for column, table in others:
                np.take(table, bins[column], out=mask, mode="clip")
                np.bitwise_and(left, mask, out=left)
            np.multiply(left, DE_BRUIJN, out=left)
            np.right_shift(left, UPPER, out=left)
            place[:] = left
            np.take(values, place, out=value, mode="clip")
            np.add(total, value, out=total)


class _Work:
    """Memory for one portion of rows, used again and again."""

    def __init__(self, n: int) -> None:
        self.lookup = Work(n)
        self.left, self.mask = np.empty(n, dtype=np.uint32), np.empty(n, dtype=np.uint32)
        self.place, self.value = np.empty(n, dtype=np.intp), np.empty(n)


def _number(node: Node, leaves: list[float]) -> int:
    """Give each leaf below a node its number, and each split the bits of the leaves on either side; all bits below."""
    if "split_feature" not in node:
        leaves.append(float(node["leaf_value"]))
        return 1 << (len(leaves) - 1)
    node["left_bits"] = _number(node["left_child"], leaves)
    node["right_bits"] = _number(node["right_child"], leaves)
    below: int = node["left_bits"] | node["right_bits"]
    return below


def _masks(tree: Node, questions: Questions, every: int) -> dict[int, Mask]:
    made: dict[int, Mask] = {}
    for split in splits(tree):
        kept = np.where(questions.goes_left(split), every & ~split["right_bits"], every & ~split["left_bits"])
        column, mask = split["split_feature"], kept.astype(np.uint32)
        made[column] = made[column] & mask if column in made else mask
    return made
