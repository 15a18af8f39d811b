// Files out of drops, pastes and choosers, folders and all.

import { $, count } from './text.js';

/** What a folder's files are taken by; what is handed over by itself is taken whatever it is. */
const PICTURES = new RegExp(
  '\\.(jpe?g|jpe|jfif|a?png|webp|gif|bmp|dib|tiff?|pnm|pbm|pgm|ppm|pam|pfm|avifs?|hei[cf]|hif|jxl|ps[db]|qoi|ico|pcx|' +
    'tga|targa|cr[23]|raf|orf|rw2|rwl|dng|nef|nrw|arw|sr2|srf|srw|pef|3fr|fff|iiq|erf|mef|mos|kdc|dcr|raw)$',
  'i',
);

/** Whether a file in a folder is a picture by its name, and not one that a system hides. */
function isPicture(path) {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return !name.startsWith('.') && PICTURES.test(name);
}

const order = new Intl.Collator('en', { numeric: true });

function found(file, path) {
  return { file, path };
}

/** Files of `<input type=file>`; a folder's carry their paths. */
function ofInput(input) {
  const taken = [];
  let others = 0;
  for (const file of input.files) {
    const path = file.webkitRelativePath || file.name;
    if (file.webkitRelativePath && !isPicture(path)) others += 1;
    else taken.push(found(file, path));
  }
  // Browsers give a folder's files in no order.
  if (taken.some(({ file }) => file.webkitRelativePath)) taken.sort((a, b) => order.compare(a.path, b.path));
  // So that choosing the same file again is a change.
  input.value = '';
  return { taken, others };
}

/**
 * Files of a drop or a paste. What lies in folders is handed to `more` as it is found, so that the
 * first pictures are answered while a large folder is still being read.
 */
async function ofTransfer(transfer, more) {
  // The transfer is emptied when its event is over: everything is taken out of it first.
  const entries = [];
  const files = [];
  for (const item of transfer.items) {
    if (item.kind !== 'file') continue;
    const entry = item.webkitGetAsEntry?.();
    if (entry?.isDirectory) entries.push(entry);
    else {
      const file = item.getAsFile();
      if (file) files.push(file);
    }
  }
  if (files.length > 0) more(files.map((file) => found(file, file.name)));
  let total = files.length;
  let others = 0;
  for (const entry of entries) {
    for await (const batch of walk(entry)) {
      const pictures = batch.filter((each) => isPicture(each.path));
      others += batch.length - pictures.length;
      total += pictures.length;
      if (pictures.length > 0) more(pictures);
    }
  }
  return { total, others };
}

/** The files below a folder, some at a time, in the order of their names. */
async function* walk(folder) {
  const reader = folder.createReader();
  const entries = [];
  for (;;) {
    // A reader gives a hundred or so at each call, and none at the end.
    const read = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (read.length === 0) break;
    entries.push(...read);
  }
  entries.sort((a, b) => order.compare(a.name, b.name));
  const files = entries.filter((entry) => entry.isFile);
  for (let at = 0; at < files.length; at += 200) {
    const opened = await Promise.all(files.slice(at, at + 200).map(open));
    yield opened.filter(Boolean);
  }
  for (const entry of entries) {
    if (entry.isDirectory) yield* walk(entry);
  }
}

function open(entry) {
  return new Promise((resolve) => {
    entry.file(
      (file) => resolve(found(file, entry.fullPath.replace(/^\//, ''))),
      // What went away in the meantime.
      () => resolve(null),
    );
  });
}

/** Calls `add` with the files that come in by any way, and `notice` with what there is to say of them. */
export function listen(add, notice) {
  const leftOut = (total, others) => {
    if (others === 0) return;
    notice(total === 0 ? 'No pictures in there.' : `${count(others, 'file')} left out: not pictures, by their names.`);
  };
  const take = async (transfer) => {
    const { total, others } = await ofTransfer(transfer, add);
    if (total + others === 0) notice('There was no file in that. Save the picture first, then drop it here.');
    else leftOut(total, others);
  };
  for (const what of ['pictures', 'folder', 'photo']) {
    const input = $(`pick-${what}`);
    input.addEventListener('change', () => {
      const { taken, others } = ofInput(input);
      add(taken);
      leftOut(taken.length, others);
    });
    for (const button of document.querySelectorAll(`[data-do=${what}]`)) {
      button.addEventListener('click', () => input.click());
      // Cameras are what phones and tablets have; elsewhere it would be a second chooser. And some
      // phones' browsers can't choose folders.
      if (what === 'photo') button.hidden = !matchMedia('(pointer: coarse)').matches;
      if (what === 'folder') button.hidden = !('webkitdirectory' in input);
    }
  }
  listenToDrops(take);
  document.addEventListener('paste', (event) => {
    // Text that is pasted into a field is no picture, but a picture may be pasted anywhere.
    if (event.clipboardData?.files.length > 0) take(event.clipboardData);
  });
}

function listenToDrops(take) {
  // Each element that the pointer enters is told, before the one that it leaves.
  let inside = 0;
  const show = (shown) => {
    $('drop').hidden = !shown;
  };
  document.addEventListener('dragenter', (event) => {
    inside += 1;
    if (event.dataTransfer?.types.includes('Files')) show(true);
  });
  document.addEventListener('dragleave', () => {
    inside -= 1;
    if (inside <= 0) show(false);
  });
  document.addEventListener('dragover', (event) => {
    // Without this the browser would leave the page for the picture.
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = 'copy';
  });
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    inside = 0;
    show(false);
    if (event.dataTransfer) take(event.dataTransfer);
  });
}
