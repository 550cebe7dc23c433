// SPDX-License-Identifier: MIT
// The picture of the timeline: what each group has, lines of limits, marks of events.

const MARGIN = { left: 52, right: 10, top: 20 };
const LANE = 14, AXIS = 22, UNDER = 5; // UNDER: from the plot to its marks
const plot = { width: 0, height: 0, most: 1 };

// Lanes of what grew, was refused, and was asked for where that was recorded.
const marksHeight = () => (recording.change.grants ? 3 : 2) * LANE;
const plotHeight = () => window.innerWidth < 640 ? 210 : 280;
const timeToX = time => MARGIN.left + (time - view.from) / (view.to - view.from) * plot.width;
const xToTime = x => clampTime(view.from + (x - MARGIN.left) / plot.width * (view.to - view.from));

// The groups that are drawn, as a table of owners.
function drawnGroups() {
  return view.only < 0 ? figures.groupOf :
    figures.groupOf.map(group => group === view.only ? group : -1);
}

function stackOfView(columns) {
  return stack(recording, recording.life[view.measure], drawnGroups(), figures.groups.length,
               view.from, view.to, columns);
}

// --- lines ------------------------------------------------------------------------

function limitAt(time) {
  const point = pointAt(recording.limit, time);
  return point < 0 ? 0 : recording.limit.size[point];
}

function mostOf(series, name) {
  let most = 0;
  for (let i = 0; i < series.time.length; i++)
    if (series.time[i] <= view.to) most = Math.max(most, series[name][i]);
  return most;
}

// What lines the figure has: {series, name, text, dash}.
function linesOfView() {
  const lines = [];
  if (view.measure === 'commit' && view.showLimit)
    lines.push({ series: recording.limit, name: 'size', text: 'limit', dash: [6, 4], tint: 'alarm' });
  if (view.measure === 'commit' && view.showMachine)
    lines.push({ series: recording.machine, name: 'commit', text: 'machine\u2019s commit', dash: [2, 3], tint: 'quiet' },
               { series: recording.machine, name: 'size', text: 'machine\u2019s limit', dash: [8, 3, 2, 3], tint: 'quiet' });
  if (view.measure === 'resident' && view.showMachine)
    lines.push({ series: recording.machine, name: 'file', text: 'available on the machine', dash: [2, 3], tint: 'quiet' });
  return lines.filter(({ series, name }) => mostOf(series, name) > 0);
}

const sizeToY = bytes => MARGIN.top + plot.height - bytes / plot.most * plot.height;

function drawLine(context, { series, name, text, dash, tint }) {
  context.strokeStyle = palette[tint];
  context.setLineDash(dash);
  context.lineWidth = 1.5;
  context.beginPath();
  const first = Math.max(0, pointAt(series, view.from)), last = pointAt(series, view.to);
  for (let i = first; i <= last; i++) {
    const x = Math.max(MARGIN.left, timeToX(series.time[i])), y = sizeToY(series[name][i]);
    if (i === first) context.moveTo(x, y); else context.lineTo(x, y);
    context.lineTo(i < last ? timeToX(series.time[i + 1]) : MARGIN.left + plot.width, y);
  }
  context.stroke();
  context.setLineDash([]);
  context.lineWidth = 1;
  if (last < 0) return;
  const label = `${text} ${sizeText(series[name][last])}`;
  const x = MARGIN.left + plot.width - context.measureText(label).width - 4;
  const y = Math.max(12, sizeToY(series[name][last]) - 5);
  labelOver(context, label, x, y);
  context.fillStyle = palette[tint];
  context.fillText(label, x, y);
}

// --- areas ------------------------------------------------------------------------

function drawArea(context, group, lower, upper) {
  const columns = lower.length;
  context.beginPath();
  for (let x = 0; x < columns; x++) {
    const y = sizeToY(upper[x]);
    context.lineTo(MARGIN.left + x, y);
    context.lineTo(MARGIN.left + x + 1, y);
  }
  for (let x = columns - 1; x >= 0; x--) {
    const y = sizeToY(lower[x]);
    context.lineTo(MARGIN.left + x + 1, y);
    context.lineTo(MARGIN.left + x, y);
  }
  context.closePath();
  context.fillStyle = groupColour(group);
  context.fill();
  const pattern = stripes(context, group);
  if (pattern) {
    context.fillStyle = pattern;
    context.fill();
  }
  // The edge parts it from what lies above, whatever both colours are.
  context.strokeStyle = palette.ground;
  context.beginPath();
  for (let x = 0; x < columns; x++) context.lineTo(MARGIN.left + x + 0.5, sizeToY(upper[x]));
  context.stroke();
}

