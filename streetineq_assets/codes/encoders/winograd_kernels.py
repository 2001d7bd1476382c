"""Machine code for 3 x 3 convolutions by Winograd's F(4x4, 3x3), made by Numba for this processor.

Lavin and Gray 2016, "Fast algorithms for convolutional neural networks": a tile of 4 x 4 pixels
takes 36 multiplications for each pair of channels, where the definition takes 144. Tiles of 6 x 6
pixels of the input, overlapping by two, are spread to 36 numbers by a transform; for each of the
36, the tiles' channels are multiplied by a matrix, the kernel's transform; a third transform
collects the products.

The innermost steps are written in LLVM's language on vectors of channels, since a compiler that
looks for vectors by itself finds them for some shapes and not for others. So the order of every sum
and every rounding is fixed, and a value depends neither on the processor's vectors, nor on where
its tile stands in a block, nor on threads. Products of matrices are written out for the same
reason: some of OpenBLAS's round a row by its place, all are slower at these shapes, and their
number of threads is a setting of the whole process.

All arrays are flat and float32, and begin with a cache line. This is one file because Numba's cache
on disk knows code by its file's time and size. Importing it raises ImportError where this would be
slower than TensorFlow.
"""

import pickle
import platform
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import config, njit, types
from numba.core import cgutils
from numba.core.errors import NumbaError
from numba.extending import intrinsic

ROWS = 6  # of a product that are summed at once in the processor's registers
CACHE_LINE = 16  # floats
_FLOAT, _INT = ir.FloatType(), ir.IntType(64)


def features() -> set[str]:
    """What Numba compiles for, as LLVM names it, such as `avx2`; of the host, unless it is told."""
    if config.CPU_FEATURES is None:
        return {name for name, there in get_host_cpu_features().items() if there}
    return {name[1:] for name in config.CPU_FEATURES.split(",") if name.startswith("+")}


if config.DISABLE_JIT:
    raise ImportError("NUMBA_DISABLE_JIT is set, so that it makes no machine code")
if platform.machine() in ("x86_64", "AMD64") and "fma" not in features():
    raise ImportError("the processor does not multiply and add in one instruction")


def _registers() -> tuple[int, int]:
    """Floats in a vector, and vectors side by side, of which `ROWS` rows fill the registers."""
    if "avx512f" in features():
        return 16, 4
    return (8, 2) if "avx2" in features() else (4, 4)


LANES, _VECTORS = _registers()
COLUMNS = LANES * _VECTORS  # of a product that are summed at once


def scratch_size(channels: int, tiles: int) -> int:
    """Numbers that `convolve` keeps of a block of tiles, before or after its products."""
    return 36 * _step(tiles, channels)


def _step(tiles: int, channels: int) -> int:
    # One line more than needed: at a power of two, the 36 would share a few places in the cache.
    return (tiles + ROWS - 1) // ROWS * ROWS * channels + CACHE_LINE


# -- vectors, in LLVM's language -----------------------------------------------------------------


class _Vectors:
    """Arithmetic on vectors of `LANES` floats."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder
        self.type = ir.VectorType(_FLOAT, LANES)
        name, shape = f"llvm.fma.v{LANES}f32", ir.FunctionType(self.type, [self.type] * 3)
        self._fma = cgutils.get_or_insert_function(builder.module, shape, name)
        self.add, self.subtract = builder.fadd, builder.fsub

    def at(self, pointer: Any, place: Any, times: int = 1) -> Any:
        """The pointer moved on by so many floats."""
        place = _whole(place) if isinstance(place, int) else place
        return self.builder.gep(pointer, [self.builder.mul(place, _whole(times))])

    def load(self, pointer: Any) -> Any:
        loaded = self.builder.load(self.builder.bitcast(pointer, self.type.as_pointer()))
        loaded.align = 4
        return loaded

    def store(self, value: Any, pointer: Any) -> None:
        target = self.builder.bitcast(pointer, self.type.as_pointer())
        self.builder.store(value, target).align = 4

    def number(self, value: float) -> Any:
        return ir.Constant(self.type, [value] * LANES)

    def everywhere(self, value: Any) -> Any:
        """One float in all lanes."""
        nothing, places = ir.Constant(self.type, ir.Undefined), ir.VectorType(ir.IntType(32), LANES)
        only = self.builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
        return self.builder.shuffle_vector(only, nothing, ir.Constant(places, [0] * LANES))

    def plus_product(self, a: Any, factor: Any, b: Any) -> Any:
        """`a + factor * b`, rounded once."""
        factor = self.number(factor) if isinstance(factor, int) else factor
        return self.builder.call(self._fma, [factor, b, a])

    def larger(self, a: Any, b: Any) -> Any:
        """The larger of two; the first where one is not a number."""
        return self.builder.select(self.builder.fcmp_ordered("<", a, b), b, a)


def _whole(number: int) -> Any:
    return ir.Constant(_INT, number)


def _instruction(write: Callable[..., None]) -> Any:
    """Make a function for the loops below, of a tuple of arrays and a tuple of whole numbers.

    Args:
        write: writes its code; takes `_Vectors`, a pointer to each array's first number, and the
            list of whole numbers.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays, numbers = (cgutils.unpack_tuple(builder, argument) for argument in arguments)
        kinds = zip(signature.args[0], arrays, strict=True)
        pointers = [context.make_array(kind)(context, builder, array).data for kind, array in kinds]
        write(_Vectors(builder), *pointers, numbers)
        return context.get_dummy_value()

    def typed(_: Any, arrays: Any, numbers: Any) -> Any:
        return types.void(arrays, numbers), generate

    return intrinsic(typed)


