// Tells when a beep begins: the context's time of the first loud sample after 300 ms of quiet.
class Ear extends AudioWorkletProcessor {
  #loudAt = Number.NEGATIVE_INFINITY;

  process([input], [output]) {
    const samples = input[0];
    for (let n = 0; samples && n < samples.length; n++) {
      if (Math.abs(samples[n]) < 0.05) continue;
      const at = currentTime + n / sampleRate;
      if (at - this.#loudAt > 0.3) this.port.postMessage(at);
      this.#loudAt = at;
    }
    for (const plane of output) plane.fill(0);
    return true;
  }
}

registerProcessor('ear', Ear);
