import { OVERLAY_STYLES } from '../overlay';

/**
 * How `<live-player>` looks. The frame measures the element, whose own layout stays the page's, for the stage to turn
 * within; what a fullscreen turns is the frame.
 */
export const STYLES = `
  :host { display: inline-block; position: relative; width: 300px; height: 225px; background: #000; overflow: hidden; }
  :host([hidden]) { display: none; }
  .frame { position: absolute; inset: 0; container-type: size; overflow: hidden; background: inherit; }
  .frame:fullscreen { background: #000; }
  .stage { position: absolute; inset: 0; }
  .stage > * { display: block; position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
  .stage > [hidden] { display: block; visibility: hidden; }
  .crop .stage > * { object-fit: cover; }
  .left .stage, .right .stage {
    inset: auto; left: 50%; top: 50%; width: 100cqh; height: 100cqw; transform: translate(-50%, -50%) rotate(-90deg);
  }
  .right .stage { transform: translate(-50%, -50%) rotate(90deg); }
  .around .stage { transform: rotate(180deg); }
  ${OVERLAY_STYLES}
`;
