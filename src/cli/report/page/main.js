// SPDX-License-Identifier: MIT
// The head of the page, and what each control does.

function tellProgram() {
  const { program, computer, began } = recording;
  document.title = `${program} \u2013 vmspace report`;
  byId('program').replaceChildren(nameElement(program || 'a program'));
  const date = began ? new Date(began / 1000).toLocaleString('en-GB', { dateStyle: 'long', timeStyle: 'short' }) : '';
  const count = recording.processes.length;
  byId('facts').textContent = [date, timeText(recording.length, recording.span / 1000), `${numberText(count)} process${count === 1 ? '' : 'es'}`,
    `${numberText(recording.life.count)} states of mappings`].filter(Boolean).join(' \u00b7 ');
  byId('machine').textContent = `Recorded on ${computer}; pages of ${sizeText(recording.pageSize)}.`;
  byId('notice').hidden = !recording.isCut;
  byId('notice').textContent = 'The recording ends in the midst: the recorder was ended. What it had written until then is here.';
}

// --- the answer: what grew, when, and whose it is ----------------------------------

// {key, measure} of the greatest rise: of commit, or of what is resident where more was
// touched than the kernel accounts (MAP_NORESERVE). Pages of files do not count: the kernel
// takes them back when it wants to. key is -1 where nothing grew.
function grownMost() {
  const { commit, resident } = figures;
  const found = { key: -1, measure: 'commit', rise: 0 };
  keys.forEach(({ kind }, key) => {
    const touched = kind === 'file' || kind === 'kernel' ? 0 : resident.rise[key];
    const rise = Math.max(commit.rise[key], touched);
    if (rise > found.rise)
      Object.assign(found, { key, measure: touched > commit.rise[key] ? 'resident' : 'commit', rise });
  });
  return found;
}

// By how much a measure of a key differs between two moments.
function differenceOf(key, measure, from, to) {
  const mine = figures.keyOf.map(of => of === key ? 0 : -1);
  const at = moment => sumsAt(recording, recording.life[measure], moment, mine, 1)[0];
  return at(to) - at(from);
}

const MEASURE_TEXT = { commit: 'of commit', resident: 'of resident memory' };

// The processes that have nearly all of a measure of a key at a moment, most first.
function holdersOf(key, measure, moment) {
  const processOf = figures.keyOf.map((of, owner) => of === key ? recording.owners[owner].process : -1);
  const sums = sumsAt(recording, recording.life[measure], moment, processOf, recording.processes.length);
  const holders = [...sums.keys()].filter(index => sums[index] > 0).sort((left, right) => sums[right] - sums[left]);
  const whole = sums.reduce((sum, value) => sum + value, 0), two = sums[holders[0]] + (sums[holders[1]] ?? 0);
  if (sums[holders[0]] >= whole * 0.9) return processText(holders[0]);
  return holders.slice(0, 2).map(processText).join(', ') + (two >= whole * 0.9 ? '' : ' and others');
}

function tellAnswer() {
  const { key, measure, rise } = grownMost();
  if (key < 0) {
    byId('answer').textContent = 'Nothing of what is chosen has grown.';
    return;
  }
  const from = figures[measure].riseFrom[key], to = figures[measure].riseTo[key];
  const heart = heartOfRise(recording, recording.life[measure], figures.keyOf, key, from, to);
  const other = measure === 'commit' ? 'resident' : 'commit';
  const beside = tellsPages ? ` (${other} ${differenceText(differenceOf(key, other, from, to))})` : '';
  const process = holdersOf(key, measure, heart.to), step = Math.max(1e3, (heart.to - heart.from) / 100);
  const show = make('button', { type: 'button', className: 'plain' }, 'Show it');
  show.onclick = () => {
    setSelection(heart.from, heart.to);
    setCursor(heart.to);
  };
  byId('answer').replaceChildren(
    make('strong', {}, nameElement(ownerText(keys[key]))), ' of ', nameElement(process), ' grew most: ',
    make('strong', {}, '+' + sizeText(rise)),
    ` ${MEASURE_TEXT[measure]}${beside}, ` + (heart.from < heart.to ? `most of it from ${timeText(heart.from, step)} to ${timeText(heart.to, step)}. ` :
      `at ${timeText(heart.to)}. `), show);
}

