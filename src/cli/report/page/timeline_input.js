// SPDX-License-Identifier: MIT
// The timeline under mouse, fingers and keys; what it says at the moment; its table.

const AS_CLICK = 4;

function nextEvent(direction) {
  const { time, kind, process } = recording.change;
  const isSeen = i => kindsShown[kind[i]] && (!process[i] || view.chosen[process[i] - 1]);
  let i = direction > 0 ? countUpTo(time, view.cursor) : countUpTo(time, view.cursor - 1e-3) - 1;
  while (i >= 0 && i < time.length && !isSeen(i)) i += direction;
  if (i >= 0 && i < time.length) setCursor(time[i]);
}

function onTimelineKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const step = (view.to - view.from) / plot.width * (event.shiftKey ? 20 : 2);
  const actions = {
    ArrowLeft: () => setCursor(view.cursor - step), ArrowDown: () => setCursor(view.cursor - step),
    ArrowRight: () => setCursor(view.cursor + step), ArrowUp: () => setCursor(view.cursor + step),
    PageUp: () => setCursor(view.cursor + (view.to - view.from) / 10),
    PageDown: () => setCursor(view.cursor - (view.to - view.from) / 10),
    Home: () => setCursor(view.from), End: () => setCursor(view.to),
    '+': () => zoom(2), '=': () => zoom(2), '-': () => zoom(1 / 2),
    '0': () => setWindow(0, recording.span),
    '[': () => setSelection(view.cursor, Math.max(view.cursor, view.end)),
    ']': () => setSelection(Math.min(view.begin, view.cursor), view.cursor),
    n: () => nextEvent(1), p: () => nextEvent(-1),
    Escape: () => setSelection(0, recording.span),
  };
  const act = actions[event.key] ?? actions[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
}

// --- pointers ---------------------------------------------------------------------

const pointers = new Map();
let pressedAt = 0;

const xOf = event => event.clientX - byId('chart').getBoundingClientRect().left;

// Two fingers hold the two moments that they were put on.
function pinch() {
  const [one, other] = [...pointers.values()];
  if (Math.abs(one.x - other.x) < 10 || one.time === other.time) return;
  const perPixel = (other.time - one.time) / (other.x - one.x);
  if (perPixel <= 0) return;
  const from = one.time - (one.x - MARGIN.left) * perPixel;
  setWindow(from, from + plot.width * perPixel);
}

function onPointerDown(event) {
  if (event.button !== 0) return;
  const x = xOf(event);
  byId('chart').setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, { x, time: xToTime(x) });
  pressedAt = x;
  if (event.pointerType !== 'mouse' && pointers.size === 1) setCursor(xToTime(x));
}

function onPointerMove(event) {
  const pointer = pointers.get(event.pointerId);
  if (!pointer) return;
  pointer.x = xOf(event);
  if (pointers.size === 2) pinch();
  else if (event.pointerType !== 'mouse') setCursor(Math.min(view.to, Math.max(view.from, xToTime(pointer.x))));
  else if (Math.abs(pointer.x - pressedAt) > AS_CLICK) setSelection(pointer.time, xToTime(pointer.x));
}

function onPointerUp(event) {
  const pointer = pointers.get(event.pointerId);
  if (!pointers.delete(event.pointerId) || event.type === 'pointercancel') return;
  if (event.pointerType === 'mouse' && Math.abs(pointer.x - pressedAt) <= AS_CLICK)
    setCursor(pointer.time);
}

function onWheel(event) {
  const isSideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
  if (!event.ctrlKey && !isSideways) return;
  event.preventDefault();
  if (event.ctrlKey) zoom(2 ** (-event.deltaY / 200), xToTime(xOf(event)));
  else {
    const by = event.deltaX / plot.width * (view.to - view.from);
    setWindow(view.from + by, view.to + by);
  }
}

// What is dragged over the overview is shown; a click brings the window there.
function onOverview(down) {
  const box = byId('overview');
  const timeAt = event => {
    const { left } = box.getBoundingClientRect();
    return clampTime((event.clientX - left - MARGIN.left) / plot.width * recording.span);
  };
  const begin = timeAt(down);
  box.setPointerCapture(down.pointerId);
  box.onpointermove = event => {
    const time = timeAt(event);
    if (Math.abs(time - begin) > recording.span / plot.width * AS_CLICK)
      setWindow(Math.min(begin, time), Math.max(begin, time));
  };
  box.onpointerup = event => {
    box.onpointermove = box.onpointerup = null;
    const half = (view.to - view.from) / 2;
    if (Math.abs(event.clientX - down.clientX) <= AS_CLICK) setWindow(begin - half, begin + half);
  };
}

