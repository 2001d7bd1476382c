"""VGG16's fc6 on a CPU by Winograd's F(4x4, 3x3): a quarter of the multiplications.

`winograd_kernels` has the arithmetic. Here threads take images one by one through the layers whose
images are large and whose kernels are small, then blocks of several images through the layers where
it is the other way round, so that what a thread works on stays in its caches. How the work is cut
changes no bit of the result.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from streetineq_assets.codes.encoders import winograd_kernels as kernels
from streetineq_assets.codes.encoders.vgg16 import weight_shapes
from streetineq_assets.codes.encoders.winograd_kernels import CACHE_LINE, COLUMNS, ROWS

ARITHMETIC = "winograd F(4x4,3x3)"
_SIDE, _CHANNELS = 224, 64  # of the images; of the first layer
# Rows of tiles, and images, in a block, by the side of a layer's images.
_BLOCKS = {224: (2, 1), 112: (4, 1), 56: (7, 1), 28: (7, 4), 14: (4, 8)}
_ALONE = 56  # of this side and more, images go through one by one
_MOST_IMAGES = 32  # at a time: more only fill memory
_COLUMNS_OF_BLOCK = 128  # of the last matrix

Weights = Callable[[str], Iterable[np.ndarray]]
_Block = tuple[int, int, int, int]


@dataclass(frozen=True)
class _Layer:
    """A convolution, its ReLU and the pooling after it.

    Attributes:
        kernels: transformed.
        side: of the images that come in, pixels.
        border: pixels of zeros around the images that go out, for the next convolution.
    """

    kernels: np.ndarray
    bias: np.ndarray
    side: int
    pool: bool
    border: int

    @property
    def n_out(self) -> int:
        return self.bias.size

    @property
    def n_in(self) -> int:
        return self.kernels.size // 36 // self.n_out

    @property
    def tiles(self) -> int:
        """Of 4 x 4 pixels, in a row, and rows of them."""
        return -(-self.side // 4)

    @property
    def width(self) -> int:
        """Of the images that go out, with their border and what fills up the next layer's tiles."""
        side = self.side // 2 if self.pool else self.side
        return 4 * -(-side // 4) + 2 if self.border else side

    def scratch(self, images: int, threads: int) -> int:
        """Numbers that a block has before or after its products, whichever are more."""
        first, last, top, bottom = next(self.blocks(images, threads))
        tiles = (last - first) * (bottom - top) * self.tiles
        return kernels.scratch_size(max(self.n_in, self.n_out), tiles)

    def outputs(self, images: int) -> np.ndarray:
        """Memory for what goes out."""
        return aligned(images * self.width**2 * self.n_out)

    def blocks(self, images: int, threads: int) -> Iterator[_Block]:
        """First and last image, first and last row of tiles: a block for each thread at least."""
        rows, together = _BLOCKS[self.side]
        together = max(1, min(together, images // threads))
        for image in range(0, images, together):
            for row in range(0, self.tiles, rows):
                yield image, min(image + together, images), row, min(row + rows, self.tiles)

    def convolve(self, x: np.ndarray, y: np.ndarray, scratch: "_Scratch", block: _Block) -> None:
        """A block, from where the layer before wrote it to where the next one takes it."""
        shape = (self.n_in, self.n_out, self.side, int(self.pool), self.width, self.border)
        kernels.convolve((x, y), (self.kernels, self.bias), scratch.tiles, shape, block)


class _Scratch(NamedTuple):
    """What one thread writes on.

    Attributes:
        tiles: of a block, before and after their products.
        image: one, in a border of zeros.
        line: of the first layer's result.
        outputs: of the first layer, and of those that follow it alone.
    """

    tiles: tuple[np.ndarray, np.ndarray]
    image: np.ndarray
    line: np.ndarray
    outputs: list[np.ndarray]


class WinogradVgg16:
    """The network with its weights: call it with images, get their codes.

    Calls by several threads take turns. A process that was forked can go on with it.
    """

    def __init__(self, weights: Weights, *, batch_size: int, threads: int) -> None:
        """Transform the weights, set memory aside.

        Args:
            weights: layer name to kernel and bias, for those of `vgg16.weight_shapes`.
            batch_size: images in a call at most.
            threads: that work at once.
        """
        first, *convolutions, dense = weight_shapes()
        self._images = min(batch_size, _MOST_IMAGES)
        self._threads, self._lock = threads, Lock()
        kernel, bias = weights(first)
        self._first = lay_out(kernel.reshape(27, -1)), aligned_copy(bias)
        layers = list(_layers(weights, convolutions, dense))
        self._alone = [layer for layer in layers if layer.side >= _ALONE]
        self._together = [layer for layer in layers if layer.side < _ALONE]
        matrix, bias = weights(dense)
        self._dense, self._width = (lay_out(matrix), aligned_copy(bias)), bias.size
        rows = _whole_rows(self._images)
        self._middle = self._alone[-1].outputs(self._images)
        self._outputs = [layer.outputs(rows) for layer in self._together]
        self._codes = aligned(rows * self._width)
        self._scratch: SimpleQueue[_Scratch] = SimpleQueue()
        for _ in range(threads):
            self._scratch.put(self._new_scratch())

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Codes (n, 4096) of images (n, 224, 224, 3) as `preprocess` makes them, float32."""
        codes = np.empty((len(images), self._width), np.float32)
        # Threads of its own for each call, since those of a parent do not live on in a child.
        with self._lock, ThreadPoolExecutor(self._threads) as pool:
            for start in range(0, len(images), self._images):
                part = images[start : start + self._images]
                codes[start : start + len(part)] = self._encode(part, pool)
        return codes

    def _encode(self, images: np.ndarray, pool: ThreadPoolExecutor) -> np.ndarray:
        n = len(images)
        _work(pool, lambda number: self._go_alone(images[number], number), range(n))
        x = self._middle
        for layer, y in zip(self._together, self._outputs, strict=True):
            blocks = layer.blocks(n, self._threads)
            _work(pool, partial(self._convolve, layer, x, y), blocks)
            x = y
        _work(pool, partial(self._multiply, n, x), range(0, self._width, _COLUMNS_OF_BLOCK))
        return self._codes.reshape(-1, self._width)[:n]

    def _go_alone(self, image: np.ndarray, number: int) -> None:
        """One image through the layers before those that take several together."""
        with self._own_scratch() as scratch:
            bordered = scratch.image[: (_SIDE + 2) ** 2 * 3].reshape(_SIDE + 2, _SIDE + 2, 3)
            bordered[1:-1, 1:-1] = image
            x, *outputs = scratch.outputs
            pair = scratch.image, x
            kernels.convolve_three(pair, self._first, scratch.line, _SIDE, _CHANNELS)
            size = self._middle.size // self._images
            outputs.append(self._middle[number * size : (number + 1) * size])
            for layer, y in zip(self._alone, outputs, strict=True):
                for block in layer.blocks(1, 1):
                    layer.convolve(x, y, scratch, block)
                x = y

    def _convolve(self, layer: _Layer, x: np.ndarray, y: np.ndarray, block: _Block) -> None:
        with self._own_scratch() as scratch:
            layer.convolve(x, y, scratch, block)

    def _multiply(self, n: int, x: np.ndarray, column: int) -> None:
        last = min(column + _COLUMNS_OF_BLOCK, self._width)
        shape = (_whole_rows(n), x.size // _whole_rows(self._images), self._width, column, last)
        kernels.multiply((x, self._codes), self._dense, shape)

    def _new_scratch(self) -> _Scratch:
        sizes = [layer.scratch(1, 1) for layer in self._alone]
        sizes += [layer.scratch(self._images, self._threads) for layer in self._together]
        first = aligned((_SIDE + 2) ** 2 * _CHANNELS)
        return _Scratch(
            tiles=(aligned(max(sizes)), aligned(max(sizes))),
            image=aligned((_SIDE + 2) ** 2 * 3 + 3 * ROWS),
            line=aligned((_SIDE + ROWS) * _CHANNELS),
            outputs=[first, *(layer.outputs(1) for layer in self._alone[:-1])],
        )

    @contextmanager
    def _own_scratch(self) -> Generator[_Scratch]:
        scratch = self._scratch.get()
        try:
            yield scratch
        finally:
            self._scratch.put(scratch)


def _layers(weights: Weights, names: list[str], dense: str) -> Iterator[_Layer]:
    side = _SIDE
    for name, following in zip(names, [*names[1:], dense], strict=True):
        pool = name.split("_")[0] != following.split("_")[0]
        kernel, bias = weights(name)
        border = 0 if following == dense else 1
        yield _Layer(spread_kernel(kernel), aligned_copy(bias), side, pool, border)
        side = side // 2 if pool else side


def _whole_rows(images: int) -> int:
    """Rows of a product for so many images: its last ones may be left over from other images."""
    return -(-images // ROWS) * ROWS


def _work(pool: ThreadPoolExecutor, task: Callable[[Any], None], parts: Iterable[Any]) -> None:
    """Do all parts; the first error is raised."""
    for _ in pool.map(task, parts):
        pass


# -- numbers ---------------------------------------------------------------------------------------


def aligned(size: int) -> np.ndarray:
    """Zeros (size,), float32, from the start of a cache line, so that no vector lies in two."""
    numbers = np.zeros(size + CACHE_LINE, np.float32)
    first = -(numbers.ctypes.data // 4) % CACHE_LINE
    return numbers[first : first + size]


def aligned_copy(numbers: np.ndarray) -> np.ndarray:
    """The numbers, flat."""
    copy = aligned(numbers.size)
    copy.reshape(numbers.shape)[:] = numbers
    return copy


_SPREAD_KERNEL = (
    np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
)


def spread_kernel(kernel: np.ndarray) -> np.ndarray:
    """The transform of a kernel, in double precision until it is done.

    Args:
        kernel: (3, 3, n_in, n_out), n_out a multiple of `COLUMNS`.

    Returns:
        36 matrices (n_in, n_out), each as `lay_out` makes it.
    """
    down = _spread_axis(kernel.astype(np.float64))
    across = _spread_axis(down.swapaxes(0, 1))  # (6 across, 6 down, n_in, n_out)
    matrices = across.swapaxes(0, 1).reshape(36, *kernel.shape[2:])
    return aligned_copy(np.stack([lay_out(matrix) for matrix in matrices]))


def _spread_axis(kernel: np.ndarray) -> np.ndarray:
    """Written out, since products of matrices round in an order of the machine's."""
    a, b, c = kernel
    return np.stack([x * a + y * b + z * c for x, y, z in _SPREAD_KERNEL])


def lay_out(matrix: np.ndarray) -> np.ndarray:
    """(depth, width) -> panels of `COLUMNS` columns, one after another, each row by row."""
    depth, width = matrix.shape
    return aligned_copy(matrix.reshape(depth, width // COLUMNS, COLUMNS).transpose(1, 0, 2))
