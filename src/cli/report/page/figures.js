// SPDX-License-Identifier: MIT
// What the pictures and tables show, computed from the lives. Pure.
//
// A life counts from the time numbered begin, up to but not with the one numbered end.
// groupOf gives each owner its group; what has a negative one does not count.

// How many of an ascending array are at most value.
function countUpTo(list, value) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] <= value) low = middle + 1; else high = middle;
  }
  return low;
}

// The number of the last time that is not after a moment; -1: all are.
function timeIndex(recording, moment) {
  return countUpTo(recording.times, moment) - 1;
}

// The numbers of the lives at a moment, in the order in which they began. The last few
// moments are asked about again and again.
const livingLists = new Map();

function livingAt(recording, moment) {
  const index = timeIndex(recording, moment), { end, bornUpTo } = recording.life;
  if (livingLists.get(index)) return livingLists.get(index);
  const list = [], count = bornUpTo[index + 1];
  for (let i = 0; i < count; i++) if (end[i] > index) list.push(i);
  if (livingLists.size >= 4) livingLists.delete(livingLists.keys().next().value);
  livingLists.set(index, list);
  return list;
}

function sumsAt(recording, values, moment, groupOf, count) {
  const sums = new Float64Array(count), owner = recording.life.owner.list, { list, scale } = values;
  for (const number of livingAt(recording, moment)) {
    const group = groupOf[owner[number]];
    if (group >= 0) sums[group] += list[number] * scale;
  }
  return sums;
}

// What groups have, stepped from one time to the next.
class Sweep {
  constructor(recording, values, groupOf, count, index) {
    this.life = recording.life;
    this.owner = recording.life.owner.list;
    this.values = values;
    this.groupOf = groupOf;
    this.state = index < 0 ? new Float64Array(count) :
      sumsAt(recording, values, recording.times[index], groupOf, count);
    this.total = this.state.reduce((sum, value) => sum + value, 0);
    // The groups that the last step has changed.
    this.touched = new Int32Array(count);
    this.touchedCount = 0;
    this.seen = new Int32Array(count).fill(-1);
  }

  add(number, sign, index) {
    const group = this.groupOf[this.owner[number]];
    if (group < 0) return;
    const value = sign * this.values.list[number] * this.values.scale;
    this.state[group] += value;
    this.total += value;
    if (this.seen[group] === index) return;
    this.seen[group] = index;
    this.touched[this.touchedCount++] = group;
  }

  // To the time numbered index, from the one before.
  step(index) {
    const { deaths, diedUpTo, bornUpTo } = this.life;
    this.touchedCount = 0;
    for (let i = diedUpTo[index]; i < diedUpTo[index + 1]; i++) this.add(deaths[i], -1, index);
    for (let i = bornUpTo[index]; i < bornUpTo[index + 1]; i++) this.add(i, 1, index);
  }
}

// The state of count groups in each of columns parts of from..to: the one in which there
// was most in all, so that no peak is lost. heights[group * columns + column].
function stack(recording, values, groupOf, count, from, to, columns) {
  const heights = new Float64Array(count * columns), totals = new Float64Array(columns);
  const { times } = recording, first = timeIndex(recording, from), last = timeIndex(recording, to);
  const sweep = new Sweep(recording, values, groupOf, count, first);
  let column = 0;
  const keep = at => {
    totals[at] = sweep.total;
    for (let group = 0; group < count; group++) heights[group * columns + at] = sweep.state[group];
  };
  keep(0);
  for (let index = first + 1; index <= last; index++) {
    const at = Math.min(columns - 1, Math.floor((times[index] - from) / (to - from) * columns));
    while (column < at) keep(++column);
    sweep.step(index);
    if (sweep.total > totals[column]) keep(column);
  }
  while (column < columns - 1) keep(++column);
  return { heights, totals };
}

