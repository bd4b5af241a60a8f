"""What the grading process and the sandbox say to each other, and how: both sides run this file.

Messages are JSON behind a length of four bytes, on two pipes. Values are plain ones: None, bool, int,
float, complex, str, bytes, list, tuple, dict, set, arrays and scalars of NumPy, PCG64 generators (a copy
with the same state). A function travels as a number; the other side gets a :class:`Proxy`, and calling
it sends the arguments home and the result back. Nothing else passes, and nothing is ever unpickled.

The student's process can write whatever it likes to its pipe. So decoding builds only the types above,
within :data:`LIMITS`, and takes everything else for a broken message.
"""

import base64
import binascii
import json
import math
import os
import re
import select
import struct
import time

import numpy as np

HEADER = struct.Struct(">I")
# of the values in a message one of three bytes can take a hundred as an object
LIMITS = {"message": 32 * 2**20, "values": 2_000_000}
LIMITS |= {"depth": 40, "functions": 10_000, "bits": 4096, "text": 4000}
KINDS = "biufcU"
DTYPE = re.compile(rf"[<|][{KINDS}]\d{{1,7}}")
DOCUMENTED = (
    "numbers, strings, lists, tuples, dicts, sets, arrays of numbers or strings, and functions"
)
BUILTIN = {
    error.__name__: error
    for error in (
        ArithmeticError,
        AssertionError,
        AttributeError,
        FloatingPointError,
        ImportError,
        IndexError,
        KeyError,
        LookupError,
        MemoryError,
        ModuleNotFoundError,
        NameError,
        NotImplementedError,
        OSError,
        OverflowError,
        RecursionError,
        RuntimeError,
        TypeError,
        UnboundLocalError,
        ValueError,
        ZeroDivisionError,
    )
}


class Failure(BaseException):
    """Why a student's code gave no answer; no ``except Exception`` of a test takes it for one."""


class Broken(Failure):
    """The other side is gone, or what it sent is no message."""


class Stalled(Broken):
    """The other side did not answer in time; nothing it says afterwards can be trusted to be the answer."""


class TimeLimit(Failure):
    """The student's code was stopped at the end of its time, and its process lives."""


class Unfit(Failure):
    """A value that cannot pass."""


class Proxy:
    """A function of the other side; calling it sends the arguments there."""

    def __init__(self, peer, number, name):
        self.peer, self.number, self.__name__ = peer, number, name

    def __call__(self, *args, **kwargs):
        return self.peer.request("call", number=self.number, args=args, kwargs=kwargs)

    def __repr__(self):
        return f"<function {self.__name__}>"


