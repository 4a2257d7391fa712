-- init.lua - require('crucible').setup{...}: what a person configures, and what a statusline shows.
local api = vim.api
local client_of = require('crucible.client')

local M = {}

local has_config = vim.fn.has('nvim-0.11') == 1
local has_inline = vim.fn.has('nvim-0.12') == 1
local group = api.nvim_create_augroup('crucible', {})

local defaults = {
  cmd = { 'crucible-ls', '--stdio' },
  filetypes = nil, -- every file
  root_markers = { '.git' },
  settings = nil, -- the server's configuration, as in config.json
  ghost_text = true, -- true: the editor's own where it has one; 'own': this plugin's; false: none
  debounce = 40, -- ms of pause before this plugin's ghost text is asked for
  answer = { window = 'float', focus = true }, -- or 'split', 'vsplit'
  progress = true, -- what is worked on is said in the command line
  keymaps = { -- in insert mode; false: none
    accept = '<Tab>',
    accept_word = '<M-Right>',
    accept_line = '<M-C-Right>',
    dismiss = '<C-]>',
    trigger = '<M-Bslash>',
  },
}

M.options = vim.deepcopy(defaults)

local function uses_editors_own()
  return has_inline and M.options.ghost_text == true
end

-- -- keys --

local function feed(keys, is_remapped, has_codes)
  if has_codes then
    keys = api.nvim_replace_termcodes(keys, true, true, true)
  end
  api.nvim_feedkeys(keys, is_remapped and 'im' or 'in', false)
end

-- Does what `lhs` did before it was mapped here.
local function fall_back(lhs, before)
  if vim.tbl_isempty(before) then
    feed(lhs, false, true)
  elseif before.callback and before.expr == 1 then
    local keys = before.callback()
    if type(keys) == 'string' then
      feed(keys, before.noremap == 0, before.replace_keycodes == 1)
    end
  elseif before.callback then
    before.callback()
  elseif before.expr == 1 then
    feed(api.nvim_eval(before.rhs), before.noremap == 0, before.replace_keycodes == 1)
  else
    feed(before.rhs:gsub('<SID>', ('<SNR>%d_'):format(before.sid)), before.noremap == 0, true)
  end
end

local before_keys = {} -- lhs -> the mapping that was there before, {} for none

local function map(lhs, what, description)
  if not lhs then
    return
  end
  before_keys[lhs] = before_keys[lhs] or vim.fn.maparg(lhs, 'i', false, true)
  local function otherwise()
    fall_back(lhs, before_keys[lhs])
  end
  vim.keymap.set('i', lhs, function()
    if not what(otherwise) then
      otherwise()
    end
  end, { desc = description })
end

local function accepter(unit)
  return function(otherwise)
    return M.accept(unit, otherwise)
  end
end

local function map_keys(keys)
  map(keys.accept, accepter(), 'Accept the suggestion')
  map(keys.accept_word, accepter('word'), 'Accept the next word of the suggestion')
  map(keys.accept_line, accepter('line'), 'Accept the next line of the suggestion')
  if not uses_editors_own() then
    map(keys.dismiss, M.dismiss, 'Take the suggestion away')
    map(keys.trigger, M.trigger, 'Suggest now')
  end
end

-- -- ghost text --

-- Accepts the suggestion, or its next 'word' or 'line'. True where there was one. `otherwise` is
-- called where the editor showed one that no longer fits.
function M.accept(unit, otherwise)
  if uses_editors_own() then
    return require('crucible.builtin').accept(unit, otherwise or function() end)
  end
  return require('crucible.ghost').accept(unit)
end

-- Takes this plugin's suggestion away. True where there was one.
function M.dismiss()
  return require('crucible.ghost').dismiss()
end

-- Asks for a suggestion now, also where typing asks for none (inline.trigger "manual").
function M.trigger()
  require('crucible.ghost').trigger()
  return true
end

local function on_attach(args)
  local client = vim.lsp.get_client_by_id(args.data.client_id)
  if not client or client.name ~= client_of.name then
    return
  end
  if uses_editors_own() then
    vim.lsp.inline_completion.enable(true, { client_id = client.id })
  elseif M.options.ghost_text then
    require('crucible.ghost').attach(args.buf)
  end
end

local function on_detach(args)
  local client = vim.lsp.get_client_by_id(args.data.client_id)
  if client and client.name == client_of.name and not uses_editors_own() then
    require('crucible.ghost').detach(args.buf)
  end