def _spread(v: _Vectors, six: Sequence[Any]) -> list[Any]:
    """The transform of the input, along one side of a tile."""
    a, b, c, d, e, f = six
    odd, even = v.plus_product(d, -4, b), v.plus_product(e, -4, c)
    far_odd, far_even = v.subtract(d, b), v.subtract(e, c)
    return [
        v.plus_product(v.plus_product(e, -5, c), 4, a),
        v.add(even, odd),
        v.subtract(even, odd),
        v.plus_product(far_even, 2, far_odd),
        v.plus_product(far_even, -2, far_odd),
        v.plus_product(v.plus_product(f, -5, d), 4, b),
    ]


def _collect(v: _Vectors, six: Sequence[Any]) -> list[Any]:
    """The transform of the products, along one side of a tile."""
    a, b, c, d, e, f = six
    even, odd = v.add(b, c), v.subtract(b, c)
    far_even, far_odd = v.add(d, e), v.subtract(d, e)
    return [
        v.add(v.add(a, even), far_even),
        v.plus_product(odd, 2, far_odd),
        v.plus_product(even, 4, far_even),
        v.add(v.plus_product(odd, 8, far_odd), f),
    ]


@_instruction
def _spread_tile(v: _Vectors, x: Any, spread: Any, numbers: list[Any]) -> None:
    """`LANES` channels of 6 x 6 pixels to 36 numbers."""
    start, row, column, place, step = numbers
    pixel, target = v.at(x, start), v.at(spread, place)
    columns = []
    for j in range(6):
        top = v.at(pixel, column, j)
        columns.append(_spread(v, [v.load(v.at(top, row, i)) for i in range(6)]))
    for i in range(6):
        for j, value in enumerate(_spread(v, [each[i] for each in columns])):
            v.store(value, v.at(target, step, 6 * i + j))


def _collect_tile(*, pool: bool) -> Callable[..., None]:
    """`LANES` channels of 36 products to pixels, with bias and ReLU, as far as the picture goes."""

    def write(v: _Vectors, products: Any, bias: Any, y: Any, numbers: list[Any]) -> None:
        place, step, channel, start, row, column, n_rows, n_columns = numbers
        first, target, added = v.at(products, place), v.at(y, start), v.load(v.at(bias, channel))
        columns = [
            _collect(v, [v.load(v.at(first, step, 6 * i + j)) for i in range(6)]) for j in range(6)
        ]
        tile = [_collect(v, [each[i] for each in columns]) for i in range(4)]
        for i, values in enumerate(_pooled(v, tile) if pool else tile):
            for j, value in enumerate(values):
                down = v.builder.icmp_signed(">", n_rows, _whole(i))
                across = v.builder.icmp_signed(">", n_columns, _whole(j))
                with v.builder.if_then(v.builder.and_(down, across), likely=True):
                    rectified = v.larger(v.add(value, added), v.number(0))
                    v.store(rectified, v.at(v.at(target, row, i), column, j))

    return write


def _pooled(v: _Vectors, tile: list[list[Any]]) -> list[list[Any]]:
    rows = [[v.larger(a, b) for a, b in zip(tile[i], tile[i + 1], strict=True)] for i in (0, 2)]
    return [[v.larger(*row[:2]), v.larger(*row[2:])] for row in rows]


