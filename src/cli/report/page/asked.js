// SPDX-License-Identifier: MIT
// Who has asked for memory and got it, by the functions through which the calls came.

let askedTable;

// Frames of what a program calls in order to ask.
const ASKING = /\((libc|ld-linux|libstdc\+\+|libvmspace)[^)]*\)/;

function askerText(frames) {
  if (frames.length === 0) return 'without a stack';
  return frames.find(frame => !ASKING.test(frame)) ?? frames[frames.length - 1];
}

// A row for each stack, of the chosen processes in the selection.
function askedRows() {
  const { time, kind, process, stack, call, size, commit, count } = recording.change, rows = new Map();
  for (let i = 0; i < time.length; i++) {
    if (kind[i] !== GRANTED || (process[i] && !view.chosen[process[i] - 1]) ||
        time[i] < view.begin || time[i] > view.end) continue;
    if (!rows.has(stack[i]))
      rows.set(stack[i], { frames: framesOf(i), calls: new Set(), processes: new Set(), count: 0, size: 0, commit: 0 });
    const row = rows.get(stack[i]);
    row.calls.add(recording.calls[call[i]]);
    row.processes.add(processText(process[i] - 1));
    row.count += count[i];
    row.size += size[i];
    row.commit += commit[i];
  }
  return [...rows.values()].map(row => ({ ...row, asker: askerText(row.frames),
    call: [...row.calls].join(', '),
    process: [...row.processes].slice(0, 2).join(', ') + (row.processes.size > 2 ? ` and ${row.processes.size - 2} more` : '') }));
}

function askedColumns() {
  const name = (title, field) => ({ title, value: row => row[field], fill: row => nameElement(row[field]) });
  const figure = (title, field, text) => ({ title, value: row => row[field], fill: row => text(row[field]), isFigure: true });
  return [name('Function', 'asker'), name('Process', 'process'), name('Call', 'call'),
          figure('Calls', 'count', numberText), figure('Asked for', 'size', sizeText),
          figure('Charged', 'commit', sizeText)];
}

function drawAsked() {
  byId('asked').hidden = !recording.change.grants;
  if (!recording.change.grants) return;
  const rows = askedRows(), sum = field => rows.reduce((total, row) => total + row[field], 0);
  byId('asked-between').textContent = `${sizeText(sum('commit'))} by ${numberText(sum('count'))} calls ` +
    `from ${momentText(view.begin)} to ${momentText(view.end)}`;
  askedTable ??= new Table(byId('asked-table'), 'Calls that asked for memory, by stack', askedColumns(),
                           { sort: 5, pageSize: 10, more: row => framesElement(row.frames) });
  askedTable.show(rows);
}
