// Tests what is published: the size, the files, the types, and the code of the README.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { transform } from "esbuild";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MAX_SIZE = 4000; // bytes, minified and compressed

/** Runs a program of the package's tools and returns its output. */
function run(program, ...options) {
  return execFileSync(join(ROOT, "node_modules/.bin", program), options, { cwd: ROOT, encoding: "utf8" });
}

test("the types are those of docs/openapi.json; npm run types updates them", () => {
  const generated = run("openapi-typescript", "../../docs/openapi.json");
  assert.equal(readFileSync(join(ROOT, "src/openapi.ts"), "utf8"), generated);
});

test("the client has at most 4 kB, minified and compressed", async (t) => {
  const { code } = await transform(readFileSync(join(ROOT, "dist/index.js"), "utf8"), { minify: true, format: "esm" });
  const size = gzipSync(code, { level: 9 }).length;
  t.diagnostic(`${size} bytes`);
  assert.ok(size <= MAX_SIZE, `${size} bytes`);
});

test("the package contains the module, its types, the README and the licences, and depends on nothing", () => {
  const packed = execFileSync("npm", ["pack", "--dry-run", "--ignore-scripts", "--json"], { cwd: ROOT, encoding: "utf8" });
  const files = [JSON.parse(packed)].flat(2).flatMap((entry) => (entry.files ?? Object.values(entry)[0].files).map(({ path }) => path));
  const types = ["client", "errors", "http", "index", "openapi", "overlaps", "store", "tabs", "tokens", "types", "waiting"];
  const expected = ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "dist/index.js", "package.json", ...types.map((name) => `dist/${name}.d.ts`)];
  assert.deepEqual(files.sort(), expected.sort());
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  assert.deepEqual([dependencies, peerDependencies], [undefined, undefined]);
});

test("the examples of the README compile against the published types", () => {
  const blocks = [...readFileSync(join(ROOT, "README.md"), "utf8").matchAll(/^```tsx?\n(.*?)^```/gms)].map(([, code]) => code);
  assert.ok(blocks.length >= 3);
  const folder = mkdtempSync(join(ROOT, "test/readme-"));
  try {
    // A block whose first line is a comment with the name of a file can be imported by the others.
    const nameOf = (code, index) => code.match(/^\/\/ (\S+\.ts)\n/)?.[1] ?? `example-${index}.tsx`;
    blocks.forEach((code, index) => writeFileSync(join(folder, nameOf(code, index)), code));
    const paths = { "@authapi/client": [join(ROOT, "dist/index.d.ts")] };
    const compilerOptions = { strict: true, noEmit: true, jsx: "react-jsx", module: "esnext", moduleResolution: "bundler", target: "es2022", lib: ["es2023", "dom"], types: [], paths };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["."] }));
    run("tsc", "--project", folder);
  } catch (error) {
    assert.fail(error.stdout ?? error);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
