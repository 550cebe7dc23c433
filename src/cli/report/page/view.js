// SPDX-License-Identifier: MIT
// What is being looked at, and who is told when that changes.

const MOST_GROUPS = 7;
const MEASURES = { commit: 'Commit', resident: 'Resident', swapped: 'Swapped' };

const byId = id => document.getElementById(id);

// An element with properties and children; texts stay texts.
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties))
    if (name in element) element[name] = value; else element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// A name that others have chosen: it does not turn what stands beside it.
const nameElement = text => make('bdi', { className: 'name' }, text);

const recording = readRecording(document);
const { keyOf, keys } = keysOf(recording);

const view = {
  measure: 'commit',
  from: 0, to: recording.span,        // what of the timeline is seen
  begin: 0, end: recording.span,      // the selection
  cursor: 0,
  chosen: new Uint8Array(recording.processes.length).fill(1),
  process: -1,                        // whose address space is shown; -1: the largest one's
  only: -1,                           // the one group that is drawn; -1: all
  showLimit: false, showMachine: false,
};

function clampTime(time) {
  return Math.min(recording.span, Math.max(0, time));
}

// The owners that count: those of the processes that were chosen.
function chosenKeys() {
  return keyOf.map((key, owner) => view.chosen[recording.owners[owner].process] ? key : -1);
}

// What depends on which processes are chosen, and on nothing else.
const figures = {};

function computeFigures() {
  const chosen = chosenKeys();
  const of = measure => extremes(recording, recording.life[measure], chosen, keys.length);
  figures.keyOf = chosen;
  figures.commit = of('commit');
  figures.resident = of('resident');
  figures.swapped = of('swapped');
  const peaks = figures.commit.peak.map((peak, key) =>
    Math.max(peak, figures.resident.peak[key], figures.swapped.peak[key]));
  const { chosen: drawn, hasOthers, groupOf } = chooseGroups(chosen, peaks, MOST_GROUPS);
  figures.groupOf = groupOf;
  figures.groups = drawn.map(key => ({ ...keys[key], key }));
  if (hasOthers) figures.groups.push({ kind: '', name: 'all others', key: -1 });
}

const isOthers = group => figures.groups[group].key < 0;

// What an owner is called: its kind tells apart a file and memory named like it.
function ownerText({ kind, name }) {
  return name || kind;
}

// A file without its directories.
function shortText(owner) {
  const name = ownerText(owner);
  return owner.kind === 'file' && name.startsWith('/') ? name.slice(name.lastIndexOf('/') + 1) : name;
}

const processText = index => index < 0 ? '' :
  `${recording.processes[index].name} [${recording.processes[index].pid}]`;

// Processes that ended too soon, or could not be looked at, have no figures at all.
const haveOwners = new Set(recording.owners.map(({ process }) => process));
const wasRead = index => haveOwners.has(index);

// Some kernels tell nothing of pages.
const tellsPages = recording.life.flags.list.some(flags => flags & HAS_PAGES);
const pagesText = (bytes, text = sizeText) => tellsPages ? text(bytes) : 'not read';

// --- who is told --------------------------------------------------------------

// Each is told once a frame, in the order in which they asked.
const told = [];
let changedSince = new Set();

function onChange(what, tell) {
  told.push({ what, tell });
}

function tellAll() {
  const changed = changedSince;
  changedSince = new Set();
  if (changed.has('processes')) computeFigures();
  for (const { what, tell } of told) if (what.some(name => changed.has(name))) tell();
}

// What: processes, measure, window, selection, cursor, only, lines, size, theme.
function changed(...what) {
  if (changedSince.size === 0) requestAnimationFrame(tellAll);
  what.forEach(name => changedSince.add(name));
}

function setCursor(time) {
  view.cursor = clampTime(time);
  if (view.cursor < view.from || view.cursor > view.to) {
    const half = (view.to - view.from) / 2;
    setWindow(view.cursor - half, view.cursor + half);
  }
  changed('cursor');
}

function setWindow(from, to) {
  const wide = Math.min(recording.span, Math.max(Math.min(100, recording.span), to - from));
  view.from = Math.min(recording.span - wide, Math.max(0, from));
  view.to = view.from + wide;
  changed('window');
}

function zoom(times, around = view.cursor) {
  const left = (around - view.from) / times;
  setWindow(around - left, around - left + (view.to - view.from) / times);
}

function setSelection(begin, end) {
  view.begin = clampTime(Math.min(begin, end));
  view.end = clampTime(Math.max(begin, end));
  changed('selection');
}

const isWhole = () => view.begin === 0 && view.end === recording.span;

// Microseconds of a pixel, which moments are told apart by.
const stepOfView = () => Math.max(1, (view.to - view.from) / 800);
const momentText = time => timeText(time, Math.min(1e4, stepOfView()));
