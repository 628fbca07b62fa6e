// What a browser gives to a page of the dispatcher: addresses without a host, and EventSource. The first line that
// tells of a queue is the end, and all is well; anything else is not.

process.exitCode = 1;

const ask = globalThis.fetch;
globalThis.fetch = (path, { headers, ...options } = {}) => {
  // The server of the test needs no token, and would refuse this one.
  if (headers && !/^Bearer \S+$/.test(headers.Authorization)) throw new Error('no token is sent');
  return ask(new URL(path, process.env.CLAWPOOL_URL), options);
};

globalThis.EventSource = class extends EventTarget {
  constructor(path) {
    super();
    this.#read(path);
  }

  async #read(path) {
    const answer = await fetch(path);
    let text = '';
    for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + piece).split('\n\n');
      text = blocks.pop();
      for (const block of blocks) this.#tell(block);
    }
  }

  #tell(block) {
    const field = name => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
    const data = field('data');
    if (data) this.dispatchEvent(Object.assign(new Event(field('event') ?? 'message'), { data }));
  }
};

console.log = (...words) => {
  if (JSON.stringify(words).includes('normal.p4')) process.exit(0);
};

