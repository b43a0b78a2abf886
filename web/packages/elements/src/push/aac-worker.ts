/** Starts the AAC encoder's worker, which the build puts into a file of its own. */
export async function openWorker(): Promise<Worker> {
  const url = new URL('./aac-encoder-worker.js', import.meta.url);
  if (url.origin === location.origin) return new Worker(url);
  // A worker's script has to be of the page's origin: a page that loads the elements from elsewhere makes a copy.
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
  const copy = URL.createObjectURL(new Blob([await answer.text()], { type: 'text/javascript' }));
  try {
    return new Worker(copy);
  } finally {
    URL.revokeObjectURL(copy);
  }
}