_collect_whole = _instruction(_collect_tile(pool=False))
_collect_pooled = _instruction(_collect_tile(pool=True))


@_instruction
def _add_product(v: _Vectors, a: Any, panel: Any, c: Any, numbers: list[Any]) -> None:
    """c += a @ panel, of `ROWS` rows, or c = a @ panel where `keep` is 0."""
    a_start, a_step, panel_start, depth, c_start, c_step, keep = numbers
    a, panel, c = v.at(a, a_start), v.at(panel, panel_start), v.at(c, c_start)
    places = [(row, i) for row in range(ROWS) for i in range(_VECTORS)]
    sums = {place: cgutils.alloca_once(v.builder, v.type) for place in places}
    targets = {(row, i): v.at(v.at(c, c_step, row), LANES * i) for row, i in places}
    for total in sums.values():
        v.builder.store(v.number(0), total)
    with cgutils.for_range(v.builder, depth) as loop:
        line = v.at(panel, loop.index, COLUMNS)
        others = [v.load(v.at(line, LANES * i)) for i in range(_VECTORS)]
        pixels = [v.builder.load(v.at(v.at(a, a_step, row), loop.index)) for row in range(ROWS)]
        factors = [v.everywhere(pixel) for pixel in pixels]
        for (row, i), total in sums.items():
            product = v.plus_product(v.builder.load(total), factors[row], others[i])
            v.builder.store(product, total)
    with v.builder.if_then(v.builder.icmp_signed("!=", keep, _whole(0))):
        for place, total in sums.items():
            v.builder.store(v.add(v.load(targets[place]), v.builder.load(total)), total)
    for place, total in sums.items():
        v.store(v.builder.load(total), targets[place])


# -- loops ---------------------------------------------------------------------------------------

_NUMBERS = types.float32[::1]
_PAIR = types.UniTuple(_NUMBERS, 2)
_USELESS_CACHE = (RuntimeError, OSError, EOFError, pickle.UnpicklingError)
_Pair = tuple[np.ndarray, np.ndarray]
_ZERO = np.float32(0)


def _wholes(count: int) -> Any:
    return types.UniTuple(types.intp, count)


def _compiled(*kinds: Any) -> Callable[[Callable[..., None]], Any]:
    """Compile for such arguments, or take the code from Numba's cache on disk.

    Where that cannot be used (nowhere to write, a full disk, a damaged file) it compiles anew.

    Raises:
        ImportError: this version of Numba cannot compile it.
    """
    signature = types.void(*kinds)

    def compile_(function: Callable[..., None]) -> Any:
        try:
            return njit(signature, nogil=True, cache=True)(function)
        except _USELESS_CACHE:
            pass
        except NumbaError as error:
            raise ImportError(f"it does not compile: {error}") from error
        return njit(signature, nogil=True)(function)

    return compile_


_step_of = njit(_step)


@_compiled(_NUMBERS, _NUMBERS, types.intp, types.intp, _wholes(4))
def _spread_block(x: Any, spread: Any, n_in: int, side: int, block: Any) -> None:
    first_image, last_image, first_row, last_row = block
    tiles = (side + 3) // 4
    width = 4 * tiles + 2
    step = _step_of((last_image - first_image) * (last_row - first_row) * tiles, n_in)
    place = 0
    for image in range(first_image, last_image):
        for row in range(first_row, last_row):
            for tile in range(tiles):
                start = ((image * width + 4 * row) * width + 4 * tile) * n_in
                for c in range(0, n_in, LANES):
                    _spread_tile((x, spread), (start + c, width * n_in, n_in, place + c, step))
                place += n_in


@_compiled(_PAIR, _NUMBERS, types.intp, types.intp, types.intp)
def _multiply_block(scratch: _Pair, matrices: Any, n_in: int, n_out: int, tiles: int) -> None:
    spread, products = scratch
    in_step, out_step = _step_of(tiles, n_in), _step_of(tiles, n_out)
    for matrix in range(36):
        for column in range(0, n_out, COLUMNS):
            panel = (matrix * n_out + column) * n_in
            for row in range(0, tiles, ROWS):
                a, c = matrix * in_step + row * n_in, matrix * out_step + row * n_out + column
                _add_product((spread, matrices, products), (a, n_in, panel, n_in, c, n_out, 0))


