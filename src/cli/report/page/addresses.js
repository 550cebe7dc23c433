// SPDX-License-Identifier: MIT
// The address space of one process at the moment: a row for each region.

const REGION = { top: 6, height: 26, below: 20, label: 150, narrow: 440 };
// numbers are those of the mappings that are drawn, of the process; at is the place among
// them of the one that is told.
const space = { process: -1, numbers: [], regions: [], at: 0, boxes: [] };

// The process that was chosen, or the one that has most at the moment; -1: none has anything.
function processShown() {
  if (view.process >= 0) return view.process;
  const processOf = recording.owners.map(({ process }) => process);
  const sums = sumsAt(recording, recording.life.commit, view.cursor, processOf, recording.processes.length);
  const [first] = livingAt(recording, view.cursor);
  const any = first === undefined ? -1 : processOf[recording.life.owner.list[first]];
  return sums.reduce((most, sum, index) => most >= 0 && sum > sums[most] ? index : most, any);
}

// Why a process has no mapping at the moment.
function whyNothing(index) {
  if (index < 0) return 'No process was seen to have anything at this moment.';
  const { begin, end } = recording.processes[index], name = processText(index);
  if (!wasRead(index)) return `Nothing of ${name} was read.`;
  if (view.cursor < begin) return `${name} began later, at ${momentText(begin)}.`;
  if (end !== null && view.cursor >= end) return `${name} had ended before, at ${momentText(end)}.`;
  return `Nothing of ${name} was seen at this moment.`;
}

const groupOfLife = number => figures.groupOf[recording.life.owner.at(number)];

// Of a mapping whose process does not count in the timeline.
function lifeColour(number) {
  const group = groupOfLife(number);
  return group < 0 ? palette.others : groupColour(group);
}

function drawColumn(context, x, y, sums, at, perColumn) {
  const height = REGION.height, whole = sums.reserved[at];
  if (sums.life[at] < 0) return;
  const part = bytes => Math.min(1, bytes / whole) * height;
  const full = Math.max(1, Math.min(1, whole / perColumn) * height);
  context.fillStyle = lifeColour(sums.life[at]);
  context.globalAlpha = 0.16;
  context.fillRect(x, y, 1, height);
  context.globalAlpha = 0.45;
  context.fillRect(x, y + height - part(sums.committed[at]), 1, part(sums.committed[at]));
  context.globalAlpha = 1;
  const high = sums.resident[at] > 0 ? Math.max(1, part(sums.resident[at])) : 0;
  context.fillRect(x, y + height - high, 1, Math.min(full, high));
}

function drawRegion(context, region, x, y, width) {
  const sums = columnsOf(recording, region, width);
  const perColumn = region.length / width;
  for (let at = 0; at < width; at++) drawColumn(context, x + at, y, sums, at, perColumn);
  context.strokeStyle = palette.quiet;
  context.globalAlpha = 0.5;
  context.strokeRect(x - 0.5, y - 0.5, width + 1, REGION.height + 1);
  context.globalAlpha = 1;
  return sums;
}

function drawNames(context, sums, x, y, width) {
  for (let at = 0, from = 0; at <= width; at++) {
    const life = at < width ? sums.life[at] : -2;
    if (life === sums.life[from]) continue;
    const owner = recording.owners[recording.life.owner.at(sums.life[from])];
    const text = at - from > 40 && owner ? fittedText(context, shortText(owner), at - from - 8) : '';
    if (text) {
      labelOver(context, text, x + from + 5, y + 17);
      context.fillStyle = palette.text;
      context.fillText(text, x + from + 5, y + 17);
    }
    from = at;
  }
}

function drawSpace() {
  space.process = processShown();
  space.numbers = livingOf(recording, space.process, view.cursor);
  space.regions = regionsOf(recording, space.numbers);
  space.at = Math.min(space.at, Math.max(0, space.numbers.length - 1));
  const isNarrow = byId('address-map').clientWidth < REGION.narrow + REGION.label;
  const left = isNarrow ? 0 : REGION.label, above = isNarrow ? 16 : 0;
  const row = REGION.height + REGION.below + above;
  const { context, width } = prepareCanvas(byId('address-canvas'),
    REGION.top + Math.max(1, space.regions.length) * row);
  const room = width - left - 2;
  space.boxes = [];
  if (space.regions.length === 0) {
    context.fillStyle = palette.quiet;
    context.fillText(fittedText(context, whyNothing(space.process), width), 0, 22);
  }
  space.regions.forEach((region, index) => {
    const y = REGION.top + index * row + above, wide = Math.round(room * widthOf(region, space.regions, 0.3));
    const sums = drawRegion(context, region, left + 1, y, wide);
    drawNames(context, sums, left + 1, y, wide);
    space.boxes.push({ region, x: left + 1, y, width: wide });
    context.fillStyle = palette.text;
    context.fillText(addressText(region.start), 0, isNarrow ? y - 5 : y + 11);
    context.fillStyle = palette.quiet;
    const figure = `${sizeText(region.resident)} of ${sizeText(region.size)}`;
    if (isNarrow) context.fillText(figure, 110, y - 5); else context.fillText(figure, 0, y + 25);
    const next = space.regions[index + 1];
    if (next) context.fillText(`\u22ee ${sizeText(next.gap)} free`, left + 1, y + REGION.height + 14);
  });
  byId('short-gaps').hidden = !space.regions.some(({ isShortened }) => isShortened);
  outlineMapping(context);
  tellMapping();
}

