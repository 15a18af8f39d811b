// The table as a file: RFC 4180, with the columns that `mobilenet classify` writes and the group
// after them.

const COLUMNS = ['path', 'rank', 'index', 'wnid', 'label', 'score', 'error'];
const GROUP = ['group', 'group_wnid', 'group_score'];

/**
 * A field of text. Spreadsheets take what begins with one of these characters for a formula, and
 * a file's name is the business of whoever named it; an apostrophe makes it text.
 */
function text(value) {
  const tame = /^[=+\-@\t\r\n]/.test(value) ? `'${value}` : value;
  return quoted(tame);
}

function quoted(value) {
  return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

function records(item, grouped) {
  const path = text(item.path);
  const group = [];
  if (grouped) {
    const { label = '', wnid = '', score = '' } = item.group ?? {};
    group.push(text(label), text(wnid ?? ''), String(score));
  }
  if (item.state !== 'done' || item.predictions.length === 0) {
    const error = item.error ? `${item.error.kind}: ${item.error.message}` : '';
    return [[path, '', '', '', '', '', text(error), ...group]];
  }
  return item.predictions.map((prediction, i) => [
    path,
    String(i + 1),
    String(prediction.index ?? ''),
    text(prediction.wnid ?? ''),
    text(prediction.label),
    String(prediction.score),
    '',
    ...group,
  ]);
}

/** The answered and failed items, as a file. */
export function csv(items, grouped) {
  const header = grouped ? [...COLUMNS, ...GROUP] : COLUMNS;
  const lines = [header.join(',')];
  for (const item of items) {
    if (item.state !== 'done' && item.state !== 'failed') continue;
    for (const record of records(item, grouped)) lines.push(record.join(','));
  }
  // Excel reads UTF-8 only behind a byte order mark.
  return new Blob(['\ufeff', lines.join('\r\n'), '\r\n'], { type: 'text/csv;charset=utf-8' });
}

export function save(blob, name) {
  const link = document.createElement('a');
  const url = URL.createObjectURL(blob);
  link.href = url;
  link.download = name;
  link.click();
  // The download has begun by then, or never will.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
