// Small previews, made when a row comes into sight.

/** Pixels of a side: twice what is shown, for dense screens. */
const SIDE = 96;
/** Decoding large photographs takes memory; two at a time are quick enough. */
const AT_ONCE = 2;
/** So many are kept; the others are made anew when they are looked at again. */
const KEPT = 300;

const made = new Map();
let wanted = [];
let running = 0;

/** Puts the preview of an item into an element, now or when it is ready. */
export function show(item, element) {
  const canvas = made.get(item);
  if (canvas) {
    // The latest used is the last to go.
    made.delete(item);
    made.set(item, canvas);
    element.replaceChildren(canvas);
    return;
  }
  element.replaceChildren();
  element.classList.toggle('none', item.preview === 'none');
  if (item.preview === 'none') return;
  wanted.push({ item, element });
  next();
}

export function forget() {
  made.clear();
  wanted = [];
}

function next() {
  while (running < AT_ONCE && wanted.length > 0) {
    // The last asked for is what is looked at now; rows that scrolled past are gone.
    const { item, element } = wanted.pop();
    if (!element.isConnected || element.dataset.item !== String(item.id)) continue;
    running += 1;
    make(item, element).finally(() => {
      running -= 1;
      next();
    });
  }
}

async function make(item, element) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(item.file, { resizeHeight: SIDE, resizeQuality: 'medium' });
  } catch {
    // A kind of file that browsers don't show; the server may well read it.
    item.preview = 'none';
    if (element.dataset.item === String(item.id)) element.classList.add('none');
    return;
  }
  const canvas = document.createElement('canvas');
  canvas.width = SIDE;
  canvas.height = SIDE;
  // The middle of it, so that the square is filled.
  const scale = Math.max(SIDE / bitmap.width, 1);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  canvas.getContext('2d').drawImage(bitmap, (SIDE - width) / 2, (SIDE - height) / 2, width, height);
  bitmap.close();
  made.set(item, canvas);
  if (made.size > KEPT) made.delete(made.keys().next().value);
  if (element.dataset.item === String(item.id)) element.replaceChildren(canvas);
}
