// build.js - makes dist/extension.js, one file with everything in it but VS Code itself, and next to it the
// licences of what was put in.
'use strict';
const fs = require('fs');
const path = require('path');
const esbuild = require('esbuild');

async function build() {
  const { metafile } = await esbuild.build({
    entryPoints: ['src/extension.js'], outfile: 'dist/extension.js', bundle: true, platform: 'node', format: 'cjs',
    target: 'node20', external: ['vscode'], minify: true, metafile: true, logLevel: 'info',
  });
  const inside = new Set();
  for (const input of Object.keys(metafile.inputs)) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match) {
      inside.add(match[1]);
    }
  }
  const texts = [['Crucible', '../../LICENSE']];
  for (const folder of [...inside].sort()) {
    const file = fs.readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
    if (!file) {
      throw new Error(`${folder} comes without a licence`);
    }
    const { name, version } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
    texts.push([`${name} ${version}`, path.join(folder, file)]);
  }
  fs.writeFileSync('dist/LICENSES.txt', texts.map(([name, file]) =>
    `==== ${name}\n\n${fs.readFileSync(file, 'utf8').trim()}\n`).join('\n'));
}

build().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
