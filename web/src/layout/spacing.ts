/** The distances of the drawing, in pixels. "Along" is the direction of flow, "across" the other one. */

/** Between an open box's border and what is in it. */
export const PADDING = 14;
/** Between neighbours across the flow. */
export const BOX_GAP = 22;
export const WIRE_GAP = 12;
export const BOX_WIRE_GAP = 13;
/** Between two rows, at least. */
export const ROW_GAP = 28;
/** Between two parallel wires along a row. */
export const TRACK = 9;
/** Left free before a row for arrowheads. */
export const ARROW = 13;
/** Left free after a row. */
export const LEAVE = 7;
/** Between neighbouring ends of wires on one closed box. */
export const PORT_GAP = 14;
/** From a wire to the text beside it. */
export const LABEL_GAP = 4;
/** From a tag to its box, room for the stub. */
export const STUB = 12;
/** Between tags on top of one another. */
export const TAG_GAP = 2;
/** Width of the arc of a loop. */
export const LOOP = 18;
/** A value read at more places than this in one box is drawn as a tunnel. */
export const TUNNEL_READERS = 8;
/** Of a box that reads more values than this, only the first few have a wire; the others are drawn as tunnels. */
export const READ_AT_ONCE = 32;
export const WIRED = 12;
/** More tunnels than this on one box share one tag. */
export const TAGS = 3;