@_compiled(_NUMBERS, _NUMBERS, _NUMBERS, _wholes(5), _wholes(4))
def _collect_block(products: Any, bias: Any, y: Any, shape: Any, block: Any) -> None:
    n_out, side, pool, width, border = shape
    first_image, last_image, first_row, last_row = block
    tiles = (side + 3) // 4
    step = _step_of((last_image - first_image) * (last_row - first_row) * tiles, n_out)
    size, side_out = (2, side // 2) if pool else (4, side)
    line, place = width * n_out, 0
    for image in range(first_image, last_image):
        for row in range(first_row, last_row):
            down = size * row
            for tile in range(tiles):
                across = size * tile
                start = ((image * width + border + down) * width + border + across) * n_out
                left = (side_out - down, side_out - across)
                for c in range(0, n_out, LANES):
                    where = (place + c, step, c, start + c, line, n_out, *left)
                    if pool:
                        _collect_pooled((products, bias, y), where)
                    else:
                        _collect_whole((products, bias, y), where)
                place += n_out


@_compiled(_PAIR, _PAIR, _PAIR, _wholes(6), _wholes(4))
def convolve(images: _Pair, weights: _Pair, scratch: _Pair, shape: Any, block: Any) -> None:
    """A 3 x 3 convolution with its bias, its ReLU and the max pooling after it, of some tiles.

    Args:
        images: what goes in (n, 4 * tiles + 2, 4 * tiles + 2, n_in), of zeros in a border of one
            pixel and beyond the picture; and what comes out (n, width, width, n_out), written
            from pixel (border, border) on, as far as the picture goes.
        weights: as `spread_kernel` makes them, and the bias (n_out,).
        scratch: of `scratch_size`, before and after the products.
        shape: n_in, n_out, side of what goes in, 1 for pooling, width, border.
        block: first and last image, first and last row of tiles, the last ones left out.
    """
    n_in, n_out, side, pool, width, border = shape
    tiles = (block[1] - block[0]) * (block[3] - block[2]) * ((side + 3) // 4)
    _spread_block(images[0], scratch[0], n_in, side, block)
    _multiply_block(scratch, weights[0], n_in, n_out, tiles)
    _collect_block(scratch[1], weights[1], images[1], (n_out, side, pool, width, border), block)


@_compiled(_PAIR, _PAIR, _NUMBERS, types.intp, types.intp)
def convolve_three(images: _Pair, weights: _Pair, line: Any, side: int, n_out: int) -> None:
    """A 3 x 3 convolution of three channels, its bias and its ReLU, by the definition.

    Args:
        images: what goes in (side + 2, side + 2, 3), of zeros in a border of one pixel, and
            `3 * ROWS` numbers more; what comes out (side + 2, side + 2, n_out), in such a border.
        weights: (27, n_out) as `lay_out` makes it, and the bias (n_out,).
        line: scratch (side + ROWS, n_out).
    """
    (x, y), (matrix, bias) = images, weights
    for row in range(side):
        for column in range(0, n_out, COLUMNS):
            for pixel in range(0, side, ROWS):
                for i in range(3):  # the three pixels of a kernel's row lie side by side
                    a, panel = ((row + i) * (side + 2) + pixel) * 3, (3 * column + i * COLUMNS) * 9
                    c = pixel * n_out + column
                    _add_product((x, matrix, line), (a, 3, panel, 9, c, n_out, i))
        start = ((row + 1) * (side + 2) + 1) * n_out
        for pixel in range(0, side * n_out, n_out):
            for c in range(n_out):
                y[start + pixel + c] = max(line[pixel + c] + bias[c], _ZERO)


_DEPTH = 512  # rows of a matrix that are summed in one go: 25,088 would lose digits


@_compiled(_PAIR, _PAIR, _wholes(5))
def multiply(matrices: _Pair, weights: _Pair, shape: Any) -> None:
    """Some columns of a product with its bias.

    Args:
        matrices: what goes in (rows, depth), and what comes out (rows, width).
        weights: (depth, width) as `lay_out` makes it, and the bias (width,).
        shape: rows, a multiple of `ROWS`; depth; width; first and last column, multiples of
            `COLUMNS`, the last one left out.
    """
    (a, c), (matrix, bias) = matrices, weights
    rows, depth, width, first, last = shape
    for column in range(first, last, COLUMNS):
        for row in range(rows):
            for i in range(column, column + COLUMNS):
                c[row * width + i] = bias[i]
        for k in range(0, depth, _DEPTH):
            n, panel = min(_DEPTH, depth - k), column * depth + k * COLUMNS
            for row in range(0, rows, ROWS):
                where = (row * depth + k, depth, panel, n, row * width + column, width, 1)
                _add_product((a, matrix, c), where)
