// A browser, driven as the W3C's WebDriver has it: what the tests need of it and no more.

const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';

export const soon = async (what, look, seconds = 20) => {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    let found;
    let trouble;
    try {
      found = await look();
    } catch (error) {
      trouble = error;
    }
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s${trouble ? ` (${trouble.message})` : ''}`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
};

export class Browser {
  static async open(driver, base) {
    const args = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--window-size=1440,900'];
    const capabilities = {
      alwaysMatch: {
        browserName: 'chrome',
        'goog:chromeOptions': { args },
        'goog:loggingPrefs': { browser: 'ALL' },
        // One that a page opens is seen, and fails what comes after it.
        unhandledPromptBehavior: 'ignore',
      },
    };
    const browser = new Browser();
    browser.base = base;
    browser.at = `${driver}/session`;
    const { sessionId } = await browser.ask('POST', '', { capabilities });
    browser.at += `/${sessionId}`;
    return browser;
  }

  async ask(method, path, body) {
    const answer = await fetch(this.at + path, {
      method,
      body: method === 'POST' ? JSON.stringify(body ?? {}) : undefined,
    });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`${path}: ${value.error}: ${value.message}`);
    return value;
  }

  close() {
    return this.ask('DELETE', '');
  }

  go(path) {
    return this.ask('POST', '/url', { url: this.base + path });
  }

  async path() {
    return (await this.ask('GET', '/url')).slice(this.base.length);
  }

  run(script, ...args) {
    return this.ask('POST', '/execute/sync', { script, args });
  }

  runLong(script, ...args) {
    return this.ask('POST', '/execute/async', { script, args });
  }

  async find(css) {
    return (await this.ask('POST', '/element', { using: 'css selector', value: css }))[ELEMENT];
  }

  async press(css) {
    await this.ask('POST', `/element/${await this.find(css)}/click`);
  }

  async type(css, text) {
    const id = await this.find(css);
    await this.ask('POST', `/element/${id}/clear`);
    await this.ask('POST', `/element/${id}/value`, { text });
  }

  text(css = 'main') {
    return this.run('return document.querySelector(arguments[0])?.innerText ?? ""', css);
  }

  // Presses what leads to another page, and waits for that.
  async follow(css) {
    await this.run('window.before = true');
    await this.press(css);
    await soon(`another page after ${css}`, () => this.run('return !window.before && document.readyState === "complete"'));
  }

  says(words, css = 'main', seconds = 20) {
    return soon(`"${words}" in ${css}`, async () => (await this.text(css)).includes(words), seconds);
  }

  devtools(cmd, params = {}) {
    return this.ask('POST', '/goog/cdp/execute', { cmd, params });
  }

  async look(width, theme) {
    await this.devtools('Emulation.setDeviceMetricsOverride', {
      width, height: width < 600 ? 844 : 900, deviceScaleFactor: 1, mobile: false,
    });
    await this.devtools('Emulation.setEmulatedMedia', {
      features: [{ name: 'prefers-color-scheme', value: theme }],
    });
  }

  async picture() {
    const { data } = await this.devtools('Page.captureScreenshot', { captureBeyondViewport: true });
    return Buffer.from(data, 'base64');
  }

  // What the browser has complained of since it was asked last.
  async complaints() {
    const entries = await this.ask('POST', '/se/log', { type: 'browser' });
    return entries.filter(({ level }) => level === 'SEVERE' || level === 'WARNING').map(({ message }) => message);
  }
}
