/** Makes of a source's picture the one that is pushed: cut and turned to size, mirrored, and with better skin. */

import { FINISH, FIT, SMOOTH, VERTEX } from './shaders';

export interface Look {
  /** Fill the picture and cut what is too much, or show all of the source, with black beside it. */
  fit: 'cover' | 'contain';
  mirror: boolean;
  /** 1 and more: magnifies the middle. */
  zoom: number;
  /** 0 to 9. */
  beauty: number;
  whiteness: number;
  style: 'smooth' | 'nature';
  colours: string;
}

export type Picture = VideoFrame | ImageBitmap;

export interface Filter {
  /** Draws onto the canvas, which becomes so large. Answers whether it could. */
  draw(picture: Picture, width: number, height: number, look: Look): boolean;
  /** Draws the last picture again: with another look, or to be coded once more. */
  again(width: number, height: number, look: Look): boolean;
  close(): void;
}

/** By the GPU; where there is none, cut and mirrored by the canvas, without beauty. */
export function filterOf(canvas: HTMLCanvasElement): Filter {
  const options: WebGLContextAttributes = { alpha: false, antialias: false, depth: false, stencil: false };
  const gl = canvas.getContext('webgl2', options);
  return gl ? new GpuFilter(canvas, gl) : new PlainFilter(canvas);
}

/** How a look's numbers become the shaders'. */
export function strengths({ beauty, whiteness, style, colours }: Look) {
  const { gain, lift, saturation } = COLOURS[colours] ?? PLAIN;
  return {
    beauty: beauty / 9,
    // More beauty also tells more apart as the same.
    tolerance: 0.04 + 0.1 * (beauty / 9),
    keep: style === 'nature' ? 0.45 : 0.1,
    white: (whiteness / 9) * 0.8,
    gain,
    lift,
    saturation,
  };
}

/**
 * The matrix from the target's square to the source's, by columns, for a target of `to` and a source of `from`
 * pixels: how much of the source is seen, and whether mirrored.
 */
export function placement(
  from: { width: number; height: number },
  to: { width: number; height: number },
  { fit, mirror, zoom }: Pick<Look, 'fit' | 'mirror' | 'zoom'>,
): number[] {
  const [source, target] = [from.width / from.height, to.width / to.height];
  const isWider = source > target;
  const cut = fit === 'cover' ? isWider : !isWider;
  const [x, y] = cut ? [target / source, 1] : [1, source / target];
  const [sx, sy] = [x / zoom, y / zoom];
  // Canvases have y up, pictures have it down.
  return [mirror ? -sx : sx, 0, 0, 0, -sy, 0, 0.5 + (mirror ? sx : -sx) / 2, 0.5 + sy / 2, 1];
}

class GpuFilter implements Filter {
  readonly #canvas: HTMLCanvasElement;
  readonly #gl: WebGL2RenderingContext;
  #parts: Parts | null = null;
  #source: { width: number; height: number } | null = null;

