// A yardstick of bench-send: nodemailer, pooled, signing with DKIM, in one node process.
//
// node benchmarks/nodemailer.mjs HOST PORT MESSAGES [KEY.pem] sends so many messages of 30 KB over 16 connections, signed
// with the RSA key if one is given, and prints {"messages", "cpu_ms_per_message", "wall_s", "version"} as JSON. Connections
// are open and the code is warm before the clock starts. nodemailer is looked for in benchmarks/.tools (make bench-tools).

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const tools = createRequire(new URL("./.tools/", import.meta.url));
const nodemailer = tools("nodemailer");

const [host, port, count, keyFile] = process.argv.slice(2);
if (!count) {
  console.error("node benchmarks/nodemailer.mjs HOST PORT MESSAGES [KEY.pem]");
  process.exit(2);
}
const messages = Number(count);
const connections = 16;
const warmUp = 20 * connections;

const line = "A line of some seventy characters, like those of a message in real life\r\n";
const half = line.repeat(Math.floor(15_000 / line.length));
const dkim = keyFile && { domainName: "news.example", keySelector: "bench", privateKey: readFileSync(keyFile, "ascii") };

const transport = nodemailer.createTransport({
  host,
  port: Number(port),
  pool: true,
  maxConnections: connections,
  maxMessages: Infinity,
  secure: false,
  ignoreTLS: true,
  name: "bench.example",
  ...(dkim ? { dkim } : {}),
});

const digest = (number) => ({
  from: "News <digest@news.example>",
  to: `reader${number}@dest.example`,
  subject: `Your news, number ${number}`,
  list: { unsubscribe: `https://news.example/u/${number}` },
  text: `Hello reader ${number}\r\n${half}`,
  html: `<p>Hello reader ${number}</p><pre>${half}</pre>`,
});

// As many under way as there are connections, and as many waiting: the pool never starves, memory stays flat.
async function sendMany(total) {
  let next = 0;
  const work = async () => {
    while (next < total) await transport.sendMail(digest(next++));
  };
  await Promise.all(Array.from({ length: 2 * connections }, work));
}

await sendMany(Math.min(messages, warmUp));
const cpuBefore = process.cpuUsage();
const wallBefore = performance.now();
await sendMany(messages);
const cpu = process.cpuUsage(cpuBefore);
const wall = performance.now() - wallBefore;
transport.close();

const figures = {
  messages,
  cpu_ms_per_message: (cpu.user + cpu.system) / 1000 / messages,
  wall_s: wall / 1000,
  version: tools("nodemailer/package.json").version,
};
console.log(JSON.stringify(figures));
