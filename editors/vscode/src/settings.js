// settings.js - what the server is told of VS Code's settings.
//
// Rules    Only what somebody has set: a default of ours would override the user's own config.json. The
//          setting that names the program is nothing that the server knows.
'use strict';
const vscode = require('vscode');

const KEYS = ['inline.enabled', 'inline.trigger', 'hover.model', 'models', 'endpoints'];

// Plain data of VS Code's read-only view of a value.
const plain = (value) => JSON.parse(JSON.stringify(value));

function settingsFor(resource) {
  const configuration = vscode.workspace.getConfiguration('crucible', resource);
  const settings = {};
  for (const key of KEYS) {
    const { key: _, defaultValue: __, defaultLanguageValue: ___, languageIds: ____, ...set } = configuration.inspect(key) || {};
    if (!Object.values(set).some((value) => value !== undefined)) {
      continue;
    }
    const [outer, inner] = key.split('.');
    const value = plain(configuration.get(key));
    settings[outer] = inner ? { ...settings[outer], [inner]: value } : value;
  }
  return settings;
}

// For workspace/configuration: one answer for each item, as asked.
function answerConfiguration(params, token, next) {
  const answers = next(params, token);
  return params.items.map((item, i) => (item.section === 'crucible'
    ? settingsFor(item.scopeUri ? vscode.Uri.parse(item.scopeUri) : undefined) : answers[i]));
}

module.exports = { answerConfiguration };
