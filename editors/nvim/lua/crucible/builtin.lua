-- builtin.lua - accepting what Neovim's own inline completion (0.12) shows.
--
-- Why    The editor asks again 200 ms after the last key and accepts the older answer until then, in
--        front of what was typed meanwhile; and it accepts wholes only.
-- Rules  What was typed since the suggestion came must be how it begins, else nothing is put in.
local api = vim.api
local client_of = require('crucible.client')
local text = require('crucible.text')

local M = {}

local function typed_since(row, col)
  local at_row, at_col = text.cursor()
  if at_row < row or (at_row == row and at_col < col) then
    return nil
  end
  return table.concat(api.nvim_buf_get_text(0, row, col, at_row, at_col, {}), '\n')
end

local function tell(item, is_whole, taken)
  local client = vim.lsp.get_client_by_id(item.client_id)
  if not client or not item.command then
    return
  end
  if is_whole then
    client:exec_cmd(item.command, { bufnr = api.nvim_get_current_buf() })
    return
  end
  local said = { insertText = item.insert_text, command = item.command }
  client_of.notify(client, 'textDocument/didPartiallyAcceptCompletion', {
    item = said,
    acceptedLength = text.accepted_length(taken, item.insert_text),
  })
end

-- Puts in what `item` still has to say at the cursor, or its next unit.
local function take(item, unit, otherwise)
  if type(item.insert_text) ~= 'string' or not item.range then
    return item -- not one of ours: the editor knows best
  end
  local row, col, end_row, end_col = item.range:to_extmark()
  local said = item.insert_text:gsub('\r\n', '\n')
  local typed = typed_since(row, col)
  if not typed or not vim.startswith(said, typed) or #typed == #said then
    otherwise()
    return nil
  end
  local left = said:sub(#typed + 1)
  local piece = unit == 'word' and text.first_word(left) or unit == 'line' and text.first_line(left) or left
  local is_whole = #piece == #left
  local n_replaced = is_whole and row == end_row and math.max(end_col - col, 0) or 0
  text.insert(piece, n_replaced)
  tell(item, is_whole, typed .. piece)
  return nil
end

-- True where something is shown; `otherwise` is called where it turns out not to fit any more.
function M.accept(unit, otherwise)
  return vim.lsp.inline_completion.get({
    on_accept = function(item)
      return take(item, unit, otherwise)
    end,
  })
end

return M
