// client_node.js ADDON MODEL SENTENCES - stet in a Node program: promises, and Node's own event loop waits for the
// completion queue. ADDON is client_node_addon.c, compiled.
'use strict';

const fs = require('fs');
const path = require('path');
const { setTimeout: sleep } = require('timers/promises');

const CALLS = 1000;
const WORKERS = 128;
const TIMEOUT_MS = 120000;
const HEALTH_READY = 0;
const HEALTH_DRAINING = 1;

function fail(message) {
  fs.writeSync(2, `client_node: ${message}\n`);
  process.exit(1);
}

function check(good, what) {
  if (!good) {
    fail(`does not hold: ${what}`);
  }
}

// ---- What to copy: the class ----

// A text that was accepted. `answer` is a promise of {text, edits}.
class Call {
  constructor(corrector, id) {
    this.corrector = corrector;
    this.id = id;
    this.answer = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.answer.catch(() => {}); // who cancels need not look at the answer
  }

  // The answer is rejected with STET_E_CANCELLED, unless it was there already.
  cancel() {
    const status = this.corrector.addon.cancel(this.corrector.client, this.id);
    check(status === 'STET_OK', 'cancelling is always legal');
  }
}

class Corrector {
  constructor(addon, folder) {
    this.addon = addon;
    this.inFlight = new Map(); // by tag
    this.lastTag = 0n;
    this.busy = 0;
    this.client = addon.open(folder, (events) => this.take(events));
  }

  // Hands in a text; while the engine is busy it waits.
  async submit(text, deadlineNs = 0n) {
    const tag = ++this.lastTag;
    for (;;) {
      const { id, error, retryAfterMs } = this.addon.submit(this.client, text, tag, deadlineNs);
      if (error === undefined) {
        // No event can have come: it would have had to wait for this thread.
        const call = new Call(this, id);
        this.inFlight.set(tag, call);
        return call;
      }
      if (error.code !== 'STET_E_BUSY') {
        throw error;
      }
      this.busy++;
      await sleep(Math.max(1, retryAfterMs));
    }
  }

  take(events) {
    for (const { id, tag, result, error } of events) {
      const call = this.inFlight.get(tag);
      check(call !== undefined, 'an event is for a request in flight, and there is one for each');
      check(call.id === id, 'tag and id belong together');
      this.inFlight.delete(tag);
      if (error === undefined) {
        call.resolve(result);
      } else {
        call.reject(error);
      }
    }
  }

  correctBatch(texts) {
    return this.addon.correctBatch(this.client, texts);
  }

  drain() {
    return this.addon.drain(this.client);
  }

  health() {
    return this.addon.health(this.client);
  }

  close() {
    this.addon.close(this.client);
    this.client = undefined;
  }
}

// ---- The test ----

function applyEdits(source, edits) {
  let out = '';
  let at = 0;
  for (const { begin, end, text } of edits) {
    out += source.slice(at, begin) + text;
    at = end;
  }
  return out + source.slice(at);
}

function deadlineOf(corrector, number) {
  if (number % 10 === 3) {
    return 1n; // past; 0n would be none
  }
  return number % 10 === 8 ? corrector.addon.clockNs() + 300000n : 0n;
}

async function correctOne(corrector, number, source, expected) {
  const deadlineNs = deadlineOf(corrector, number);
  try {
    const call = await corrector.submit(source, deadlineNs);
    if (number % 7 === 6) {
      if (number % 3 > 0) {
        await sleep(number % 3);
      }
      call.cancel();
    }
    const { text, edits } = await call.answer;
    check(deadlineNs !== 1n, 'what is too late is not done');
    check(text === expected, 'same as the blocking call');
    check(applyEdits(source, edits) === text, 'the edits give the text');
    return 'done';
  } catch (error) {
    if (error.code === 'STET_E_CANCELLED' && number % 7 === 6) {
      return 'cancelled';
    }
    if (error.code === 'STET_E_DEADLINE' && deadlineNs !== 0n) {
      return 'deadline';
    }
    throw error;
  }
}

async function correctAll(corrector, lines, expected) {
  const counts = { done: 0, cancelled: 0, deadline: 0 };
  let next = 0;
  async function work() {
    while (next < CALLS) {
      const number = next++;
      const i = number % lines.length;
      counts[await correctOne(corrector, number, lines[i], expected[i])]++;
    }
  }
  await Promise.all(Array.from({ length: WORKERS }, work));
  return counts;
}

async function checkEnd(corrector) {
  await corrector.drain();
  check(corrector.health() === HEALTH_DRAINING, 'the engine is draining');
  await sleep(1); // an event too many would come now
  check(corrector.inFlight.size === 0, 'every accepted request has an event');
  const late = await corrector.submit('Bace.').catch((error) => error);
  check(late.code === 'STET_E_SHUTDOWN', 'a drained engine accepts nothing');
  const status = corrector.addon.cancel(corrector.client, 2n ** 64n - 1n);
  check(status === 'STET_E_INVALID', 'an unknown id cannot be cancelled');
}

async function main([addonPath, folder, sentences]) {
  check(sentences !== undefined, 'three arguments: ADDON MODEL SENTENCES');
  const lines = fs.readFileSync(sentences, 'utf8').replace(/\n$/, '').split('\n');
  const addon = require(path.resolve(addonPath));
  const corrector = new Corrector(addon, folder);
  check(corrector.health() === HEALTH_READY, 'a new engine is ready');
  const expected = (await corrector.correctBatch(lines)).map((result) => result.text);
  const changed = lines.filter((line, i) => line !== expected[i]).length;
  check(changed >= 5, 'the model changes enough for a comparison');

  const blocking = corrector.correctBatch(lines); // in the thread pool, while the loop runs
  const counts = await correctAll(corrector, lines, expected);
  (await blocking).forEach(({ text }, i) => check(text === expected[i], 'the same from the thread pool'));
  await checkEnd(corrector);
  corrector.close();
  const { done, cancelled, deadline } = counts;
  const { busy } = corrector;
  check(done + cancelled + deadline === CALLS, 'one outcome for each request');
  check(done > 0 && cancelled > 0 && deadline > 0 && busy > 0, 'all cases came up');
  console.log(`ok: ${done} done, ${cancelled} cancelled, ${deadline} deadline, ${busy} busy`);
}

setTimeout(() => fail(`not ready after ${TIMEOUT_MS / 1000} s`), TIMEOUT_MS).unref();
main(process.argv.slice(2)).catch((error) => fail(`${error.code}: ${error.stack}`));
