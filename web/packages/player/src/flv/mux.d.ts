/** Writes FLV (FLV 10.1 annex E). */
/** The front of a file. Some players wait for every kind of media that is announced: it should be true. */
export declare function fileHeader(audio: boolean, video: boolean): Uint8Array<ArrayBuffer>;
/** A tag with the size that follows it. `timestamp` is in ms, and wraps after 32 bits; `type` a `TagType`. */
export declare function tag(type: number, timestamp: number, body: Uint8Array): Uint8Array<ArrayBuffer>;