class Peer:
    """One end of the two pipes.

    Parameters
    ----------
    read, write : int
        File descriptors.
    handlers : dict of str to callable
        What the other side may ask for besides a call of a function that it was sent.
    alive : callable, optional
        Raises :class:`Broken` where the other side has ended; asked about five times a second.
    """

    def __init__(self, read, write, handlers=None, alive=None):
        self.read, self.write, self.alive = read, write, alive
        self.handlers = {"call": self._call, **(handlers or {})}
        self.functions, self.numbers = {}, {}
        self.deadline, self.closed, self.asked = None, False, 0

    def close(self):
        """Close both pipes; proxies that are left say that the program ended."""
        self.closed = True
        os.close(self.read)
        os.close(self.write)

    def request(self, what, **fields):
        """Ask the other side, serve its calls meanwhile, and return its answer or raise its error."""
        self.asked = number = self.asked + 1
        fields = {name: self.encode(value) for name, value in fields.items()}
        self.send({"ask": what, "n": number, "fields": fields})
        while True:
            message = self.receive()
            if "ask" in message:
                self.answer(message)
            elif message.get("n") != number:
                raise Broken("an answer to no question")
            elif "error" in message:
                raise raised(message["error"])
            elif "value" in message:
                return self.decode(message["value"])
            else:
                raise Broken("a message that is neither question nor answer")

    def answer(self, message):
        """Do what a message asks for, and send the result or the error."""
        number, fields = message.get("n"), message.get("fields")
        handler = self.handlers.get(str(message["ask"]))
        if handler is None or not isinstance(fields, dict):
            raise Broken("a question of no known form")
        try:
            decoded = {str(name): self.decode(value) for name, value in fields.items()}
            reply = {"value": self.encode(handler(**decoded))}
        except Broken:
            raise
        except BaseException as error:
            reply = {"error": described(error)}
        try:
            self.send({"n": number, **reply})
        except Unfit as error:
            self.send({"n": number, "error": described(error)})

    def _call(self, number, args, kwargs):
        return self._own(number)(*args, **kwargs)

    def _own(self, number):
        try:
            return self.functions[number]
        except (KeyError, TypeError):
            raise Broken("a function that was never sent") from None

    def send(self, message):
        """Write a message, within the time that is left."""
        if self.closed:
            raise Broken("the program ended")
        data = json.dumps(message, allow_nan=False, separators=(",", ":")).encode()
        if len(data) > LIMITS["message"]:
            raise Unfit(f"{len(data) / 2**20:.0f} MiB at once are more than may pass")
        if values_in(data) > LIMITS["values"]:
            raise Unfit(f"more than {LIMITS['values']:,} values cannot pass at once")
        data = memoryview(HEADER.pack(len(data)) + data)
        while data:
            self._wait(self.write, writing=True)
            try:
                data = data[os.write(self.write, data[: select.PIPE_BUF]) :]  # more could block
            except OSError:
                raise Broken("the program ended") from None

    def receive(self):
        """Read a message, within the time that is left."""
        (length,) = HEADER.unpack(self._read(HEADER.size))
        if length > LIMITS["message"]:
            raise Broken("a message longer than any may be")
        data = self._read(length)
        if values_in(data) > LIMITS["values"]:
            raise Broken("a message of more values than any may have")
        try:
            message = json.loads(data)
        except (ValueError, RecursionError):
            raise Broken("a message that is no JSON") from None
        if not isinstance(message, dict):
            raise Broken("a message of no known form")
        return message

    def _read(self, length):
        parts = []
        while length:
            self._wait(self.read, writing=False)
            try:
                part = os.read(self.read, min(length, 1 << 20))
            except OSError:
                part = b""
            if not part:
                raise Broken("the program ended")
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def _wait(self, descriptor, writing):
        while True:
            rest = 0.2 if self.deadline is None else min(0.2, self.deadline - time.monotonic())
            if rest <= 0:
                raise Stalled("was still running at the end of its time")
            ready = select.select([] if writing else [descriptor], [descriptor] * writing, [], rest)
            if ready[0] or ready[1]:
                return
            if self.alive is not None:
                self.alive()

    def encode(self, value, depth=0):
        """Return `value` in JSON's types."""
        if depth > LIMITS["depth"]:
            raise Unfit("a value nested deeper than may pass")
        if isinstance(value, (np.ndarray, np.generic)):
            return _array(value)
        if value is None or isinstance(value, (bool, str)):
            return value if value is None or isinstance(value, bool) else str(value)
        if isinstance(value, int):
            return _integer(int(value))
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"t": "float", "v": repr(float(value))}
        if isinstance(value, complex):
            return {"t": "complex", "v": [repr(value.real), repr(value.imag)]}
        if isinstance(value, (bytes, bytearray)):
            return {"t": "bytes", "v": base64.b64encode(value).decode()}
        if isinstance(value, np.random.Generator):
            return self._generator(value)
        if isinstance(value, dict):
            pairs = [[self.encode(part, depth + 1) for part in pair] for pair in value.items()]
            return {"t": "dict", "v": pairs}
        if isinstance(value, (list, tuple, set, frozenset)):
            items = [self.encode(item, depth + 1) for item in value]
            kind = "tuple" if isinstance(value, tuple) else "set"
            return items if isinstance(value, list) else {"t": kind, "v": items}
        if isinstance(value, Proxy) and value.peer is self:
            return {"t": "yours", "v": value.number}
        if callable(value):
            return self._function(value)
        raise Unfit(f"a value of type {type(value).__name__} cannot be checked, only {DOCUMENTED}")

    def _function(self, function):
        number = self.numbers.get(id(function))
        if number is None:
            number = len(self.functions)
            if number >= LIMITS["functions"]:
                raise Unfit("more functions than may pass")
            self.functions[number] = function
            self.numbers[id(function)] = number
        name = getattr(function, "__name__", type(function).__name__)
        return {"t": "function", "v": number, "name": str(name)[:80]}

    def _generator(self, generator):
        if type(generator.bit_generator) is not np.random.PCG64:
            raise Unfit("only generators made by numpy.random.default_rng can pass")
        state = generator.bit_generator.state
        numbers = [*state["state"].values(), state["has_uint32"], state["uinteger"]]
        return {"t": "generator", "v": [hex(number) for number in numbers]}

    def decode(self, data, depth=0):
        """Return the value that :meth:`encode` made `data` of."""
        if depth > 2 * LIMITS["depth"]:
            raise Broken("a value nested deeper than may pass")
        if data is None or isinstance(data, (bool, int, float, str)):
            return data
        try:
            if isinstance(data, list):
                return [self.decode(item, depth + 1) for item in data]
            return self._tagged(data["t"], data["v"], data, depth + 1)
        except Exception:
            raise Broken("a value of no known form") from None

    def _tagged(self, kind, content, data, depth):
        if kind in ("array", "scalar"):
            return _from_bytes(data, kind)
        if kind == "int":
            return _from_hex(content)
        if kind == "float":
            return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content]
        if kind == "complex":
            return complex(float(content[0]), float(content[1]))
        if kind == "bytes":
            return _from_base64(content)
        if kind == "generator":
            return _from_state(content)
        if kind == "dict":
            return {self.decode(k, depth): self.decode(v, depth) for k, v in content}
        if kind in ("tuple", "set"):
            items = [self.decode(item, depth) for item in content]
            return tuple(items) if kind == "tuple" else set(items)
        if kind == "yours":
            return self._own(content)
        if kind == "function" and isinstance(content, int):
            return Proxy(self, content, str(data["name"])[:80])
        raise Broken("a value of no known form")


