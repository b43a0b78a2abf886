/** A picture of what is on the screen, as a method of a context answers it. */
export interface Snapshot {
  /** The picture's address: for an `<img>`, or to download. The last {@link KEPT_MAX} of a page stay valid. */
  tempImagePath: string;
  width: number;
  height: number;
  /** The picture itself, for whoever keeps it longer. Not one of the mini-program's. */
  blob: Blob;
}

/** `raw` is PNG; `compressed` is JPEG. */
export type Quality = 'raw' | 'compressed';

/** Makes a file of a picture, and closes it. */
export async function keep(picture: ImageBitmap, quality: Quality = 'raw'): Promise<Snapshot> {
  const { width, height } = picture;
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  canvas.getContext('2d')?.drawImage(picture, 0, 0);
  picture.close();
  const [type, share] = quality === 'compressed' ? ['image/jpeg', 0.8] : ['image/png', undefined];
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, type, share));
  if (!blob) throw new Error('the picture is too large');
  const tempImagePath = URL.createObjectURL(blob);
  kept.push(tempImagePath);
  if (kept.length > KEPT_MAX) URL.revokeObjectURL(kept.shift() ?? '');
  return { tempImagePath, width, height, blob };
}

const kept: string[] = [];
/** Each holds a picture in memory until it is revoked; a mini-program's files end with the app. */
const KEPT_MAX = 10;
