/* Reads {"mails": {id: html}, "clients": [glob…], "rules": {rule: "off"}} from standard input, and writes
   {"support": {id: [[where, feature, client]…]}, "faults": {id: ["line:column rule: message"…]}}.
   TEST_NODE_MODULES is the folder that holds caniemail and html-validate. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const SHEET = /<style\b[^>]*>([\s\S]*?)<\/style>/g;

const { resolve } = createRequire(`${process.env.TEST_NODE_MODULES}/`);
const load = (name) => import(pathToFileURL(resolve(name)));
const { caniemail } = await load("caniemail");
const { HtmlValidate } = await load("html-validate");

const { mails, clients, rules } = JSON.parse(readFileSync(0, "utf8"));
const validator = new HtmlValidate({ root: true, extends: ["html-validate:recommended"], rules });
const sheets = new Map();
const support = {};
const faults = {};
for (const [id, html] of Object.entries(mails)) {
  const sheet = [...html.matchAll(SHEET)].map((found) => found[1]).join("\n");
  if (!sheets.has(sheet)) sheets.set(sheet, sheet ? unsupported("sheet", { css: sheet }) : []);
  support[id] = [...unsupported("tags", { html: html.replace(SHEET, "") }), ...sheets.get(sheet)];
  const { results } = await validator.validateString(html);
  faults[id] = results.flatMap((one) => one.messages).map((one) => `${one.line}:${one.column} ${one.ruleId}: ${one.message}`);
}
process.stdout.write(JSON.stringify({ support, faults }));

function unsupported(where, source) {
  const { errors } = caniemail({ clients, ...source }).issues;
  const found = [...errors].flatMap(([client, issues]) => issues.map((one) => JSON.stringify([where, one.title, client])));
  return [...new Set(found)].map((one) => JSON.parse(one));
}
