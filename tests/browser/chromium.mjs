// How tests start Chromium. CHROMIUM names the browser.

/** Returns the options of a browser that resolves host names only by `rules`. */
export function chromiumOptions(rules) {
  return {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--host-resolver-rules=${rules}`,
    ],
  };
}
