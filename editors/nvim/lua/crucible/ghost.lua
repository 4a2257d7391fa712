-- ghost.lua - ghost text in a Neovim that has no inline completion of its own (0.10, 0.11).
--
-- Why    Without it these versions have an entry in the popup and nothing else. 0.12 has its own;
--        this one can take its place there (ghost_text = 'own').
-- How    A change or a move in insert mode asks, after a short pause, for what may come next, and
--        takes back what was asked before. Of a text that grows the server tells more later
--        (crucible/inlineUpdate). A suggestion hangs on a mark at the place where it
--        begins: while what is typed from there is how its text begins, the rest stays on screen.
-- Rules  Shown is only what fits what stands in the buffer now. An answer counts while text, cursor
--        and window are those that were asked about, and while it is the newest that was asked.
--        The buffer is only changed by accept().
local api = vim.api
local client_of = require('crucible.client')
local text = require('crucible.text')

local M = { debounce = 40 }

M.namespace = api.nvim_create_namespace('crucible.ghost')
local anchors = api.nvim_create_namespace('crucible.ghost.anchor')
local MARK = 1 -- the one extmark of each namespace
local INVOKED, AUTOMATIC = 1, 2

local group = api.nvim_create_augroup('crucible.ghost', {})
local shown -- {bufnr, client_id, item, text, replaced, tail}: the suggestion, or nil
local asked -- {client_id, id, at}: the request that is under way, or nil
local seen -- the state of things that was last acted on
local timer

local function tail()
  local row, col = text.cursor()
  return text.line(0, row):sub(col + 1)
end

local function now()
  local row, col = text.cursor()
  local bufnr = api.nvim_get_current_buf()
  local tick = api.nvim_buf_get_changedtick(bufnr)
  return { bufnr = bufnr, win = api.nvim_get_current_win(), tick = tick, row = row, col = col }
end

local function is_inserting()
  return api.nvim_get_mode().mode:sub(1, 1) == 'i'
end