def values_in(data):
    """Return how many values a message holds at most, by the bytes that stand before one."""
    return sum(map(data.count, (b",", b"[", b"{")))


def _integer(value):
    if abs(value) < 2**53:
        return value
    if value.bit_length() > LIMITS["bits"]:
        raise Unfit(f"a number of {value.bit_length()} bits cannot be checked")
    return {"t": "int", "v": hex(value)}


def _from_hex(text):
    if len(text) > LIMITS["bits"] // 4 + 4:
        raise Broken("a longer number than may pass")
    return int(text, 16)


def _array(value):
    array = np.asarray(value)
    if array.dtype.kind not in KINDS:
        raise Unfit(f"an array of type {array.dtype} cannot be checked, only numbers and strings")
    if array.nbytes > LIMITS["message"]:
        raise Unfit(f"an array of {array.nbytes / 2**20:.0f} MiB is more than may pass")
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return {
        "t": "array" if isinstance(value, np.ndarray) else "scalar",
        "v": base64.b64encode(array.tobytes()).decode(),
        "dtype": array.dtype.str,
        "shape": list(array.shape),
    }


def _from_bytes(data, kind):
    if not DTYPE.fullmatch(data["dtype"]):
        raise Broken("an array of no known form")
    dtype, shape = np.dtype(data["dtype"]), tuple(data["shape"])
    if len(shape) > 32 or any(type(n) is not int or n < 0 for n in shape):
        raise Broken("an array of no known form")
    if math.prod(max(n, 1) for n in shape) * max(dtype.itemsize, 1) > LIMITS["message"]:
        raise Broken("a larger array than may pass")
    array = np.frombuffer(_from_base64(data["v"]), dtype=dtype).reshape(shape).copy()
    if kind == "array":
        return array
    if shape:
        raise Broken("a scalar with a shape")
    return array[()]


def _from_base64(text):
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Broken("bytes of no known form") from None


def _from_state(content):
    state, increment, has, left = (_from_hex(text) for text in content)
    if not (
        0 <= state < 2**128 and 0 <= increment < 2**128 and has in (0, 1) and 0 <= left < 2**32
    ):
        raise Broken("a generator of no known state")
    generator = np.random.default_rng(0)
    generator.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": state, "inc": increment},
        "has_uint32": has,
        "uinteger": left,
    }
    return generator


def writable(text):
    """Return a text that any file can hold: halves of letters, which JSON lets pass, are replaced."""
    return text.encode("utf-8", "replace").decode()


def described(error):
    """What is told of an error: its name, those of its bases that Python has, and its text."""
    bases = [base.__name__ for base in type(error).__mro__ if base.__name__ in BUILTIN]
    fit = isinstance(error, Failure)
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:
        text = "(its text could not be made)"
    return {
        "name": str(name)[:80],
        "base": bases[0] if bases else None,
        "failure": name if fit else None,
        "text": text[: LIMITS["text"]],
    }


def raised(data):
    """Return the exception that such a description stands for."""
    try:
        name, text = str(data["name"])[:80], writable(str(data["text"])[: LIMITS["text"]])
        base, failure = data["base"], data["failure"]
    except (KeyError, TypeError):
        return Broken("an error of no known form")
    if failure is not None:
        return {"TimeLimit": TimeLimit, "Unfit": Unfit}.get(failure, Broken)(text)
    parent = BUILTIN.get(base, Exception) if isinstance(base, str) else Exception
    if parent.__name__ == name:
        return parent(text)
    try:
        return type(name, (parent,), {})(text)
    except (TypeError, ValueError):
        return parent(text)
