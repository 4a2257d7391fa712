// status.js - the item in the status bar: what the server does, in words, and why.
'use strict';
const vscode = require('vscode');

const BUSY_AFTER_MS = 400; // a word that changed with every key would only distract

class Status {
  constructor() {
    this.item = vscode.window.createStatusBarItem('crucible.status', vscode.StatusBarAlignment.Right, 100);
    this.item.name = 'Crucible';
    this.item.command = 'crucible.editor.menu';
    this.timer = undefined;
    this.isBusy = false; // for long enough to be told
    this.last = {};
    this.say('starting', 'The server is starting.');
    this.item.show();
  }

  dispose() {
    clearTimeout(this.timer);
    this.item.dispose();
  }

  // A state of the extension itself: there is no server to tell one.
  say(word, tooltip, isWarning = false) {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.isBusy = false;
    this.last = {};
    this.put(word, tooltip, isWarning);
  }

  put(word, tooltip, isWarning) {
    const text = `Crucible: ${word}`;
    this.item.text = isWarning ? `$(warning) ${text}` : text;
    this.item.tooltip = tooltip;
    this.item.backgroundColor = isWarning ? new vscode.ThemeColor('statusBarItem.warningBackground') : undefined;
    this.item.accessibilityInformation = { label: `${text}. ${tooltip}`, role: 'button' };
  }

  // crucible/status
  receive(status) {
    this.last = status;
    if (status.busy && this.timer === undefined && !this.isBusy) {
      this.timer = setTimeout(() => {
        this.timer = undefined;
        this.isBusy = true;
        this.render();
      }, BUSY_AFTER_MS);
    } else if (!status.busy) {
      clearTimeout(this.timer);
      this.timer = undefined;
      this.isBusy = false;
    }
    this.render();
  }

  render() {
    const { kind, model, endpoint, loading, message, why } = this.last;
    const percent = typeof loading === 'number' ? ` ${Math.round(loading * 100)} %` : '';
    const words = { loading: `loading${percent}`, warning: 'needs attention', inactive: 'off' };
    const lines = [
      message || 'Ready.',
      model && `Model: ${model}`,
      endpoint && `Endpoint: ${endpoint}`,
      why && `Last request: ${why}`,
      'Click for what you can do.',
    ];
    this.put(words[kind] || (this.isBusy ? 'writing' : 'ready'), lines.filter(Boolean).join('\n'), kind === 'warning');
  }

  get isOff() {
    return this.last.kind === 'inactive';
  }
}

module.exports = { Status };