// The name of a group, where its area has room for it.
function labelArea(context, group, lower, upper) {
  const text = shortText(figures.groups[group]), wide = context.measureText(text).width + 12;
  const columns = lower.length, span = Math.ceil(wide);
  let best = -1, bestRoom = 16;
  for (let x = 0; x + span < columns; x += 4) {
    let top = Infinity, bottom = -Infinity;
    for (let i = x; i < x + span; i += 4) {
      top = Math.min(top, upper[i]);
      bottom = Math.max(bottom, lower[i]);
    }
    const room = (top - bottom) / plot.most * plot.height;
    if (room > bestRoom * 1.05) { best = x; bestRoom = room; plot.labelAt = (top + bottom) / 2; }
  }
  if (best < 0) return;
  const ground = groupColour(group), x = MARGIN.left + best + 6, y = sizeToY(plot.labelAt) + 4;
  context.fillStyle = ground;
  context.fillRect(x - 4, y - 12, wide - 4, 16);
  context.fillStyle = inkOn(ground);
  context.fillText(text, x, y);
}

function drawAxes(context) {
  context.textBaseline = 'alphabetic';
  context.textAlign = 'right';
  for (const size of [0, ...sizeTicks(plot.most, 4)]) {
    context.strokeStyle = palette.line;
    horizontalLine(context, sizeToY(size), MARGIN.left, MARGIN.left + plot.width);
    context.fillStyle = palette.quiet;
    context.fillText(sizeText(size), MARGIN.left - 8, sizeToY(size) + 4);
  }
  const { step, ticks } = timeTicks(view.from, view.to, Math.max(2, plot.width / 110));
  const bottom = MARGIN.top + plot.height + UNDER + marksHeight();
  context.textAlign = 'center';
  for (const time of ticks) {
    context.strokeStyle = palette.line;
    verticalLine(context, timeToX(time), bottom, bottom + 4);
    const text = timeText(time, step), half = context.measureText(text).width / 2;
    const x = Math.min(MARGIN.left + plot.width + MARGIN.right - half, timeToX(time));
    context.fillStyle = palette.quiet;
    context.fillText(text, x, bottom + 17);
  }
  context.textAlign = 'left';
}

// --- marks --------------------------------------------------------------------------

// Bytes that were added and asked for, and whether any call was refused, for each column.
function marksOfView(columns) {
  const { time, kind, process, commit } = recording.change;
  const added = new Float64Array(columns), asked = new Float64Array(columns), refused = new Uint32Array(columns);
  const scale = columns / (view.to - view.from);
  let first = countUpTo(time, view.from);
  while (first > 0 && time[first - 1] === view.from) first--;
  for (let i = first; i < time.length && time[i] <= view.to; i++) {
    if (process[i] && !view.chosen[process[i] - 1]) continue;
    const at = Math.min(columns - 1, Math.floor((time[i] - view.from) * scale));
    if (kind[i] === REFUSED) refused[at]++;
    else (kind[i] === GRANTED ? asked : added)[at] += Math.max(0, commit[i]);
  }
  return { added, asked, refused };
}

// Bytes of each column, on a scale that shows few beside many.
function drawLane(context, bytes, bottom) {
  const most = Math.log2(1 + bytes.reduce((a, b) => Math.max(a, b), 0));
  for (let x = 0; x < plot.width; x++) {
    if (!bytes[x]) continue;
    const height = Math.max(2, Math.log2(1 + bytes[x]) / most * (LANE - 3));
    context.fillRect(MARGIN.left + x, bottom - height, 1, height);
  }
}

