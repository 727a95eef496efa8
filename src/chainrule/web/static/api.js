// Requests to the server that `chainrule show` runs.

const token = new URLSearchParams(location.search).get("token");

function headers(more = {}) {
  return token === null ? more : { ...more, "X-Token": token };
}

async function reach(address, options) {
  try {
    return await fetch(address, options);
  } catch (problem) {
    if (problem instanceof TypeError) throw new Error("the server does not answer: is `chainrule show` still running?");
    throw problem;
  }
}

/** The runs: `[{index, name, scene, about}]`. */
export async function loadRuns() {
  const answer = await reach("/api/runs", { headers: headers() });
  const runs = await answer.json();
  if (!answer.ok) throw new Error(runs.error);
  return runs;
}

/**
 * Ask a run to do something, and call `onEvent` with each event of the answer as it comes.
 *
 * Resolves to true at the end of the answer. An abort of `signal` stops the work on the server, and resolves to false: what
 * began since then must not be touched. Throws an Error in the server's words where a request is wrong.
 */
export async function post(run, action, request, onEvent, signal) {
  try {
    const answer = await reach(`/api/runs/${run.index}/${action}`, {
      method: "POST", headers: headers({ "Content-Type": "application/json" }), body: JSON.stringify(request), signal,
    });
    if (!answer.ok) throw new Error((await answer.json()).error);
    for await (const event of eventsOf(answer.body.getReader())) {
      if (event.error !== undefined) throw new Error(event.error);
      if (signal?.aborted) return false;
      onEvent(event);
    }
    return true;
  } catch (problem) {
    if (problem.name !== "AbortError") throw problem;
    return false;
  }
}

/** The single answer of an action that has only one. */
export async function ask(run, action, request, signal) {
  let last = {};
  await post(run, action, request, (event) => { last = { ...last, ...event }; }, signal);
  return last;
}

async function* eventsOf(reader) {
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line.slice("data: ".length));
  }
}
