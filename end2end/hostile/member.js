// A member that implements src/signal/PROTOCOL.md and src/p2p/wire.rs without any of the product's code.
'use strict';

/**
 * Runs in a page of the server's origin: pass its source to the page. Returns `join` and `wire`, which encodes frames and
 * bodies.
 */
function outsider() {
  const [RELIABLE, LOSSY, BULK] = [0, 1, 2];
  const LANES = [{}, { ordered: false, maxRetransmits: 0 }, {}];
  /** The lanes' delivery, as a hello encodes it: reliable, no retransmits, reliable. */
  const TAGS = [0, 1 << 24, 0];
  const JSON_CODEC = 1;
  const MAX_PACK_BYTES = 16 * 1024;
  /** The most unacknowledged bodies per lane that the protocol allows a sender. */
  const CREDIT = 4096;
  /** Chromium fails a channel that buffers more than 16 MiB. */
  const BUFFERED_BYTES = 1024 * 1024;
  /** Within the 200 ms that the protocol allows. */
  const ACK_MS = 100;

  const encoder = new TextEncoder();
  const decoder = new TextDecoder();

  const varint = (number) => {
    const bytes = [];
    do {
      const low = number % 128;
      number = Math.floor(number / 128);
      bytes.push(number > 0 ? low | 128 : low);
    } while (number > 0);
    return bytes;
  };
  const sized = (bytes) => [...varint(bytes.length), ...bytes];
  const text = (text) => sized(encoder.encode(text));
  const json = (value) => [JSON_CODEC, ...text(JSON.stringify(value))];

  const frames = {
    hello: (token) => [...encoder.encode('cvg'), 2, ...varint(token), 0, TAGS.length, ...TAGS.flatMap(varint), 2, 0, 0, 0, 0, 0],
    presence: (slot, counter, value) => [0, ...text(slot), ...varint(counter), 1, ...json(value)],
    ready: () => [1],
    pong: (token) => [3, ...token],
    ack: (lane, messages) => [5, lane, ...varint(messages), 0],
    negotiation: (negotiation) => [7, ...text(JSON.stringify(negotiation))],
    loose: (channel, value) => [9, ...text(channel), 0, ...json(value)],
    whole: (body) => [64, ...body],
    /** The first part of a body of `total` bytes. */
    first: (total, bytes) => [65, ...varint(total), ...bytes],
    pack: (bodies) => [68, ...bodies.flatMap(sized)],
  };
  const bodies = {
    message: (channel, value) => [0, ...text(channel), 0, ...json(value)],
    request: (number, channel, value) => [1, ...varint(number), ...text(channel), ...json(value)],
    offer: (transfer, name, mime, size) => [4, ...varint(transfer), ...text(name), ...text(mime), ...varint(size)],
    stop: (transfer) => [7, ...varint(transfer), 1, 0],
  };

  /** Reads a frame's fields in order. */
  class Reader {
    constructor(bytes, at = 0) {
      this.bytes = bytes;
      this.at = at;
    }
    byte() {
      return this.bytes[this.at++];
    }
    varint() {
      let [number, factor, byte] = [0, 1, 0];
      do {
        byte = this.byte();
        number += (byte & 127) * factor;
        factor *= 128;
      } while (byte & 128);
      return number;
    }
    take(length) {
      return this.bytes.subarray(this.at, (this.at += length));
    }
    text() {
      return decoder.decode(this.take(this.varint()));
    }
    get rest() {
      return this.bytes.subarray(this.at);
    }
    get isAtEnd() {
      return this.at >= this.bytes.length;
    }
  }

  /** A connection to one member, and counts of the data received on it. */
  class Link {
    /** The peer has sent its hello, and has acknowledged ours. */
    isOpen = false;
    wasOpen = false;
    /** The peer sent a goodbye before the link closed. */
    saidBye = false;
    /** Bodies sent on lane 0, and those of them that the peer has acknowledged. */
    sent = 0;
    acknowledged = 0;
    /** Bodies and messages received, by kind or channel. */
    received = {};
    /** Counts this side's descriptions. */
    round = -1;
    /** By lane: bodies received, and those of them that this side has acknowledged. */
    bodies = [0, 0, 0];
    told = [0, 0, 0];
    /** By lane: the missing bytes of a body in parts. */
    missing = [0, 0, 0];

    constructor(member, peer, attempt, iceServers) {
      Object.assign(this, { member, peer, attempt });
      this.pc = new RTCPeerConnection({ iceServers });
      this.pc.onicecandidate = ({ candidate }) => {
        if (candidate?.candidate) this.signal({ candidate: candidate.toJSON() });
      };
      this.lanes = LANES.map((lane, id) => {
        const channel = this.pc.createDataChannel('', { ...lane, negotiated: true, id });
        channel.binaryType = 'arraybuffer';
        channel.bufferedAmountLowThreshold = BUFFERED_BYTES / 4;
        channel.onmessage = ({ data }) => this.frame(id, new Reader(new Uint8Array(data)));
        return channel;
      });
      this.lanes[RELIABLE].onopen = () => {
        this.lanes[RELIABLE].send(new Uint8Array(frames.hello(1 + Math.floor(Math.random() * 0xffff_fffe))));
      };
      this.closed = new Promise((closed) => {
        this.lanes[RELIABLE].onclose = () => {
          this.isOpen = false;
          clearInterval(this.acknowledging);
          this.wake?.();
          closed();
        };
      });
      this.acknowledging = setInterval(() => member.acknowledges && this.acknowledge(), ACK_MS);
    }

    signal(message) {
      this.member.tell({ signal: { to: this.peer, data: { attempt: this.attempt, round: this.round, ...message } } });
    }

    async offer() {
      this.round += 1;
      await this.pc.setLocalDescription();
      this.signal({ offer: this.pc.localDescription.sdp });
    }

    async negotiate({ round = 0, offer, answer, candidate }) {
      if (offer) {
        await this.pc.setRemoteDescription({ type: 'offer', sdp: offer });
        this.round += 1;
        await this.pc.setLocalDescription();
        this.signal({ answers: round, answer: this.pc.localDescription.sdp });
      } else if (answer) {
        await this.pc.setRemoteDescription({ type: 'answer', sdp: answer });
      } else if (candidate) {
        await this.pc.addIceCandidate(candidate);
      }
    }

    count(what) {
      this.received[what] = (this.received[what] ?? 0) + 1;
    }

    frame(lane, reader) {
      if (reader.bytes[0] === 99 && !this.greeted) {
        // Ignore the hello's state of an earlier session: this side keeps none.
        this.greeted = true;
        return this.raw(RELIABLE, frames.ready());
      }
      switch (reader.byte()) {
        case 1:
          this.isOpen = this.wasOpen = true;
          return this.raw(RELIABLE, frames.presence('profile', 1, { name: this.member.name, typing: false }));
        case 2:
          return this.raw(RELIABLE, frames.pong(reader.rest));
        case 4:
          this.saidBye = true;
          return;
        case 5:
          if (reader.byte() === RELIABLE) this.acknowledged = reader.varint();
          return this.wake?.();
        case 7:
          return this.negotiate(JSON.parse(reader.text()));
        case 9:
          return this.count(reader.text());
        case 64:
          return this.body(lane, reader);
        case 65:
          this.missing[lane] = reader.varint() - reader.rest.length;
          return;
        case 66:
          this.missing[lane] -= reader.rest.length;
          if (this.missing[lane] === 0) this.bodies[lane] += 1;
          return;
        case 68:
          while (!reader.isAtEnd) this.body(lane, new Reader(reader.take(reader.varint())));
      }
    }

    body(lane, reader) {
      this.bodies[lane] += 1;
      const kind = ['message', 'request', 'reply', 'cancel', 'offer', 'accept', 'decline', 'stop', 'end', 'stored'][reader.byte()];
      this.count(kind === 'message' ? reader.text() : kind);
    }

    acknowledge() {
      for (const lane of [RELIABLE, BULK]) {
        if (this.bodies[lane] > this.told[lane]) this.raw(RELIABLE, frames.ack(lane, (this.told[lane] = this.bodies[lane])));
      }
    }

    /** Sends a frame now. Returns `false` if the link is closed. */
    raw(lane, frame) {
      const channel = this.lanes[lane];
      if (channel.readyState !== 'open') return false;
      channel.send(frame instanceof Uint8Array ? frame : new Uint8Array(frame));
      return true;
    }

    /** Sends a frame once the channel's buffer is low. Resolves to `false` if the link is closed. */
    async send(lane, frame) {
      const channel = this.lanes[lane];
      while (channel.readyState === 'open' && channel.bufferedAmount > BUFFERED_BYTES) {
        const low = new Promise((low) => channel.addEventListener('bufferedamountlow', low, { once: true }));
        await Promise.race([low, this.closed]);
      }
      return this.raw(lane, frame);
    }

    /** Sends `count` frames. Resolves once the channels are drained, or the link is closed. */
    async flood(lane, count, frame) {
      for (let n = 0; n < count; n += 1) {
        if (!(await this.send(lane, frame(n)))) return;
      }
      await this.drained();
    }

    /**
     * Sends bodies on lane 0, packed into frames. With `credit` it waits for acknowledgements as the protocol requires.
     * Resolves to `false` if the link is closed.
     */
    async sendBodies(all, { credit = false } = {}) {
      for (let at = 0; at < all.length; ) {
        const pack = [];
        for (let bytes = 1; at < all.length && (bytes += all[at].length + 2) <= MAX_PACK_BYTES; at += 1) pack.push(all[at]);
        if (pack.length === 0) pack.push(all[at++]);
        while (credit && this.isOpen && this.sent + pack.length - this.acknowledged > CREDIT) {
          await new Promise((wake) => (this.wake = wake));
        }
        this.sent += pack.length;
        if (!(await this.send(RELIABLE, pack.length > 1 ? frames.pack(pack) : frames.whole(pack[0])))) return false;
      }
      return true;
    }

    /** Resolves when all bodies are acknowledged, or the link is closed. */
    async settled() {
      while (this.isOpen && this.acknowledged < this.sent) await new Promise((wake) => (this.wake = wake));
    }

    /** Resolves once the channels' buffers are empty, or the link is closed. */
    async drained() {
      while (this.isOpen && this.lanes.some((channel) => channel.bufferedAmount > 0)) {
        await new Promise((passed) => setTimeout(passed, 20));
      }
    }
  }

  const DIGITS = 'abcdefghijklmnopqrstuvwxyz234567';
  const base32 = (bytes) => {
    const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
    return bits.replace(/.{1,5}/g, (five) => DIGITS[parseInt(five.padEnd(5, '0'), 2)]);
  };
  const fromBase32 = (text) => {
    const bits = Array.from(text, (digit) => DIGITS.indexOf(digit).toString(2).padStart(5, '0')).join('');
    return Uint8Array.from(bits.match(/.{8}/g), (byte) => parseInt(byte, 2));
  };
  const concat = (...parts) => new Uint8Array(parts.flatMap((part) => [...part]));

  class Member {
    /** Whether it acknowledges received bodies. */
    acknowledges = true;
    links = new Map();

    constructor(name) {
      this.name = name;
    }

    /** Joins a room by its name. Resolves once the server has listed the other members. */
    async join(room) {
      const keys = await crypto.subtle.generateKey('Ed25519', false, ['sign']);
      const id = new Uint8Array(await crypto.subtle.exportKey('raw', keys.publicKey));
      this.id = base32(id);
      const domain = encoder.encode('converge/1 topic\0');
      const topic = new Uint8Array(await crypto.subtle.digest('SHA-256', concat(domain, encoder.encode(room))));
      this.socket = new WebSocket(`${location.origin.replace('http', 'ws')}/signal`);
      const hello = async ({ nonce }) => {
        const signed = concat(encoder.encode('converge/1 hello\0'), fromBase32(nonce), topic, new Uint8Array(8), encoder.encode(location.origin));
        const sig = new Uint8Array(await crypto.subtle.sign('Ed25519', keys.privateKey, signed));
        this.tell({ hello: { v: 1, topic: base32(topic), id: this.id, incarnation: 0, sig: base32(sig) } });
      };
      await new Promise((joined, failed) => {
        this.socket.onclose = ({ code }) => failed(new Error(`the server closed the socket: ${code}`));
        this.socket.onmessage = ({ data }) => {
          const { challenge, welcome, signal, error } = JSON.parse(data);
          if (challenge) hello(challenge).catch(failed);
          if (error) failed(new Error(`the server refused: ${error.code}`));
          if (signal) this.signalled(signal);
          if (welcome) {
            this.iceServers = welcome.ice_servers;
            // The newcomer offers.
            for (const { id } of welcome.members) this.link(id, Math.floor(Math.random() * 0xffff_ffff)).offer();
            joined();
          }
        };
      });
      return this;
    }

    tell(message) {
      this.socket.send(JSON.stringify(message));
    }

    link(peer, attempt) {
      const link = new Link(this, peer, attempt, this.iceServers);
      this.links.set(peer, link);
      return link;
    }

    signalled({ from, data }) {
      let link = this.links.get(from);
      // A link that was open is not reopened: tests read its final state. One that never opened is retried, since the
      // first attempt may time out on a busy machine.
      if (link?.wasOpen !== true && (data.dial || (data.offer && link?.attempt !== data.attempt))) {
        link?.pc.close();
        link = this.link(from, data.dial ? Math.floor(Math.random() * 0xffff_ffff) : data.attempt);
        if (data.dial) link.offer();
      }
      if (link?.attempt === data.attempt) link.negotiate(data);
    }

    /** Resolves once links to this many members are open. */
    async meets(others) {
      while ([...this.links.values()].filter((link) => link.isOpen).length < others) {
        await new Promise((passed) => setTimeout(passed, 20));
      }
    }

    /** Runs `act` with every open link, concurrently. */
    async each(act) {
      const links = [...this.links.values()].filter((link) => link.isOpen);
      await Promise.all(links.map(act));
    }
  }

  /** Joins a room under a name. Resolves once links to this many members are open. */
  async function join(room, name, others) {
    const member = await new Member(name).join(room);
    await member.meets(others);
    return member;
  }

  return { join, wire: { RELIABLE, LOSSY, BULK, frames, bodies } };
}

/**
 * Runs a function in the page of the hostile members. It can use only the members, `wire` and `given`.
 *
 * @typedef {<T, G = undefined>(act: (members: any[], wire: any, given: G) => T, given?: G) => Promise<Awaited<T>>} Act
 */

/**
 * Has members of these names join a room from one bare page. Resolves once they are linked to each other and to
 * `others` more.
 *
 * @param {import('@playwright/test').Page} page
 * @param {string} origin
 * @param {string} room
 * @param {string[]} names
 * @param {number} others
 * @returns {Promise<Act>}
 */
async function intrude(page, origin, room, names, others) {
  await page.goto(`${origin}/robots.txt`);
  await page.evaluate(`globalThis.outsider = (${outsider})()`);
  await page.evaluate(
    async ({ room, names, others }) => {
      globalThis.members = await Promise.all(names.map((name) => outsider.join(room, name, others)));
    },
    { room, names, others: others + names.length - 1 },
  );
  return (act, given) => page.evaluate(`(${act})(members, outsider.wire, ${JSON.stringify(given ?? null)})`);
}

module.exports = { intrude };