function drawMarks(context) {
  const { added, asked, refused } = marksOfView(plot.width);
  const top = MARGIN.top + plot.height + UNDER;
  context.fillStyle = palette.quiet;
  context.textAlign = 'right';
  context.fillText('grew', MARGIN.left - 8, top + LANE - 2);
  if (recording.change.refusals) context.fillText('refused', MARGIN.left - 8, top + 2 * LANE - 1);
  if (recording.change.grants) context.fillText('asked', MARGIN.left - 8, top + 3 * LANE - 2);
  context.textAlign = 'left';
  drawLane(context, added, top + LANE);
  drawLane(context, asked, top + 3 * LANE);
  context.fillStyle = palette.alarm;
  for (let x = 0; x < plot.width; x++) {
    if (!refused[x]) continue;
    context.beginPath();
    context.moveTo(MARGIN.left + x - 4, top + LANE + 3);
    context.lineTo(MARGIN.left + x + 5, top + LANE + 3);
    context.lineTo(MARGIN.left + x + 0.5, top + 2 * LANE - 1);
    context.fill();
  }
}

// --- the whole ------------------------------------------------------------------------

function drawTimeline() {
  const height = MARGIN.top + plotHeight() + UNDER + marksHeight() + AXIS;
  const { context, width } = prepareCanvas(byId('chart-base'), height);
  plot.width = width - MARGIN.left - MARGIN.right;
  plot.height = plotHeight();
  const { heights, totals } = stackOfView(plot.width), lines = linesOfView();
  plot.most = Math.max(1, totals.reduce((most, total) => Math.max(most, total), 0),
                       ...lines.map(({ series, name }) => mostOf(series, name))) * 1.04;
  drawAxes(context);
  const layers = [];
  let lower = new Float64Array(plot.width);
  figures.groups.forEach((_, group) => {
    const upper = lower.map((under, x) => under + heights[group * plot.width + x]);
    if (upper.some((value, x) => value > lower[x])) layers.push({ group, lower, upper });
    lower = upper;
  });
  layers.forEach(({ group, lower, upper }) => drawArea(context, group, lower, upper));
  layers.forEach(({ group, lower, upper }) => labelArea(context, group, lower, upper));
  lines.forEach(line => drawLine(context, line));
  drawMarks(context);
}

// What moves often: the selection and the moment.
function drawOver() {
  const height = MARGIN.top + plotHeight() + UNDER + marksHeight() + AXIS;
  const { context } = prepareCanvas(byId('chart-over'), height);
  const bottom = MARGIN.top + plot.height + UNDER + marksHeight();
  context.save();
  context.beginPath();
  context.rect(MARGIN.left - 5, 0, plot.width + 10, height);
  context.clip();
  if (!isWhole()) {
    const left = timeToX(view.begin), right = timeToX(view.end);
    context.fillStyle = palette.band;
    context.fillRect(left, MARGIN.top, right - left, bottom - MARGIN.top);
    context.strokeStyle = palette.accent;
    verticalLine(context, left, MARGIN.top, bottom);
    verticalLine(context, right, MARGIN.top, bottom);
  }
  const x = timeToX(view.cursor);
  context.strokeStyle = palette.text;
  context.fillStyle = palette.text;
  verticalLine(context, x, MARGIN.top - 4, bottom);
  context.beginPath();
  context.arc(Math.round(x) + 0.5, MARGIN.top - 6, 4, 0, 7);
  context.fill();
  context.restore();
}

function drawOverview() {
  const { context, width, height } = prepareCanvas(byId('overview-canvas'), 36);
  const columns = width - MARGIN.left - MARGIN.right;
  const { totals } = stack(recording, recording.life[view.measure],
    figures.groupOf.map(group => group < 0 ? -1 : 0), 1, 0, recording.span, columns);
  const most = Math.max(1, totals.reduce((high, total) => Math.max(high, total), 0));
  const x = time => MARGIN.left + time / recording.span * columns;
  context.fillStyle = palette.others;
  totals.forEach((total, column) => {
    const high = total / most * (height - 6);
    context.fillRect(MARGIN.left + column, height - 2 - high, 1, high);
  });
  context.fillStyle = palette.ground;
  context.globalAlpha = 0.7;
  context.fillRect(MARGIN.left, 0, x(view.from) - MARGIN.left, height);
  context.fillRect(x(view.to), 0, MARGIN.left + columns - x(view.to), height);
  context.globalAlpha = 1;
  context.strokeStyle = palette.accent;
  context.strokeRect(Math.round(x(view.from)) + 0.5, 1.5, Math.max(2, Math.round(x(view.to) - x(view.from)) - 1), height - 3);
}
