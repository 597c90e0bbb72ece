"""Line plots as SVG, without any dependency: panels side by side, one legend below them.

Colours come from a style sheet in the file, which has a light and a dark half; the background is left open.
"""

import math
from dataclasses import dataclass, field
from html import escape

# By place in the legend. Told apart also by those who see fewer colours: brightness differs between neighbours, and
# each line has marks of its own shape.
LIGHT = ["#c2410c", "#d99a00", "#1d4ed8", "#0f766e", "#7c3aed", "#be185d", "#4d7c0f", "#475569", "#0891b2"]
DARK = ["#fb923c", "#fde047", "#60a5fa", "#2dd4bf", "#a78bfa", "#f472b6", "#a3e635", "#cbd5e1", "#67e8f9"]

STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2937; }
  .title { font-size: 14px; font-weight: 600; }
  .grid { stroke: #9ca3af; stroke-opacity: .35; stroke-width: 1; }
  .axis { stroke: #6b7280; stroke-width: 1; fill: none; }
  .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
  .main { stroke-width: 3.4; }
  .dashed { stroke-dasharray: 6 4; }
"""


def style():
    def half(colours):
        return "".join(
            f"  .c{i} {{ stroke: {c}; }} .m{i} {{ fill: {c}; }}\n" for i, c in enumerate(colours)
        )

    dark = "  text { fill: #e5e7eb; } .axis { stroke: #9ca3af; } .grid { stroke: #6b7280; }\n"
    return f"<style>{STYLE}{half(LIGHT)}  @media (prefers-color-scheme: dark) {{\n{dark}{half(DARK)}  }}\n</style>"


@dataclass
class Scale:
    """Where values lie on an axis; `ticks` are pairs of a value and its label."""

    low: float
    high: float
    ticks: list
    kind: str = "log"
    label: str = ""

    def place(self, value):
        low, high, value = self.even(self.low), self.even(self.high), self.even(value)
        return min(max((value - low) / (high - low), 0.0), 1.0)

    def even(self, value):
        if self.kind == "log":
            return math.log10(value)
        if self.kind == "nines":
            return -math.log10(1 - value)
        return value


@dataclass
class Line:
    points: list
    index: int
    main: bool = False
    dashed: bool = False
    path: bool = True
    marks: bool = True


@dataclass
class Panel:
    title: str
    x: Scale
    y: Scale
    lines: list = field(default_factory=list)


HEIGHT = 330
LEFT, RIGHT, TOP, BOTTOM = 74, 30, 34, 52


def plot(panels, legend, columns=3):
    """The file's text. `legend` has a (name, index, main, dashed) for each kind of line."""
    rows = math.ceil(len(legend) / columns)
    wide = 640 if len(panels) == 1 else 400
    width = (LEFT + wide + RIGHT) * len(panels)
    height = TOP + HEIGHT + BOTTOM + 22 * rows + 12
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img">',
        style(),
    ]
    for number, panel in enumerate(panels):
        out.append(f'<g transform="translate({number * (LEFT + wide + RIGHT) + LEFT},{TOP})">')
        out += draw(panel, wide)
        out.append("</g>")
    cell = (width - LEFT) / columns
    for number, (name, index, main, dashed) in enumerate(legend):
        x = LEFT / 2 + (number % columns) * cell
        y = TOP + HEIGHT + BOTTOM + 22 * (number // columns) + 8
        out.append(f'<path class="{classes(index, main, dashed)}" d="M{x:.0f} {y}h34"/>')
        if not dashed:
            out.append(mark(x + 17, y, index))
        out.append(f'<text x="{x + 42:.0f}" y="{y + 4}">{escape(name)}</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


def classes(index, main, dashed):
    return f"line c{index}" + (" main" if main else "") + (" dashed" if dashed else "")


def mark(x, y, index):
    """A small shape, by the line's number."""
    at = f'class="m{index}" transform="translate({x:.1f},{y:.1f})"'
    shapes = ['<circle {} r="4"/>', '<path {} d="M-4 -4h8v8h-8z"/>', '<path {} d="M0 -5l5 9h-10z"/>']
    shapes += ['<path {} d="M0 -5l5 5l-5 5l-5 -5z"/>', '<path {} d="M0 5l5 -9h-10z"/>']
    return shapes[index % len(shapes)].format(at)


def draw(panel, wide):
    def at(x, y):
        return panel.x.place(x) * wide, (1 - panel.y.place(y)) * HEIGHT

    out = [f'<text class="title" x="0" y="-14">{escape(panel.title)}</text>']
    for value, label in panel.x.ticks:
        x, _ = at(value, panel.y.low)
        out.append(f'<path class="grid" d="M{x:.1f} 0v{HEIGHT}"/>')
        out.append(f'<text x="{x:.1f}" y="{HEIGHT + 19}" text-anchor="middle">{escape(label)}</text>')
    for value, label in panel.y.ticks:
        _, y = at(panel.x.low, value)
        out.append(f'<path class="grid" d="M0 {y:.1f}h{wide}"/>')
        out.append(f'<text x="-8" y="{y + 4:.1f}" text-anchor="end">{escape(label)}</text>')
    out.append(f'<path class="axis" d="M0 0v{HEIGHT}h{wide}"/>')
    out.append(f'<text x="{wide / 2}" y="{HEIGHT + 40}" text-anchor="middle">{escape(panel.x.label)}</text>')
    out.append(
        f'<text transform="translate({14 - LEFT},{HEIGHT / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(panel.y.label)}</text>"
    )
    # The main line is drawn last: nothing covers it.
    for line in sorted(panel.lines, key=lambda line: line.main):
        places = [at(x, y) for x, y in line.points]
        if line.path:
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
            out.append(f'<path class="{classes(line.index, line.main, line.dashed)}" d="M{path}"/>')
        if line.marks:
            out += [mark(x, y, line.index) for x, y in places]
    return out


def decades(low, high, label):
    """A logarithmic scale over whole powers of ten around the values; `label` says a value in words."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    if first == last:
        last += 1
    return 10.0**first, 10.0**last, [(10.0**power, label(10.0**power)) for power in range(first, last + 1)]
