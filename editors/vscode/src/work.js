// work.js - what the server is doing for a person, each with a way to stop it.
//
// Why      Work that takes seconds should be seen and be stoppable by one click. vscode-languageclient shows
//          progress in the status bar, where nothing can be stopped; so progress of our server that may be
//          cancelled becomes a notification with a button.
// Rules    What is done in half a second shows nothing. An explanation that has begun to show needs no
//          notification any more: the status bar has a "Stop" for it, and the title of its tab.
'use strict';
const vscode = require('vscode');

const SHOW_AFTER_MS = 500;

class Work {
  // stop(token) asks the server to end it; isShown(token) says whether it is on the screen by other means.
  constructor(stop, isShown) {
    this.stop = stop;
    this.isShown = isShown;
    this.running = new Map(); // token -> {title, message, isHidden, timer, report, hide}
    this.item = vscode.window.createStatusBarItem('crucible.stop', vscode.StatusBarAlignment.Right, 99);
    this.item.name = 'Crucible: Stop';
    this.item.text = '$(debug-stop) Stop';
    this.item.command = 'crucible.editor.stop';
  }

  dispose() {
    this.endAll();
    this.item.dispose();
  }

  // middleware.handleWorkDoneProgress
  handle(token, value, next) {
    if (value.kind === 'begin' && value.cancellable && String(token).startsWith('crucible/')) {
      this.begin(token, value);
    } else if (!this.running.has(token)) {
      next(token, value);
    } else if (value.kind === 'report') {
      this.report(this.running.get(token), value);
    } else if (value.kind === 'end') {
      this.end(token);
    }
  }

  begin(token, { title, message }) {
    const entry = { title, message, isHidden: this.isShown(token), report: () => {}, hide: () => {} };
    if (!entry.isHidden) {
      entry.timer = setTimeout(() => this.show(token, entry), SHOW_AFTER_MS);
    }
    this.running.set(token, entry);
    this.note();
  }

  show(token, entry) {
    const options = { location: vscode.ProgressLocation.Notification, title: entry.title, cancellable: true };
    void vscode.window.withProgress(options, (progress, cancel) => {
      entry.report = () => progress.report({ message: entry.message });
      entry.report();
      cancel.onCancellationRequested(() => this.stop(token));
      return entry.isHidden ? Promise.resolve() : new Promise((resolve) => { entry.hide = resolve; });
    });
  }

  report(entry, { message }) {
    if (message !== undefined) {
      entry.message = message;
      entry.report();
    }
  }

  // It goes on, but is shown elsewhere.
  hide(token) {
    const entry = this.running.get(token);
    if (entry) {
      entry.isHidden = true;
      clearTimeout(entry.timer);
      entry.hide();
      this.note();
    }
  }

  end(token) {
    this.hide(token);
    this.running.delete(token);
    this.note();
  }

  endAll() {
    [...this.running.keys()].forEach((token) => this.end(token));
  }

  stopAll() {
    [...this.running.keys()].forEach((token) => this.stop(token));
  }

  note() {
    void vscode.commands.executeCommand('setContext', 'crucible.working', this.running.size > 0);
    const hidden = [...this.running.values()].filter((entry) => entry.isHidden).map((entry) => entry.title);
    if (hidden.length > 0) {
      this.item.tooltip = `Stop ${hidden.join(', ')}`;
      this.item.show();
    } else {
      this.item.hide();
    }
  }
}

module.exports = { Work };
