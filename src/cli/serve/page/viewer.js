// The picture that is looked at: its labels, and where each is seen.

import { labelRows, similarRow, timings } from './answer.js';
import * as api from './api.js';
import { brightest, draw, drawLegend, sharedRange } from './map.js';
import { $, bytes, firstName, make, percent, say } from './text.js';

const HINT = 'Choose a label to see where in the picture it is.';

export class Viewer {
  #item = null;
  #features = { index: false, explain: true };
  #url = null;
  /** The class whose map is shown. */
  #class = null;
  /** Ends what is asked for a picture that isn't looked at any more. */
  #stop = new AbortController();
  /** Whether the browser can show this picture itself. */
  #native = true;
  /** The class that the server was asked to draw, null for the first; undefined before it was. */
  #drawn;
  #everyLabel = null;

  constructor() {
    drawLegend($('legend-colours'));
    $('opacity').addEventListener('input', () => this.#opacity());
    $('picture').addEventListener('load', () => this.#loaded());
    $('picture').addEventListener('error', () => this.#notNative());
    $('other').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#other();
    });
    $('other-label').addEventListener('focus', () => this.#offerLabels());
  }

  set features(features) {
    this.#features = features;
  }

  /** Whether this network's maps can be had. */
  get #explains() {
    return this.#features.explain !== false;
  }

  get item() {
    return this.#item;
  }

  show(item) {
    if (item === this.#item) return;
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#item = item;
    this.#class = null;
    this.#native = true;
    this.#drawn = undefined;
    this.#release();
    this.#plain();
    $('picture').hidden = true;
    $('blank').hidden = true;
    $('similar').hidden = true;
    $('other-label').value = '';
    if (!item) return;
    const slash = item.path.lastIndexOf('/') + 1;
    $('viewer-name').textContent = item.path.slice(slash);
    $('viewer-name').title = item.path;
    $('viewer-facts').textContent = this.#facts();
    if (item.preview === 'none') this.#notNative();
    else {
      this.#url = URL.createObjectURL(item.file);
      $('picture').src = this.#url;
    }
    this.answered(item);
  }

  /** Says what is known of the item: it was shown just now, or its state changed. */
  answered(item) {
    if (item !== this.#item) return;
    const done = item.state === 'done';
    $('fault').hidden = item.state !== 'failed';
    if (item.state === 'failed') $('fault').textContent = `No labels: ${item.error.message}`;
    $('group').hidden = !(done && item.group);
    if (item.group) {
      $('group').title = 'The most specific group of WordNet’s that is at least 50% likely';
      $('group').replaceChildren(
        'WordNet group: ',
        make('strong', '', firstName(item.group.label)),
        make('span', 'number', percent(item.group.score)),
      );
    }
    const rows = labelRows(item, this.#explains ? (prediction) => this.#toggle(prediction) : null);
    $('labels').replaceChildren(...rows);
    $('labels').setAttribute('aria-busy', String(item.state === 'waiting' || item.state === 'running'));
    if (this.#class === null) this.#plain();
    else this.#pressed(this.#class);
    $('other').hidden = !done || !this.#explains;
    $('timings').textContent = item.timing ? timings(item.timing) : '';
    this.#drawnByServer();
    if (done && this.#features.index) this.#findSimilar();
  }

  #facts() {
    const { file, width, height, path } = this.#item;
    const folder = path.slice(0, path.lastIndexOf('/') + 1);
    return [width && `${width} × ${height}`, bytes(file.size), folder && `in ${folder}`].filter(Boolean).join(' · ');
  }

  #toggle({ index, label }) {
    if (this.#class === index) this.hideMap();
    else this.#showMap(index, firstName(label));
  }

  #pressed(index) {
    this.#class = index;
    for (const button of $('labels').querySelectorAll('button')) {
      button.setAttribute('aria-pressed', String(button.dataset.class === String(index)));
    }
  }

  /** The maps of all of the picture's labels come at once, so that their colours compare. */
  async #mapsFor(item, index) {
    item.maps ??= new Map();
    if (item.maps.has(index)) return;
    const own = item.predictions.map((prediction) => prediction.index).filter((each) => each !== null);
    const asked = own.includes(index) ? own : [index];
    const answer = await api.explain(item.file, asked, this.#stop.signal);
    // One spelling of the corner, whichever the server has.
    const { left, top, x = left, y = top, width, height } = answer.region;
    item.explained = { size: answer.size, region: { x, y, width, height } };
    for (const each of answer.classes) item.maps.set(each.index, each);
  }

  async #showMap(index, name) {
    const item = this.#item;
    this.#pressed(index);
    $('where').textContent = '';
    $('figure').setAttribute('aria-busy', 'true');
    try {
      if (!this.#native) return await this.#drawnByServer();
      await this.#mapsFor(item, index);
      if (item !== this.#item || this.#class !== index) return;
      const { map, logit, bias, score } = item.maps.get(index);
      const range = sharedRange([...item.maps.values()].map((each) => each.map));
      draw($('overlay'), item.explained, map, range);
      this.#opacity();
      $('overlay').classList.add('shown');
      $('map-tools').hidden = false;
      [$('legend-low').textContent, $('legend-high').textContent] = range.map((value) => value.toFixed(1).replace('-', '−'));
      const place = brightest(item.explained, map);
      const most = place ? `, most of it ${place}` : '';
      $('where').textContent = `Light is evidence for ${name} (${percent(score)})${most}.`;
      $('where').title = `The mean of the map and the class's bias, ${bias.toFixed(2)}, are its logit, ${logit.toFixed(2)}.`;
    } catch (error) {
      if (item !== this.#item || error.name === 'AbortError') return;
      this.#plain();
      $('where').textContent = `No map: ${error.message}`;
    } finally {
      if (item === this.#item) $('figure').removeAttribute('aria-busy');
    }
  }

  /** The picture without a map. */
  hideMap() {
    this.#pressed(null);
    this.#plain();
    this.#drawnByServer();
    say('Map hidden');
  }

  #plain() {
    $('overlay').classList.remove('shown');
    $('map-tools').hidden = true;
    const mapped = this.#item?.state === 'done' && $('labels').querySelector('button');
    $('where').textContent = mapped && this.#native ? HINT : '';
    $('where').title = '';
  }

  #opacity() {
    $('overlay').style.setProperty('--opacity', String(Number($('opacity').value) / 100));
  }

  #loaded() {
    const picture = $('picture');
    picture.hidden = false;
    $('blank').hidden = true;
    const [width, height] = [picture.naturalWidth, picture.naturalHeight];
    $('stage').style.setProperty('--ratio', String(width / height));
    // A handful of pixels is better seen as such than as a blur.
    picture.classList.toggle('tiny', Math.max(width, height) < 100);
    const item = this.#item;
    if (!item || !this.#native) return;
    picture.alt = item.path;
    [item.width, item.height] = [width, height];
    $('viewer-facts').textContent = this.#facts();
  }

  /** The browser can't show this file. If the server can read it, it draws it with the map. */
  #notNative() {
    const item = this.#item;
    if (!item) return;
    $('picture').hidden = true;
    $('blank').hidden = false;
    if (!this.#native) {
      $('blank').textContent = 'No preview.';
      return;
    }
    this.#native = false;
    item.preview = 'none';
    this.#release();
    $('blank').textContent = 'This browser can’t show this file.';
    this.#drawnByServer();
  }

  /** The server's drawing, with the map of the chosen label or of the first, where it takes that. */
  async #drawnByServer() {
    const item = this.#item;
    const wanted = this.#class;
    if (this.#native || item.state !== 'done' || !this.#explains || this.#drawn === wanted) return;
    this.#drawn = wanted;
    try {
      const blob = await api.drawing(item.file, wanted === null ? [] : [wanted], this.#stop.signal);
      if (item !== this.#item || wanted !== this.#class) return;
      this.#release();
      this.#url = URL.createObjectURL(blob);
      $('picture').alt = `${item.path}, with the map of a label drawn over it`;
      $('picture').src = this.#url;
      $('where').textContent = 'This browser can’t show this file; the server drew it.';
    } catch (error) {
      if (item !== this.#item || error.name === 'AbortError') return;
      $('blank').textContent = `No preview: ${error.message}`;
    }
  }

  /** Object URLs hold a file in memory until they are revoked. */
  #release() {
    $('picture').removeAttribute('src');
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = null;
  }

  /** The network's labels, fetched when somebody looks for one. */
  async #offerLabels() {
    this.#everyLabel ??= api.labels().then((labels) => {
      const options = labels.map(({ label }) => {
        const option = make('option');
        option.value = label;
        return option;
      });
      $('all-labels').replaceChildren(...options);
      return labels;
    });
    try {
      return await this.#everyLabel;
    } catch {
      // They are asked for again next time.
      this.#everyLabel = null;
      return [];
    }
  }

  async #other() {
    const typed = $('other-label').value.trim().toLowerCase();
    if (!typed) return;
    const all = await this.#offerLabels();
    const found =
      all.find(({ label }) => label.toLowerCase() === typed) ??
      all.find(({ label, wnid }) => wnid === typed || label.toLowerCase().split(', ').includes(typed)) ??
      all.find(({ label }) => label.toLowerCase().includes(typed));
    if (found) this.#showMap(found.index, firstName(found.label));
    else $('where').textContent = `The network has no label “${$('other-label').value.trim()}”.`;
  }

  async #findSimilar() {
    const item = this.#item;
    try {
      item.similar ??= await api.similar(item.file, this.#stop.signal);
    } catch {
      // The labels stand without it.
      return;
    }
    if (item !== this.#item) return;
    $('similar').hidden = item.similar.length === 0;
    $('similar-list').replaceChildren(...item.similar.map(similarRow));
  }
}
