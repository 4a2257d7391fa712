-- command.lua - :Crucible and what can be said after it.
--
-- Extending A word is one function in the table `words`.
local api = vim.api
local client_of = require('crucible.client')
local diagnostics = require('crucible.diagnostics')
local text = require('crucible.text')

local M = {}

local function complain(message)
  vim.notify('Crucible: ' .. message, vim.log.levels.WARN)
end

local function client_or_complain()
  local client = client_of.of(0)
  if not client then
    complain('not attached to this buffer; :checkhealth crucible says why')
  end
  return client
end

-- Whether the lines of a call are the last visual selection, made by characters.
local function is_by_characters(call)
  return vim.fn.visualmode() == 'v'
    and vim.fn.line("'<") == call.line1
    and vim.fn.line("'>") == call.line2
end

-- What a call is about, as rows and columns: its selection, its lines, or the cursor's place.
local function region(call)
  if call.range == 0 then
    local row, col = text.cursor()
    return row, col, row, col
  end
  local row, end_row = call.line1 - 1, call.line2 - 1
  local end_line = text.line(0, end_row)
  if not is_by_characters(call) then
    return row, 0, end_row, #end_line
  end
  local col, last = vim.fn.col("'<") - 1, vim.fn.col("'>")
  if last > #end_line then
    return row, col, end_row, #end_line
  end
  -- The selection's last character may be of several bytes.
  local width = #vim.fn.strpart(end_line, last - 1, 1, true)
  return row, col, end_row, last - 1 + width
end

local function range_of(row, col, end_row, end_col, encoding)
  return {
    start = text.position(0, row, col, encoding),
    ['end'] = text.position(0, end_row, end_col, encoding),
  }
end

local function act(name, call, instruction)
  local client = client_or_complain()
  if not client then
    return
  end
  local row, col, end_row, end_col = region(call)
  local argument = {
    uri = vim.uri_from_bufnr(0),
    range = range_of(row, col, end_row, end_col, client.offset_encoding),
  }
  if name == 'refactor' then
    argument.instruction = instruction ~= '' and instruction or nil
    client_of.refactor(client, argument, api.nvim_get_current_buf())
    return
  end
  if name == 'fix' then
    local found = diagnostics.on_lines(0, row, end_row, client.offset_encoding)
    argument.diagnostics = #found > 0 and found or nil
  end
  client_of.execute(client, 'crucible.' .. name, argument)
end

local function plain(command)
  local client = client_of.any()
  if client then
    client_of.execute(client, command)
  else
    complain('not running; :checkhealth crucible says why')
  end
end

local function show_status()
  local client = client_of.any()
  if not client then
    complain('not running; :checkhealth crucible says why')
    return
  end
  client_of.request(client, 'crucible/status', vim.empty_dict(), function(err, status)
    if err or type(status) ~= 'table' then
      complain(err and err.message or 'no answer')
      return
    end
    local lines = { 'Crucible: ' .. tostring(status.message) }
    if type(status.model) == 'string' and status.model ~= '' then
      table.insert(lines, 'Model: ' .. status.model)
    end
    if type(status.why) == 'string' and status.why ~= '' then
      table.insert(lines, 'Last: ' .. status.why)
    end
    vim.notify(table.concat(lines, '\n'))
  end, 0)
end

-- Stops what the server is working on for a person: its progress and the answer being written.
local function stop_work()
  local client = client_of.any()
  for token in pairs(client and client.progress.pending or {}) do
    client_of.notify(client, 'window/workDoneProgress/cancel', { token = token })
  end
  require('crucible.answer').close()
end

local words = {
  explain = function(call)
    act('explain', call)
  end,
  fix = function(call)
    act('fix', call)
  end,
  document = function(call)
    act('document', call)
  end,
  tests = function(call)
    act('tests', call)
  end,
  refactor = function(call, instruction)
    act('refactor', call, instruction)
  end,
  toggle = function()
    plain('crucible.toggle')
  end,
  models = function()
    plain('crucible.switchModel')
  end,
  status = show_status,
  stop = stop_work,
  restart = function()
    require('crucible').restart()
  end,
}

function M.run(call)
  local word, more = call.args:match('^(%S+)%s*(.-)%s*$')
  local known = words[word]
  if not known then
    complain(('no such word: %s; there are %s'):format(word, table.concat(M.complete('', 'Crucible '), ', ')))
    return
  end
  if more ~= '' and word ~= 'refactor' then
    complain(word .. ' takes no text; refactor does')
    return
  end
  known(call, more)
end

-- Completion: the first word after the command, nothing after that.
function M.complete(lead, line)
  if not line:match('Crucible%s+%S*$') then
    return {}
  end
  local found = vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, vim.tbl_keys(words))
  table.sort(found)
  return found
end

return M
