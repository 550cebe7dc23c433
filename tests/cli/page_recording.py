# SPDX-License-Identifier: MIT
"""What was in a recording, and its figures, computed in the plainest way."""


class Recording:
    """What was in a recording, from the lines that the program has written beside it."""

    def __init__(self, lines):
        self.processes, self.owners, self.events = [], [], []
        for line in lines.split(b"\n"):
            word, _, rest = line.partition(b" ")
            if word == b"length":
                self.length = int(rest)
            elif word == b"process":
                self.processes.append([int(field) for field in rest.split()])
            elif word == b"owner":
                process, _, name = rest.partition(b" ")
                self.owners.append((int(process), name.decode("latin-1")))
            elif word == b"event":
                self.events.append([int(field) for field in rest.split()])

    def at(self, moment):
        """[commit, resident] of each owner, by going through all events anew."""
        mapped = {}
        for time, kind, process, owner, start, end, commit, resident, _ in self.events:
            if time > moment or kind not in (0, 1):
                continue
            ended, is_ended = self.processes[process]
            if is_ended and time >= ended:
                continue
            for low, high in [place[1:] for place in mapped if place[0] == process]:
                if high <= start or low >= end:
                    continue
                what, *figures = mapped.pop((process, low, high))
                for left, right in ((low, start), (end, high)):
                    if left < right:
                        share = (right - left) / (high - low)
                        mapped[process, left, right] = [what, *(figure * share for figure in figures)]
            if kind == 0:
                mapped[process, start, end] = [owner, commit, resident]
        sums = [[0, 0] for _ in self.owners]
        for (process, _, _), (owner, commit, resident) in mapped.items():
            ended, is_ended = self.processes[process]
            if not is_ended or moment < ended:
                sums[owner][0] += commit
                sums[owner][1] += resident
        return sums

    def total(self, moment, which=0):
        return sum(sums[which] for sums in self.at(moment))

    def moments(self):
        return sorted({event[0] for event in self.events} | {end for end, _ in self.processes})


def size_text(size):
    if size < 0:
        return "\u2212" + size_text(-size)
    for unit in range(7):
        whole, rest = divmod(size, 1024 ** unit)
        tenths = round(size * 10 / 1024 ** unit)
        if whole >= 100:
            whole += rest * 2 >= 1024 ** unit
            text = str(whole)
        elif rest == 0:
            text = str(whole)
        else:
            whole = tenths / 10
            text = f"{whole:.1f}" if whole < 100 else "100"
        if whole < 1024:
            return text + "BKMGTPE"[unit] if size else "0"
    raise AssertionError(size)