// --- one mapping ------------------------------------------------------------------

function outlineMapping(context) {
  const number = space.numbers[space.at];
  if (number === undefined) return;
  const { region, x, y, width } = space.boxes.find(box => box.region.numbers.includes(number));
  const place = region.places[region.numbers.indexOf(number)], scale = width / region.length;
  context.strokeStyle = palette.accent;
  context.lineWidth = 2;
  context.strokeRect(x + place * scale - 1, y - 2,
                     Math.max(3, recording.life.size.at(number) * scale + 2), REGION.height + 4);
}

function protText(flags) {
  return (flags & 8 ? 'r' : '-') + (flags & 16 ? 'w' : '-') + (flags & 32 ? 'x' : '-') + (flags & IS_SHARED ? 's' : 'p');
}

const ownerOf = number => recording.owners[recording.life.owner.at(number)];

function mappingText(number) {
  const { size, commit, resident, file, swapped } = recording.life, flags = recording.life.flags.at(number);
  const figure = column => (flags & IS_PART ? 'about ' : '') + sizeText(column.at(number));
  const pages = flags & HAS_PAGES ? `resident ${figure(resident)}` +
    (file.at(number) ? ` (of the file ${figure(file)})` : '') +
    (swapped.at(number) ? `, swapped ${figure(swapped)}` : '') : 'pages not read';
  return `${addressText(startOf(recording, number))}\u2013${addressText(stopOf(recording, number))} ${protText(flags)}, ` +
    `${ownerText(ownerOf(number))}: ${sizeText(size.at(number))}, committed ${figure(commit)}, ${pages}`;
}

function tellMapping() {
  const number = space.numbers[space.at], map = byId('address-map');
  const text = number === undefined ? whyNothing(space.process) : mappingText(number);
  byId('mapping').textContent = text;
  map.ariaValueMin = '0';
  map.ariaValueMax = String(Math.max(0, space.numbers.length - 1));
  map.ariaValueNow = String(space.at);
  map.ariaValueText = text;
}

function chooseMapping(at) {
  if (space.numbers.length === 0) return;
  space.at = Math.min(space.numbers.length - 1, Math.max(0, at));
  drawSpace();
}

function onSpaceKey(event) {
  const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, PageUp: -20, PageDown: 20,
               Home: -Infinity, End: Infinity }[event.key];
  if (by === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  chooseMapping(space.at + by);
}

function onSpacePointer(event) {
  const { left, top } = byId('address-map').getBoundingClientRect();
  const x = event.clientX - left, y = event.clientY - top;
  const box = space.boxes.find(candidate => y >= candidate.y - 4 && y <= candidate.y + REGION.height + 4);
  if (!box || x < box.x || x > box.x + box.width) return;
  const { numbers, places, length } = box.region;
  const before = countUpTo(places, (x - box.x) / box.width * length);
  chooseMapping(space.numbers.indexOf(numbers[Math.max(1, before) - 1]));
}

// --- the table behind ---------------------------------------------------------------

function drawSpaceTable() {
  if (!byId('addresses-behind').open) return;
  const { life } = recording, flags = i => life.flags.at(i);
  const figure = (title, column, text = (i, bytes) => (flags(i) & IS_PART ? '\u2248' : '') + sizeText(bytes)) => ({
    title, value: i => column.at(i), fill: i => text(i, column.at(i)), isFigure: true,
  });
  const pages = (i, bytes) => flags(i) & HAS_PAGES ? (flags(i) & IS_PART ? '\u2248' : '') + sizeText(bytes) : 'not read';
  new Table(byId('address-table'),
    `Mappings of ${processText(space.process)} at ${momentText(view.cursor)}`,
    [{ title: 'Start', value: i => startOf(recording, i), fill: i => make('code', {}, addressText(startOf(recording, i))) },
     { title: 'Rights', value: i => flags(i) >> 2, fill: i => make('code', {}, protText(flags(i))) },
     { title: 'Owner', value: i => ownerText(ownerOf(i)), fill: i => nameElement(ownerText(ownerOf(i))) },
     { title: 'Kind', value: i => ownerOf(i).kind, fill: i => ownerOf(i).kind },
     figure('Size', life.size, (i, bytes) => sizeText(bytes)), figure('Committed', life.commit),
     figure('Resident', life.resident, pages), figure('Swapped', life.swapped, pages)],
    { isRising: true, pageSize: 50 }).show(space.numbers);
}

function fillProcesses() {
  const select = byId('address-process');
  select.replaceChildren(make('option', { value: '-1' }), ...recording.processes.map((_, index) =>
    make('option', { value: String(index) }, processText(index))));
  select.value = String(view.process);
}

function tellProcess() {
  byId('address-process').options[0].textContent = 'the largest' +
    (view.process < 0 && space.process >= 0 ? `: ${processText(space.process)}` : '');
}
