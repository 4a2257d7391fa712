// answers.js - explanations, as Markdown that grows beside the code.
//
// Why      The server sends the whole text so far, up to 30 times a second. A read-only document of the scheme
//          "crucible" holds it, and VS Code's own Markdown preview shows it, so that it looks, scrolls and
//          copies like any other page.
// Rules    An answer whose tab was closed is stopped and never opens again. A tab without an answer (of a
//          window that was loaded anew) is closed.
'use strict';
const vscode = require('vscode');

const SCHEME = 'crucible';
const VIEW = 'vscode.markdown.preview.editor';

class Answers {
  // stop(id) ends an answer at the server; onFirst(id) is told when it has something to show.
  constructor(stop, onFirst) {
    this.stop = stop;
    this.onFirst = onFirst;
    this.answers = new Map(); // path of the document -> {id, uri, text, error, isDone}
    this.closed = new Set(); // ids whose tab the person closed, until the server is done with them
    this.changed = new vscode.EventEmitter();
    this.n = 0;
    this.disposables = [
      this.changed,
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
        onDidChange: this.changed.event,
        provideTextDocumentContent: (uri) => this.content(uri),
      }),
      vscode.window.tabGroups.onDidChangeTabs((event) => this.onTabs(event)),
    ];
    void vscode.window.tabGroups.close(this.tabs());
  }

  dispose() {
    vscode.Disposable.from(...this.disposables).dispose();
  }

  tabs() {
    return vscode.window.tabGroups.all.flatMap((group) => group.tabs).filter((tab) => tab.input?.uri?.scheme === SCHEME);
  }

  content(uri) {
    const answer = this.answers.get(uri.path);
    if (!answer) {
      return '';
    }
    const note = answer.error ? `\n\n---\n\n**It ended early:** ${plainText(answer.error)}\n` : '';
    return (answer.text || (answer.isDone ? (note ? '' : '*There was nothing to say.*') : '…')) + note;
  }

  find(id) {
    return [...this.answers.values()].find((answer) => answer.id === id);
  }

  // crucible/answer
  receive({ id, title, text, done, error }) {
    if (this.closed.has(id)) {
      if (done) {
        this.closed.delete(id);
      }
      return;
    }
    let answer = this.find(id);
    const isNew = !answer;
    if (isNew) {
      const name = (title || 'Explanation').replace(/[/\\?#]/g, ' ').slice(0, 80).trim();
      answer = { id, uri: vscode.Uri.from({ scheme: SCHEME, path: `/${++this.n}/${name}.md` }) };
      this.answers.set(answer.uri.path, answer);
    }
    Object.assign(answer, { text: text || '', error, isDone: Boolean(done) });
    if (isNew) {
      this.onFirst(id);
      void this.open(answer);
    } else {
      this.changed.fire(answer.uri);
    }
    if (isNew || done) {
      this.noteGrowing();
    }
  }

  // Beside the code, where the next one takes its place unless it is kept (as with any preview). By the number
  // of its column that would become the active one.
  async open(answer) {
    const where = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true, preview: true };
    try {
      await vscode.commands.executeCommand('vscode.openWith', answer.uri, VIEW, where);
    } catch { // the preview is an extension, too, and may be off
      await vscode.window.showTextDocument(answer.uri, where);
    }
    this.changed.fire(answer.uri); // what came while it opened
  }

  onTabs({ closed }) {
    const open = new Set(this.tabs().map((tab) => tab.input.uri.path));
    for (const tab of closed) {
      const uri = tab.input?.uri;
      const answer = uri?.scheme === SCHEME && !open.has(uri.path) && this.answers.get(uri.path);
      if (answer) {
        this.answers.delete(uri.path);
        if (!answer.isDone) {
          this.closed.add(answer.id);
          this.stop(answer.id);
        }
      }
    }
    this.noteGrowing();
  }

  // The server is gone: nothing grows any more.
  end(why) {
    this.closed.clear();
    for (const answer of this.answers.values()) {
      if (!answer.isDone) {
        Object.assign(answer, { isDone: true, error: why });
        this.changed.fire(answer.uri);
      }
    }
    this.noteGrowing();
  }

  // For the "Stop" in the title of the tab: the URIs that still grow.
  noteGrowing() {
    const growing = [...this.answers.values()].filter((answer) => !answer.isDone);
    void vscode.commands.executeCommand('setContext', 'crucible.growing', growing.map((answer) => answer.uri.toString()));
  }

  // The answer that a command of its tab means.
  idOf(uri) {
    const answer = uri?.scheme === SCHEME ? this.answers.get(uri.path) : undefined;
    return answer && !answer.isDone ? answer.id : undefined;
  }
}

const plainText = (text) => text.replace(/[\\`*_{}[\]()#+\-.!<>|~&]/g, '\\$&').replace(/\s+/g, ' ');

module.exports = { Answers };
