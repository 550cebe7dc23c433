// SPDX-License-Identifier: MIT
// The processes: the list that chooses them, and their table.

const MOST_LISTED = 200;

const depthOf = (index, depth = 0) => {
  const { parent } = recording.processes[index];
  return parent === null || parent >= index || depth > 20 ? depth : depthOf(parent, depth + 1);
};

function isListed(index, text) {
  return processText(index).toLowerCase().includes(text.toLowerCase());
}

function processItem(index) {
  const box = make('input', { type: 'checkbox', checked: Boolean(view.chosen[index]) });
  box.onchange = () => {
    view.chosen[index] = box.checked ? 1 : 0;
    changed('processes');
  };
  const item = make('li', {}, make('label', {}, box, ' ', nameElement(processText(index))));
  item.style.paddingInlineStart = Math.min(6, depthOf(index)) + 'em';
  return item;
}

function fillChooser() {
  const text = byId('process-filter').value;
  const listed = [...recording.processes.keys()].filter(index => isListed(index, text));
  byId('process-list').replaceChildren(...listed.slice(0, MOST_LISTED).map(processItem));
  byId('process-rest').hidden = listed.length <= MOST_LISTED;
  byId('process-rest').textContent = `And ${numberText(listed.length - MOST_LISTED)} more: find them by name.`;
}

function tellChosen() {
  const count = view.chosen.reduce((sum, is) => sum + is, 0), all = view.chosen.length;
  byId('chooser-summary').textContent =
    count === all ? `Processes: all ${numberText(all)}` : `Processes: ${numberText(count)} of ${numberText(all)}`;
}

// All that the field finds, or none of it.
function choose(value) {
  const text = byId('process-filter').value;
  for (let index = 0; index < view.chosen.length; index++)
    if (isListed(index, text)) view.chosen[index] = value;
  fillChooser();
  changed('processes');
}

// --- the table ----------------------------------------------------------------------

function endText({ end, exit, signal }) {
  if (end === null) return 'ran on';
  if (signal !== null) return `signal ${signal}`;
  return exit === null ? 'ended' : `exit ${exit}`;
}

function lifeBar({ begin, end }) {
  const bar = make('i');
  bar.style.marginLeft = begin / recording.span * 100 + '%';
  bar.style.width = Math.max(0.5, ((end ?? recording.span) - begin) / recording.span * 100) + '%';
  return make('span', { className: 'life-bar', ariaHidden: 'true' }, bar);
}

// What each process had at the most, and when, of a measure.
function processExtremes(measure) {
  const processOf = Int32Array.from(recording.owners, ({ process }) => process);
  return extremes(recording, recording.life[measure], processOf, recording.processes.length);
}

function drawProcesses() {
  const { processes } = recording, commit = processExtremes('commit'), resident = processExtremes('resident');
  const name = index => {
    const element = make('span', {}, nameElement(processes[index].name));
    element.style.paddingInlineStart = Math.min(6, depthOf(index)) + 'em';
    return element;
  };
  const figure = (title, value, text) => ({ title, value, fill: i => text(value(i)), isFigure: true });
  const read = (title, value, text) => ({
    title, value: i => wasRead(i) ? value(i) : -1, fill: i => wasRead(i) ? text(value(i)) : 'not read', isFigure: true,
  });
  new Table(byId('process-table'), 'Processes', [
    { title: 'Name', value: i => i, fill: name },
    figure('Number', i => processes[i].pid, String),
    figure('Began', i => processes[i].begin, time => timeText(time)),
    { title: 'Lived', value: i => (processes[i].end ?? recording.span) - processes[i].begin, fill: i => lifeBar(processes[i]) },
    read('Most commit', i => commit.peak[i], sizeText),
    read('at', i => commit.peakTime[i], time => timeText(time)),
    read('Most resident', i => resident.peak[i], pagesText),
    { title: 'End', value: i => endText(processes[i]), fill: i => endText(processes[i]) },
  ], { isRising: true }).show(processes.keys());
}
