// Checks that the page works in the oldest browsers that package.json names in "browserslist", with the data of MDN's
// browser-compat-data. Usage: node scripts/browsers.mjs [BUILT.css …]
//
// Styles are checked by at-rule, media query, selector, property, keyword, function and unit; scripts by syntax, global
// and member; the program in Rust by its bindings and by NEEDS. README.md and Cargo.toml must name the same versions.
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as acorn from 'acorn';
import { generate, parse, walk } from 'css-tree';
import { DEGRADES, NEEDS, TRANSLATED } from './browser-features.mjs';

process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'));
const data = createRequire(import.meta.url)('@mdn/browser-compat-data');

const MOBILE = { chrome: 'chrome_android', firefox: 'firefox_android' };
const list = JSON.parse(readFileSync('package.json', 'utf8')).browserslist;
const oldest = {};
for (const entry of list) {
  const parts = /^(\w+) >= ([\d.]+)$/.exec(entry) ?? fail(`error: package.json: "${entry}" is not like "chrome >= 111"`);
  const [, name, version] = parts;
  const key = name === 'ios_saf' ? 'safari_ios' : name;
  for (const browser of [key, MOBILE[key]].filter(Boolean)) oldest[browser] = version;
}

const LISTS = 'scripts/browser-features.mjs';
const problems = new Set();
const used = new Set();
/** Whether a built style is checked, in which nothing of TRANSLATED is left. */
let built = false;

function fail(text) {
  console.error(text);
  process.exit(1);
}

function at(path) {
  return path.split('.').reduce((found, key) => found?.[key], data)?.__compat;
}

/** Orders versions such as 16.2. */
function compare(one, other) {
  const [[a, b = 0], [c, d = 0]] = [one, other].map((version) => version.split('.').map(Number));
  return a - c || b - d;
}

/** Lists the oldest browsers that lack a feature, each with the version that has it. A partial implementation counts. */
function missing(compat, prefixed = false) {
  const lacks = [];
  for (const [browser, version] of Object.entries(oldest)) {
    const statements = [compat.support[browser] ?? []].flat();
    const plain = statements.filter((it) => !it.flags && !it.alternative_name && (prefixed || !it.prefix));
    const lasting = plain.every((it) => it.version_removed) ? [] : plain;
    const since = lasting.map((it) => String(it.version_added).replace('≤', ''));
    const [first] = since.filter((it) => /^[\d.]+$/.test(it)).sort(compare);
    if (!first || compare(first, version) > 0) lacks.push(`${data.browsers[browser].name} ${first ?? '(none yet)'}`);
  }
  return lacks;
}

/** Reports the feature at a path of the data if a browser lacks it, unless it may be missing. */
function check(where, path, name, prefixed) {
  const compat = at(path);
  if (!compat) return;
  const lacks = missing(compat, prefixed);
  if (!lacks.length) return;
  const covered = (all) => Object.keys(all).find((key) => path === key || path.startsWith(`${key}.`));
  const allowed = covered(DEGRADES) ?? (built ? undefined : covered(TRANSLATED));
  if (allowed) used.add(allowed);
  else problems.add(`${where}: ${name} needs ${lacks.join(', ')} (${path})`);
}

function* files(folder, kind) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* files(path, kind);
    else if (kind.test(path)) yield path;
  }
}

// --- Styles -----------------------------------------------------------------------------------------------------------
/** Where the data has a function or a unit: in a type, or else in the first property that takes it. */
const places = new Map();
for (const group of ['types', 'properties']) {
  for (const [name, entry] of Object.entries(data.css[group])) {
    if (group === 'types' && !places.has(name)) places.set(name, `css.types.${name}`);
    for (const key of Object.keys(entry)) if (!places.has(key)) places.set(key, `css.${group}.${name}.${key}`);
  }
}
const UNITS = [
  [/^d(vw|vh|vi|vb|vmin|vmax)$/, 'css.types.length.viewport_percentage_units_dynamic'],
  [/^[sl](vw|vh|vi|vb|vmin|vmax)$/, 'css.types.length.viewport_percentage_units_small'],
  [/^cq/, 'css.types.length.container_query_length_units'],
];
const isPrefixed = (name) => /^-(webkit|moz|ms|o)-/.test(name);

