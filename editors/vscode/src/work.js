// work.js - what the server is doing for a person, each with a way to stop it.
//
// Why      Work that takes seconds should be seen and be stoppable by one click. vscode-languageclient shows
//          progress in the status bar, where nothing can be stopped; so progress of our server that may be
//          cancelled becomes a notification with a button.
// Rules    An explanation that has begun to show is stopped at its own tab: its notification goes away then.
'use strict';
const vscode = require('vscode');

class Work {
  constructor(stop) {
    this.stop = stop;
    this.running = new Map(); // token -> {title, hide, report}
  }

  // middleware.handleWorkDoneProgress
  handle(token, value, next) {
    if (value.kind === 'begin' && value.cancellable && String(token).startsWith('crucible/')) {
      this.begin(token, value);
    } else if (!this.running.has(token)) {
      next(token, value);
    } else if (value.kind === 'report') {
      this.running.get(token).report(value);
    } else if (value.kind === 'end') {
      this.end(token);
    }
  }

  begin(token, { title, message }) {
    const entry = { title, hide: () => {}, report: (value) => { entry.message = value.message; }, message };
    this.running.set(token, entry);
    const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
    void vscode.window.withProgress(options, (progress, cancel) => {
      entry.report = (value) => progress.report({ message: value.message });
      entry.report(entry);
      cancel.onCancellationRequested(() => this.stop(token));
      return this.running.has(token) && !entry.isHidden
        ? new Promise((resolve) => { entry.hide = resolve; }) : Promise.resolve();
    });
    this.note();
  }

  // It goes on, but is shown elsewhere.
  hide(token) {
    const entry = this.running.get(token);
    if (entry) {
      entry.isHidden = true;
      entry.hide();
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
  }
}

module.exports = { Work };
