// Reads claims as Node does: the object that JSON.parse makes, a copy of it, and maps of those who look names up without
// regard to case.
import { createInterface } from "node:readline";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const views = {
  own: (object) => object,
  // What a copy inherits, it has too, for whoever reads it.
  assigned: (object) => Object.assign({}, object),
  lower: (object) => folded(object, (name) => name.toLowerCase()),
  upper: (object) => folded(object, (name) => name.toUpperCase()),
};

function folded(object, fold) {
  const last = new Map(Object.entries(object).map(([name, value]) => [fold(name), [name, value]]));
  // Under the name they are looked up by; their own one is kept beside it.
  const members = Object.fromEntries([...last].map(([name, [, value]]) => [name.toLowerCase(), value]));
  names.set(members, [...last.values()].map(([name]) => name));
  return members;
}
const names = new WeakMap();

const hexadecimal = (text) => Buffer.from(text, "utf8").toString("hex");

function field(claims, name) {
  const value = claims[name];
  if (value === undefined) return "-";
  if (["exp", "nbf", "iat"].includes(name)) return String(value);
  return Array.isArray(value) ? value.map(hexadecimal).join(",") : hexadecimal(value);
}

function reading(text, view) {
  try {
    let members = 0;
    const claims = JSON.parse(decoder.decode(text), (_, value) => {
      if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
      const seen = view(value);
      members += (names.get(seen) ?? Object.keys(seen)).length;
      return seen;
    });
    const fields = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"].map((name) => `${name}=${field(claims, name)}`);
    const own = (names.get(claims) ?? Object.keys(claims)).map(hexadecimal).sort().join(",");
    return [...fields, `members=${members}`, `names=${own}`].join(" ");
  } catch {
    return "refused";
  }
}

if (process.argv[2] === "--pairs") {
  // Names of one character, and what they are to those who do not regard case.
  const pairs = [];
  for (let code = 0; code < 0x110000; code++) {
    if (code >= 0xd800 && code < 0xe000) continue;
    const name = String.fromCodePoint(code);
    for (const other of [name.toLowerCase(), name.toUpperCase()]) {
      if (other !== name) pairs.push(`${hexadecimal(name)} ${hexadecimal(other)}\n`);
    }
  }
  process.stdout.write(pairs.join(""), () => process.exit());
}

for await (const line of createInterface({ input: process.stdin })) {
  const text = Buffer.from(line, "base64");
  process.stdout.write(Object.entries(views).map(([name, view]) => `${name}:${reading(text, view)}`).join("\t") + "\n");
}