// Of each group its most and when, and its greatest rise: how much, from when to when.
// Of all together the most and when.
function extremes(recording, values, groupOf, count) {
  const make = () => new Float64Array(count);
  const peak = make(), peakTime = make(), low = make(), lowTime = make();
  const rise = make(), riseFrom = make(), riseTo = make();
  const { times } = recording, sweep = new Sweep(recording, values, groupOf, count, -1);
  const { state, touched } = sweep;
  let most = 0, mostTime = 0;
  // As swapped most often is.
  const steps = values.list.some(value => value) ? times.length : 0;
  const note = (group, time) => {
    const value = state[group];
    if (value > peak[group]) { peak[group] = value; peakTime[group] = time; }
    if (value - low[group] > rise[group]) {
      rise[group] = value - low[group];
      riseFrom[group] = lowTime[group];
      riseTo[group] = time;
    }
    if (value <= low[group]) { low[group] = value; lowTime[group] = time; }
  };
  for (let index = 0; index < steps; index++) {
    sweep.step(index);
    for (let i = 0; i < sweep.touchedCount; i++) note(touched[i], times[index]);
    if (sweep.total > most) { most = sweep.total; mostTime = times[index]; }
  }
  return { peak, peakTime, rise, riseFrom, riseTo, most, mostTime };
}

// When, within a rise, most of it came: from the last moment with at most a tenth of it
// to the first with nine tenths.
function heartOfRise(recording, values, groupOf, group, from, to) {
  const { times } = recording, mine = groupOf.map(of => of === group ? 0 : -1);
  const begin = sumsAt(recording, values, from, mine, 1)[0];
  const rise = sumsAt(recording, values, to, mine, 1)[0] - begin;
  const first = timeIndex(recording, from), last = timeIndex(recording, to);
  const sweep = new Sweep(recording, values, mine, 1, first);
  let heart = from;
  for (let index = first + 1; index <= last; index++) {
    // It has what it had up to now.
    if (sweep.state[0] - begin <= rise / 10) heart = Math.max(from, times[index - 1] ?? from);
    sweep.step(index);
    if (sweep.state[0] - begin >= rise * 0.9) return { from: heart, to: times[index] };
  }
  return { from: heart, to };
}

// Owners of one kind and name are one, of whichever process. {keyOf, keys}
function keysOf(recording) {
  const numbers = new Map(), keys = [];
  const keyOf = Int32Array.from(recording.owners, ({ kind, name }) => {
    const text = kind + '\n' + name;
    if (!numbers.has(text)) {
      numbers.set(text, keys.length);
      keys.push({ kind, name });
    }
    return numbers.get(text);
  });
  return { keyOf, keys };
}

// The groups that are drawn: the keys that had most at their peaks, at most most of them,
// and one for all others. What never had anything is in none.
function chooseGroups(keyOf, peaks, most) {
  const rank = Array.from(peaks.keys()).filter(key => peaks[key] > 0)
    .sort((left, right) => peaks[right] - peaks[left] || left - right);
  // A group of others that holds one may as well be that one.
  const chosen = rank.length <= most + 1 ? rank : rank.slice(0, most);
  const groupOfKey = new Int32Array(peaks.length).fill(-1);
  rank.forEach(key => { groupOfKey[key] = chosen.length; });
  chosen.forEach((key, group) => { groupOfKey[key] = group; });
  return { chosen, hasOthers: chosen.length < rank.length,
           groupOf: keyOf.map(key => key < 0 ? -1 : groupOfKey[key]) };
}

// What each key had at two moments.
function growthBetween(recording, keyOf, count, from, to) {
  const at = (values, moment) => sumsAt(recording, values, moment, keyOf, count);
  const { commit, resident, swapped } = recording.life;
  return { commitFrom: at(commit, from), commitTo: at(commit, to),
           residentFrom: at(resident, from), residentTo: at(resident, to),
           swappedFrom: at(swapped, from), swappedTo: at(swapped, to) };
}

// The last point of a series that is not after a moment; -1: none is.
function pointAt(series, moment) {
  return countUpTo(series.time, moment) - 1;
}
