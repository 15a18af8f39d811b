// A class activation map over a picture: the numbers spread smoothly, in colours.

/**
 * The colours of `mobilenet explain`, at equal steps from no evidence to most. Equal steps look
 * equal and the lightness only rises, so that they can be read by every eye, and in grey.
 */
const COLOURS = [
  0x0b0614, 0x1b0b28, 0x2e0e3b, 0x440f4d, 0x5d1354, 0x751655, 0x8e1a51, 0xa7274e, 0xbc354c, 0xd34546, 0xe25d41,
  0xeb7541, 0xf28e48, 0xf6a85c, 0xf8c075, 0xfad798, 0xf9e9c5,
];

const SCALE = Array.from({ length: 256 }, (_, i) => {
  const at = (i / 255) * (COLOURS.length - 1);
  const from = Math.min(Math.floor(at), COLOURS.length - 2);
  return [16, 8, 0].map((shift) => {
    const [a, b] = [COLOURS[from], COLOURS[from + 1]].map((colour) => (colour >> shift) & 255);
    return Math.round(a + (b - a) * (at - from));
  });
});

/** The values that the ends of the colours stand for: the same for all maps of a picture. */
export function sharedRange(maps) {
  const values = maps.flat(2);
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  return low < high ? [low, high] : [0, 1];
}

/**
 * What each of `length` places takes from a line of `values` numbers: cubic convolution, which
 * leaves the number in the middle of its square as it is. Beyond the ends the outermost goes on.
 */
function taps(length, values) {
  const near = (x) => (1.5 * x - 2.5) * x * x + 1;
  const far = (x) => ((x - 5) * x + 8) * x * -0.5 + 2;
  return Array.from({ length }, (_, pixel) => {
    const at = ((pixel + 0.5) / length) * values - 0.5;
    const whole = Math.floor(at);
    const t = at - whole;
    return [far(1 + t), near(t), near(1 - t), far(2 - t)].map((weight, i) => [
      Math.min(Math.max(whole - 1 + i, 0), values - 1),
      weight,
    ]);
  });
}

/** The map as a square picture. */
function heat(map, [low, high], side) {
  const canvas = document.createElement('canvas');
  canvas.width = side;
  canvas.height = side;
  const context = canvas.getContext('2d');
  const image = context.createImageData(side, side);
  const across = taps(side, map[0].length);
  const down = taps(side, map.length);
  let at = 0;
  for (const rows of down) {
    const line = map[0].map((_, x) => rows.reduce((sum, [y, weight]) => sum + weight * map[y][x], 0));
    for (const columns of across) {
      const value = columns.reduce((sum, [x, weight]) => sum + weight * line[x], 0);
      const share = Math.min(Math.max((value - low) / (high - low), 0), 1);
      image.data.set(SCALE[Math.round(255 * share)], at);
      image.data[at + 3] = 255;
      at += 4;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * Draws a map onto the canvas that lies over the picture. `explained` has the size of the upright
 * picture and the region that the map covers; what the network did not see is veiled.
 */
export function draw(canvas, explained, map, range) {
  const { size, region } = explained;
  const scale = Math.min(1, 1600 / Math.max(size.width, size.height));
  canvas.width = Math.max(1, Math.round(size.width * scale));
  canvas.height = Math.max(1, Math.round(size.height * scale));
  const place = [region.x, region.y, region.width, region.height];
  const [x, y, width, height] = place.map((length) => length * scale);
  const context = canvas.getContext('2d');
  context.fillStyle = 'rgb(128 128 128 / 80%)';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.clearRect(x, y, width, height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(heat(map, range, 256), x, y, width, height);
}

/** The legend's colours, from the left. */
export function drawLegend(canvas) {
  const context = canvas.getContext('2d');
  const image = context.createImageData(256, 1);
  SCALE.forEach((colour, i) => image.data.set([...colour, 255], 4 * i));
  context.putImageData(image, 0, 0);
}

/** Where in the picture a map is brightest, in words, for those who don't see it; of a map of one number, nowhere. */
export function brightest({ size, region }, map) {
  if (map.length * map[0].length === 1) return '';
  let [row, column] = [0, 0];
  map.forEach((line, y) =>
    line.forEach((value, x) => {
      if (value > map[row][column]) [row, column] = [y, x];
    }),
  );
  const third = (share) => Math.min(Math.max(Math.floor(3 * share), 0), 2);
  const across = third((region.x + ((column + 0.5) / map[0].length) * region.width) / size.width);
  const down = third((region.y + ((row + 0.5) / map.length) * region.height) / size.height);
  if (across === 1 && down === 1) return 'in the middle';
  const vertical = ['at the top', '', 'at the bottom'][down];
  const side = ['left', '', 'right'][across];
  if (!side) return vertical;
  return vertical ? `${vertical} ${side}` : `on the ${side}`;
}
