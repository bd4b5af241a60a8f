"""Words that go with numbers."""


def counted(number, one, many=None):
    """Return a number with its noun, or with its verb."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
