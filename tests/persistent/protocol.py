"""What P programs of the persistent kernels do to shared memory, and every order in which they may.

A program is a list of actions. A store is seen by others at some later moment of its own choosing, at the
latest when a release of its program passes it. :func:`explore` visits every state that any
interleaving of actions and late stores can reach.
"""

from collections import deque
from typing import NamedTuple


class Action(NamedTuple):
    """One step of a program: what it does, to which slot of time and which program's slice."""

    what: str
    slot: int = 0
    part: int = 0


def program(part, parts, steps):
    """The actions of one program of a group, as the kernels have them."""
    actions = []
    for t in range(steps):
        actions.append(Action("wait", parts * t))
        actions += [Action("read", t, other) for other in range(parts)]
        actions += [Action("store", t + 1, part), Action("release")]
    return actions


class State(NamedTuple):
    """Where each program is, what it has stored unseen, what is seen by all, and the count."""

    places: tuple
    unseen: tuple
    seen: frozenset
    count: int


def explore(programs):
    """Find whether any order of the programs' actions goes wrong.

    Returns
    -------
    set of str
        ``"early read"``: a slice was read before all programs see it; ``"overwrite"``: a slice was stored
        twice; ``"deadlock"``: not all had ended and none could go on. Empty: none of these is possible.
    """
    parts = len(programs)
    start = State((0,) * parts, (frozenset(),) * parts, frozenset((0, p) for p in range(parts)), 0)
    known, todo, faults = {start}, deque([start]), set()
    while todo:
        state = todo.popleft()
        following = list(_following(state, programs, faults))
        ended = all(place == len(p) for place, p in zip(state.places, programs, strict=True))
        if not following and not ended:
            faults.add("deadlock")
        for new in following:
            if new not in known:
                known.add(new)
                todo.append(new)
    return faults


def _following(state, programs, faults):
    """The states that one action, or one store that comes to be seen, leads to."""
    for p, actions in enumerate(programs):
        for late in state.unseen[p]:
            unseen = _with(state.unseen, p, state.unseen[p] - {late})
            yield state._replace(unseen=unseen, seen=state.seen | {late})
        if state.places[p] == len(actions):
            continue
        what, slot, part = actions[state.places[p]]
        ahead = state._replace(places=_with(state.places, p, state.places[p] + 1))
        if what == "wait":
            if state.count >= slot:
                yield ahead
        elif what == "read":
            if (slot, part) not in state.seen | state.unseen[p]:
                faults.add("early read")
            yield ahead
        elif what == "store":
            if (slot, part) in state.seen:
                faults.add("overwrite")
            yield ahead._replace(unseen=_with(state.unseen, p, state.unseen[p] | {(slot, part)}))
        elif what == "release":
            seen = state.seen | state.unseen[p]
            unseen = _with(state.unseen, p, frozenset())
            yield ahead._replace(unseen=unseen, seen=seen, count=state.count + 1)
        else:
            yield ahead._replace(count=state.count + 1)


def _with(values, index, value):
    return values[:index] + (value,) + values[index + 1 :]
