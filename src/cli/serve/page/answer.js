// What a picture's answer looks like: rows with bars.

import { make, milliseconds, percent } from './text.js';

function bar(share) {
  const fill = make('span', 'fill');
  fill.style.width = `${100 * Math.min(Math.max(share, 0), 1)}%`;
  return make('span', 'track', fill);
}

/**
 * The rows of an item's labels, or what stands in their place. Where a network can be explained,
 * `choose` is called with the prediction that was chosen.
 */
export function labelRows(item, choose) {
  switch (item.state) {
    case 'done':
      if (item.predictions.length > 0) return item.predictions.map((prediction) => labelRow(prediction, choose));
      return [make('li', 'quiet', 'No label is likely enough.')];
    case 'stopped':
      return [make('li', 'quiet', 'Not asked: it was stopped before.')];
    case 'failed':
      return [];
    default:
      return Array.from({ length: 5 }, () => make('li', 'skeleton'));
  }
}

function labelRow(prediction, choose) {
  const { index, wnid, label, score } = prediction;
  const [first, ...others] = label.split(', ');
  const text = make('span', 'label-text', first);
  if (others.length > 0) text.append(make('span', 'quiet', `, ${others.join(', ')}`));
  const parts = [text, make('span', 'number', percent(score)), bar(score)];
  // A rejected picture's `unknown` is no class and has no map.
  if (index === null || !choose) return make('li', 'label-row', ...parts);
  const button = make('button', 'label-row', ...parts);
  button.type = 'button';
  button.dataset.class = index;
  button.setAttribute('aria-pressed', 'false');
  if (wnid) button.title = `${label} (${wnid})`;
  button.addEventListener('click', () => choose(prediction));
  return make('li', '', button);
}

export function similarRow({ path, similarity }) {
  const number = make('span', 'number', similarity.toFixed(3));
  return make('li', 'label-row', make('span', 'label-text', path), number, bar(similarity));
}

/** The server's times and the whole, in words. */
export function timings({ work, queue, total }) {
  const parts = [];
  if (work !== undefined) parts.push(`${milliseconds(work)} of work`);
  if (queue !== undefined) parts.push(`${milliseconds(queue)} in the queue`);
  parts.push(`${milliseconds(total)} with the way there and back`);
  return parts.join(' · ');
}
