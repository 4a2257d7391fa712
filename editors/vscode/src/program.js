// program.js - where crucible-ls is.
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');

function isProgram(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

// {file} or {looked}: the places where it isn't. A window that was started from a desktop often has a
// shorter PATH than a shell, hence the two usual places after it.
function findProgram(setting) {
  const name = (setting || '').trim() || 'crucible-ls';
  const home = name.startsWith('~/') ? path.join(os.homedir(), name.slice(2)) : name;
  const folders = (process.env.PATH || '').split(path.delimiter).filter(Boolean)
    .concat(path.join(os.homedir(), '.local', 'bin'), '/usr/local/bin');
  const places = home.includes('/') || path.isAbsolute(home) ? [home] : folders.map((folder) => path.join(folder, home));
  const file = places.find(isProgram);
  return file ? { file } : { looked: home.includes('/') ? home : 'PATH, ~/.local/bin and /usr/local/bin' };
}

module.exports = { findProgram };
