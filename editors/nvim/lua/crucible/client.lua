-- client.lua - the server as Neovim's LSP client sees it: its configuration, and how it is spoken to.
--
-- Why    0.10 calls a client's functions with a dot, 0.11 and later with a colon; 0.10 has no
--        vim.lsp.config. Nothing but this file knows.
-- Rules  The client's name is `crucible`, by which everything else finds it.
local M = {}

local has_colon = vim.fn.has('nvim-0.11') == 1

M.name = 'crucible'

function M.request(client, method, params, handler, bufnr)
  if has_colon then
    return client:request(method, params, handler, bufnr)
  end
  return client.request(method, params, handler, bufnr)
end

function M.notify(client, method, params)
  if has_colon then
    return client:notify(method, params)
  end
  return client.notify(method, params)
end

function M.cancel(client, request_id)
  if has_colon then
    return client:cancel_request(request_id)
  end
  return client.cancel_request(request_id)
end

function M.stop(client)
  if has_colon then
    return client:stop()
  end
  return client.stop()
end

-- The client of a buffer (0 or nil: this one) that is ready, or nil.
function M.of(bufnr)
  for _, client in ipairs(vim.lsp.get_clients({ bufnr = bufnr or 0, name = M.name })) do
    if client.initialized and not client.is_stopped(client) then
      return client
    end
  end
end

-- Any client at all, for what isn't about a buffer.
function M.any()
  return M.of(0) or vim.lsp.get_clients({ name = M.name })[1]
end

local function say_error(err)
  if err then
    vim.notify('Crucible: ' .. tostring(err.message or err), vim.log.levels.ERROR)
  end
end

local asked_from -- where the person stood who asked last

local function place()
  return { win = vim.api.nvim_get_current_win(), at = vim.api.nvim_win_get_cursor(0) }
end

-- Whether the person is still where they asked from, waiting for what comes.
function M.is_waited_for()
  return vim.api.nvim_get_mode().mode == 'n' and vim.deep_equal(asked_from, place())
end

-- Has the server do a command. It answers at once; what it leads to comes later.
function M.execute(client, command, argument, bufnr)
  asked_from = place()
  local params = { command = command, arguments = argument and { argument } or nil }
  return M.request(client, 'workspace/executeCommand', params, say_error, bufnr or 0)
end

-- The command crucible.refactor: asks for what shall be done, where nobody said so yet. What the
-- server itself goes on with names neither a document nor an instruction.
function M.refactor(client, argument, bufnr)
  if argument.instruction or argument.action or not argument.uri then
    M.execute(client, 'crucible.refactor', argument, bufnr)
    return
  end
  vim.ui.input({ prompt = 'What shall be done? ' }, function(instruction)
    if instruction and instruction:find('%S') then
      local with = vim.tbl_extend('force', argument, { instruction = vim.trim(instruction) })
      M.execute(client, 'crucible.refactor', with, bufnr)
    end
  end)
end

local function on_explain(command, ctx)
  local client = vim.lsp.get_client_by_id(ctx.client_id)
  if client then
    M.execute(client, command.command, (command.arguments or {})[1], ctx.bufnr)
  end
end

local function on_refactor(command, ctx)
  local client = vim.lsp.get_client_by_id(ctx.client_id)
  local argument = (command.arguments or {})[1]
  if client and type(argument) == 'table' then
    M.refactor(client, argument, ctx.bufnr)
  end
end

-- Whether an edit is for a text that the buffer no longer holds.
local function is_stale(edit)
  for _, change in ipairs(edit and edit.documentChanges or {}) do
    local document = change.textDocument
    if document and type(document.version) == 'number' then
      local known = vim.lsp.util.buf_versions[vim.uri_to_bufnr(document.uri)]
      if known and known > document.version then
        return true
      end
    end
  end
  return false
end

-- Neovim leaves out a stale edit and says that it was applied, and takes any edit for version 0.
local function on_apply_edit(err, params, ctx)
  if params and is_stale(params.edit) then
    return { applied = false, failureReason = 'the buffer has changed meanwhile: ask again' }
  end
  return vim.lsp.handlers['workspace/applyEdit'](err, params, ctx)
end

-- A null of JSON is no value here.
local function without_nulls(value)
  if type(value) ~= 'table' then
    return value
  end
  local clean = {}
  for key, member in pairs(value) do
    if member ~= vim.NIL then
      clean[key] = without_nulls(member)
    end
  end
  return clean
end

local function on_status(_, status)
  vim.g.crucible_status = without_nulls(status)
  vim.api.nvim_exec_autocmds('User', { pattern = 'CrucibleStatus', modeline = false })
  vim.cmd.redrawstatus({ bang = true })
end

-- The whole configuration, as vim.lsp.config and vim.lsp.start take it.
function M.config(options)
  options = options or {}
  local capabilities = vim.lsp.protocol.make_client_capabilities()
  capabilities.textDocument.inlineCompletion = { dynamicRegistration = false }
  capabilities.workspace.workspaceEdit.documentChanges = true -- so that edits name their version
  capabilities.experimental = {
    crucible = { answers = true, instructions = true, inlineUpdates = options.takes_updates or nil },
  }
  return {
    name = M.name,
    cmd = options.cmd or { 'crucible-ls', '--stdio' },
    filetypes = options.filetypes,
    root_markers = options.root_markers or { '.git' },
    settings = { crucible = options.settings },
    capabilities = capabilities,
    commands = { ['crucible.explain'] = on_explain, ['crucible.refactor'] = on_refactor },
    on_init = function(client)
      require('crucible.diagnostics').hook(client)
    end,
    handlers = {
      ['crucible/answer'] = function(...)
        require('crucible.answer').on_answer(...)
      end,
      ['crucible/inlineUpdate'] = function(...)
        require('crucible.ghost').on_update(...)
      end,
      ['crucible/status'] = on_status,
      ['workspace/applyEdit'] = on_apply_edit,
    },
  }
end

-- Starts (or goes on with) the server for one buffer.
function M.start(bufnr, config)
  if vim.bo[bufnr].buftype ~= '' or vim.api.nvim_buf_get_name(bufnr) == '' then
    return
  end
  if config.filetypes and not vim.list_contains(config.filetypes, vim.bo[bufnr].filetype) then
    return
  end
  local root = vim.fs.root(bufnr, config.root_markers or { '.git' })
  vim.lsp.start(vim.tbl_extend('force', config, { root_dir = root }), { bufnr = bufnr })
end

return M
