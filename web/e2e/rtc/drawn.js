/** What is drawn onto a canvas is looked at right behind the drawing: nobody who draws knows of it. */

/** Tells `saw` of each picture: `[ms since 1970, number on its bar code or null, media time in ms]`, the number later. */
export function watchDrawing(saw) {
  const drawImage = CanvasRenderingContext2D.prototype.drawImage;
  CanvasRenderingContext2D.prototype.drawImage = function (picture, ...place) {
    drawImage.call(this, picture, ...place);
    if (!(picture instanceof VideoFrame)) return;
    saw(recordOf(picture));
  };
}

/** The same of a picture that somebody else closes. */
export function recordOf(picture) {
  const record = [performance.timeOrigin + performance.now(), null, picture.timestamp / 1000];
  const copy = picture.clone();
  barCode(copy)
    .then((number) => {
      record[1] = number;
    })
    .finally(() => copy.close());
  return record;
}

/** The number on the clock's bar code (docs/ref/clock.md). */
async function barCode(picture) {
  const { width, height } = picture.visibleRect;
  if (!/^(I420|NV12)/.test(picture.format)) throw new Error(`no luma in ${picture.format}`);
  const luma = new Uint8Array(picture.allocationSize());
  const [{ offset, stride }] = await picture.copyTo(luma);
  let number = 0;
  for (let cell = 0; cell < 16; cell++) {
    const x = Math.floor(((cell + 0.5) / 16) * width);
    const at = (y) => luma[offset + Math.floor((y / 360) * height) * stride + x] > 125;
    if (at(330) === at(350)) return null;
    number = number * 2 + Number(at(330));
  }
  return number < 1500 ? number : null;
}
