"""The two kernels in Triton: one launch runs all steps of a layer, forward or backward.

A program owns UNITS hidden units of ROWS sequences. Its rows of U stay on the chip for all steps, its
cells in registers in float32. Four columns belong to a unit and lie side by side, 4u to 4u + 3:
i, f, g, o of an LSTM; r, z, n, q of a GRU, whose product with h has a zero column at n, and whose
product with x one at q. So one product and one tile serve both. A GRU's "cell" is its h in float32.

Traps: :func:`four` splits by the lowest bit of the gate first, so i and g come out together. K of a
product with ``tl.dot`` is at least 16. Loads of another program's numbers stand after the wait and
by-pass the first-level cache; the launch sets ``num_stages=1``, as a pipeline would move them before it.
"""

import triton
import triton.language as tl


@triton.jit
def tanh(x):
    """Through exp of a number that is never positive, so that nothing overflows."""
    e = tl.exp(-2.0 * tl.abs(x))
    size = (1.0 - e) / (1.0 + e)
    return tl.where(x < 0, -size, size)


@triton.jit
def four(tile, ROWS: tl.constexpr, UNITS: tl.constexpr):
    """The four gates of a tile (ROWS, 4 UNITS), each (ROWS, UNITS)."""
    even, odd = tl.split(tl.reshape(tile, (ROWS, UNITS, 2, 2)))
    first, third = tl.split(even)
    second, fourth = tl.split(odd)
    return first, second, third, fourth


@triton.jit
def joined(first, second, third, fourth, ROWS: tl.constexpr, UNITS: tl.constexpr):
    """The inverse of :func:`four`."""
    pairs = tl.join(tl.join(first, third), tl.join(second, fourth))
    return tl.reshape(pairs, (ROWS, 4 * UNITS))