  constructor(canvas: HTMLCanvasElement, gl: WebGL2RenderingContext) {
    this.#canvas = canvas;
    this.#gl = gl;
    canvas.addEventListener('webglcontextlost', this.#lost);
  }

  draw(picture: Picture, width: number, height: number, look: Look): boolean {
    const gl = this.#gl;
    if (gl.isContextLost()) return false;
    this.#parts ??= new Parts(gl);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.#parts.source);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, picture as TexImageSource);
    this.#source = sizeOf(picture);
    return this.again(width, height, look);
  }

  again(width: number, height: number, look: Look): boolean {
    const [gl, parts, source, canvas] = [this.#gl, this.#parts, this.#source, this.#canvas];
    if (!parts || !source || gl.isContextLost()) return false;
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    parts.resize(width, height);
    const { beauty, tolerance, keep, white, gain, lift, saturation } = strengths(look);
    const isPlain = beauty === 0 && white === 0 && !(look.colours in COLOURS);
    const place = placement(source, { width, height }, look);
    parts.pass('fit', parts.source, isPlain ? null : parts.layers[0]!, (at) => {
      gl.uniformMatrix3fv(at('place'), false, place);
    });
    if (isPlain) return true;
    if (beauty > 0 || white > 0) {
      parts.pass('smooth', parts.layers[0]!.texture, parts.layers[1]!, (at) => {
        gl.uniform2f(at('stride'), REACH / width, 0);
        gl.uniform1f(at('tolerance'), tolerance);
        gl.uniform1i(at('isFirst'), 1);
      });
      parts.pass('smooth', parts.layers[1]!.texture, parts.layers[2]!, (at) => {
        gl.uniform2f(at('stride'), 0, REACH / height);
        gl.uniform1f(at('tolerance'), tolerance);
        gl.uniform1i(at('isFirst'), 0);
      });
    }
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, parts.layers[2]!.texture);
    parts.pass('finish', parts.layers[0]!.texture, null, (at) => {
      gl.uniform1i(at('smoothed'), 1);
      gl.uniform1f(at('beauty'), beauty);
      gl.uniform1f(at('keep'), keep);
      gl.uniform1f(at('white'), white);
      gl.uniform3fv(at('gain'), gain);
      gl.uniform3fv(at('lift'), lift);
      gl.uniform1f(at('saturation'), saturation);
    });
    return true;
  }

  close(): void {
    this.#canvas.removeEventListener('webglcontextlost', this.#lost);
    this.#parts?.delete();
    this.#parts = null;
    this.#source = null;
  }

  /** Without this it is never given back; with it everything is made anew at the next picture. */
  readonly #lost = (event: Event): void => {
    event.preventDefault();
    this.#parts = null;
    this.#source = null;
  };
}

interface Layer {
  texture: WebGLTexture;
  target: WebGLFramebuffer;
}

/** What the GPU holds: programs, the source, and three layers of the picture's size. */
class Parts {
  readonly #gl: WebGL2RenderingContext;
  readonly #programs: Record<'fit' | 'smooth' | 'finish', WebGLProgram>;
  readonly #locations = new Map<string, WebGLUniformLocation | null>();
  readonly source: WebGLTexture;
  readonly layers: readonly Layer[];
  #width = 0;
  #height = 0;

  constructor(gl: WebGL2RenderingContext) {
    this.#gl = gl;
    this.#programs = { fit: program(gl, FIT), smooth: program(gl, SMOOTH), finish: program(gl, FINISH) };
    this.source = texture(gl);
    this.layers = [0, 1, 2].map(() => ({ texture: texture(gl), target: gl.createFramebuffer()! }));
  }

