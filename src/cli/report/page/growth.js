// SPDX-License-Identifier: MIT
// Who grew between the two moments of the selection.

let growthTable;

// The names of the chosen processes that have an owner of each key.
function processesOfKeys() {
  const names = keys.map(() => new Set());
  figures.keyOf.forEach((key, owner) => {
    if (key >= 0) names[key].add(recording.processes[recording.owners[owner].process].name);
  });
  return names.map(set => [...set].slice(0, 3).join(', ') + (set.size > 3 ? ` and ${set.size - 3} more` : ''));
}

function growthColumns() {
  const figure = (title, of, text) => ({ title, value: of, fill: row => text(of(row)), isFigure: true });
  const change = row => make('span', { className: 'difference' },
    make('span', {}, differenceText(row.commit)), differenceBar(row.commit, row.most));
  return [
    { title: 'Owner', value: row => ownerText(row.owner), fill: row => nameElement(ownerText(row.owner)) },
    { title: 'Kind', value: row => row.owner.kind, fill: row => row.owner.kind },
    { title: 'Process', value: row => row.process, fill: row => nameElement(row.process) },
    figure('Commit before', row => row.commitFrom, sizeText),
    figure('after', row => row.commitTo, sizeText),
    { title: 'Change of commit', value: row => row.commit, fill: change, isFigure: true },
    figure('Resident before', row => row.residentFrom, pagesText),
    figure('after ', row => row.residentTo, pagesText),
    figure('Change of resident', row => row.resident, bytes => pagesText(bytes, differenceText)),
  ];
}

function drawGrowth() {
  const { begin, end } = view, process = processesOfKeys();
  const sums = growthBetween(recording, figures.keyOf, keys.length, begin, end);
  const rows = keys.map((owner, key) => ({
    owner, process: process[key],
    commitFrom: sums.commitFrom[key], commitTo: sums.commitTo[key],
    residentFrom: sums.residentFrom[key], residentTo: sums.residentTo[key],
    commit: sums.commitTo[key] - sums.commitFrom[key],
    resident: sums.residentTo[key] - sums.residentFrom[key],
  })).filter(row => row.commit || row.resident);
  const most = rows.reduce((high, row) => Math.max(high, Math.abs(row.commit)), 0);
  rows.forEach(row => { row.most = most; });
  const sum = name => rows.reduce((total, row) => total + row[name], 0);
  byId('growth-between').textContent =
    `from ${momentText(begin)} to ${momentText(end)}${isWhole() ? ', the whole recording' : ''}: ` +
    `commit ${differenceText(sum('commit'))}, resident ${pagesText(sum('resident'), differenceText)}`;
  growthTable ??= new Table(byId('growth-table'), 'Growth of each owner', growthColumns(), { sort: 5, pageSize: 10 });
  growthTable.show(rows);
}
