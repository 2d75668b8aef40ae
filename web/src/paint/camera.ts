/** Which part of the drawing is seen: screen = drawing * scale + offset, in CSS pixels. */

export interface Camera {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Extent {
  readonly width: number;
  readonly height: number;
}

const SMALLEST = 0.005;
const LARGEST = 8;
const MARGIN = 24;

/** A scale that can be shown. */
function bounded(scale: number): number {
  return Math.min(LARGEST, Math.max(SMALLEST, scale));
}

/** The camera after zooming by `factor` with the point (x, y) of the screen held still. */
export function zoomed(camera: Camera, factor: number, x: number, y: number): Camera {
  const scale = bounded(camera.scale * factor);
  const ratio = scale / camera.scale;
  return { scale, x: x - (x - camera.x) * ratio, y: y - (y - camera.y) * ratio };
}

/** `box` in the middle of the screen, as large as it fits, but not larger than `most` times its size. */
export function fitting(box: Box, screen: Extent, most = 1): Camera {
  const room = { width: Math.max(1, screen.width - 2 * MARGIN), height: Math.max(1, screen.height - 2 * MARGIN) };
  const scale = bounded(Math.min(most, room.width / Math.max(1, box.width), room.height / Math.max(1, box.height)));
  return centred(box, screen, scale);
}

/** `box` in the middle of the screen at a given scale. */
export function centred(box: Box, screen: Extent, scale: number): Camera {
  const x = screen.width / 2 - (box.x + box.width / 2) * scale;
  return { scale, x, y: screen.height / 2 - (box.y + box.height / 2) * scale };
}

/**
 * The first look at a drawing: all of it where it can be read, else its beginning at a scale that can be.
 */
export function opening(drawing: Extent, screen: Extent, flat: boolean): Camera {
  const whole = fitting({ x: 0, y: 0, ...drawing }, screen);
  if (whole.scale >= READABLE) return whole;
  const across = flat ? screen.height / (drawing.height + 2 * MARGIN) : screen.width / (drawing.width + 2 * MARGIN);
  const scale = bounded(Math.min(1, Math.max(READABLE, across)));
  const middle = centred({ x: 0, y: 0, ...drawing }, screen, scale);
  return flat ? { ...middle, x: MARGIN } : { ...middle, y: MARGIN };
}

const READABLE = 0.6;

/** The part of the drawing that is on the screen. */
export function seen({ x, y, scale }: Camera, screen: Extent): Box {
  return { x: -x / scale, y: -y / scale, width: screen.width / scale, height: screen.height / scale };
}

/** Between two cameras, `share` of the way; scales go by factors, so that the speed looks even. */
export function between(from: Camera, to: Camera, share: number, screen: Extent): Camera {
  const scale = from.scale * (to.scale / from.scale) ** share;
  const point = (camera: Camera): [number, number] => [
    (screen.width / 2 - camera.x) / camera.scale,
    (screen.height / 2 - camera.y) / camera.scale,
  ];
  const [[ax, ay], [bx, by]] = [point(from), point(to)];
  const even = Math.abs(to.scale / from.scale - 1) < 1e-6;
  const part = even ? share : (scale - from.scale) / (to.scale - from.scale);
  const [x, y] = [ax + (bx - ax) * part, ay + (by - ay) * part];
  return { scale, x: screen.width / 2 - x * scale, y: screen.height / 2 - y * scale };
}

/** The drawing may leave the screen, but not be lost: a part of it stays to be seen. */
export function kept(camera: Camera, drawing: Extent, screen: Extent): Camera {
  const hold = (at: number, size: number, room: number): number => {
    const rest = Math.min(80, room / 4);
    return Math.min(room - rest, Math.max(rest - size * camera.scale, at));
  };
  return {
    scale: camera.scale,
    x: hold(camera.x, drawing.width, screen.width),
    y: hold(camera.y, drawing.height, screen.height),
  };
}