function tellHeadline() {
  const { commit, resident } = figures, limit = limitAt(commit.mostTime);
  const refusals = [];
  for (let i = 0; i < recording.change.kind.length; i++) {
    const process = recording.change.process[i];
    if (recording.change.kind[i] === REFUSED && (!process || view.chosen[process - 1])) refusals.push(i);
  }
  const first = refusals.length ? recording.change.time[refusals[0]] : 0;
  const machine = pointAt(recording.machine, recording.span), bound = machine < 0 ? 0 : recording.machine.size[machine];
  const fact = (name, figure, more, time) => {
    const value = make('dd', {}, make('b', {}, figure));
    if (time !== undefined)
      value.append(make('button', { type: 'button', className: 'plain', onclick: () => setCursor(time) }, more));
    else value.append(make('span', { className: 'quiet' }, more));
    return make('div', {}, make('dt', {}, name), value);
  };
  byId('headline').replaceChildren(
    fact('Most commit', sizeText(commit.most), 'at ' + timeText(commit.mostTime), commit.mostTime),
    tellsPages ? fact('Most resident', sizeText(resident.most), 'at ' + timeText(resident.mostTime), resident.mostTime) :
      fact('Most resident', 'not read', 'the kernel told no pages'),
    fact('Limit', limit ? sizeText(limit) : 'none', limit ? `${Math.round(commit.most / limit * 100)} % of it at the most` : ''),
    refusals.length ? fact('Refused', numberText(refusals.length), 'first at ' + timeText(first), first) :
      fact('Refused', '0', recording.limit.time.length ? '' : 'no limit was recorded'),
    ...(machine < 0 ? [] : [fact('Machine', sizeText(recording.machine.commit[machine]),
      bound ? `committed of ${sizeText(bound)} at the end` : 'committed at the end, no limit in force')]));
}

// --- controls ------------------------------------------------------------------------

const THEMES = ['auto', 'dark', 'light'];

function turnTheme() {
  const root = document.documentElement, at = THEMES.indexOf(root.dataset.theme ?? 'auto');
  const next = THEMES[(at + 1) % THEMES.length];
  if (next === 'auto') delete root.dataset.theme; else root.dataset.theme = next;
  byId('theme').textContent = 'Theme: ' + next;
  changed('theme');
}

function onClick(id, act) {
  byId(id).onclick = act;
}

function setSwitches() {
  const hasLimit = mostOf(recording.limit, 'size') > 0, hasMachine = recording.machine.time.length > 0;
  // A line far above all else would flatten it.
  view.showLimit = hasLimit && mostOf(recording.limit, 'size') <= 3 * figures.commit.most;
  byId('show-limit').checked = view.showLimit;
  byId('limit-switch').hidden = !hasLimit;
  byId('machine-switch').hidden = !hasMachine;
  byId('show-limit').onchange = event => { view.showLimit = event.target.checked; changed('lines'); };
  byId('show-machine').onchange = event => { view.showMachine = event.target.checked; changed('lines'); };
}

function setTimelineControls() {
  const chart = byId('chart');
  chart.addEventListener('keydown', onTimelineKey);
  chart.addEventListener('pointerdown', onPointerDown);
  chart.addEventListener('pointermove', onPointerMove);
  chart.addEventListener('pointerup', onPointerUp);
  chart.addEventListener('pointercancel', onPointerUp);
  chart.addEventListener('wheel', onWheel, { passive: false });
  byId('overview').addEventListener('pointerdown', onOverview);
  byId('measures').onchange = event => { view.measure = event.target.value; changed('measure'); };
  onClick('zoom-in', () => zoom(2));
  onClick('zoom-out', () => zoom(1 / 2));
  onClick('zoom-all', () => setWindow(0, recording.span));
  onClick('zoom-selection', () => setWindow(view.begin, view.end));
  onClick('select-from', () => setSelection(view.cursor, Math.max(view.cursor, view.end)));
  onClick('select-to', () => setSelection(Math.min(view.begin, view.cursor), view.cursor));
  onClick('select-all', () => setSelection(0, recording.span));
  onClick('event-before', () => nextEvent(-1));
  onClick('event-behind', () => nextEvent(1));
}