end

-- -- what goes on --

-- For statuslines: which model, whether it is being loaded or at work; '' where nothing runs.
function M.status()
  local status = vim.g.crucible_status
  if type(status) ~= 'table' or not client_of.any() then
    return ''
  end
  local name = type(status.model) == 'string' and status.model:match('[^/]*$') or ''
  if type(status.loading) == 'number' then
    return ('%s %d%%'):format(name, math.floor(status.loading * 100))
  end
  if status.kind == 'inactive' then
    return 'off'
  end
  return (status.kind == 'warning' and '! ' or '') .. name .. (status.busy and ' ...' or '')
end

-- Says in the command line what the server works on; who types isn't disturbed.
local function on_progress(args)
  local client = vim.lsp.get_client_by_id(args.data.client_id)
  local value = args.data.params and args.data.params.value
  if not client or client.name ~= client_of.name or type(value) ~= 'table' then
    return
  end
  if api.nvim_get_mode().mode ~= 'n' then
    return
  end
  local parts = vim.tbl_filter(function(part)
    return type(part) == 'string' and part ~= ''
  end, { value.title or false, value.message or false })
  local line = value.kind == 'end' and '' or table.concat(parts, ': '):gsub('%s+', ' ')
  local room = math.max(vim.v.echospace, 10)
  api.nvim_echo({ { vim.fn.strcharpart(line, 0, room) } }, false, {})
end

-- -- life --

local function start_all(config)
  for _, bufnr in ipairs(api.nvim_list_bufs()) do
    if api.nvim_buf_is_loaded(bufnr) then
      client_of.start(bufnr, config)
    end
  end
end

local function watch_files(config)
  api.nvim_create_autocmd({ 'FileType', 'BufReadPost', 'BufNewFile' }, {
    group = group,
    callback = function(args)
      client_of.start(args.buf, config)
    end,
  })
  start_all(config)
end

-- What the plugin's own ghost text can do: show text that comes after the answer.
local function with_own(options)
  local is_own = options.ghost_text and not uses_editors_own()
  return vim.tbl_extend('force', options, { takes_updates = is_own and true or nil })
end

local function begin()
  local config = client_of.config(with_own(M.options))
  if has_config then
    vim.lsp.config(client_of.name, config)
    vim.lsp.enable(client_of.name)
  else
    watch_files(config)
  end
end

-- Ends the server and starts it anew for the buffers that it served.
function M.restart()
  local clients = vim.lsp.get_clients({ name = client_of.name })
  local buffers = {}
  for _, client in ipairs(clients) do
    for bufnr in pairs(client.attached_buffers) do
      buffers[bufnr] = true
    end
    client_of.stop(client)
  end
  local function again(n_left)
    if #vim.lsp.get_clients({ name = client_of.name }) > 0 and n_left > 0 then
      vim.defer_fn(function()
        again(n_left - 1)
      end, 50)
      return
    end
    local config = has_config and vim.lsp.config[client_of.name] or client_of.config(with_own(M.options))
    for bufnr in pairs(buffers) do
      if api.nvim_buf_is_loaded(bufnr) then
        client_of.start(bufnr, config)
      end
    end
  end
  again(100)
end

local function merged(options)
  local with = vim.tbl_deep_extend('force', defaults, options or {})
  if options and options.keymaps == true then
    with.keymaps = vim.deepcopy(defaults.keymaps)
  end
  for _, name in ipairs({ 'cmd', 'root_markers' }) do -- lists are taken whole
    with[name] = options and options[name] or defaults[name]
  end
  return with
end

function M.setup(options)
  if vim.fn.has('nvim-0.10') == 0 then
    vim.notify('Crucible: Neovim 0.10 or later is needed', vim.log.levels.ERROR)
    return
  end
  M.options = merged(options)
  require('crucible.ghost').debounce = M.options.debounce
  require('crucible.answer').options = M.options.answer
  api.nvim_clear_autocmds({ group = group })
  api.nvim_create_autocmd('LspAttach', { group = group, callback = on_attach })
  api.nvim_create_autocmd('LspDetach', { group = group, callback = on_detach })
  if M.options.progress then
    api.nvim_create_autocmd('LspProgress', { group = group, callback = on_progress })
  end
  if M.options.keymaps and M.options.ghost_text then
    map_keys(M.options.keymaps)
  end
  begin()
end

return M
