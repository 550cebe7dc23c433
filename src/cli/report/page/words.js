// SPDX-License-Identifier: MIT
// How figures are written. Pure.

const UNITS = 'BKMGTPE';

// A size as the command writes it: "188K", "1.3M", "2G". "2.0M" is rounded, "2M" exact.
function sizeText(bytes) {
  if (bytes < 0) return '\u2212' + sizeText(-bytes);
  if (bytes < 1024) return bytes ? Math.round(bytes) + 'B' : '0';
  for (let unit = 1; ; unit++) {
    const scale = 1024 ** unit;
    let amount = bytes / scale;
    amount = amount >= 100 ? Math.floor(amount + 0.5) : Math.floor(amount * 10 + 0.5) / 10;
    if (amount >= 1024 && unit < UNITS.length - 1) continue;
    const isExact = bytes % scale === 0 || amount >= 100;
    return (isExact ? amount : amount.toFixed(1)) + UNITS[unit];
  }
}

function differenceText(bytes) {
  return bytes > 0 ? '+' + sizeText(bytes) : sizeText(bytes);
}

function numberText(number) {
  return number.toLocaleString('en-GB');
}

// A moment, with as many digits as tell apart what is step microseconds away.
function timeText(microseconds, step = 1000) {
  const digits = Math.min(6, Math.max(0, Math.ceil(6 - Math.log10(Math.max(1, step)))));
  const seconds = microseconds / 1e6;
  if (seconds < 60) return seconds.toFixed(digits) + ' s';
  const whole = Math.floor(seconds / 60);
  const rest = Math.floor((seconds - whole * 60) * 10 ** digits) / 10 ** digits;
  const padded = rest.toFixed(digits).padStart(digits ? digits + 3 : 2, '0');
  const minutes = String(whole % 60).padStart(2, '0');
  return whole < 60 ? `${whole}:${padded}` : `${Math.floor(whole / 60)}:${minutes}:${padded}`;
}

function addressText(address) {
  return address.toString(16).padStart(12, '0');
}

// Where to draw lines across an axis: round numbers, at most about count of them.
function timeTicks(from, to, count) {
  const wanted = (to - from) / count;
  const minutes = [60e6, 120e6, 300e6, 600e6, 1200e6, 3600e6, 7200e6, 21600e6, 86400e6];
  let step = minutes.find(candidate => candidate >= wanted) ?? 86400e6 * Math.ceil(wanted / 86400e6);
  if (wanted < 30e6) {
    const power = 10 ** Math.floor(Math.log10(Math.max(1, wanted)));
    step = [1, 2, 5, 10].map(times => times * power).find(candidate => candidate >= wanted);
  }
  const ticks = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) ticks.push(at);
  return { step, ticks };
}

function sizeTicks(most, count) {
  let step = 1;
  while (most / step > count) step *= 2;
  const ticks = [];
  for (let at = step; at <= most; at += step) ticks.push(at);
  return ticks;
}