-- What has been typed since the suggestion began, and what of it is left; nil: it doesn't fit.
local function rest_of(s)
  if not s or api.nvim_get_current_buf() ~= s.bufnr or tail() ~= s.tail then
    return nil
  end
  local mark = api.nvim_buf_get_extmark_by_id(s.bufnr, anchors, MARK, {})
  local row, col = text.cursor()
  if not mark[1] or row < mark[1] or (row == mark[1] and col < mark[2]) then
    return nil
  end
  local lines = api.nvim_buf_get_text(s.bufnr, mark[1], mark[2], row, col, {})
  local typed = table.concat(lines, '\n')
  if #typed < #s.text and vim.startswith(s.text, typed) then
    return s.text:sub(#typed + 1), typed
  end
end

-- Tabs as wide as they will be once they stand there.
local function widen(line, from_col)
  local at = from_col
  local parts = {}
  for plain, tab in line:gmatch('([^\t]*)(\t?)') do
    table.insert(parts, plain)
    at = at + vim.fn.strdisplaywidth(plain, at)
    if tab ~= '' then
      local width = vim.fn.strdisplaywidth('\t', at)
      table.insert(parts, (' '):rep(width))
      at = at + width
    end
  end
  return table.concat(parts)
end

local function clear()
  if shown and api.nvim_buf_is_valid(shown.bufnr) then
    api.nvim_buf_clear_namespace(shown.bufnr, M.namespace, 0, -1)
  end
end

local function hide()
  clear()
  if shown and api.nvim_buf_is_valid(shown.bufnr) then
    api.nvim_buf_clear_namespace(shown.bufnr, anchors, 0, -1)
  end
  shown = nil
end

-- Where the first line goes: text that it replaces is covered, or left to stand if it is the same.
local function place(first, s, is_single)
  if s.replaced == '' then
    return first, 'inline'
  end
  if is_single and vim.endswith(first, s.replaced) then
    return first:sub(1, #first - #s.replaced), 'inline'
  end
  if s.replaced ~= s.tail then
    return first, 'inline'
  end
  local missing = vim.fn.strdisplaywidth(s.replaced) - vim.fn.strdisplaywidth(first)
  return first .. (' '):rep(math.max(missing, 0)), 'overlay'
end

-- Shows what is left of the suggestion at the cursor; false where it no longer fits.
local function render()
  local left = rest_of(shown)
  if not left then
    hide()
    return false
  end
  local row, col = text.cursor()
  local lines = vim.split(left, '\n', { plain = true })
  local first, how = place(lines[1], shown, #lines == 1)
  local below = {}
  for i = 2, #lines do
    below[i - 1] = { { widen(lines[i], 0), 'CrucibleGhost' } }
  end
  api.nvim_buf_set_extmark(shown.bufnr, M.namespace, row, col, {
    id = MARK,
    virt_text = { { widen(first, vim.fn.virtcol('.') - 1), 'CrucibleGhost' } },
    virt_text_pos = how,
    virt_lines = #below > 0 and below or nil,
    hl_mode = 'combine',
  })
  return true
end

local function cancel()
  if timer then
    timer:stop()
  end
  local client = asked and vim.lsp.get_client_by_id(asked.client_id)
  if client and asked.id then
    client_of.cancel(client, asked.id)
  end
  asked = nil
end

-- What an item offers at this place; nil where it can't be shown here.
local function suggestion(client, item, at)
  local said = item.insertText
  if type(said) ~= 'string' or said == '' then
    return nil
  end
  local line = text.line(at.bufnr, at.row)
  local from, to = at.col, at.col
  if item.range then
    if item.range.start.line ~= at.row or item.range['end'].line ~= at.row then
      return nil
    end
    from = text.bytes(line, item.range.start.character, client.offset_encoding)
    to = text.bytes(line, item.range['end'].character, client.offset_encoding)
  end
  if from > at.col or to < at.col then
    return nil
  end
  return {
    bufnr = at.bufnr,
    client_id = client.id,
    item = item,
    text = (said:gsub('\r\n', '\n')),
    replaced = line:sub(at.col + 1, to),
    tail = line:sub(at.col + 1),
  }, from
end

-- Whether these items only say less of what is on screen: nearer the line's end a server may stop
-- there, and what was offered before is still true.
local function says_less(items)
  local left = rest_of(shown)
  local said = #items == 1 and items[1].insertText
  return left and type(said) == 'string' and vim.startswith(left, (said:gsub('\r\n', '\n')))
end

local function on_items(client, result, at)
  local items = result and (result.items or result) or {}
  if says_less(items) then
    return
  end
  hide()
  for _, item in ipairs(items) do
    local s, from = suggestion(client, item, at)
    if s then
      shown = s
      api.nvim_buf_set_extmark(at.bufnr, anchors, at.row, from, { id = MARK, right_gravity = false })
      if render() then
        client_of.notify(client, 'textDocument/didShowCompletion', { item = item })
        return
      end
    end
  end
end

-- More of an answer that was given, or what came after it was due: shown where nothing has moved
-- since, and as long as it goes on from what is on screen.
function M.on_update(_, update, ctx)
  local client = vim.lsp.get_client_by_id(ctx.client_id)
  local at = now()
  if not client or not is_inserting() or vim.fn.pumvisible() == 1 then
    return
  end
  local is_here = vim.uri_to_bufnr(update.uri) == at.bufnr
    and vim.lsp.util.buf_versions[at.bufnr] == update.version
    and vim.deep_equal(text.position(at.bufnr, at.row, at.col, client.offset_encoding), update.position)
  local left = rest_of(shown)
  local said = update.items[1] and update.items[1].insertText
  local goes_on = not left or (type(said) == 'string' and vim.startswith((said:gsub('\r\n', '\n')), left))
  if is_here and goes_on then
    asked = nil -- its answer is older
    on_items(client, update, at)
  end
end

local function provider(bufnr)
  local client = client_of.of(bufnr)
  return client and client.server_capabilities.inlineCompletionProvider and client or nil
end

local function ask(kind)
  local client = is_inserting() and vim.fn.pumvisible() == 0 and provider(0)
  if not client then
    return
  end
  cancel()
  local at = now()
  local request = { client_id = client.id, at = at }
  asked = request
  local params = {
    textDocument = { uri = vim.uri_from_bufnr(at.bufnr) },
    position = text.position(at.bufnr, at.row, at.col, client.offset_encoding),
    context = { triggerKind = kind },
  }
  local is_sent, id = client_of.request(client, 'textDocument/inlineCompletion', params, function(err, result)
    if asked ~= request then
      return
    end
    asked = nil
    if not err and is_inserting() and vim.fn.pumvisible() == 0 and vim.deep_equal(now(), at) then
      on_items(client, result, at)
    end
  end, at.bufnr)
  if asked == request then
    asked = is_sent and request or nil
    request.id = id
  end
end

local function ask_soon()
  timer = timer or assert(vim.uv.new_timer())
  timer:start(M.debounce, 0, vim.schedule_wrap(function()
    ask(AUTOMATIC)
  end))
end

-- After each change and move: what is shown goes along or goes, and the next question is due.
local function on_change()
  local at = now()
  if seen and vim.deep_equal(seen, at) then
    return -- a typed letter is both a change and a move
  end
  seen = at
  cancel()
  if vim.fn.pumvisible() == 1 or not is_inserting() then
    hide()
    return
  end
  if shown then
    render()
  end
  ask_soon()
end

local function on_leave()
  cancel()
  hide()
  seen = nil
end

local function dressed()
  local link = vim.fn.hlexists('ComplHint') == 1 and 'ComplHint' or 'Comment'
  api.nvim_set_hl(0, 'CrucibleGhost', { default = true, link = link })
end

-- Begins to suggest in a buffer that the server is attached to.
function M.attach(bufnr)
  M.detach(bufnr)
  dressed()
  local function on(events, callback)
    api.nvim_create_autocmd(events, { group = group, buffer = bufnr, callback = callback })
  end
  on('InsertEnter', ask_soon)
  on({ 'TextChangedI', 'CursorMovedI' }, on_change)
  on('TextChangedP', function()
    cancel()
    hide()
    seen = nil
  end)
  on({ 'InsertLeave', 'BufLeave', 'BufUnload' }, on_leave)
  api.nvim_create_autocmd('ColorScheme', { group = group, buffer = bufnr, callback = dressed })
end

function M.detach(bufnr)
  api.nvim_clear_autocmds({ group = group, buffer = bufnr })
  if shown and shown.bufnr == bufnr then
    on_leave()
  end
end

function M.is_visible()
  return rest_of(shown) ~= nil
end

-- Asks now, and says that a person did.
function M.trigger()
  ask(INVOKED)
end

-- Takes the suggestion away; false where there was none.
function M.dismiss()
  local was = M.is_visible()
  cancel()
  hide()
  return was
end

local function tell_partly(client, s, taken)
  client_of.notify(client, 'textDocument/didPartiallyAcceptCompletion', {
    item = s.item,
    acceptedLength = text.accepted_length(taken, s.item.insertText),
  })
end

local function tell_whole(client, s)
  if s.item.command then
    local params = { command = s.item.command.command, arguments = s.item.command.arguments }
    client_of.request(client, 'workspace/executeCommand', params, function() end, s.bufnr)
  end
end

-- Puts the suggestion in, or its next 'word' or 'line'; false where there is none.
function M.accept(unit)
  local s = shown
  local left, typed = rest_of(s)
  if not left or not is_inserting() then
    return false
  end
  cancel()
  local piece = unit == 'word' and text.first_word(left) or unit == 'line' and text.first_line(left) or left
  local is_whole = #piece == #left
  clear()
  text.insert(piece, is_whole and #s.replaced or 0)
  local client = vim.lsp.get_client_by_id(s.client_id)
  if is_whole then
    hide()
  else
    render()
  end
  if client and is_whole then
    tell_whole(client, s)
  elseif client then
    tell_partly(client, s, typed .. piece)
  end
  return true
end

return M
