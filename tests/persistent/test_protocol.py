"""The meeting of programs at a flag: no order of events reads what is not yet there, or stands still."""

import pytest

from tests.persistent.protocol import Action, explore, program


@pytest.mark.parametrize(("parts", "steps"), [(1, 2), (2, 3), (3, 2)])
def test_no_order_of_events_goes_wrong(parts, steps):
    assert explore([program(p, parts, steps) for p in range(parts)]) == set()


def _arrives_before_it_stores(actions):
    swapped = list(actions)
    for at, action in enumerate(actions):
        if action.what == "store":
            swapped[at : at + 2] = swapped[at : at + 2][::-1]
    return swapped


def _counts_without_release(actions):
    return [Action("count") if action.what == "release" else action for action in actions]


def _waits_for_one_too_few(actions):
    return [a._replace(slot=max(0, a.slot - 1)) if a.what == "wait" else a for a in actions]


def _reads_before_it_waits(actions):
    first = next(at for at, action in enumerate(actions) if action.what == "wait" and action.slot)
    return [
        *actions[:first],
        *actions[first + 1 : first + 3],
        actions[first],
        *actions[first + 3 :],
    ]


def _has_one_slot_for_all_steps(actions):
    return [a._replace(slot=0) if a.what in ("read", "store") else a for a in actions]


def _forgets_to_arrive(actions):
    last = max(at for at, action in enumerate(actions) if action.what == "release")
    first = min(at for at, action in enumerate(actions) if action.what == "release")
    assert first < last
    return actions[:first] + actions[first + 1 :]


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (_arrives_before_it_stores, "early read"),
        (_counts_without_release, "early read"),
        (_waits_for_one_too_few, "early read"),
        (_reads_before_it_waits, "early read"),
        (_has_one_slot_for_all_steps, "overwrite"),
        (_forgets_to_arrive, "deadlock"),
    ],
)
def test_every_broken_protocol_is_found(broken, fault):
    programs = [program(p, 2, 2) for p in range(2)]
    assert fault in explore([broken(programs[0]), *programs[1:]])
