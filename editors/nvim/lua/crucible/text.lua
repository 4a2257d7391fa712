-- text.lua - positions in the encodings of LSP, pieces of a suggestion, and putting one in.
--
-- Why    Neovim counts bytes, a server what was agreed on; the editor's own helpers for that differ
--        from version to version.
-- Rules  Rows and columns are counted from 0, columns in bytes. Text has \n as its only line end.
local M = {}
local api = vim.api

-- How many units of `encoding` the first `n_bytes` bytes of `line` are.
function M.units(line, n_bytes, encoding)
  n_bytes = math.min(n_bytes, #line)
  if encoding == 'utf-8' then
    return n_bytes
  end
  local n = 0
  for i = 1, n_bytes do
    local byte = line:byte(i)
    if byte < 0x80 or byte >= 0xC0 then
      n = n + ((byte >= 0xF0 and encoding == 'utf-16') and 2 or 1)
    end
  end
  return n
end

-- The byte at which the unit `n_units` of `line` begins; past its end: the end.
function M.bytes(line, n_units, encoding)
  if encoding == 'utf-8' then
    return math.min(n_units, #line)
  end
  local n, i = 0, 1
  while i <= #line do
    local byte = line:byte(i)
    if n >= n_units and (byte < 0x80 or byte >= 0xC0) then
      break
    end
    if byte < 0x80 or byte >= 0xC0 then
      n = n + ((byte >= 0xF0 and encoding == 'utf-16') and 2 or 1)
    end
    i = i + 1
  end
  return i - 1
end

function M.line(bufnr, row)
  return api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ''
end

-- LSP's position of a place in a buffer.
function M.position(bufnr, row, col, encoding)
  return { line = row, character = M.units(M.line(bufnr, row), col, encoding) }
end

function M.cursor()
  local at = api.nvim_win_get_cursor(0)
  return at[1] - 1, at[2]
end

-- What one more word of `text` is: blanks and then a name, or blanks and then other marks.
function M.first_word(text)
  local blanks = text:match('^%s*')
  local rest = text:sub(#blanks + 1)
  local word = rest:match('^[%w_\128-\255]+') or rest:match('^[^%w_%s\128-\255]+') or ''
  return blanks .. word
end

-- The rest of the line, or the whole next line where `text` begins with a line's end.
function M.first_line(text)
  local break_at = text:find('\n', 2, true)
  return break_at and text:sub(1, break_at - 1) or text
end

-- How much of an item's `said` the accepted `taken` is, in UTF-16 units, as servers are told.
function M.accepted_length(taken, said)
  if said:find('\r\n', 1, true) then
    taken = taken:gsub('\n', '\r\n')
  end
  return M.units(taken, #taken, 'utf-16')
end

-- Puts `text` in at the cursor, in place of the `n_replaced` bytes after it, and the cursor behind
-- it. What was typed before stays an undo step of its own.
function M.insert(text, n_replaced)
  local bufnr = api.nvim_get_current_buf()
  local row, col = M.cursor()
  local lines = vim.split(text, '\n', { plain = true })
  vim.cmd('let &l:undolevels = &l:undolevels')
  local end_col = math.min(col + n_replaced, #M.line(bufnr, row))
  api.nvim_buf_set_text(bufnr, row, col, row, end_col, lines)
  local last = #lines[#lines]
  api.nvim_win_set_cursor(0, { row + #lines, #lines == 1 and col + last or last })
end

return M