function style(path) {
  const text = readFileSync(path, 'utf8');
  const unreadable = ({ line, message }) => problems.add(`${path}:${line}: this is not plain CSS: ${message}`);
  const tree = parse(text, { positions: true, parseCustomProperty: true, filename: path, onParseError: unreadable });
  walk(tree, function (node) {
    const where = `${path}:${node.loc?.start.line ?? this.rule?.loc?.start.line}`;
    const known = (path, name, ...rest) => {
      if (at(path)) check(where, path, name, ...rest);
      else problems.add(`${where}: ${name} is not in the compatibility data (${path})`);
    };
    if (node.type === 'Atrule') known(`css.at-rules.${node.name}`, `@${node.name}`);
    if (node.type === 'FeatureRange') check(where, 'css.at-rules.media.range_syntax', `the range ${generate(node)}`);
    if (node.type === 'Feature' && node.kind === 'media') {
      known(`css.at-rules.media.${node.name.replace(/^(min|max)-/, '')}`, `the media feature ${node.name}`);
    }
    if (node.type === 'Condition' && node.kind === 'media') {
      // All browsers got both with the same version, and the data has only `or`.
      const words = node.children.toArray().filter((it) => it.type === 'Identifier' && ['not', 'or'].includes(it.name));
      for (const { name } of words) check(where, 'css.at-rules.media.or_syntax', `"${name}" in ${generate(node)}`);
    }
    if (node.type === 'Rule' && this.rule) check(where, 'css.selectors.nesting', 'a rule in a rule');
    if (/^Pseudo(Class|Element)Selector$/.test(node.type) && !isPrefixed(node.name)) {
      known(`css.selectors.${node.name}`, `${node.type === 'PseudoClassSelector' ? ':' : '::'}${node.name}`);
    }
    // A prefixed name is meant for the browsers that know it.
    const { property } = this.declaration ?? node;
    if (node.type === 'Declaration' && !property.startsWith('--') && !isPrefixed(property)) {
      known(`css.properties.${property}`, property, built && text.includes(`-webkit-${property}:`));
    }
    if (node.type === 'Identifier' && this.declaration) {
      check(where, `css.properties.${property}.${node.name}`, `${property}: ${node.name}`);
    }
    if (node.type === 'Function' && this.declaration && !isPrefixed(node.name)) {
      const own = `css.properties.${property}.${node.name}`;
      const place = at(own) ? own : (places.get(node.name) ?? own);
      known(place, `${node.name}()`);
      if (node.children.first?.name === 'from') check(where, `${place}.relative_syntax`, `${node.name}(from …)`);
    }
    if (node.type === 'Dimension') {
      const unit = UNITS.find(([units]) => units.test(node.unit))?.[1] ?? places.get(node.unit);
      if (unit) check(where, unit, `the unit ${node.unit}`);
    }
  });
}

// --- Scripts ----------------------------------------------------------------------------------------------------------
/** Maps a member's name to its paths in all interfaces and built-in objects. */
const members = new Map();
for (const group of ['api', 'javascript.builtins']) {
  for (const [owner, entry] of Object.entries(group === 'api' ? data.api : data.javascript.builtins)) {
    for (const key of Object.keys(entry)) {
      const name = key.replace(/_(static|event)$/, '');
      members.set(name, [...(members.get(name) ?? []), `${group}.${owner}.${key}`]);
    }
  }
}

/** Checks a member by its name. Its object is unknown, so it is missing only if every interface lacks it. */
function member(where, name) {
  const paths = (members.get(name) ?? []).filter(at);
  const there = paths.some((path) => !missing(at(path)).length);
  if (paths.length && !there) check(where, paths[0], `.${name}`);
}

