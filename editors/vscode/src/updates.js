// updates.js - ghost text that comes after its answer was due.
//
// Why      A request for ghost text has one answer. Where that was nothing, since the model took too long, what
//          comes later would wait for the next key. The server tells of it (crucible/inlineUpdate).
// How      What is told is kept for the place it is about, and the editor is made to ask again; the asking is
//          answered from here, so that neither server nor model hear of it.
// Rules    Only where the cursor still stands at that place, the text is the same and nothing is shown: a
//          suggestion that a person reads isn't exchanged, nor one put back that was dismissed.
'use strict';
const vscode = require('vscode');

class Updates {
  constructor() {
    this.client = undefined; // the newest
    this.last = undefined; // {place, isEmpty}: what the editor was answered last
    this.told = undefined; // {place, items}: what it will be answered when it asks at that place
  }

  // middleware.provideInlineCompletionItems
  async provide(document, position, context, token, next) {
    const place = placeOf(document.uri, document.version, position);
    const told = this.told;
    this.told = undefined;
    if (told?.place === place && this.client) {
      this.last = { place, isEmpty: false };
      return this.client.protocol2CodeConverter.asInlineCompletionResult({ items: told.items }, token);
    }
    this.last = undefined;
    const result = await next(document, position, context, token);
    if (!token.isCancellationRequested) {
      const items = Array.isArray(result) ? result : result?.items ?? [];
      this.last = { place, isEmpty: items.length === 0 };
    }
    return result;
  }

  // The notification; gives whether it was of use.
  receive(client, { uri, version, position, items }) {
    const editor = vscode.window.activeTextEditor;
    const at = client.protocol2CodeConverter;
    const place = placeOf(at.asUri(uri), version, at.asPosition(position));
    const here = editor && placeOf(editor.document.uri, editor.document.version, editor.selection.active);
    const isWanted = here === place && this.last?.place === place && this.last.isEmpty && items.length > 0;
    if (isWanted) {
      this.client = client;
      this.told = { place, items };
      void vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
    }
    return isWanted;
  }
}

function placeOf(uri, version, { line, character }) {
  return `${uri}#${version}:${line}:${character}`;
}

module.exports = { Updates };
