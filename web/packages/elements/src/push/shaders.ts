/** The GPU's part of the filter (`filter.ts`), GLSL ES 3.00. Each pass draws one triangle over everything. */

export const VERTEX = `#version 300 es
uniform mat3 place;
out vec2 at;
void main() {
  vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
  // From the target's square to the source's: mirrored, cropped, magnified.
  at = (place * vec3(corner * 0.5 + 0.5, 1.0)).xy;
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

/** Fits the source in. What lies outside of it is black. */
export const FIT = `#version 300 es
precision mediump float;
uniform sampler2D source;
in vec2 at;
out vec4 colour;
void main() {
  vec2 inside = step(vec2(0.0), at) * step(at, vec2(1.0));
  colour = vec4(texture(source, at).rgb * inside.x * inside.y, 1.0);
}`;

/**
 * Smooths along one direction, and over no edge: the nearer a neighbour's brightness, the more it counts (a bilateral
 * filter, in two passes). \`alpha\` carries how much a pixel looks like skin, smoothed with the rest, so that the border
 * of a face is none.
 */
export const SMOOTH = `#version 300 es
precision mediump float;
uniform sampler2D source;
uniform vec2 stride;
uniform float tolerance;
uniform bool isFirst;
in vec2 at;
out vec4 colour;

float luma(vec3 c) { return dot(c, vec3(0.299, 0.587, 0.114)); }

// Skin of whatever colour lies in one small region of chrominance; brightness says nothing.
float skin(vec3 c) {
  float cb = dot(c, vec3(-0.1687, -0.3313, 0.5)) + 0.5;
  float cr = dot(c, vec3(0.5, -0.4187, -0.0813)) + 0.5;
  vec2 off = abs(vec2(cb, cr) - vec2(0.43, 0.595)) / vec2(0.10, 0.085);
  return 1.0 - smoothstep(0.7, 1.25, max(off.x, off.y));
}

vec4 look(vec2 where) {
  vec4 found = texture(source, where);
  return isFirst ? vec4(found.rgb, skin(found.rgb)) : found;
}

void main() {
  vec4 here = look(at);
  float level = luma(here.rgb);
  vec4 sum = here;
  float all = 1.0;
  for (int n = 1; n <= 5; n++) {
    float near = exp(-float(n * n) / 18.0);
    for (int side = -1; side <= 1; side += 2) {
      vec4 other = look(at + stride * float(n * side));
      float apart = (luma(other.rgb) - level) / tolerance;
      float counts = near * exp(-apart * apart);
      sum += other * counts;
      all += counts;
    }
  }
  colour = sum / all;
}`;

/** Puts smooth skin over the picture, brightens, and colours. */
export const FINISH = `#version 300 es
precision mediump float;
uniform sampler2D source;
uniform sampler2D smoothed;
uniform float beauty;
uniform float keep;
uniform float white;
uniform vec3 gain;
uniform vec3 lift;
uniform float saturation;
in vec2 at;
out vec4 colour;
void main() {
  vec3 c = texture(source, at).rgb;
  vec4 soft = beauty > 0.0 || white > 0.0 ? texture(smoothed, at) : vec4(c, 0.0);
  // What was smoothed away is pores and noise; some of it back keeps it skin.
  vec3 better = soft.rgb + (c - soft.rgb) * keep;
  c = mix(c, better, beauty * soft.a);
  // A logarithm lifts the middle and leaves black and white where they are.
  vec3 lifted = log(1.0 + c * white * 3.0) / log(1.0 + max(white, 0.001) * 3.0);
  c = mix(c, lifted, white * (0.25 + 0.75 * soft.a));
  c = mix(vec3(dot(c, vec3(0.299, 0.587, 0.114))), c, saturation) * gain + lift;
  colour = vec4(c, 1.0);
}`;