function script(path) {
  const visit = (node) => {
    const where = `${path}:${node.loc?.start.line}`;
    if (node.type === 'StaticBlock') check(where, 'javascript.classes.static.initialization_blocks', 'static { }');
    if (node.regex && /\(\?<[=!]/.test(node.regex.pattern)) {
      check(where, 'javascript.regular_expressions.lookbehind_assertion', 'a lookbehind');
    }
    // The page names its data attributes itself.
    const isData = node.object?.property?.name === 'dataset';
    if (node.type === 'MemberExpression' && !node.computed && !isData) member(where, node.property.name);
    if (node.type === 'Identifier' && /^[A-Z]/.test(node.name)) {
      for (const group of ['api', 'javascript.builtins']) check(where, `${group}.${node.name}`, node.name);
    }
    for (const value of Object.values(node)) {
      for (const child of [value].flat()) if (child && typeof child.type === 'string') visit(child);
    }
  };
  try {
    // Of this edition, the oldest browsers lack only static blocks; lookbehinds are older, but came to Safari as late.
    visit(acorn.parse(readFileSync(path, 'utf8'), { ecmaVersion: 2022, sourceType: 'module', locations: true }));
  } catch (error) {
    problems.add(`${path}:${error.loc?.line}: newer than ECMAScript 2022: ${error.message}`);
  }
}

// --- The program in Rust ----------------------------------------------------------------------------------------------
function rust() {
  const interfaces = new Map(Object.keys(data.api).map((name) => [name.toLowerCase(), name]));
  const sources = [...files('src', /(\.rs|Cargo\.toml)$/), 'Cargo.toml'].filter((path) => !/tests\//.test(path));
  const needs = new Map(Object.entries(NEEDS));
  for (const path of sources) {
    const text = readFileSync(path, 'utf8');
    const where = (index) => `${path}:${text.slice(0, index).split('\n').length}`;
    for (const { 1: name, index } of text.matchAll(/js_name = "?(\w+)/g)) member(where(index), name);
    const [, features = ''] = /^web-sys = .*?features = \[(.*?)\]/ms.exec(text) ?? [];
    // Dictionaries are not in the data.
    for (const [, name] of features.matchAll(/"(\w+)"/g)) check(path, `api.${interfaces.get(name.toLowerCase())}`, name);
    for (const [feature, use] of Object.entries(NEEDS)) {
      const found = use.exec(text);
      if (!found) continue;
      needs.delete(feature);
      check(where(found.index), feature, found[0]);
    }
  }
  for (const [feature, use] of needs) problems.add(`${LISTS}: nothing in src matches ${use}: remove or correct ${feature}`);
  for (const feature of Object.keys(NEEDS)) if (!at(feature)) problems.add(`${LISTS}: ${feature} is not in the data`);
}

for (const path of files('style', /\.css$/)) style(path);
for (const path of [...files('src', /\.js$/), ...files('public', /\.js$/)]) script(path);
rust();
for (const feature of Object.keys({ ...DEGRADES, ...TRANSLATED })) {
  if (!used.has(feature)) problems.add(`${LISTS}: ${feature} is unused or no longer missing: remove it`);
}
built = true;
for (const path of process.argv.slice(2)) style(path);

const sentence = `Chrome and Edge ${oldest.chrome}, Firefox ${oldest.firefox} and Safari ${oldest.safari}`;
const words = (path) => readFileSync(path, 'utf8').replace(/\s+/g, ' ');
if (!words('README.md').includes(sentence)) problems.add(`README.md: does not say "${sentence}", as package.json does`);
if (!words('Cargo.toml').includes(`browserquery = "${list.join(', ')}"`)) {
  problems.add(`Cargo.toml: browserquery is not "${list.join(', ')}", as in package.json`);
}

if (problems.size) fail([...problems].map((problem) => `error: ${problem}`).join('\n'));
console.log(`The page keeps to ${sentence}; ${Object.keys(DEGRADES).length} features may be missing.`);
