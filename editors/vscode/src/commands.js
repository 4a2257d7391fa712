// commands.js - what the palette, the menus and the keys do.
//
// Why      vscode-languageclient registers the server's own commands under the server's names, for the code
//          actions that carry them. Those of a person have names of their own (crucible.editor.*) and find out
//          what they are about from the editor.
// Rules    An instruction is asked for before anything is sent; a box that is closed sends nothing.
'use strict';
const vscode = require('vscode');

const SCHEMES = ['file', 'untitled'];

class Commands {
  // server: {client, restart()}; the rest are the parts that commands speak to.
  constructor(server, { answers, work, status }) {
    Object.assign(this, { server, answers, work, status });
    const table = {
      explain: () => this.act('crucible.explain'),
      fix: () => this.act('crucible.fix'),
      document: () => this.act('crucible.document'),
      tests: () => this.act('crucible.tests'),
      refactor: () => this.act('crucible.refactor'),
      stop: (uri) => this.stop(uri),
      menu: () => this.menu(),
      toggle: () => this.send('crucible.toggle'),
      status: () => this.send('crucible.status'),
      switchModel: () => this.switchModel(),
      decisions: () => this.decisions(),
      clearCache: () => this.clearCache(),
      restart: () => this.server.restart(),
    };
    this.disposables = Object.entries(table).map(([name, run]) =>
      vscode.commands.registerCommand(`crucible.editor.${name}`, run));
  }

  dispose() {
    vscode.Disposable.from(...this.disposables).dispose();
  }

  // The running client; undefined, and said so, where there is none.
  client() {
    const client = this.server.client;
    if (client?.isRunning()) {
      return client;
    }
    void vscode.window.showWarningMessage('Crucible isn\'t running.', 'Start').then((choice) => {
      if (choice) {
        void this.server.restart();
      }
    });
    return undefined;
  }

  async request(method, params) {
    const client = this.client();
    if (!client) {
      return undefined;
    }
    try {
      return await client.sendRequest(method, params);
    } catch (error) {
      void vscode.window.showErrorMessage(`Crucible: ${error.message}`);
      return undefined;
    }
  }

  send(command, ...args) {
    return this.request('workspace/executeCommand', { command, arguments: args });
  }

  async clearCache() {
    if (await this.send('crucible.clearCache') !== undefined) {
      void vscode.window.setStatusBarMessage('Crucible: the cache is cleared', 5000);
    }
  }

  async act(command) {
    const editor = vscode.window.activeTextEditor;
    if (!editor || !SCHEMES.includes(editor.document.uri.scheme)) {
      void vscode.window.showInformationMessage('Crucible works on the file that is being edited: click into one first.');
      return;
    }
    const client = this.client();
    const argument = client && await instructed(command, argumentOf(client, editor));
    if (argument) {
      await this.send(command, argument);
    }
  }

  stop(uri) {
    const id = this.answers.idOf(uri);
    if (id !== undefined) {
      this.work.stop(id);
    } else {
      this.work.stopAll();
    }
  }

  async menu() {
    const items = [
      ...[...this.work.running].map(([token, { title }]) =>
        ({ label: `$(debug-stop) Stop: ${title.replace(/^Crucible: /, '')}`, run: () => this.work.stop(token) })),
      { label: this.status.isOff ? 'Switch on' : 'Switch off', detail: 'For this window, until it is closed', command: 'toggle' },
      { label: 'Show status', detail: 'Model, state, and what to do next', command: 'status' },
      { label: 'Switch model…', detail: 'For ghost text, or for explanations and edits', command: 'switchModel' },
      { label: 'Explain last decision', detail: 'What became of the last requests, and why', command: 'decisions' },
      { label: 'Clear cache', command: 'clearCache' },
      { label: 'Restart the server', command: 'restart' },
    ];
    const item = await vscode.window.showQuickPick(items, { title: 'Crucible', placeHolder: this.status.item.tooltip.split('\n')[0] });
    if (item) {
      await (item.run ? item.run() : vscode.commands.executeCommand(`crucible.editor.${item.command}`));
    }
  }

  async switchModel() {
    const stats = await this.request('crucible/stats');
    const models = (stats?.endpoints || []).flatMap((endpoint) => (endpoint.models || []).map((model) =>
      ({ label: `${endpoint.name}/${model.id}`, description: endpoint.state === 'ready' ? '' : endpoint.state })));
    if (stats && models.length === 0) {
      await this.send('crucible.switchModel'); // the server knows why there is none
      return;
    }
    const role = stats && await vscode.window.showQuickPick([
      { label: 'Ghost text', detail: 'What is suggested while you type', role: 'inline' },
      { label: 'Explanations and edits', detail: 'Explain, Fix, Document, Write Tests, Refactor', role: 'chat' },
    ], { title: 'Crucible: which model should change?' });
    const model = role && await vscode.window.showQuickPick(models, { title: `Crucible: the model for ${role.label.toLowerCase()}` });
    if (model) {
      await this.send('crucible.switchModel', { role: role.role, model: model.label });
    }
  }

  async decisions() {
    const stats = await this.request('crucible/stats');
    if (stats) {
      const records = (stats.trace || []).slice(0, 30).map(({ outcome, why, kind, file, wallMs, ms }) => ({
        label: outcome,
        description: [kind, file && file.split('/').pop(), ms !== undefined && `${Math.round(ms)} ms`,
          new Date(wallMs).toLocaleTimeString()].filter(Boolean).join(', '),
        detail: why,
      }));
      await vscode.window.showQuickPick(records.length ? records : [{ label: 'Nothing was asked yet' }],
        { title: 'Crucible: the last decisions, newest first', matchOnDetail: true, matchOnDescription: true });
    }
  }
}

// What a command is about: the selection (or the place of the cursor), and what is wrong there.
function argumentOf(client, editor) {
  const { document, selection } = editor;
  const convert = client.code2ProtocolConverter;
  const meant = selection.isEmpty ? document.lineAt(selection.active.line).range : selection;
  const diagnostics = vscode.languages.getDiagnostics(document.uri)
    .filter((diagnostic) => diagnostic.range.intersection(meant))
    .map((diagnostic) => ({ message: diagnostic.message, range: convert.asRange(diagnostic.range) }));
  return {
    uri: convert.asUri(document.uri), range: convert.asRange(selection), version: document.version,
    ...(diagnostics.length > 0 ? { diagnostics } : {}),
  };
}

// Whether a person has to say what they want: not for an own action, whose words are in the settings, and not
// where the command only goes on with work that was begun (task).
function needsInstruction(command, argument) {
  const isBegun = argument?.instruction || argument?.action || argument?.task !== undefined;
  return command === 'crucible.refactor' && !isBegun;
}

// The argument, with the instruction that the command needs; undefined when the person gives none.
async function instructed(command, argument) {
  if (!needsInstruction(command, argument)) {
    return argument;
  }
  const instruction = await vscode.window.showInputBox({
    title: 'Crucible: Refactor', prompt: 'What should become of it?', placeHolder: 'e.g. split this into two functions',
    ignoreFocusOut: true,
  });
  return instruction?.trim() ? { ...argument, instruction: instruction.trim() } : undefined;
}

// middleware.executeCommand: for the server's own commands, which code actions carry.
async function executeCommand(command, args, next) {
  if (!needsInstruction(command, args[0])) {
    return next(command, args);
  }
  const argument = await instructed(command, args[0]);
  return argument && next(command, [argument]);
}

module.exports = { Commands, executeCommand };
