/** The pictures of a track, one by one, as they come. */

/**
 * Hands each picture to `take`, which closes it. Answers how to stop. `byElement` goes by what a video shows, also where
 * there is a processor: one of Chromium's sometimes gives nothing of a track that is shown elsewhere.
 */
export function readPictures(
  track: MediaStreamTrack,
  take: (picture: VideoFrame) => void,
  byElement: boolean,
): () => void {
  const hasProcessor = typeof MediaStreamTrackProcessor !== 'undefined';
  return hasProcessor && !byElement ? readProcessor(track, take) : readElement(track, take);
}

/** Goes on while the page is hidden. */
function readProcessor(track: MediaStreamTrack, take: (picture: VideoFrame) => void): () => void {
  const processor = new MediaStreamTrackProcessor({ track: track as MediaStreamVideoTrack });
  const reader = processor.readable.getReader();
  let isOver = false;
  const read = async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      if (isOver) value.close();
      else take(value);
    }
  };
  read().catch(() => {});
  return () => {
    isOver = true;
    reader.cancel().catch(() => {});
  };
}

/** Where there is no processor on the page's own thread: what a video shows. It rests while the page is hidden. */
function readElement(track: MediaStreamTrack, take: (picture: VideoFrame) => void): () => void {
  const video = document.createElement('video');
  video.muted = true;
  video.playsInline = true;
  video.srcObject = new MediaStream([track]);
  let handle = 0;
  const next = () => {
    handle = video.requestVideoFrameCallback((_now, { mediaTime }) => {
      take(new VideoFrame(video, { timestamp: Math.round(mediaTime * 1e6) }));
      next();
    });
  };
  next();
  video.play().catch(() => {});
  return () => {
    video.cancelVideoFrameCallback(handle);
    video.srcObject = null;
  };
}