function setOtherControls() {
  onClick('theme', turnTheme);
  byId('process-filter').oninput = fillChooser;
  onClick('all-processes', () => choose(1));
  onClick('no-processes', () => choose(0));
  byId('address-map').addEventListener('keydown', onSpaceKey);
  byId('address-map').addEventListener('pointerdown', onSpacePointer);
  byId('address-process').onchange = event => { view.process = Number(event.target.value); changed('process'); };
  byId('in-selection').onchange = () => changed('kinds');
  byId('change-filter').oninput = () => changed('kinds');
  byId('timeline-behind').ontoggle = () => changed('behind');
  byId('addresses-behind').ontoggle = () => changed('behind');
}

// --- who is told of what ---------------------------------------------------------------

function tellWhere() {
  tellProcess();
  byId('addresses-moment').textContent = `at ${momentText(view.cursor)}, ${numberText(space.numbers.length)} mappings`;
}

function setListeners() {
  onChange(['theme', 'size'], readPalette);
  onChange(['processes'], () => { view.only = -1; tellChosen(); tellAnswer(); tellHeadline(); });
  onChange(['processes', 'measure', 'window', 'only', 'lines', 'size', 'theme'], drawTimeline);
  onChange(['processes', 'measure', 'window', 'size', 'theme'], drawOverview);
  onChange(['processes', 'window', 'selection', 'cursor', 'size', 'theme'], drawOver);
  onChange(['processes', 'window', 'cursor'], tellMoment);
  onChange(['processes', 'window', 'cursor', 'only', 'theme'], drawLegend);
  onChange(['processes', 'window', 'measure', 'only', 'behind'], drawTimelineTable);
  onChange(['processes', 'selection'], () => { drawGrowth(); drawAsked(); });
  onChange(['processes', 'process', 'cursor', 'size', 'theme'], () => { drawSpace(); tellWhere(); });
  onChange(['process', 'cursor', 'behind'], drawSpaceTable);
  onChange(['processes', 'kinds'], drawChanges);
  onChange(['selection'], () => { if (byId('in-selection').checked) drawChanges(); });
}

// What is printed is on white, and as wide as the paper.
function setPrinting() {
  const root = document.documentElement;
  let before;
  const redraw = () => { readPalette(); drawTimeline(); drawOverview(); drawOver(); drawLegend(); drawSpace(); };
  window.addEventListener('beforeprint', () => {
    before = root.dataset.theme;
    root.dataset.theme = 'light';
    root.classList.add('printing');
    redraw();
    flatten(byId('chart-base'), byId('chart-over'));
    document.querySelectorAll('#address-canvas, .swatch').forEach(canvas => flatten(canvas));
  });
  window.addEventListener('afterprint', () => {
    if (before) root.dataset.theme = before; else delete root.dataset.theme;
    root.classList.remove('printing');
    redraw();
  });
}

function start() {
  computeFigures();
  readPalette();
  // Where there was most: what had grown until then is what people look for.
  view.cursor = view.end = figures.commit.mostTime || recording.span;
  tellProgram();
  fillKinds();
  fillProcesses();
  fillChooser();
  setSwitches();
  setTimelineControls();
  setOtherControls();
  setListeners();
  setPrinting();
  changed('processes', 'kinds');
  requestAnimationFrame(() => {
    performance.mark('drawn');
    setTimeout(drawProcesses);
  });
  // It tells of the first size, too, which everything has been drawn for.
  let width = byId('chart').clientWidth;
  new ResizeObserver(([{ target }]) => {
    if (target.clientWidth === width) return;
    width = target.clientWidth;
    changed('size');
  }).observe(byId('chart'));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => changed('theme'));
}

start();
