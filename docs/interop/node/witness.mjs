// Drives the event store at the address given with the official Node client,
// as an outside witness: another language, another gRPC library, another team.
// It exits with 1 at the first thing that is not as a real server does it.
//
//   npm ci && node witness.mjs 127.0.0.1:2113
//
// Streams whose names begin with "ledger-" must be protected there.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import {
  AccessDeniedError, BACKWARDS, END, KurrentDBClient, NO_STREAM, ANY, START, STREAM_EXISTS,
  PersistentSubscriptionDoesNotExistError, PersistentSubscriptionExistsError,
  StreamDeletedError, StreamNotFoundError, WrongExpectedVersionError,
  excludeSystemEvents, eventTypeFilter, jsonEvent, persistentSubscriptionToAllSettingsFromDefaults,
  persistentSubscriptionToStreamSettingsFromDefaults, streamNameFilter,
} from "@kurrent/kurrentdb-client";

const client = KurrentDBClient.connectionString(`kurrentdb://${process.argv[2]}?tls=false`);
const run = `witness-${randomUUID()}`;
const events = (name, n) => Array.from({ length: n }, (_, i) =>
  jsonEvent({ id: randomUUID(), type: "Witnessed", data: { name, i }, metadata: { run } }));

async function collect(reading, n = Infinity) {
  const all = [];
  for await (const item of reading) {
    all.push(item);
    if (all.length === n) break;
  }
  return all;
}

const revisions = (all) => all.map(({ event }) => Number(event.revision));

// next resolves with the arguments of an event of an emitter.
const next = (emitter, name) => new Promise((resolve, reject) => {
  emitter.once(name, resolve);
  emitter.once("error", reject);
});

