"""The chart of a run: for each work, how long everybody took to the fastest peer, as bars.

Plain SVG that is legible on light and dark pages.
"""

from figures import OURS, TIME, fastest, median, ran
from measure import PEERS

WIDTH, LABEL, BAR, GAP, HEAD = 760, 96, 13, 3, 26
# A bar of this ratio is as long as there is room for; longer ones are cut.
MOST = 4.0
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.head { font-weight: 600; } .peer { fill: #8c959f; } .ours { fill: #0969da; }
.one { stroke: #57606a; stroke-dasharray: 3 3; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .peer { fill: #6e7681; } .ours { fill: #58a6ff; } .one { stroke: #9198a1; }
}
"""


def svg(works: dict) -> str:
    room = WIDTH - LABEL - 64
    one, y, parts = LABEL + room / MOST, 40, []
    for name, work in works.items():
        peer = fastest(work)
        if name not in TIME or peer is None or OURS not in ran(work):
            continue
        base = median(ran(work)[peer], "seconds")
        bars = {writer: median(samples, "seconds") / base for writer, samples in ran(work, (OURS, *PEERS)).items()}
        head = escape(name + ": " + work["about"])
        parts.append(f'<text class="head" x="0" y="{y + 14}">{head}</text>')
        y += HEAD
        top = y
        for writer, ratio in sorted(bars.items(), key=lambda bar: bar[1]):
            length = min(ratio, MOST) / MOST * room
            kind = "ours" if writer == OURS else "peer"
            shown = f"{ratio:.2f}" + (" →" if ratio > MOST else "")
            label = "atomic-arrow" if writer == OURS else writer
            parts.append(f'<text x="{LABEL - 8}" y="{y + BAR - 3}" text-anchor="end">{escape(label)}</text>')
            parts.append(f'<rect class="{kind}" x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>')
            parts.append(f'<text x="{LABEL + length + 5:.1f}" y="{y + BAR - 3}">{shown}</text>')
            y += BAR + GAP
        parts.append(f'<line class="one" x1="{one:.1f}" y1="{top - 2}" x2="{one:.1f}" y2="{y - 1}"/>')
        y += 8
    title = "Time to the fastest peer's (less is better); only atomic-arrow syncs and verifies"
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img" '
        f'aria-label="{escape(title)}">\n<style>{STYLE}</style>\n'
        f'<text class="head" x="0" y="16">{escape(title)}</text>\n{body}\n</svg>\n'
    )


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
