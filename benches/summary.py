"""What was measured, for people: targets, a table, a chart. Pure."""

import statistics
from html import escape

OURS = "offsite"
# Compared with ours too, but no program of somebody's own.
BY_HAND = "rclone, sha256sum, sync"


def median(measured, workload, name, field="wall"):
    runs = good(measured, workload, name)
    return statistics.median(run[field] for run in runs) if runs else None


def good(measured, workload, name):
    return [run for run in measured.get(workload, {}).get(name, []) if "failed" not in run]


def fastest(measured, workload):
    """The peer with the lowest median of wall time."""
    peers = [name for name in measured.get(workload, {})
             if name not in (OURS, BY_HAND) and good(measured, workload, name)]
    return min(peers, key=lambda name: median(measured, workload, name), default=None)


def ratio(measured, workload, against=None, field="wall"):
    against = against or fastest(measured, workload)
    ours = median(measured, workload, OURS, field)
    theirs = median(measured, workload, against, field)
    return ours / theirs if ours is not None and theirs else None


def targets(measured):
    """Each target with the value it got and whether that is good; only what was measured."""
    def rss(workload):
        return median(measured, workload, OURS, "rss_kib")

    def of(a, b):
        return a / b if a and b else None

    peaks = [run["rss_kib"] / 1024 for series in measured.values() for run in series.get(OURS, [])]
    status = median(measured, "status", OURS)
    rows = [
        ("small: wall, offsite / fastest peer", ratio(measured, "small"), 0.8),
        ("large: wall, offsite / (rclone, sha256sum, sync)", ratio(measured, "large", BY_HAND), 1.0),
        ("unchanged: wall, offsite / fastest peer", ratio(measured, "unchanged"), 0.5),
        ("50 ms: wall, offsite / fastest peer", ratio(measured, "latency"), 0.25),
        ("a million, unchanged: wall, offsite / fastest peer", ratio(measured, "million"), 0.5),
        ("versions: wall, offsite / rclone's listing", ratio(measured, "versions", "rclone"), 1.3),
        ("highest peak RSS of offsite, MiB", max(peaks, default=None), 64),
        ("peak RSS, 100,000 / 1,000 objects", of(rss("unchanged"), rss("unchanged-few")), 1.1),
        ("peak RSS, 1,000,000 / 100,000 objects", of(rss("million"), rss("unchanged")), 1.1),
        ("status over 100,000: wall, ms", status * 1000 if status else None, 100),
    ]
    return [{"target": name, "value": value, "wanted": f"<= {limit}", "met": value <= limit}
            for name, value, limit in rows if value is not None]


def table(measured):
    """One line a workload and program."""
    lines = [f"{'workload':<16}{'program':<25}{'wall s: median (min-max)':<30}{'CPU s':>8}"
             f"{'RSS MiB':>9}{'requests':>10}{'written MiB':>13}{'ours / its':>12}"]
    for workload, series in measured.items():
        for name, runs in series.items():
            walls = [run["wall"] for run in runs if "failed" not in run]
            if not walls:
                lines.append(f"{workload:<16}{name:<25}{runs[-1]['failed'] if runs else '-'}")
                continue
            spread = f"{statistics.median(walls):.3f} ({min(walls):.3f}-{max(walls):.3f})"
            numbers = {field: median(measured, workload, name, field)
                       for field in ("user", "sys", "requests", "written")}
            rss = max(run["rss_kib"] for run in runs if "failed" not in run) / 1024
            against = "" if name == OURS else f"{ratio(measured, workload, name):.2f}"
            lines.append(f"{workload:<16}{name:<25}{spread:<30}{numbers['user'] + numbers['sys']:>8.2f}"
                         f"{rss:>9.1f}{numbers['requests']:>10.0f}{numbers['written'] / (1 << 20):>13.1f}"
                         f"{against:>12}".rstrip())
    return "\n".join(lines)


# --- the chart: for each workload a bar of wall time and one of memory a program

ROW, BAR, LEFT, WIDE, GAP = 18, 12, 190, 330, 70
OUR_COLOUR, THEIR_COLOUR = "#0b6e4f", "#9aa5b1"
TITLES = {
    "small": "20,000 objects of 16 KiB, first pull", "large": "2 objects of 1 GiB, first pull",
    "restic": "a restic repository of 1 GB, first pull", "unchanged": "100,000 objects, nothing new",
    "latency": "100,000 objects, nothing new, 50 ms away", "million": "1,000,000 objects, nothing new",
    "million-new": "1,000,000 objects, 100 new",
    "versions": "100,000 objects x 3 versions, nothing new",
}


def chart(measured):
    """An SVG: bars are medians, thin lines go from the lowest run to the highest."""
    parts, y = [], 10
    for workload, title in TITLES.items():
        if workload not in measured:
            continue
        names = [name for name in measured[workload] if good(measured, workload, name)]
        parts.append(text(10, y + 14, title, weight="bold"))
        parts.append(text(LEFT, y + 14, "seconds"))
        parts.append(text(LEFT + WIDE + GAP, y + 14, "peak RSS, MiB"))
        y += 22
        for offset, field, unit in ((0, "wall", 1), (WIDE + GAP, "rss_kib", 1 / 1024)):
            rows = {name: [run[field] * unit for run in good(measured, workload, name)] for name in names}
            parts += bars(rows, LEFT + offset, y)
        parts += [text(LEFT - 8, y + number * ROW + BAR - 2, name, anchor="end")
                  for number, name in enumerate(names)]
        y += ROW * len(names) + 16
    width = LEFT + 2 * WIDE + 2 * GAP
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" '
            f'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="#fff"/>\n'
            + "\n".join(parts) + "\n</svg>\n")


def bars(rows, left, top):
    longest = max((max(values) for values in rows.values()), default=0) or 1
    for number, (name, values) in enumerate(rows.items()):
        y, middle = top + number * ROW, statistics.median(values)
        length, low, high = (WIDE * value / longest for value in (middle, min(values), max(values)))
        yield (f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{BAR}" '
               f'fill="{OUR_COLOUR if name == OURS else THEIR_COLOUR}"/>')
        yield (f'<line x1="{left + low:.1f}" x2="{left + high:.1f}" y1="{y + BAR / 2}" y2="{y + BAR / 2}" '
               'stroke="#222"/>')
        yield text(left + high + 5, y + BAR - 2, f"{middle:.1f}")


def text(x, y, words, weight="normal", anchor="start"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-weight="{weight}" text-anchor="{anchor}" '
            f'fill="#222">{escape(words)}</text>')
