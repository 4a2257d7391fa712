// extension.js - Crucible in VS Code: finds crucible-ls, starts it, and shows what it says.
//
// How      Ghost text, hovers, code actions and the popup are vscode-languageclient's own. Here is what LSP has
//          no words for: explanations that grow (answers.js), ghost text that comes late (updates.js), the state
//          (status.js), what is going on and how to stop it (work.js), and commands (commands.js).
// Rules    Nothing is sent anywhere but to that process. Handlers are there before it is started.
'use strict';
const vscode = require('vscode');
const { LanguageClient, State } = require('vscode-languageclient/node');
const { Answers } = require('./answers');
const { Commands, executeCommand } = require('./commands');
const { findProgram } = require('./program');
const { answerConfiguration } = require('./settings');
const { Status } = require('./status');
const { Updates } = require('./updates');
const { Work } = require('./work');

const STOP_MS = 3000; // then it is left to its fate: its pipes are closed

// Tells the server what we show ourselves, and that code actions come with their command: VS Code resolves each
// row of a menu that the pointer is over, and forgets the command of a row that was resolved slowly.
const own = {
  fillClientCapabilities(capabilities) {
    delete capabilities.textDocument.codeAction.resolveSupport;
    const crucible = { answers: true, instructions: true, inlineUpdates: true };
    capabilities.experimental = { ...capabilities.experimental, crucible };
  },
  initialize() {},
  getState: () => ({ kind: 'static' }),
  clear() {},
};

class Server {
  constructor() {
    this.client = undefined;
    this.changing = Promise.resolve(); // starts and stops, one after the other
    this.channel = vscode.window.createOutputChannel('Crucible', { log: true });
    const stop = (token) => {
      if (this.client?.isRunning()) {
        void this.client.sendNotification('window/workDoneProgress/cancel', { token });
      }
    };
    this.status = new Status();
    this.updates = new Updates();
    this.work = new Work(stop, (token) => this.answers.find(token) !== undefined);
    this.answers = new Answers(stop, (id) => this.work.hide(id));
  }

  restart() {
    this.changing = this.changing.then(() => this.stop()).then(() => this.start());
    return this.changing;
  }

  start() {
    const setting = vscode.workspace.getConfiguration('crucible').get('path');
    const { file, looked } = findProgram(setting);
    if (!file) {
      this.miss(looked);
      return;
    }
    const client = this.makeClient(file);
    this.client = client;
    client.start().catch((error) => { // not waited for: one that hangs must be replaceable
      if (client === this.client) {
        this.status.say('failed', `${file} didn't start: ${error.message}`, true);
      }
    });
  }

  async stop() {
    const client = this.client;
    this.client = undefined;
    this.leave('the server was stopped');
    const end = Promise.resolve(client?.dispose()).catch((error) => { // gone already, or never came up
      this.channel.info(`while it was stopped: ${error.message}`);
    });
    await Promise.race([end, new Promise((resolve) => setTimeout(resolve, STOP_MS))]);
  }

  makeClient(file) {
    const client = new LanguageClient('crucible', 'Crucible', { command: file, args: ['--stdio'] }, {
      documentSelector: [{ scheme: 'file' }, { scheme: 'untitled' }],
      outputChannel: this.channel,
      middleware: {
        executeCommand,
        provideInlineCompletionItems: (...asked) => this.updates.provide(...asked),
        workspace: {
          configuration: answerConfiguration,
          // That something has changed; what, the server asks: a push would hold our defaults, too.
          didChangeConfiguration: () => client.sendNotification('workspace/didChangeConfiguration', { settings: null }),
        },
        handleWorkDoneProgress: (token, value, next) => this.work.handle(token, value, next),
      },
    });
    client.registerFeature(own);
    client.onNotification('crucible/status', (status) => this.status.receive(status));
    client.onNotification('crucible/answer', (answer) => this.answers.receive(answer));
    client.onNotification('crucible/inlineUpdate', (update) => this.updates.receive(client, update));
    client.onDidChangeState(({ newState }) => this.onState(client, newState));
    return client;
  }

  onState(client, state) {
    if (client !== this.client) {
      return;
    }
    if (state === State.Starting) {
      this.status.say('starting', 'The server is starting.');
    } else if (state === State.Running) {
      client.sendRequest('crucible/status').then((status) => status && this.status.receive(status), () => {});
    } else {
      this.leave('the server has ended');
      this.status.say('stopped', 'The server has ended. Click to restart it, or see the output "Crucible".', true);
    }
  }

  // Nothing that was going on goes on.
  leave(why) {
    this.work.endAll();
    this.answers.end(why);
  }

  miss(looked) {
    const message = `crucible-ls wasn't found (looked in: ${looked}). Build it by "make install PREFIX=$HOME/.local", or say where it is.`;
    this.status.say('not found', message, true);
    void vscode.window.showErrorMessage(message, 'Open Settings').then((choice) => {
      if (choice) {
        // A setting of the machine is one of the machine that the code is on.
        const kind = vscode.env.remoteName ? 'openRemoteSettings' : 'openSettings';
        void vscode.commands.executeCommand(`workbench.action.${kind}`, { query: 'crucible.path' });
      }
    });
  }

  async dispose() {
    await this.changing;
    await this.stop();
    this.status.dispose();
    this.work.dispose();
    this.answers.dispose();
    this.channel.dispose();
  }
}

let server;

exports.activate = async (context) => {
  server = new Server();
  context.subscriptions.push(
    new Commands(server, server),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration('crucible.path')) {
        void server.restart();
      }
    }),
  );
  await server.restart();
};

exports.deactivate = () => server?.dispose();
