"""What ``benchmarks.gpu_correctness`` prints of its rows."""


def line(row):
    """A row as a line of the table."""
    text = f"{row['check']:<16} {row['backend']:<6} {row['precision']:<5} {row['case']:<44}"
    if row["held"] is None:
        return f"{text} refused: {row['said']}"
    if row["value"] is None:
        return f"{text} NOT HELD {row['said']}"
    text += f" {row['value']:9.2e} <= {row['bound']:.1e}"
    return text + ("" if row["held"] else "  NOT HELD")


def summary(rows):
    """The worst value of every gate, a line for each backend and precision."""
    worst, refused = {}, {}
    for row in rows:
        key = row["backend"], row["precision"], row["check"]
        if row["held"] is None:
            refused.setdefault(key[:2], row["said"])
        elif row["value"] is not None and row["value"] >= worst.get(key, row)["value"]:
            worst[key] = row
    lines = [line(row) for _, row in sorted(worst.items(), key=lambda item: item[0])]
    lines += [f"{' '.join(key)} refuses: {said}" for key, said in sorted(refused.items())]
    return "\n".join(lines)