  resize(width: number, height: number): void {
    if (this.#width === width && this.#height === height) return;
    [this.#width, this.#height] = [width, height];
    const gl = this.#gl;
    for (const { texture, target } of this.layers) {
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
      gl.bindFramebuffer(gl.FRAMEBUFFER, target);
      gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    }
  }

  /** Draws `from` through a program onto a layer, or onto the canvas. */
  pass(
    name: 'fit' | 'smooth' | 'finish',
    from: WebGLTexture,
    onto: Layer | null,
    set: (at: (uniform: string) => WebGLUniformLocation | null) => void,
  ): void {
    const gl = this.#gl;
    const running = this.#programs[name];
    gl.bindFramebuffer(gl.FRAMEBUFFER, onto?.target ?? null);
    gl.viewport(0, 0, this.#width, this.#height);
    gl.useProgram(running);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, from);
    const at = (uniform: string) => {
      const key = `${name} ${uniform}`;
      if (!this.#locations.has(key)) this.#locations.set(key, gl.getUniformLocation(running, uniform));
      return this.#locations.get(key) ?? null;
    };
    gl.uniform1i(at('source'), 0);
    gl.uniformMatrix3fv(at('place'), false, AS_IT_IS);
    set(at);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  delete(): void {
    const gl = this.#gl;
    for (const running of Object.values(this.#programs)) gl.deleteProgram(running);
    for (const { texture, target } of this.layers) {
      gl.deleteFramebuffer(target);
      gl.deleteTexture(texture);
    }
    gl.deleteTexture(this.source);
  }
}

class PlainFilter implements Filter {
  readonly #canvas: HTMLCanvasElement;
  readonly #kept: HTMLCanvasElement;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    this.#kept = canvas.ownerDocument.createElement('canvas');
    this.#kept.width = 0;
  }

  draw(picture: Picture, width: number, height: number, look: Look): boolean {
    const source = sizeOf(picture);
    [this.#kept.width, this.#kept.height] = [source.width, source.height];
    this.#kept.getContext('2d')?.drawImage(picture as CanvasImageSource, 0, 0, source.width, source.height);
    return this.again(width, height, look);
  }

  again(width: number, height: number, { fit, mirror, zoom }: Look): boolean {
    const context = this.#canvas.getContext('2d');
    const source = this.#kept;
    if (!context || source.width === 0) return false;
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      [this.#canvas.width, this.#canvas.height] = [width, height];
    }
    const [across, down] = [width / source.width, height / source.height];
    const scale = (fit === 'cover' ? Math.max(across, down) : Math.min(across, down)) * zoom;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillRect(0, 0, width, height);
    context.setTransform(mirror ? -scale : scale, 0, 0, scale, width / 2, height / 2);
    context.drawImage(source, -source.width / 2, -source.height / 2);
    return true;
  }

  close(): void {
    this.#kept.width = 0;
  }
}

function sizeOf(picture: Picture): { width: number; height: number } {
  if ('displayWidth' in picture) return { width: picture.displayWidth, height: picture.displayHeight };
  return { width: picture.width, height: picture.height };
}

function texture(gl: WebGL2RenderingContext): WebGLTexture {
  const made = gl.createTexture()!;
  gl.bindTexture(gl.TEXTURE_2D, made);
  for (const [name, value] of [
    [gl.TEXTURE_MIN_FILTER, gl.LINEAR],
    [gl.TEXTURE_MAG_FILTER, gl.LINEAR],
    [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE],
    [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE],
  ] as const) {
    gl.texParameteri(gl.TEXTURE_2D, name, value);
  }
  return made;
}

function program(gl: WebGL2RenderingContext, fragment: string): WebGLProgram {
  const made = gl.createProgram()!;
  for (const [type, text] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, fragment],
  ] as const) {
    const shader = gl.createShader(type)!;
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
    // It goes with the program.
    gl.deleteShader(shader);
  }
  gl.linkProgram(made);
  return made;
}

interface Colours {
  gain: readonly [number, number, number];
  lift: readonly [number, number, number];
  saturation: number;
}

const PLAIN: Colours = { gain: [1, 1, 1], lift: [0, 0, 0], saturation: 1 };
/** The mini-program's names; what its pictures look like is not published, so these are ours. */
const COLOURS: Readonly<Record<string, Colours>> = {
  pink: { gain: [1.06, 0.96, 1.01], lift: [0.02, 0, 0.015], saturation: 1.02 },
  nostalgia: { gain: [1.02, 0.94, 0.78], lift: [0.04, 0.025, 0.01], saturation: 0.55 },
  blues: { gain: [0.9, 0.98, 1.12], lift: [0, 0.005, 0.03], saturation: 0.9 },
  romantic: { gain: [1.04, 0.95, 1.05], lift: [0.03, 0.01, 0.03], saturation: 0.9 },
  cool: { gain: [0.94, 1, 1.06], lift: [0, 0, 0.01], saturation: 0.95 },
  fresher: { gain: [1, 1.04, 1], lift: [0.02, 0.03, 0.02], saturation: 1.1 },
  solor: { gain: [1.08, 1.02, 0.92], lift: [0.015, 0.01, 0], saturation: 1.08 },
  aestheticism: { gain: [1.02, 0.99, 1.03], lift: [0.03, 0.03, 0.035], saturation: 0.85 },
  whitening: { gain: [1.04, 1.04, 1.05], lift: [0.03, 0.03, 0.035], saturation: 0.97 },
  cerisered: { gain: [1.1, 0.94, 0.97], lift: [0.02, 0, 0.005], saturation: 1.12 },
};
const AS_IT_IS = [1, 0, 0, 0, 1, 0, 0, 0, 1];
/** Pixels between neighbours that are looked at: five to each side reach over a pore, not over an eye. */
const REACH = 1.2;
