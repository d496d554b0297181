// Makes a component of app.js: `node build.js WIT-FOLDER WORLD OUTPUT`.

import { readFile, writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const [witPath, worldName, output] = process.argv.slice(2);
const source = await readFile(new URL("app.js", import.meta.url), "utf8");
const { component } = await componentize(source, {
  witPath,
  worldName,
  // The program speaks to wasi:http itself, so the engine's own `fetch` is left out.
  disableFeatures: ["fetch-event", "http"],
});
await writeFile(output, component);
