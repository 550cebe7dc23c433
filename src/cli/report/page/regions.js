// SPDX-License-Identifier: MIT
// The address space of a process at a moment, cut into regions. Pure.
//
// Gaps are so much larger than what is between them that nothing could be seen at one
// scale: where a gap is wide, a new region begins. Some programs part hundreds of mappings
// so, which is why those that are left inside a region are drawn short.

const MOST_REGIONS = 14;
const SMALLEST_GAP = 1 << 24;
// Of what is mapped in a region: its gaps together are drawn as at most so much more.
const GAPS_SHARE = 1 / 4;

const startOf = (recording, number) => recording.starts[recording.life.place.list[number]];
const stopOf = (recording, number) => startOf(recording, number) + recording.life.size.at(number);

// The numbers of a process's lives at a moment, by address.
function livingOf(recording, process, moment) {
  const owner = recording.life.owner.list, place = recording.life.place.list;
  return livingAt(recording, moment).filter(i => recording.owners[owner[i]].process === process)
    .sort((left, right) => place[left] - place[right]);
}

// How wide a gap must be to part two regions, so that there are not too many.
function partingGap(gaps) {
  const wide = gaps.filter(gap => gap >= SMALLEST_GAP).sort((left, right) => right - left);
  return wide.length < MOST_REGIONS ? SMALLEST_GAP : wide[MOST_REGIONS - 2];
}

// Say where in the picture of a region each of its mappings is, in bytes from the begin,
// and how long all of it is.
function layOut(recording, region) {
  const { numbers } = region;
  const gaps = numbers.map((number, i) =>
    i ? startOf(recording, number) - stopOf(recording, numbers[i - 1]) : 0);
  const all = gaps.reduce((sum, gap) => sum + gap, 0), most = region.size * GAPS_SHARE;
  const longest = all > most ? most / gaps.filter(gap => gap > 0).length : Infinity;
  region.isShortened = all > most;
  region.length = 0;
  region.places = numbers.map((number, i) => {
    const place = region.length + Math.min(gaps[i], longest);
    region.length = place + recording.life.size.at(number);
    return place;
  });
}

// [{start, gap, numbers, size, commit, resident, places, length, isShortened}] by address;
// gap lies above the one before, and is free.
function regionsOf(recording, numbers) {
  const { size, commit, resident } = recording.life;
  const start = number => startOf(recording, number);
  const gaps = numbers.slice(1).map((number, i) =>
    start(number) - stopOf(recording, numbers[i]));
  const least = partingGap(gaps), regions = [];
  numbers.forEach((number, i) => {
    const gap = i ? gaps[i - 1] : 0;
    if (i === 0 || (gap >= least && regions.length < MOST_REGIONS))
      regions.push({ start: start(number), gap, numbers: [], size: 0, commit: 0, resident: 0 });
    const region = regions[regions.length - 1];
    region.numbers.push(number);
    region.size += size.at(number);
    region.commit += commit.at(number);
    region.resident += resident.at(number);
  });
  regions.forEach(region => layOut(recording, region));
  return regions;
}

// How wide a region is drawn: by the logarithm of its length, from least to 1.
function widthOf(region, regions, least) {
  const logarithm = ({ length }) => Math.log2(Math.max(4096, length));
  const low = Math.min(...regions.map(logarithm)), high = Math.max(...regions.map(logarithm));
  return high === low ? 1 : least + (1 - least) * (logarithm(region) - low) / (high - low);
}

// For each of columns of a region: bytes reserved, committed, resident, and the life that
// has most of it (-1: none).
function columnsOf(recording, region, columns) {
  const { size, commit, resident } = recording.life;
  const make = () => new Float64Array(columns);
  const sums = { reserved: make(), committed: make(), resident: make(),
                 life: new Int32Array(columns).fill(-1) };
  const most = make(), wide = region.length / columns;
  for (const [i, number] of region.numbers.entries()) {
    const from = region.places[i] / wide, to = from + size.at(number) / wide;
    const last = Math.min(columns - 1, Math.ceil(to) - 1);
    for (let at = Math.min(columns - 1, Math.floor(from)); at <= last; at++) {
      const share = Math.min(to, at + 1) - Math.max(from, at), part = share / (to - from);
      sums.reserved[at] += part * size.at(number);
      sums.committed[at] += part * commit.at(number);
      sums.resident[at] += part * resident.at(number);
      if (share > most[at]) { most[at] = share; sums.life[at] = number; }
    }
  }
  return sums;
}
