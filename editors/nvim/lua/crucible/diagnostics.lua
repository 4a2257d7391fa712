-- diagnostics.lua - what other servers and linters complain about, for the server that shall fix it.
--
-- Why    Neovim tells a server only of the diagnostics that it made itself. Ours makes none, so it
--        would never be asked to fix any.
local text = require('crucible.text')

local M = {}

local function as_lsp(bufnr, d, encoding)
  local end_lnum = d.end_lnum or d.lnum
  return {
    range = {
      start = text.position(bufnr, d.lnum, d.col, encoding),
      ['end'] = text.position(bufnr, end_lnum, d.end_col or d.col, encoding),
    },
    message = d.message,
    severity = d.severity,
    source = d.source,
    code = d.code,
  }
end

-- Those on the lines from row to end_row, as LSP has them.
function M.on_lines(bufnr, row, end_row, encoding)
  local found = {}
  for _, d in ipairs(vim.diagnostic.get(bufnr)) do
    if d.lnum <= end_row and (d.end_lnum or d.lnum) >= row then
      table.insert(found, as_lsp(bufnr, d, encoding))
    end
  end
  return found
end

-- Fills in the diagnostics of a question for code actions, where there are none.
local function complete(client, params, bufnr)
  local context = params.context
  if context and vim.tbl_isempty(context.diagnostics or {}) then
    local range = params.range
    local lines = { range.start.line, range['end'].line }
    context.diagnostics = M.on_lines(bufnr, lines[1], lines[2], client.offset_encoding)
  end
end

-- Lets every question for code actions that goes to this client tell of all diagnostics.
function M.hook(client)
  local request = client.request
  client.request = function(...)
    local first = select(1, ...)
    local has_self = first == client -- 0.11 and later call it as a method
    local method, params, _, bufnr = select(has_self and 2 or 1, ...)
    if method == 'textDocument/codeAction' and type(params) == 'table' then
      bufnr = (bufnr == nil or bufnr == 0) and vim.api.nvim_get_current_buf() or bufnr
      complete(client, params, bufnr)
    end
    return request(...)
  end
end

return M
