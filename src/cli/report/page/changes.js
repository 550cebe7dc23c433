// SPDX-License-Identifier: MIT
// The list of events: what grew, moved, went, and calls that were refused.

const CHANGE_TEXT = { new: 'new', grew: 'grew', moved: 'moved', shrank: 'shrank', gone: 'gone',
                      granted: 'granted', refused: 'refused' };
const CHANGE_SIGNS = { new: '\u25c7', grew: '\u25b2', moved: '\u25b6', shrank: '\u25bd', gone: '\u00d7',
                       granted: '\u25cb', refused: '\u25bc' };
// What was granted shows as growth already.
const kindsShown = CHANGES.map(word => word !== 'granted');
let changeTable;

const ownerOfChange = i => recording.change.owner[i] ? recording.owners[recording.change.owner[i] - 1] : null;
const framesOf = i => recording.change.stack[i] ? recording.stacks[recording.change.stack[i] - 1] : [];
const callOf = i => recording.calls[recording.change.call[i]] ?? '';
const isGranted = i => recording.change.kind[i] === GRANTED;
const isCall = i => isGranted(i) || recording.change.kind[i] === REFUSED;

function kindElement(i) {
  const { kind, error, count } = recording.change, word = CHANGES[kind[i]];
  const text = isCall(i) ? `${callOf(i)} ${CHANGE_TEXT[word]}` : CHANGE_TEXT[word];
  const why = error[i] ? `, ${recording.errors[error[i]] ?? error[i]}` :
    count[i] > 1 ? `, ${numberText(count[i])} calls` : '';
  return make('span', { className: 'change ' + word },
    make('i', { className: 'sign', ariaHidden: 'true' }, CHANGE_SIGNS[word]), text + why);
}

function placeElement(i) {
  const { start, range, from, kind } = recording.change;
  if (!range[i] && !start[i]) return '';
  const place = make('code', {}, addressText(start[i]));
  return CHANGES[kind[i]] === 'moved' ?
    make('span', {}, make('code', {}, addressText(from[i])), ' \u2192 ', place) : place;
}

function framesElement(frames) {
  if (frames.length === 0) return null;
  return make('ol', { className: 'frames' }, ...frames.map(frame => make('li', {}, nameElement(frame))));
}

function changeColumns() {
  const { time, kind, process, size, commit, start } = recording.change;
  const goTo = i => make('button', { type: 'button', className: 'plain moment', title: 'Go to this moment',
                                     onclick: () => setCursor(time[i]) }, timeText(time[i], 1000));
  return [
    { title: 'Time', value: i => time[i], fill: goTo, isFigure: true },
    { title: 'Event', value: i => kind[i] * 64 + recording.change.call[i], fill: kindElement },
    { title: 'Process', value: i => processText(process[i] - 1), fill: i => nameElement(processText(process[i] - 1)) },
    { title: 'Owner', value: i => ownerOfChange(i) ? ownerText(ownerOfChange(i)) : '',
      fill: i => ownerOfChange(i) ? nameElement(ownerText(ownerOfChange(i))) : '' },
    { title: 'Size', value: i => size[i], fill: i => isCall(i) ? sizeText(size[i]) : differenceText(size[i]), isFigure: true },
    { title: 'Commit', value: i => commit[i], isFigure: true,
      fill: i => isGranted(i) ? sizeText(commit[i]) : isCall(i) ? '' : differenceText(commit[i]) },
    { title: 'Address', value: i => start[i], fill: placeElement },
  ];
}

function matcher(text) {
  const wanted = text.toLowerCase();
  const has = value => value.toLowerCase().includes(wanted);
  const owners = recording.owners.map(owner => has(ownerText(owner)) || has(owner.kind));
  const processes = recording.processes.map((_, index) => has(processText(index)));
  const stacks = recording.stacks.map(frames => frames.some(has));
  const calls = recording.calls.map(has);
  const { process, owner, stack: of, call } = recording.change;
  return i => processes[process[i] - 1] || owners[owner[i] - 1] || stacks[of[i] - 1] ||
    (isCall(i) && calls[call[i]]) || false;
}

function chosenChanges() {
  const { time, kind, process } = recording.change;
  const text = byId('change-filter').value, isMatch = text ? matcher(text) : () => true;
  const isLimited = byId('in-selection').checked, chosen = [];
  for (let i = 0; i < time.length; i++)
    if (kindsShown[kind[i]] && (!process[i] || view.chosen[process[i] - 1]) &&
        (!isLimited || (time[i] >= view.begin && time[i] <= view.end)) && isMatch(i))
      chosen.push(i);
  return chosen;
}

function drawChanges() {
  changeTable ??= new Table(byId('change-table'), 'Events', changeColumns(),
                            { isRising: true, pageSize: 20, more: i => framesElement(framesOf(i)) });
  changeTable.show(chosenChanges());
}

function countKinds() {
  const counts = CHANGES.map(() => 0);
  for (const kind of recording.change.kind) counts[kind]++;
  recording.change.refusals = counts[REFUSED];
  recording.change.grants = counts[GRANTED];
  return counts;
}

function fillKinds() {
  const counts = countKinds();
  const chip = (word, kind) => {
    const box = make('input', { type: 'checkbox', checked: kindsShown[kind] });
    box.onchange = () => { kindsShown[kind] = box.checked; changed('kinds'); };
    return make('label', { className: 'chip ' + word }, box,
      make('span', {}, make('i', { className: 'sign', ariaHidden: 'true' }, CHANGE_SIGNS[word]),
           `${CHANGE_TEXT[word]} `, make('b', {}, numberText(counts[kind]))));
  };
  // What went wrong comes first.
  byId('change-kinds').append(...CHANGES.map((word, kind) => [word, kind])
    .filter(([, kind]) => counts[kind]).reverse().map(([word, kind]) => chip(word, kind)));
}
