// SPDX-License-Identifier: MIT
// Colours and canvases.

const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';

// The colour that a property of the style has now, light or dark.
function colour(name) {
  const probe = byId('theme');
  probe.style.setProperty('outline-color', `var(--${name})`);
  const value = getComputedStyle(probe).outlineColor;
  probe.style.removeProperty('outline-color');
  return value;
}

const palette = {};

function readPalette() {
  for (const name of ['text', 'quiet', 'line', 'ground', 'accent', 'alarm', 'band'])
    palette[name] = colour(name);
  palette.groups = Array.from({ length: MOST_GROUPS + 1 }, (_, i) => colour('group-' + i));
  palette.others = colour('group-others');
}

function groupColour(group) {
  return isOthers(group) ? palette.others : palette.groups[group];
}

// Set a canvas to the size of its box, at the pixels of the screen.
function prepareCanvas(canvas, height) {
  const width = Math.max(200, Math.floor(canvas.parentElement.clientWidth));
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = width + 'px';
  canvas.style.height = height + 'px';
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = FONT;
  context.lineWidth = 1;
  return { context, width, height };
}

// Make what a canvas shows pixels: a browser would print the strokes that it was drawn with,
// with gaps between columns and without stripes. What lies above it is in them, too: on
// paper it would cover it.
function flatten(canvas, above = null) {
  const copy = make('canvas', { width: canvas.width, height: canvas.height });
  copy.getContext('2d').drawImage(canvas, 0, 0);
  if (above) copy.getContext('2d').drawImage(above, 0, 0);
  canvas.width = copy.width;
  canvas.getContext('2d').drawImage(copy, 0, 0);
}

// A second sign besides colour: every other group has stripes, in one of two ways.
function stripes(context, group) {
  if (group % 2 === 0 || isOthers(group)) return null;
  const tile = document.createElement('canvas'), side = 8;
  tile.width = tile.height = side;
  const pen = tile.getContext('2d');
  pen.strokeStyle = palette.ground;
  pen.globalAlpha = 0.45;
  pen.lineWidth = 1.5;
  const isFalling = group % 4 === 3;
  pen.beginPath();
  for (const shift of [-side, 0, side]) {
    pen.moveTo(shift, isFalling ? 0 : side);
    pen.lineTo(shift + side, isFalling ? side : 0);
  }
  pen.stroke();
  return context.createPattern(tile, 'repeat');
}

// Black or white, whichever is read on a colour that is written rgb(...).
function inkOn(background) {
  const [red, green, blue] = background.match(/[\d.]+/g).map(Number);
  return red * 0.299 + green * 0.587 + blue * 0.114 > 140 ? '#111' : '#fff';
}

function verticalLine(context, x, top, bottom) {
  context.beginPath();
  context.moveTo(Math.round(x) + 0.5, top);
  context.lineTo(Math.round(x) + 0.5, bottom);
  context.stroke();
}

function horizontalLine(context, y, left, right) {
  context.beginPath();
  context.moveTo(left, Math.round(y) + 0.5);
  context.lineTo(right, Math.round(y) + 0.5);
  context.stroke();
}

// A text that is cut where it has no room.
function fittedText(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let length = Math.min(text.length, Math.floor(room / 5));
  while (length > 1 && context.measureText(text.slice(0, length) + '\u2026').width > room) length--;
  return length > 1 ? text.slice(0, length) + '\u2026' : '';
}

// A text on the ground of the page, so that it is read above lines and areas.
function labelOver(context, text, x, y) {
  const wide = context.measureText(text).width;
  context.fillStyle = palette.ground;
  context.globalAlpha = 0.85;
  context.fillRect(x - 3, y - 11, wide + 6, 15);
  context.globalAlpha = 1;
}

// A square of a group's colour and stripes, for tables.
function swatch(group) {
  const canvas = make('canvas', { className: 'swatch', width: 24, height: 24, ariaHidden: 'true' });
  const context = canvas.getContext('2d');
  context.fillStyle = groupColour(group);
  context.fillRect(0, 0, 24, 24);
  const pattern = stripes(context, group);
  if (pattern) {
    context.fillStyle = pattern;
    context.fillRect(0, 0, 24, 24);
  }
  return canvas;
}
