// Each cell in its code's colour, darker where two codes meet.
export function paintCells(context, width, side, owner, colours) {
  const image = new ImageData(side, side);
  for (let at = 0; at < owner.length; at += 1) {
    const edge = ((at + 1) % side && owner[at + 1] !== owner[at]) || (at + side < owner.length && owner[at + side] !== owner[at]);
    const rgb = colours[owner[at]];
    for (let i = 0; i < 3; i += 1) image.data[4 * at + i] = edge ? rgb[i] * 0.45 : rgb[i];
    image.data[4 * at + 3] = 255;
  }
  const small = new OffscreenCanvas(side, side);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, width, width);
}
