/** A window of its own for what a stage shows: a video as it is, a canvas by a film of it. */
export class PictureInPicture {
  readonly #root: ShadowRoot;
  readonly #frame: HTMLElement;
  /** A film of a canvas, while it is in the window. */
  #film: HTMLVideoElement | null = null;

  constructor(
    root: ShadowRoot,
    frame: HTMLElement,
    changed: (type: 'enterpictureinpicture' | 'leavepictureinpicture') => void,
  ) {
    this.#root = root;
    this.#frame = frame;
    // The browser's own events stay within the shadow tree.
    root.addEventListener('enterpictureinpicture', (event) => {
      event.stopPropagation();
      changed('enterpictureinpicture');
    });
    root.addEventListener('leavepictureinpicture', (event) => {
      event.stopPropagation();
      this.#dropFilm();
      changed('leavepictureinpicture');
    });
  }

  async enter(stage: HTMLElement): Promise<object> {
    const shown = stage.querySelector<HTMLVideoElement | HTMLCanvasElement>(
      'video:not([hidden]), canvas:not([hidden])',
    );
    if (!shown) throw new Error('there is no picture');
    if (!this.#frame.ownerDocument.pictureInPictureEnabled) throw new Error('not supported by this browser');
    const video = shown instanceof HTMLCanvasElement ? await this.#filmOf(shown) : shown;
    try {
      await video.requestPictureInPicture();
    } catch (error) {
      this.#dropFilm();
      throw error;
    }
    return {};
  }

  async leave(): Promise<object> {
    if (this.#root.pictureInPictureElement) await this.#frame.ownerDocument.exitPictureInPicture();
    return {};
  }

  /** Closes the window, at once. */
  close(): void {
    this.leave().catch(() => {});
    this.#dropFilm();
  }

  async #filmOf(canvas: HTMLCanvasElement): Promise<HTMLVideoElement> {
    this.#dropFilm();
    const film = this.#frame.ownerDocument.createElement('video');
    film.muted = true;
    film.hidden = true;
    film.srcObject = canvas.captureStream();
    this.#film = film;
    this.#frame.append(film);
    await film.play();
    return film;
  }

  #dropFilm(): void {
    const film = this.#film;
    if (!film) return;
    this.#film = null;
    for (const track of (film.srcObject as MediaStream).getTracks()) track.stop();
    film.srcObject = null;
    film.remove();
  }
}