@triton.jit
def product(
    of_others,
    u,
    k,
    rows,
    batch,
    WIDTH: tl.constexpr,
    SPLIT: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    PART: tl.constexpr,
    CHUNKS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Rows of a matrix (B, WIDTH) that all programs wrote, times u: each warp a part of the sum.

    They pass through shared memory. Several chunks do so one after the other, through the same place, as
    a cast stands between load and product: without it the compiler gives each a place of its own.
    """
    BITS: tl.constexpr = tl.int32 if of_others.dtype.element_ty == tl.float32 else tl.int16
    found = ()
    for chunk in tl.static_range(CHUNKS):
        part = k + chunk * SPLIT * PART
        at = of_others + rows[None, :, None] * WIDTH + part[:, None, :]
        inside = (rows[None, :, None] < batch) & (part[:, None, :] < WIDTH)
        if CHUNKS > 1:
            bits = at.to(tl.pointer_type(BITS), bitcast=True)
            found += (tl.load(bits, mask=inside, other=0, cache_modifier=".cg"),)
        else:
            found += (tl.load(at, mask=inside, other=0.0, cache_modifier=".cg"),)
    total = tl.zeros((SPLIT, ROWS, COLUMNS), tl.float32)
    for chunk in tl.static_range(CHUNKS):
        others = found[chunk].to(of_others.dtype.element_ty, bitcast=True)
        total = tl.dot(others, u[chunk], acc=total, input_precision=PRECISION)
    return tl.sum(total, axis=0)


@triton.jit
def arrive(flag):
    """After all stores of this program: one more of its group has written its part."""
    tl.debug_barrier()
    tl.atomic_add(flag, 1, sem="release", scope="gpu")


@triton.jit
def wait(flag, target, limit):
    """Until `target` arrivals are seen, at most `limit` looks: whether they were."""
    seen = tl.atomic_add(flag, 0, sem="acquire", scope="gpu")
    looks = 0
    while (seen < target) & (looks < limit):
        seen = tl.atomic_add(flag, 0, sem="acquire", scope="gpu")
        looks += 1
    return seen >= target


@triton.jit(do_not_specialize=["start", "stop", "steps", "batch", "limit"])
def forward_kernel(
    gates,
    weight,
    hidden,
    cells,
    lengths,
    flags,
    fault,
    start,
    stop,
    steps,
    batch,
    limit,
    KIND: tl.constexpr,
    H: tl.constexpr,
    SLICES: tl.constexpr,
    UNITS: tl.constexpr,
    ROWS: tl.constexpr,
    SPLIT: tl.constexpr,
    PART: tl.constexpr,
    CHUNKS: tl.constexpr,
    PRECISION: tl.constexpr,
    BARRIER: tl.constexpr,
):
    """Steps `start` to `stop`: gates (D, T, B, 4H) hold W x + b and end as the activated gates.

    hidden and cells (D, T + 1, B, H) hold the initial states in slot 0; weight is U (D, 4H, H).
    """
    tile, direction = tl.program_id(1), tl.program_id(2).to(tl.int64)
    rows = tile * ROWS + tl.arange(0, ROWS)
    units = tl.program_id(0) * UNITS + tl.arange(0, UNITS)
    columns = tl.program_id(0) * 4 * UNITS + tl.arange(0, 4 * UNITS)
    flag = flags + direction * tl.num_programs(1) + tile
    length = tl.load(lengths + rows, mask=rows < batch, other=0)

    of_state = rows[:, None] * H + units[None, :]
    of_gates = rows[:, None] * (4 * H) + columns[None, :]
    in_state = (rows[:, None] < batch) & (units[None, :] < H)
    in_gates = (rows[:, None] < batch) & (columns[None, :] < 4 * H)
    gates += (direction * steps + start) * (batch * 4 * H)
    hidden += (direction * (steps + 1) + start) * (batch * H)
    cells += (direction * (steps + 1) + start) * (batch * H)
    weight += direction * (4 * H * H)

    if SLICES == 1:
        k = tl.arange(0, UNITS)
        u = tl.load(
            weight + k[:, None] + columns[None, :] * H,
            mask=(k[:, None] < H) & (columns[None, :] < 4 * H),
            other=0.0,
        )
    else:
        k = tl.arange(0, SPLIT)[:, None] * PART + tl.arange(0, PART)[None, :]
        u = ()
        for chunk in tl.static_range(CHUNKS):
            part = k + chunk * SPLIT * PART
            u += (
                tl.load(
                    weight + part[:, :, None] + columns[None, None, :] * H,
                    mask=(part[:, :, None] < H) & (columns[None, None, :] < 4 * H),
                    other=0.0,
                ),
            )

    c = tl.load(cells + of_state, mask=in_state, other=0.0)
    h = tl.load(hidden + of_state, mask=in_state, other=0.0)
    # the candidate of an LSTM is a tanh; sigmoid(a) = (1 + tanh(a / 2)) / 2
    is_tanh = (columns % 4 == 2)[None, :]
    poison = 0.0
    for t in range(start, stop):
        from_x = tl.load(gates + of_gates, mask=in_gates, other=0.0).to(tl.float32)
        if SLICES == 1:
            a = tl.dot(h, u, acc=from_x, input_precision=PRECISION)
        else:
            if BARRIER:
                arrived = wait(flag, SLICES * (t - start), limit)
                tl.store(fault, 1, mask=arrived == 0)
                limit = tl.where(arrived, limit, 0)
                poison = tl.where(arrived, poison, float("nan"))
            a = from_x + product(
                hidden, u, k, rows, batch, H, SPLIT, ROWS, 4 * UNITS, PART, CHUNKS, PRECISION
            )
        if KIND == "LSTM":
            y = tanh(tl.where(is_tanh, a, 0.5 * a))
            active = tl.where(is_tanh, y, 0.5 + 0.5 * y)
            i, f, g, o = four(active, ROWS, UNITS)
            new_c = f * c + i * g + poison
            new_h = o * tanh(new_c)
        else:
            r, z, from_x_n, q = four(a, ROWS, UNITS)
            r = 0.5 + 0.5 * tanh(0.5 * r)
            z = 0.5 + 0.5 * tanh(0.5 * z)
            n = tanh(from_x_n + r * q)
            active = joined(r, z, n, q, ROWS, UNITS)
            new_c = (1.0 - z) * n + z * c + poison
            new_h = new_c
        alive = (t < length)[:, None]
        c = tl.where(alive, new_c, c)
        h = tl.where(alive, new_h.to(h.dtype), h)
        tl.store(gates + of_gates, active.to(gates.dtype.element_ty), mask=in_gates)
        gates += batch * 4 * H
        cells += batch * H
        hidden += batch * H
        tl.store(cells + of_state, c, mask=in_state)
        tl.store(hidden + of_state, h, mask=in_state)
        if BARRIER:
            arrive(flag)


@triton.jit(do_not_specialize=["start", "stop", "steps", "batch", "limit"])
def backward_kernel(
    gates,
    weight,
    cells,
    d_output,
    d_final,
    d_carry,
    d_gates,
    lengths,
    flags,
    fault,
    start,
    stop,
    steps,
    batch,
    limit,
    KIND: tl.constexpr,
    H: tl.constexpr,
    SLICES: tl.constexpr,
    UNITS: tl.constexpr,
    ROWS: tl.constexpr,
    SPLIT: tl.constexpr,
    PART: tl.constexpr,
    CHUNKS: tl.constexpr,
    PRECISION: tl.constexpr,
    BARRIER: tl.constexpr,
):
    """Steps `stop` - 1 down to `start`: d_gates (D, T + 1, B, 4H), slot T zero, from the forward pass's buffers.

    d_output (D, T, B, H) and d_final (D, B, H) are the derivatives by the outputs and by the last h.
    d_carry (D, B, H) holds what goes from step to step without a product: the derivative by c, or a
    GRU's by h through z.
    """
    tile, direction = tl.program_id(1), tl.program_id(2).to(tl.int64)
    rows = tile * ROWS + tl.arange(0, ROWS)
    units = tl.program_id(0) * UNITS + tl.arange(0, UNITS)
    columns = tl.program_id(0) * 4 * UNITS + tl.arange(0, 4 * UNITS)
    flag = flags + direction * tl.num_programs(1) + tile
    length = tl.load(lengths + rows, mask=rows < batch, other=0)

    of_state = rows[:, None] * H + units[None, :]
    of_gates = rows[:, None] * (4 * H) + columns[None, :]
    in_state = (rows[:, None] < batch) & (units[None, :] < H)
    in_gates = (rows[:, None] < batch) & (columns[None, :] < 4 * H)
    gates += (direction * steps + stop) * (batch * 4 * H)
    d_gates += (direction * (steps + 1) + stop) * (batch * 4 * H)
    cells += (direction * (steps + 1) + stop) * (batch * H)
    d_output += (direction * steps + stop) * (batch * H)
    d_final += direction * (batch * H)
    d_carry += direction * (batch * H)
    weight += direction * (4 * H * H)

    if SLICES == 1:
        u = tl.load(
            weight + columns[:, None] * H + units[None, :],
            mask=(columns[:, None] < 4 * H) & (units[None, :] < H),
            other=0.0,
        )
    else:
        k = tl.arange(0, SPLIT)[:, None] * PART + tl.arange(0, PART)[None, :]
        u = ()
        for chunk in tl.static_range(CHUNKS):
            part = k + chunk * SPLIT * PART
            u += (
                tl.load(
                    weight + part[:, :, None] * H + units[None, None, :],
                    mask=(part[:, :, None] < 4 * H) & (units[None, None, :] < H),
                    other=0.0,
                ),
            )

    by_final = tl.load(d_final + of_state, mask=in_state, other=0.0).to(tl.float32)
    carry = tl.load(d_carry + of_state, mask=in_state, other=0.0)
    da = tl.load(d_gates + of_gates, mask=in_gates, other=0.0)
    c = tl.load(cells + of_state, mask=in_state, other=0.0)
    poison = 0.0
    for past in range(0, stop - start):
        t = stop - 1 - past
        gates -= batch * 4 * H
        cells -= batch * H
        d_output -= batch * H
        active = tl.load(gates + of_gates, mask=in_gates, other=0.0).to(tl.float32)
        before = tl.load(cells + of_state, mask=in_state, other=0.0)
        dh = tl.load(d_output + of_state, mask=in_state, other=0.0).to(tl.float32)
        dh += tl.where((t == length - 1)[:, None], by_final, 0.0)
        if SLICES == 1:
            dh = tl.dot(da, u, acc=dh, input_precision=PRECISION)
        else:
            if BARRIER:
                arrived = wait(flag, SLICES * past, limit)
                tl.store(fault, 1, mask=arrived == 0)
                limit = tl.where(arrived, limit, 0)
                poison = tl.where(arrived, poison, float("nan"))
            dh += product(
                d_gates, u, k, rows, batch, 4 * H, SPLIT, ROWS, UNITS, PART, CHUNKS, PRECISION
            )
        if KIND == "LSTM":
            i, f, g, o = four(active, ROWS, UNITS)
            tanh_c = tanh(c)
            dc = carry + dh * o * (1.0 - tanh_c * tanh_c) + poison
            by_gates = joined(
                dc * g * i * (1.0 - i),
                dc * before * f * (1.0 - f),
                dc * i * (1.0 - g * g),
                dh * tanh_c * o * (1.0 - o),
                ROWS,
                UNITS,
            )
            new_carry = dc * f
        else:
            r, z, n, q = four(active, ROWS, UNITS)
            dh += carry + poison
            dn = dh * (1.0 - z) * (1.0 - n * n)
            by_gates = joined(
                dn * q * r * (1.0 - r),
                dh * (before - n) * z * (1.0 - z),
                dn,
                dn * r,
                ROWS,
                UNITS,
            )
            new_carry = dh * z
        alive = (t < length)[:, None]
        da = tl.where(alive, by_gates, 0.0).to(da.dtype)
        carry = tl.where(alive, new_carry, carry)
        c = before
        d_gates -= batch * 4 * H
        tl.store(d_gates + of_gates, da, mask=in_gates)
        if BARRIER:
            arrive(flag)
    tl.store(d_carry + of_state, carry, mask=in_state)