// --- in words ---------------------------------------------------------------------

function totalAt(measure, time) {
  return sumsAt(recording, recording.life[measure], time, figures.groupOf.map(group => group < 0 ? -1 : 0), 1)[0];
}

// Mappings of the chosen processes whose pages were not read.
function unreadAt(time) {
  const { owner, flags } = recording.life;
  return livingAt(recording, time).filter(i =>
    figures.groupOf[owner.list[i]] >= 0 && !(flags.list[i] & HAS_PAGES)).length;
}

function tellMoment() {
  const time = view.cursor, limit = limitAt(time), unread = unreadAt(time);
  const parts = [`commit ${sizeText(totalAt('commit', time))}` + (limit ? ` of ${sizeText(limit)}` : ''),
                 `resident ${pagesText(totalAt('resident', time))}`];
  if (figures.swapped.most) parts.push(`swapped ${sizeText(totalAt('swapped', time))}`);
  if (unread && tellsPages) parts.push(`pages of ${numberText(unread)} mappings not read`);
  const text = `${momentText(time)}: ${parts.join(', ')}`;
  byId('readout').replaceChildren(make('strong', {}, momentText(time)), ' ' + parts.join(' \u00b7 '));
  const chart = byId('chart');
  chart.ariaValueMin = '0';
  chart.ariaValueMax = String(recording.span);
  chart.ariaValueNow = String(Math.round(time));
  chart.ariaValueText = text;
}

// --- the legend --------------------------------------------------------------------

function legendRow(group, sums) {
  const { kind } = figures.groups[group];
  const label = make('button', { type: 'button', className: 'owner', ariaPressed: String(view.only === group),
                                 title: 'Show only ' + ownerText(figures.groups[group]) },
    swatch(group), nameElement(shortText(figures.groups[group])));
  if (kind && kind !== 'file' && kind !== ownerText(figures.groups[group])) label.append(make('span', { className: 'kind' }, kind));
  label.onclick = () => {
    view.only = view.only === group ? -1 : group;
    changed('only');
  };
  const cell = (measure, text) => make('td', { className: 'figure' }, text(sums[measure][group]));
  return make('tr', { className: view.only >= 0 && view.only !== group ? 'dim' : '' },
    make('th', { scope: 'row' }, label), cell('commit', sizeText), cell('resident', pagesText));
}

function drawLegend() {
  const focused = [...byId('legend').querySelectorAll('button')].indexOf(document.activeElement);
  const count = figures.groups.length, sums = {};
  for (const measure of Object.keys(MEASURES))
    sums[measure] = sumsAt(recording, recording.life[measure], view.cursor, figures.groupOf, count);
  const total = (measure, text) =>
    make('td', { className: 'figure' }, text(sums[measure].reduce((a, b) => a + b, 0)));
  const head = text => make('th', { scope: 'col', className: text === 'Owner' ? '' : 'figure' }, text);
  // From the top of the picture to its bottom.
  const rows = figures.groups.map((_, group) => legendRow(group, sums)).reverse();
  byId('legend').replaceChildren(make('table', {},
    make('caption', {}, 'At ' + momentText(view.cursor)),
    make('thead', {}, make('tr', {}, head('Owner'), head('Commit'), head('Resident'))),
    make('tbody', {}, ...rows),
    make('tfoot', {}, make('tr', {}, make('th', { scope: 'row' }, 'Together'), total('commit', sizeText), total('resident', pagesText)))));
  if (focused >= 0) byId('legend').querySelectorAll('button')[focused]?.focus();
}

// --- the table behind ---------------------------------------------------------------

const TABLE_ROWS = 50;

function drawTimelineTable() {
  if (!byId('timeline-behind').open) return;
  const columns = Math.min(TABLE_ROWS, Math.max(1, Math.floor(view.to - view.from)));
  const { heights, totals } = stackOfView(columns), wide = (view.to - view.from) / columns;
  const figure = (title, of) => ({ title, value: of, fill: row => sizeText(of(row)), isFigure: true });
  const groups = figures.groups.map((group, number) => ({ group, number }))
    .filter(({ number }) => view.only < 0 || number === view.only);
  const table = new Table(byId('timeline-table'),
    `${MEASURES[view.measure]} from ${momentText(view.from)} to ${momentText(view.to)}, the most in each row\u2019s time`,
    [{ title: 'From', value: row => row, fill: row => timeText(view.from + row * wide, wide), isFigure: true },
     figure('Together', row => totals[row]),
     ...groups.map(({ group, number }) => figure(ownerText(group), row => heights[number * columns + row]))],
    { isRising: true, pageSize: TABLE_ROWS });
  table.show(Array(columns).keys());
}