const checks = {
  async append() {
    const stream = `${run}-append`;
    const batch = events("append", 3);
    const options = { streamState: NO_STREAM };
    const first = await client.appendToStream(stream, batch, options);
    assert.equal(first.nextExpectedRevision, 2n);
    const again = await client.appendToStream(stream, batch, options);
    assert.deepEqual(again.position, first.position);
    await assert.rejects(client.appendToStream(stream, events("other", 1), options), (err) => {
      assert.ok(err instanceof WrongExpectedVersionError, String(err));
      assert.equal(err.actualState, 2n);
      return true;
    });
    await assert.rejects(client.appendToStream(`${run}-none`, events("x", 1), { streamState: STREAM_EXISTS }), WrongExpectedVersionError);
    // With credentials the client leaves the batch call for the single one.
    const single = { streamState: 2n, credentials: { username: "admin", password: "changeit" } };
    assert.equal((await client.appendToStream(stream, events("single", 1), single)).nextExpectedRevision, 3n);
    await assert.rejects(client.appendToStream(stream, events("single", 1), single), WrongExpectedVersionError);
  },

  async read() {
    const stream = `${run}-read`;
    await client.appendToStream(stream, events("read", 5), { streamState: ANY });
    const all = await collect(client.readStream(stream));
    assert.deepEqual(revisions(all), [0, 1, 2, 3, 4]);
    assert.deepEqual(all[3].event.data, { name: "read", i: 3 });
    assert.deepEqual(all[3].event.metadata, { run });
    assert.deepEqual(revisions(await collect(client.readStream(stream, { direction: BACKWARDS, fromRevision: END, maxCount: 2 }))), [4, 3]);
    assert.deepEqual(revisions(await collect(client.readStream(stream, { fromRevision: 3n }))), [3, 4]);
    await assert.rejects(collect(client.readStream(`${run}-none`)), StreamNotFoundError);
  },

  async readAll() {
    const streams = [`${run}-all-a`, `${run}-all-b`];
    for (let i = 0; i < 3; i++) for (const s of streams) await client.appendToStream(s, events(s, 1), { streamState: ANY });
    const mine = (all) => all.filter(({ event }) => event?.streamId.startsWith(`${run}-all`)).map(({ event }) => event.streamId.at(-1));
    assert.deepEqual(mine(await collect(client.readAll())), ["a", "b", "a", "b", "a", "b"]);
    const back = await collect(client.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: 3 }));
    assert.deepEqual(mine(back), ["b", "a", "b"]);
    const from = back[2].event.position;
    assert.equal(from.commit, from.prepare);
    assert.deepEqual(mine(await collect(client.readAll({ fromPosition: from }))), ["b", "a", "b"]);
  },

  async subscribe() {
    const stream = `${run}-live`;
    await client.appendToStream(stream, events("live", 2), { streamState: NO_STREAM });
    const sub = client.subscribeToStream(stream, { fromRevision: START });
    const caughtUp = next(sub, "caughtUp");
    const got = [];
    for await (const { event } of sub) {
      got.push(Number(event.revision));
      if (got.length === 2) {
        await caughtUp;
        await client.appendToStream(stream, events("live", 1), { streamState: 1n });
      }
      if (got.length === 3) break;
    }
    assert.deepEqual(got, [0, 1, 2]);
  },

  async filtered() {
    const noise = `${run}-noise`, wanted = `${run}-wanted`;
    await client.appendToStream(wanted, events("one", 1), { streamState: NO_STREAM });
    await client.appendToStream(noise, events("noise", 200), { streamState: NO_STREAM });
    let checkpoints = 0;
    const sub = client.subscribeToAll({
      fromPosition: START,
      filter: streamNameFilter({
        prefixes: [wanted], maxSearchWindow: 32, checkpointInterval: 2,
        checkpointReached: async () => { checkpoints++; },
      }),
    });
    const got = [];
    sub.once("caughtUp", () => client.appendToStream(wanted, events("two", 1), { streamState: 0n }));
    for await (const { event } of sub) {
      got.push(event.data.name);
      if (got.length === 2) break;
    }
    assert.deepEqual(got, ["one", "two"]);
    assert.ok(checkpoints >= 3, `only ${checkpoints} checkpoints over 200 events`);
    for (const filter of [excludeSystemEvents(), eventTypeFilter({ regex: "^Witn" })]) {
      const other = client.subscribeToAll({ fromPosition: START, filter });
      for await (const { event } of other) {
        assert.ok(!event.type.startsWith("$"));
        if (event.streamId === wanted) break;
      }
    }
  },

  async metadata() {
    const stream = `${run}-meta`;
    await client.appendToStream(stream, events("meta", 5), { streamState: NO_STREAM });
    assert.equal((await client.getStreamMetadata(stream)).metastreamRevision, undefined);
    await client.setStreamMetadata(stream, { maxCount: 2, owner: "us" });
    const found = await client.getStreamMetadata(stream);
    assert.equal(found.metadata.maxCount, 2);
    assert.equal(found.metadata.owner, "us");
    assert.deepEqual(revisions(await collect(client.readStream(stream))), [3, 4]);
    await client.setStreamMetadata(stream, { truncateBefore: 1 });
    assert.deepEqual(revisions(await collect(client.readStream(stream))), [1, 2, 3, 4]);
  },

  async delete() {
    const stream = `${run}-delete`;
    await client.appendToStream(stream, events("delete", 2), { streamState: NO_STREAM });
    await assert.rejects(client.deleteStream(stream, { expectedRevision: 7n }), WrongExpectedVersionError);
    const { position } = await client.deleteStream(stream, { expectedRevision: 1n });
    assert.ok(position.commit > 0n);
    await assert.rejects(collect(client.readStream(stream)), StreamNotFoundError);
    await assert.rejects(client.appendToStream(stream, events("x", 1), { streamState: STREAM_EXISTS }), StreamDeletedError);
    assert.equal((await client.appendToStream(stream, events("again", 2), { streamState: NO_STREAM })).nextExpectedRevision, 3n);
    assert.deepEqual(revisions(await collect(client.readStream(stream))), [2, 3]);
    assert.equal((await client.getStreamMetadata(stream)).metadata.truncateBefore, 2);
  },

  async tombstone() {
    const stream = `${run}-tombstone`;
    await client.appendToStream(stream, events("end", 2), { streamState: NO_STREAM });
    await client.tombstoneStream(stream, { expectedRevision: 1n });
    await assert.rejects(collect(client.readStream(stream)), StreamDeletedError);
    await assert.rejects(client.appendToStream(stream, events("x", 1), { streamState: ANY }), StreamDeletedError);
    await assert.rejects(client.tombstoneStream(stream), StreamDeletedError);
  },

  async group() {
    const stream = `${run}-group`, group = "workers";
    await client.appendToStream(stream, events("group", 4), { streamState: NO_STREAM });
    const settings = persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START, maxRetryCount: 1 });
    await client.createPersistentSubscriptionToStream(stream, group, settings);
    await assert.rejects(client.createPersistentSubscriptionToStream(stream, group, settings), PersistentSubscriptionExistsError);
    const sub = client.subscribeToPersistentSubscriptionToStream(stream, group);
    const log = [];
    for await (const item of sub) {
      const revision = Number(item.event.revision);
      log.push(`${revision}/${item.retryCount ?? 0}`);
      if (revision === 1) await sub.nack("park", "poison", item);
      else if (revision === 2 && !item.retryCount) await sub.nack("retry", "not yet", item);
      else await sub.ack(item);
      if (log.length === 5) {
        for (;;) { // until the answers have arrived
          const info = await client.getPersistentSubscriptionToStreamInfo(stream, group);
          if (info.stats.totalInFlightMessages === 0 && info.stats.parkedMessageCount === 1n) break;
        }
        await client.replayParkedMessagesToStream(stream, group);
      }
      if (log.length === 6) break;
    }
    assert.deepEqual(log.toSorted(), ["0/0", "1/0", "1/0", "2/0", "2/1", "3/0"]);
    const parked = await collect(client.readStream(`$persistentsubscription-${stream}::${group}-parked`, { resolveLinkTos: true }));
    assert.equal(parked[0].event.revision, 1n);
    assert.equal(parked[0].link.type, "$>");
    await client.updatePersistentSubscriptionToStream(stream, group, settings);
    assert.equal((await client.listPersistentSubscriptionsToStream(stream)).length, 1);
    await client.deletePersistentSubscriptionToStream(stream, group);
    await assert.rejects(client.deletePersistentSubscriptionToStream(stream, group), PersistentSubscriptionDoesNotExistError);
  },

  async groupOnAll() {
    const stream = `${run}-every`, group = run;
    await client.createPersistentSubscriptionToAll(group, persistentSubscriptionToAllSettingsFromDefaults({ startFrom: START }),
      { filter: streamNameFilter({ prefixes: [stream] }) });
    await client.appendToStream(stream, events("every", 3), { streamState: NO_STREAM });
    const sub = client.subscribeToPersistentSubscriptionToAll(group);
    const got = [];
    for await (const item of sub) {
      got.push(Number(item.event.revision));
      await sub.ack(item);
      if (got.length === 3) break;
    }
    assert.deepEqual(got, [0, 1, 2]);
    await client.deletePersistentSubscriptionToAll(group);
  },

  async protected() {
    const stream = "ledger-witness";
    const before = await collect(client.readStream(stream));
    assert.ok(before.length > 0);
    await assert.rejects(client.appendToStream(stream, events("x", 1), { streamState: ANY }), AccessDeniedError);
    await assert.rejects(client.setStreamMetadata(stream, { maxCount: 1 }), AccessDeniedError);
    await assert.rejects(client.deleteStream(stream), AccessDeniedError);
    await assert.rejects(client.tombstoneStream(stream), AccessDeniedError);
    assert.equal((await collect(client.readStream(stream))).length, before.length);
  },
};

const deadline = setTimeout(() => {
  console.error("the witness waited too long");
  process.exit(1);
}, 60_000);

for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok ${name}`);
  } catch (err) {
    console.error(`${name}: ${err.stack}`);
    process.exit(1);
  }
}
clearTimeout(deadline);
await client.dispose();
