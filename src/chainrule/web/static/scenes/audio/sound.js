// Sound: levels and amplitudes, files of 16 bits, playing, and decoding what the server can't.

/** The amplitude in [-1, 1] of a level of a run. */
export function amplitudeOf(run, level) {
  return run.about.amplitudes === null ? (level - 32768) / 32768 : run.about.amplitudes[level];
}

/** The amplitudes of levels. */
export function amplitudes(run, levels) {
  return Float32Array.from(levels, (level) => amplitudeOf(run, level));
}

/** A .wav file of 16 bits and one channel, with the samples rounded as libsndfile does. */
export function wavFile(samples, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const words = (at, text) => [...text].forEach((character, i) => view.setUint8(at + i, character.charCodeAt(0)));
  words(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  words(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  words(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, i) => view.setInt16(44 + 2 * i, Math.min(Math.floor(sample * 32768), 32767), true));
  return new Blob([view.buffer], { type: "audio/wav" });
}

/** The samples of a sound file at a rate and of a channel (mono, left or right), decoded by the browser. */
export async function decodeFile(file, rate, channel) {
  const context = new OfflineAudioContext(1, 1, rate);
  const buffer = await context.decodeAudioData(await file.arrayBuffer());
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, i) => buffer.getChannelData(i));
  const taken = { left: channels.slice(0, 1), right: channels.slice(1, 2) }[channel] ?? channels;
  const own = taken.length ? taken : channels;
  return Float32Array.from(own[0], (_, t) => own.reduce((sum, each) => sum + each[t], 0) / own.length);
}

/**
 * Plays samples that may still grow: `.play(from)` and `.stop()`; `samples()` gives those that are there, `isGrowing()` says
 * whether more will come, `onPlace(sample)` is called with the place that is heard, and null at the end.
 */
export function soundPlayer(rate, samples, isGrowing, onPlace) {
  let context = null, source = null, playing = false, begun = 0, first = 0;

  function stop() {
    playing = false;
    source?.stop();
    source = null;
    onPlace(null);
  }

  function playOn(from) {
    const all = samples();
    if (from >= all.length) {
      if (isGrowing()) setTimeout(() => playing && playOn(from), 50);
      else stop();
      return;
    }
    const buffer = context.createBuffer(1, all.length - from, rate);
    buffer.copyToChannel(all.subarray(from), 0);
    const own = context.createBufferSource();
    own.buffer = buffer;
    own.connect(context.destination);
    own.addEventListener("ended", () => { if (playing && source === own) playOn(all.length); });
    source = own;
    begun = context.currentTime;
    first = from;
    own.start();
  }

  function follow() {
    if (!playing) return;
    if (source !== null) onPlace(Math.min(first + (context.currentTime - begun) * rate, samples().length));
    requestAnimationFrame(follow);
  }

  return {
    stop,
    async play(from) {
      stop();
      context ??= new AudioContext();
      await context.resume();
      playing = true;
      playOn(from);
      follow();
    },
    get playing() { return playing; },
  };
}
