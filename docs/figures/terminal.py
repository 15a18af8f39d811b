#!/usr/bin/env python3
"""Draws what a command prints on a terminal as an SVG, for README.md.

    python3 docs/figures/terminal.py OUT.svg COLUMNS 'shown command' COMMAND [ARGUMENT...]

The command runs on a pseudo-terminal of so many columns, so colours and bars are the program's
own. Only the few sequences that the program uses are understood: bold, dim, colours, reset.
"""

import html
import os
import pty
import re
import struct
import sys
import fcntl
import termios

COLOURS = {"31": "#f47067", "32": "#8ddb8c", "33": "#e0c285", "36": "#6cb6ff"}
BACKGROUND, TEXT, PROMPT = "#22272e", "#cdd9e5", "#8b949e"
WIDTH, HEIGHT, MARGIN = 8.4, 19, 16


def printed(command: list[str], columns: int) -> str:
    """What a command prints on a terminal of this width."""
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS=str(columns))
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    output = b""
    while True:
        try:
            more = os.read(terminal, 4096)
        except OSError:  # How Linux says that the other end is closed.
            break
        if not more:
            break
        output += more
    _, status = os.waitpid(process, 0)
    if status != 0:
        sys.exit(f"{command[0]} failed: {output.decode()}")
    return output.decode().replace("\r\n", "\n")


def spans(line: str) -> str:
    """One line with its colours as SVG."""
    drawn, style, column = [], "", 0
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if codes := re.fullmatch(r"\x1b\[([0-9;]*)m", part):
            for code in codes[1].split(";"):
                if code in ("", "0"):
                    style = ""
                elif code == "1":
                    style += ' font-weight="bold"'
                elif code in COLOURS:
                    style += f' fill="{COLOURS[code]}"'
        elif part:
            # Each begins at its column, whatever font there is.
            x = MARGIN + column * WIDTH
            drawn.append(f'<tspan x="{x:g}"{style}>{html.escape(part)}</tspan>')
            column += len(part)
    return "".join(drawn)


def main() -> None:
    out, columns, shown, *command = sys.argv[1:]
    lines = printed(command, int(columns)).rstrip("\n").split("\n")
    # Where the cursor was moved, and how fast this machine is, do not belong into a figure.
    lines = [line for line in lines if "images per second" not in line]
    rows = [f'<tspan fill="{PROMPT}">$ </tspan><tspan>{html.escape(shown)}</tspan>']
    rows += [spans(line) for line in lines]
    width = round(int(columns) * WIDTH + 2 * MARGIN)
    height = round(len(rows) * HEIGHT + 2 * MARGIN)
    with open(out, "w", encoding="utf-8") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img">\n'
            f"<title>{html.escape(shown)}</title>\n"
            f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>\n'
            f'<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace" '
            f'font-size="14" fill="{TEXT}" xml:space="preserve">\n'
        )
        for number, row in enumerate(rows):
            y = MARGIN + HEIGHT * (number + 0.75)
            file.write(f'<text x="{MARGIN}" y="{y:g}">{row}</text>\n')
        file.write("</g>\n</svg>\n")


if __name__ == "__main__":
    main()
