-- answer.lua - the window that an explanation grows in.
--
-- How    Each notification crucible/answer holds the whole text so far; only the lines that differ
--        are written, so that reading, scrolling and marking go on meanwhile.
-- Rules  One window. Another explanation takes it over; closing it stops the answer that isn't done.
--        The window takes the focus only from who stands where it was asked from.
local api = vim.api
local client_of = require('crucible.client')

local M = { options = { window = 'float', focus = true } }

local current -- {key, client_id, id, is_done, bufnr, win}: what the window shows, or nil
local dismissed = {} -- keys of answers that nobody wants any more, until their last word

local function stop(answer)
  if answer.is_done then
    return
  end
  dismissed[answer.key] = true
  local client = vim.lsp.get_client_by_id(answer.client_id)
  if client then
    client_of.notify(client, 'window/workDoneProgress/cancel', { token = answer.id })
  end
end

local function is_open()
  return current and current.win and api.nvim_win_is_valid(current.win)
end

-- Closes the window, and stops what is still being written into it.
function M.close()
  if is_open() then
    pcall(api.nvim_win_close, current.win, true)
  end
end

local function make_buffer()
  local bufnr = api.nvim_create_buf(false, true)
  vim.bo[bufnr].bufhidden = 'wipe'
  vim.bo[bufnr].modifiable = false
  vim.bo[bufnr].filetype = 'markdown'
  pcall(vim.treesitter.start, bufnr, 'markdown')
  for _, key in ipairs({ 'q', '<Esc>' }) do
    vim.keymap.set('n', key, M.close, { buffer = bufnr, nowait = true, desc = 'Close the answer' })
  end
  api.nvim_create_autocmd('BufWipeout', {
    buffer = bufnr,
    callback = function()
      if current and current.bufnr == bufnr then
        stop(current)
        current = nil
      end
    end,
  })
  return bufnr
end

-- A float keeps to the half of the screen that the cursor isn't in.
local function float_config(height)
  local bottom = vim.o.lines - vim.o.cmdheight - 1
  local row = vim.fn.screenrow()
  local is_below = row <= bottom / 2
  local most = math.max(math.floor(bottom / 2) - 2, 3)
  local width = math.min(84, vim.o.columns - 4)
  return {
    relative = 'editor',
    anchor = is_below and 'SE' or 'NE',
    row = is_below and bottom or 0,
    col = vim.o.columns - 1,
    width = math.max(width, 10),
    height = math.max(1, math.min(height, most)),
    style = 'minimal',
    border = 'rounded',
  }
end

local function open_window(bufnr)
  local is_entered = M.options.focus and client_of.is_waited_for()
  local win
  if M.options.window == 'float' then
    win = api.nvim_open_win(bufnr, is_entered, float_config(1))
  else
    local vertical = M.options.window == 'vsplit'
    win = api.nvim_open_win(bufnr, is_entered, { split = vertical and 'right' or 'below', win = -1 })
  end
  for name, value in pairs({ wrap = true, linebreak = true, conceallevel = 2, number = false, list = false }) do
    api.nvim_set_option_value(name, value, { scope = 'local', win = win })
  end
  return win
end

-- The window for an answer that is new: the one that is open, or another.
local function take_window(answer)
  if is_open() then
    stop(current)
    answer.bufnr, answer.win = current.bufnr, current.win
  else
    answer.bufnr = make_buffer()
    answer.win = open_window(answer.bufnr)
  end
  current = answer
end

local function write(bufnr, lines)
  local old = api.nvim_buf_get_lines(bufnr, 0, -1, false)
  local same = 0
  while same < #old and same < #lines and old[same + 1] == lines[same + 1] do
    same = same + 1
  end
  vim.bo[bufnr].modifiable = true
  api.nvim_buf_set_lines(bufnr, same, -1, false, vim.list_slice(lines, same + 1))
  vim.bo[bufnr].modifiable = false
end

local function lines_of(answer)
  local text = (answer.text or ''):gsub('\r\n', '\n'):gsub('%s+$', '')
  if type(answer.error) == 'string' then
    text = (text ~= '' and text .. '\n\n' or '') .. '**Broken off:** ' .. answer.error
  elseif text == '' then
    text = answer.done and 'The model had nothing to say.' or 'Waiting for the model ...'
  end
  return vim.split(text, '\n', { plain = true })
end

-- Who has gone to the end goes along with it.
local function follow(win, was_at_end)
  local last = api.nvim_buf_line_count(api.nvim_win_get_buf(win))
  if was_at_end then
    api.nvim_win_set_cursor(win, { last, 0 })
  end
end

local function dress(win, title, is_done)
  local config = api.nvim_win_get_config(win)
  local label = title .. (is_done and '' or ' ...')
  if config.relative == '' then
    vim.wo[win].statusline = ' ' .. label:gsub('%%', '%%%%') .. '%=q closes '
    return
  end
  -- Grows where it is: asking for the cursor's half again would let it jump.
  local most = math.max(math.floor((vim.o.lines - vim.o.cmdheight - 1) / 2) - 2, 3)
  local height = api.nvim_win_text_height(win, {}).all
  config.height = math.max(1, math.min(height, most))
  config.title = ' ' .. vim.fn.strcharpart(label, 0, config.width - 4) .. ' '
  config.footer = is_done and ' q closes ' or ' q stops and closes '
  config.footer_pos = 'right'
  api.nvim_win_set_config(win, config)
end

local function show(params, client_id)
  local key = client_id .. ' ' .. tostring(params.id)
  if dismissed[key] then
    dismissed[key] = not params.done or nil
    return
  end
  local is_new = not current or current.key ~= key or not is_open()
  if is_new then
    take_window({ key = key, client_id = client_id, id = params.id, is_done = false })
  end
  current.is_done = params.done == true
  local win = current.win
  local was_at_end = not is_new
    and api.nvim_win_get_cursor(win)[1] > 1
    and api.nvim_win_get_cursor(win)[1] == api.nvim_buf_line_count(current.bufnr)
  write(current.bufnr, lines_of(params))
  if is_new then
    api.nvim_win_set_cursor(win, { 1, 0 })
  end
  follow(win, was_at_end)
  dress(win, params.title or 'Crucible', current.is_done)
end

-- Handler of crucible/answer.
function M.on_answer(_, params, ctx)
  if vim.fn.getcmdwintype() == '' then
    show(params, ctx.client_id)
  else -- no window can be opened from there: the last word is kept until it is left
    api.nvim_create_autocmd('CmdwinLeave', {
      once = true,
      callback = vim.schedule_wrap(function()
        show(params, ctx.client_id)
      end),
    })
  end
end

return M
