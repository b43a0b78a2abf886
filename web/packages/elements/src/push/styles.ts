import { OVERLAY_STYLES } from '../overlay';

/** How `<live-pusher>` looks: as wide as its place, and as high as the picture makes it, or the page says. */
const STYLES = `
  :host { display: block; position: relative; width: 100%; background: #000; overflow: hidden; }
  :host([hidden]) { display: none; }
  :host([zoom]:not([zoom="false"])) { touch-action: none; }
  .stage { position: relative; width: 100%; height: 100%; overflow: hidden; }
  canvas { display: block; width: 100%; height: 100%; object-fit: cover; }
  video[hidden] { display: none; }
  ::slotted(*) { position: relative; }
  ${OVERLAY_STYLES}
`;

/** One for all elements of a page; made when the first one is, because modules are read on servers too. */
export function pusherStyles(): CSSStyleSheet {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLES);
  }
  return sheet;
}

let sheet: CSSStyleSheet | undefined;
