// SPDX-License-Identifier: MIT
// The recording, out of the elements of the page: tables of JSON, columns of typed arrays.

const TYPES = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array, f64: Float64Array };
const CHANGES = ['new', 'grew', 'moved', 'shrank', 'gone', 'granted', 'refused'];
const GRANTED = CHANGES.indexOf('granted'), REFUSED = CHANGES.indexOf('refused');
const IS_PART = 1, HAS_PAGES = 2, IS_SHARED = 4;

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

// One text may stand for them all.
function numbersOf(text, { type, count }) {
  if (type !== 'constant') return new TYPES[type](bytesOf(text).buffer);
  const isSmall = Number(text) >= 0 && Number(text) < 256;
  return new (isSmall ? Uint8Array : Float64Array)(Number(count)).fill(Number(text));
}

// Numbers in units of scale. They stay as small as they came: what is read of memory, and
// how much of it there must be, is most of what a million of them costs.
class Column {
  constructor(list, scale) {
    this.list = list;
    this.scale = scale;
  }

  at(index) {
    return this.list[index] * this.scale;
  }

  get length() {
    return this.list.length;
  }
}

// Where each number is what it is more than the one before: the numbers.
function summed({ list, scale }) {
  let most = 0;
  for (let i = 0; i < list.length; i++) most += list[i] * scale;
  const sums = new (most < 2 ** 32 ? Uint32Array : Float64Array)(list.length);
  for (let i = 0, sum = 0; i < sums.length; i++) sums[i] = sum += list[i] * scale;
  return sums;
}

// {table: {column: Column}} of elements called table-column; they are needed no more.
function readColumns(root) {
  const columns = {};
  for (const element of root.querySelectorAll('script.column')) {
    const [table, name] = element.id.split('-'), { scale, rising } = element.dataset;
    const column = new Column(numbersOf(element.textContent, element.dataset), Number(scale));
    columns[table] ??= {};
    columns[table][name ?? 'list'] = rising === undefined ? column : summed(column);
    element.remove();
  }
  return columns;
}

// How many of what happens at numbered times has happened up to each: upTo[number + 1].
function countsUpTo(numbers, times) {
  const upTo = new Uint32Array(times + 2);
  for (let i = 0; i < numbers.length; i++) upTo[numbers[i] + 1]++;
  for (let i = 1; i < upTo.length; i++) upTo[i] += upTo[i - 1];
  return upTo;
}

// When lives begin and end: they are in the order in which they begin, deaths are their
// numbers in the order in which they end. What has no end ends behind all times.
function arrangeLives(begin, span, times) {
  const end = new Uint32Array(begin.length), deaths = new Uint32Array(begin.length);
  for (let i = 0; i < end.length; i++) end[i] = span[i] ? begin[i] + span[i] : times;
  const diedUpTo = countsUpTo(end, times), places = diedUpTo.slice();
  for (let i = 0; i < end.length; i++) deaths[places[end[i]]++] = i;
  return { end, deaths, diedUpTo, bornUpTo: countsUpTo(begin, times), count: end.length };
}

// A table whose figures are few: as arrays of numbers.
function plain(table) {
  return Object.fromEntries(Object.entries(table).map(([name, column]) => [name,
    column instanceof Column ? Float64Array.from(column.list, number => number * column.scale) : column]));
}

// One object for all that is drawn of it.
function makeRecording(tables, { times, starts, life, change, limit, machine }) {
  const { begin, span, ...figures } = life;
  return {
    ...tables, computer: tables.machine,
    owners: tables.owners.map(([process, kind, name]) => ({ process, kind, name })),
    times: times.list, starts: starts.list,
    life: { ...figures, ...arrangeLives(begin, span.list, times.list.length) },
    change: plain(change), limit: plain(limit), machine: plain(machine),
    span: Math.max(1, tables.length),
  };
}

function readRecording(root) {
  return makeRecording(JSON.parse(root.getElementById('tables').textContent),
                       readColumns(root));
}
