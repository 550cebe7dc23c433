// SPDX-License-Identifier: MIT
// Tables that are sorted by their heads and turned by pages.

// columns: {title, value(row), fill(row): text or element, isFigure, isRising}.
// A row may have a part that is opened beneath it: more(row) is an element, or null.
class Table {
  constructor(place, caption, columns, { pageSize = 25, sort = 0, isRising = false, more = null } = {}) {
    Object.assign(this, { columns, pageSize, sort, isRising, more, rows: [], page: 0 });
    this.opened = new Set();
    this.caption = make('caption', { className: 'hidden' }, caption);
    this.body = make('tbody');
    this.heads = columns.map((column, index) => this.head(column, index));
    this.status = make('span', { className: 'quiet' });
    this.before = make('button', { type: 'button', onclick: () => this.turn(-1) }, 'Previous');
    this.next = make('button', { type: 'button', onclick: () => this.turn(1) }, 'Next');
    this.pager = make('div', { className: 'pager' }, this.before, this.next, this.status);
    const table = make('table', {}, this.caption,
      make('thead', {}, make('tr', {}, ...this.heads)), this.body);
    place.replaceChildren(make('div', { className: 'scroll' }, table), this.pager);
  }

  head(column, index) {
    const button = make('button', { type: 'button', onclick: () => this.sortBy(index) }, column.title);
    return make('th', { scope: 'col', className: column.isFigure ? 'figure' : '' }, button);
  }

  sortBy(index) {
    this.isRising = this.sort === index ? !this.isRising : !this.columns[index].isFigure;
    this.sort = index;
    this.page = 0;
    this.arrange();
    this.draw();
  }

  turn(by) {
    this.page += by;
    this.draw();
  }

  // Rows may be an array or a typed array of numbers; it stays the caller's.
  show(rows) {
    this.rows = Array.from(rows);
    this.page = 0;
    this.opened.clear();
    this.arrange();
    this.draw();
  }

  // Keys are made once: there may be a million. Rows most often come as they are wanted.
  arrange() {
    const { value } = this.columns[this.sort], sign = this.isRising ? 1 : -1;
    const keys = this.rows.map(value);
    const compare = (left, right) => (left < right ? -1 : left > right ? 1 : 0) * sign;
    if (keys.every((key, place) => place === 0 || compare(keys[place - 1], key) <= 0)) return;
    const order = Uint32Array.from(keys.keys());
    order.sort((left, right) => compare(keys[left], keys[right]) || left - right);
    this.rows = Array.from(order, place => this.rows[place]);
  }

  draw() {
    const { rows, pageSize, heads } = this;
    const pages = Math.max(1, Math.ceil(rows.length / pageSize));
    this.page = Math.min(pages - 1, Math.max(0, this.page));
    heads.forEach((head, index) => {
      if (index === this.sort) head.ariaSort = this.isRising ? 'ascending' : 'descending';
      else head.removeAttribute('aria-sort');
    });
    const first = this.page * pageSize, seen = rows.slice(first, first + pageSize);
    this.body.replaceChildren(...seen.flatMap(row => this.row(row)));
    if (seen.length === 0)
      this.body.append(make('tr', {}, make('td', { colSpan: heads.length, className: 'quiet' }, 'None')));
    this.before.disabled = this.page === 0;
    this.next.disabled = this.page === pages - 1;
    this.before.hidden = this.next.hidden = pages === 1;
    this.pager.hidden = pages === 1;
    this.status.textContent = rows.length === 0 ? '' :
      `${numberText(first + 1)}\u2013${numberText(first + seen.length)} of ${numberText(rows.length)}`;
  }

  row(row) {
    const cells = this.columns.map((column, index) => {
      const cell = make(index === 0 ? 'th' : 'td', { className: column.isFigure ? 'figure' : '' }, column.fill(row));
      if (index === 0) cell.scope = 'row';
      return cell;
    });
    const elements = [make('tr', {}, ...cells)];
    const more = this.more?.(row);
    if (!more) return elements;
    const under = make('tr', { className: 'more', hidden: !this.opened.has(row) },
      make('td', { colSpan: cells.length }, more));
    const button = make('button', { type: 'button', className: 'opener', ariaExpanded: String(!under.hidden) }, 'Stack');
    button.onclick = () => {
      under.hidden = !under.hidden;
      button.ariaExpanded = String(!under.hidden);
      if (under.hidden) this.opened.delete(row); else this.opened.add(row);
    };
    cells[cells.length - 1].append(button);
    return [...elements, under];
  }
}

// A bar to the right of a middle for more, to the left for less, of most.
function differenceBar(value, most) {
  const bar = make('i', { className: value < 0 ? 'less' : 'more-bar' });
  bar.style.width = most ? Math.abs(value) / most * 50 + '%' : '0';
  return make('span', { className: 'difference-bar', ariaHidden: 'true' }, bar);
}
